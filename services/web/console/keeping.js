// The screens of those who keep the whole: the administrator's users, the register of people, and the record of openings.

import { ask, newKey, Refused } from "./api.js";
import { announce, ringButton } from "./desk.js";
import { catalogue, code, h, name, shortTime, t } from "./i18n.js";

const ROLES = ["intake_clerk", "village_clerk", "command_centre", "platform_head", "department_officer", "reviewer", "follow_up_clerk", "district_command", "district_leader", "town_committee", "personnel", "analyst", "privacy_officer", "administrator"];
const PARTS = [["town", "towns"], ["village", "villages"], ["platform", "platforms"], ["department", "departments"]];

let shownAs = "";

export function clearKeeping() {
  shownAs = "";
}

const unit = (of) => PARTS.map(([part]) => (of[part] ? name(part, of[part]) : "")).filter(Boolean).join(" ") || t("everywhere");
export const table = (heads, rows) => h("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": t(heads[0]) }, h("table", { class: "list" }, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col", text: t(head) })))), h("tbody", {}, rows)));

/** Draw anew only what is not there yet, so that a form that is being filled in stays. */
export function unlessShown(answer, draw) {
  const same = JSON.stringify([document.documentElement.lang, answer]);
  if (same === shownAs) return;
  shownAs = same;
  draw();
}

// ---- 用户

export async function showUsers(place, still = () => true) {
  const users = await ask("/api/users");
  if (!still()) return;
  unlessShown(users, () => {
    const trouble = h("div", { "aria-live": "polite" });
    const rows = users.map((one) => h("tr", { class: one.disabled ? "off" : "" },
      h("td", { text: one.name }), h("td", { text: one.person }), h("td", { text: one.roles.map((role) => code("role_of", role)).join("、") }), h("td", { text: unit(one.unit) }),
      h("td", { class: "ends" }, one.disabled ? h("span", { class: "hush", text: t("disabled") }) : [
        h("button", { type: "button", onclick: () => give(one.name, trouble), text: t("new_password") }),
        h("button", { type: "button", onclick: () => act({ request: "user.disable.v1", name: one.name }, trouble, place), text: t("disable") })])));
    place.replaceChildren(table(["user_name", "person", "roles", "unit", "what"], rows), trouble, addForm(trouble, place));
  });
}

async function act(asked, trouble, place, show = showUsers) {
  try {
    await ask("/api/acts", asked, { key: newKey("act") });
    await show(place);
    return true;
  } catch (error) {
    trouble.replaceChildren(h("p", { class: "error", role: "alert", text: error instanceof Refused ? t("failed", { e: error.message }) : t("unreachable") }));
    return false;
  }
}

async function give(user, trouble) {
  try {
    const { password } = await ask(`/api/users/${encodeURIComponent(user)}/password`, {});
    trouble.replaceChildren(h("p", { class: "notice" }, t("password_given", { u: user }), " ", h("output", { class: "receipt", text: password })));
  } catch (error) {
    trouble.replaceChildren(h("p", { class: "error", role: "alert", text: error instanceof Refused ? error.message : t("unreachable") }));
  }
}

function addForm(trouble, place) {
  const field = (label, made) => h("label", {}, h("span", { text: t(label) }), made);
  const select = (key, list) => h("select", { name: key }, h("option", { value: "", text: t("any") }), catalogue[list].map((entry) => h("option", { value: entry.code, text: name(key, entry.code) })));
  const form = h("form", { class: "add-user", onsubmit: async (event) => {
    event.preventDefault();
    const value = (key) => form.elements[key].value.trim();
    const of = Object.fromEntries(PARTS.map(([part]) => [part, value(part)]).filter(([, chosen]) => chosen));
    await act({ request: "user.add.v1", name: value("name"), person: value("person"), roles: [value("role")], unit: of }, trouble, place);
  } },
  h("h3", { text: t("add_user") }),
  field("user_name", h("input", { name: "name", required: true, pattern: "[a-z][a-z0-9.\\-]{1,39}", autocomplete: "off", spellcheck: "false" })), field("person", h("input", { name: "person", required: true, maxlength: 60, autocomplete: "off" })),
  field("roles", h("select", { name: "role" }, ROLES.map((role) => h("option", { value: role, text: code("role_of", role) })))), ...PARTS.map(([part, list]) => field(`seat_${part}`, select(part, list))),
  h("div", { class: "ends" }, h("button", { class: "primary", text: t("add_user") })));
  return form;
}

// ---- 人员

export async function showPeople(place, still = () => true) {
  const { rows, party } = await ask("/api/people");
  if (!still()) return;
  const overdue = rows.filter((one) => one.secondment === "overdue");
  announce(overdue.map((one) => one.number), (fresh) => [t("overdue_returns", { n: fresh.length })]);
  unlessShown([rows, party], () => {
    const trouble = h("div", { "aria-live": "polite" });
    const lent = (one) => (one.secondment ? [code("secondment", one.secondment), one.lent_to, `${one.lent_from} – ${one.back}`].join(" · ") : "");
    const buttons = (one) => one.acts.map((found) => h("button", { type: "button", onclick: () => act(found, trouble, place, showPeople), text: code("act", found.request) }));
    const alarm = overdue.length ? h("p", { class: "error", role: "alert", text: t("overdue_returns", { n: overdue.length }) }) : "";
    place.replaceChildren(h("div", { class: "filters" }, h("h2", { text: code("desk", "people") }), ringButton()), alarm, partyOrganisations(party), rows.length ? table(["person", "lent", "what", "seat_town", "seat_department", "served_since", "employer", "staff_number"], rows.map((one) => h("tr", { class: one.secondment === "overdue" ? "late" : "" },
      h("td", { text: one.name }), h("td", { text: lent(one) }), h("td", {}, buttons(one)), h("td", { text: name("town", one.town) }), h("td", { text: name("department", one.department) }),
      h("td", { text: one.since }), h("td", { text: one.employer }), h("td", { class: "id", text: one.number })))) : h("p", { class: "empty", text: t("nothing") }), trouble);
  });
}

/** 平台党组织: one line each, folded away where they are many. */
function partyOrganisations(orgs) {
  if (!orgs.length) return "";
  const line = (org) => [name("town", org.town), name("platform", org.platform), org.name, org.secretary_name ? t("secretary", { p: org.secretary_name }) : t("no_secretary"), t("party_members", { n: org.members })].join(" · ");
  return h("details", { class: "party", open: orgs.length < 7 }, h("summary", { text: t("party_orgs", { n: orgs.length }) }), h("ul", {}, orgs.map((org) => h("li", { text: line(org) }))));
}

// ---- 查阅记录

export async function showOpenings(place, still = () => true) {
  const { rows } = await ask("/api/openings");
  if (!still()) return;
  unlessShown(rows, () => {
    place.replaceChildren(rows.length ? table(["opened_at", "who_opened", "what_opened", "why_opened"], rows.map((row) => h("tr", {},
      h("td", {}, shortTime(row.opened_at)), h("td", { text: row.who }), h("td", { class: "id", text: row.stream }), h("td", { text: row.purpose })))) : h("p", { class: "empty", text: t("nothing") }));
  });
}
