// The screens of those who keep the whole: the administrator's users, and the record of openings.

import { act as send, ask, Refused } from "./api.js";
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
      h("td", { text: one.name }), h("td", { text: one.person }), h("td", { text: one.roles.map((role) => code("role_of", role)).join(t("and")) }), h("td", { text: unit(one.unit) }),
      h("td", { class: "ends" }, one.disabled ? h("span", { class: "hush", text: t("disabled") }) : [
        h("button", { type: "button", onclick: () => give(one.name, trouble), text: t("new_password") }),
        h("button", { type: "button", onclick: () => act({ request: "user.disable.v1", name: one.name }, trouble, place), text: t("disable") })])));
    place.replaceChildren(table(["user_name", "person", "roles", "unit", "what"], rows), trouble, addForm(trouble, place));
  });
}

async function act(asked, trouble, place) {
  try {
    await send(asked);
    await showUsers(place);
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

// ---- 查阅记录

export async function showOpenings(place, still = () => true) {
  const { rows } = await ask("/api/openings");
  if (!still()) return;
  unlessShown(rows, () => {
    place.replaceChildren(rows.length ? table(["opened_at", "who_opened", "what_opened", "why_opened"], rows.map((row) => h("tr", {},
      h("td", {}, shortTime(row.opened_at)), h("td", { text: row.who }), h("td", { class: "id", text: row.stream }), h("td", { text: row.purpose })))) : h("p", { class: "empty", text: t("nothing") }));
  });
}
