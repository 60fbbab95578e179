// People on duty and on the spot: a town's roster, and a case's joint turn-out with a count that climbs.

import { ask } from "./api.js";
import { table, unlessShown } from "./keeping.js";
import { catalogue, code, h, name, shortTime, t } from "./i18n.js";

// ---- 值班

function byDepartment(people) {
  const found = new Map();
  for (const one of people) found.set(one.department, [...(found.get(one.department) ?? []), one]);
  return found;
}

/** The posts of a person, such as `platform_head P4 0`, in words. */
const held = (posts) => (posts ?? "").split(", ").filter(Boolean).map((one) => {
  const [kind, ...rest] = one.split(" ");
  return post({ post: kind, platform: rest.length > 1 ? rest[0] : "" });
}).join(t("and"));

const post = (of) => [code("post", of.post), of.platform ? name("platform", of.platform) : ""].filter(Boolean).join(" · ");

/** Where a person is now: free, or what keeps them. */
function whereabouts(one, now) {
  const away = one.leave_from && one.leave_from <= now && now < one.leave_until;
  const state = one.lent ? "lent" : away ? "leave" : one.mobilisation ? "scene" : one.deployed_to ? "deployed" : "free";
  return [state, [code("whereabouts", state), state === "deployed" ? name("department", one.deployed_to) : "", state === "leave" ? shortTime(one.leave_until) : ""].filter(Boolean).join(" ")];
}

/** How many of each department are free; with `names` also who, and where the others are. */
export function load(people, at, { names = false } = {}) {
  return h("ul", { class: "load" }, [...byDepartment(people)].map(([department, of]) => {
    const free = of.filter((one) => whereabouts(one, at)[0] === "free").length;
    return h("li", {}, h("span", { text: name("department", department) }), h("meter", { min: 0, max: of.length, value: free, "aria-label": name("department", department) }), h("span", { class: "hush", text: t("free_of", { n: free, m: of.length }) }),
      names ? h("span", { class: "chips" }, of.map((one) => {
        const [state, words] = whereabouts(one, at);
        return h("span", { class: `chip ${state === "free" ? "good" : ""}`, text: state === "free" ? one.name : `${one.name} ${words}` });
      })) : null);
  }));
}

export async function showRoster(place, still = () => true) {
  const answer = await ask("/api/roster");
  if (!still()) return;
  const { now, ...rest } = answer;
  unlessShown(rest, () => drawRoster(place, answer));
}

function drawRoster(place, answer) {
  const at = new Date(answer.now).toISOString();
  const known = Object.fromEntries(catalogue.duties.map((duty) => [duty.person, duty.zh]));
  place.replaceChildren(
    h("p", { class: "case-place" }, h("strong", { text: t("on_duty") }), " ", answer.duties.map((who) => known[who] ?? who).join(t("and")) || t("nobody")),
    ...answer.gaps.map((gap) => h("p", { class: "error", text: t("no_cover", { p: post(gap), s: shortTime(gap.start), e: shortTime(gap.end) }) })),
    answer.shifts.length ? table(["post", "person", "from", "until"], answer.shifts.map((one) => h("tr", {}, h("td", { text: post(one) }), h("td", { text: one.name ?? one.number }), h("td", { text: shortTime(one.start) }), h("td", { text: shortTime(one.end) })))) : "",
    h("h3", { text: t("free_people") }), load(answer.people, at),
    answer.people.length ? table(["person", "whereabouts", "seat_department", "posts", "staff_number"], answer.people.map((one) => {
      const [state, words] = whereabouts(one, at);
      return h("tr", { class: state === "free" ? "" : "off" }, h("td", { text: one.name }), h("td", { text: words }), h("td", { text: name("department", one.department) }), h("td", { text: held(one.posts) }), h("td", { class: "id", text: one.number }));
    })) : h("p", { class: "empty", text: t("nothing") }));
}

// ---- 联合出动

const WAITING = ["confirming", "short"];
const PRESENT = { confirmed: "strong", present: "good", declined: "bad", dropped: "bad" };

/** A turn-out in a case's pane; nothing where nobody turned out. */
export const turnOut = (found, countdown, block) => (found ? block("turn_out", musterOf(found, countdown)) : "");

/** How many are on the spot of how many are needed, department by department, and, for those who may know, who. */
export function musterOf(found, countdown) {
  const waits = WAITING.includes(found.phase);
  const lacking = found.min_people - found.mustered;
  const state = { short: "bad", mustered: "good" }[found.phase] ?? "";
  const who = byDepartment(found.responders ?? []);
  return h("div", { class: "turn-out" },
    h("p", { class: "muster" }, h("strong", { text: String(found.mustered) }), ` / ${t("needed", { n: found.min_people })} `, h("span", { class: `chip ${state}`, text: code("turn_out", found.phase) }),
      waits && lacking > 0 ? [" ", h("span", { class: "chip bad", text: t("lacking_n", { n: lacking }) })] : null, waits ? [" ", countdown(found.muster_due)] : null),
    h("meter", { min: 0, max: Math.max(found.min_people, found.mustered), value: found.mustered, "aria-label": t("turn_out") }),
    h("p", { class: "hush", text: [t("called_n", { n: found.called }), found.confirmed ? t("confirmed_n", { n: found.confirmed }) : ""].filter(Boolean).join(" · ") }),
    h("ul", { class: "responders" }, (found.departments ?? []).map((one) => h("li", {},
      h("span", {}, name("department", one.department), " ", h("span", { class: "hush", text: pool(one) })),
      h("span", { class: "chips" }, (who.get(one.department) ?? []).map((person) => h("span", { class: `chip ${PRESENT[person.presence] ?? ""}`, title: code("presence", person.presence), text: person.number })))))));
}

const pool = (of) => [t("there_n", { n: of.present }), of.coming ? t("coming_n", { n: of.coming }) : "", t("called_n", { n: of.called }), of.gone ? t("gone_n", { n: of.gone }) : ""].filter(Boolean).join(" · ");
