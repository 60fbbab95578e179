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

const post = (of) => [code("post", of.post), of.platform ? name("platform", of.platform) : ""].filter(Boolean).join(" · ");

/** Where a person is now: free, or what keeps them. */
function whereabouts(one, now) {
  const away = one.leave_from && one.leave_from <= now && now < one.leave_until;
  const state = one.lent ? "lent" : away ? "leave" : one.mobilisation ? "scene" : one.deployed_to ? "deployed" : "free";
  return [state, [code("whereabouts", state), state === "deployed" ? name("department", one.deployed_to) : "", state === "leave" ? shortTime(one.leave_until) : ""].filter(Boolean).join(" ")];
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
  const busy = byDepartment(answer.people);
  const load = [...busy].map(([department, people]) => {
    const free = people.filter((one) => whereabouts(one, at)[0] === "free").length;
    return h("li", {}, h("span", { text: name("department", department) }), h("meter", { min: 0, max: people.length, value: free }), h("span", { class: "hush", text: `${free} / ${people.length}` }));
  });
  place.replaceChildren(
    h("p", { class: "case-place" }, h("strong", { text: t("on_duty") }), " ", answer.duties.map((who) => known[who] ?? who).join("、") || t("nobody")),
    ...answer.gaps.map((gap) => h("p", { class: "error", text: t("no_cover", { p: post(gap), s: shortTime(gap.start), e: shortTime(gap.end) }) })),
    answer.shifts.length ? table(["post", "person", "from", "until"], answer.shifts.map((one) => h("tr", {}, h("td", { text: post(one) }), h("td", { text: one.name ?? one.number }), h("td", { text: shortTime(one.start) }), h("td", { text: shortTime(one.end) })))) : "",
    h("h3", { text: t("free_people") }), h("ul", { class: "load" }, load),
    answer.people.length ? table(["person", "whereabouts", "seat_department", "posts", "staff_number"], answer.people.map((one) => {
      const [state, words] = whereabouts(one, at);
      return h("tr", { class: state === "free" ? "" : "off" }, h("td", { text: one.name }), h("td", { text: words }), h("td", { text: name("department", one.department) }), h("td", { text: one.posts ?? "" }), h("td", { class: "id", text: one.number }));
    })) : h("p", { class: "empty", text: t("nothing") }));
}

// ---- 联合出动

/** How many are on the spot of how many are needed, and, for those who may know, who. */
export function turnOut(found, countdown, block) {
  if (!found) return "";
  const waiting = ["confirming", "short"].includes(found.phase);
  const who = byDepartment(found.responders ?? []);
  const state = { short: "bad", mustered: "good" }[found.phase] ?? "";
  return block("turn_out", h("div", { class: "turn-out" },
    h("p", { class: "muster" }, h("strong", { text: String(found.mustered) }), ` / ${t("needed", { n: found.min_people })}`, h("span", { class: "hush", text: ` · ${t("called_n", { n: found.called })} ` }), h("span", { class: `chip ${state}`, text: code("turn_out", found.phase) }), waiting ? [" ", countdown(found.muster_due)] : null),
    h("meter", { min: 0, max: Math.max(found.min_people, found.mustered), value: found.mustered, "aria-label": t("turn_out") }),
    who.size ? h("ul", { class: "responders" }, [...who].map(([department, people]) => h("li", {}, h("span", { class: "hush", text: `${name("department", department)} ` }),
      people.map((one) => h("span", { class: `chip ${PRESENT[one.presence] ?? ""}`, title: code("presence", one.presence), text: one.number }))))) : null));
}

const PRESENT = { present: "good", declined: "bad", dropped: "bad" };
