// 人员: who serves where and who is lent; asking for somebody, and the file of a secondment, step by step.

import { act, ask, Refused } from "./api.js";
import { announce, ringButton } from "./desk.js";
import { faultsOf, field, showFaults, trouble, troubleOf } from "./forms.js";
import { table } from "./keeping.js";
import { catalogue, code, dayOf, h, language, name, shortTime, t } from "./i18n.js";

const REQUEST = "person.request-secondment.v1";
const REFUSE = "person.refuse-secondment.v1";
const [TRIES, REST] = [20, 250];
const GROUNDS = ["needed_here", "unsuitable", "withdrawn", "other"];
/** The steps in order, each with the rule that binds it; nobody takes `started`, it comes with its day. */
const STEPS = [["requested", "R-SEC-1"], ["consented", "R-SEC-2"], ["approved", "R-SEC-3"], ["started", ""], ["ended", "R-SEC-4"]];
const REFUSED_AT = { consent: "consented", approval: "approved", start: "started" };

let answer = { rows: [], party: [] };
let opened = null; // { number, asks }: whose file is open, or for whom one asks
let typed = {}; // what stands in the form, kept when it is drawn anew
let wanted = ""; // whom one looks for
let shownAs = "";

/** Nobody goes on with what somebody else has begun. */
export function clearPeople() {
  [answer, opened, typed, wanted, shownAs] = [{ rows: [], party: [] }, null, {}, "", ""];
}

export async function showPeople(place, still = () => true) {
  const found = await ask("/api/people");
  if (!still()) return;
  answer = found;
  announce(overdue().map((one) => one.number), (fresh) => [t("overdue_returns", { n: fresh.length })]);
  if (!place.firstChild) {
    shownAs = "";
    place.append(h("section"), h("div", { role: "search" }), h("section"));
  }
  const same = JSON.stringify([language(), found.rows, found.party]);
  if (same === shownAs) return;
  shownAs = same;
  draw(place);
}

const overdue = () => answer.rows.filter((one) => one.secondment === "overdue");

function draw(place) {
  const [open, search, list] = place.children;
  const focused = open.contains(document.activeElement) ? document.activeElement.id : "";
  const row = opened && answer.rows.find((one) => one.number === opened.number);
  open.replaceChildren(...(row ? [opened.asks && !row.secondment ? requestForm(place, row) : file(place, row)] : []));
  const alarm = overdue().length ? h("p", { class: "error", role: "alert", text: t("overdue_returns", { n: overdue().length }) }) : "";
  search.replaceChildren(ringButton(), alarm, partyOrganisations(answer.party), h("label", {}, h("span", { class: "hush", text: `${t("find_person")} ` }), h("input", { type: "search", value: wanted, autocomplete: "off", oninput: (event) => { wanted = event.target.value; drawList(place, list); } })));
  drawList(place, list);
  if (focused) document.getElementById(focused)?.focus();
}

/** 平台党组织: one line each, folded away where they are many. */
function partyOrganisations(orgs) {
  if (!orgs.length) return "";
  const line = (org) => [name("town", org.town), name("platform", org.platform), org.name, org.secretary_name ? t("secretary", { p: org.secretary_name }) : t("no_secretary"), t("party_members", { n: org.members })].join(" · ");
  return h("details", { class: "party", open: orgs.length < 7 }, h("summary", { text: t("party_orgs", { n: orgs.length }) }), h("ul", {}, orgs.map((org) => h("li", { text: line(org) }))));
}

function drawList(place, list) {
  const rows = answer.rows.filter((one) => `${one.number} ${one.name} ${name("town", one.town)} ${name("department", one.department)}`.toLowerCase().includes(wanted.trim().toLowerCase()));
  const lent = (one) => (one.secondment ? [code("secondment", one.secondment), one.lent_to, `${one.lent_from} – ${one.back}`].join(" · ") : "");
  list.replaceChildren(rows.length ? table(["person", "what", "lent", "seat_town", "seat_department", "served_since", "employer", "staff_number"], rows.map((one) => h("tr", { class: one.secondment === "overdue" ? "late" : "" },
    h("td", { text: one.name }), h("td", {}, h("span", { class: "act-buttons" }, buttons(place, one))), h("td", { text: lent(one) }), h("td", { text: name("town", one.town) }), h("td", { text: name("department", one.department) }),
    h("td", { text: one.since }), h("td", { text: one.employer }), h("td", { class: "id", text: one.number })))) : h("p", { class: "empty", text: t("nobody_known") }));
}

function buttons(place, one) {
  const open = (asks) => () => { opened = { number: one.number, asks }; typed = {}; draw(place); place.querySelector(".person-file, .ask-for")?.focus(); };
  return [
    one.steps.length ? h("button", { type: "button", "data-file": one.number, onclick: open(false), text: t("file") }) : null,
    answer.may_request && !one.secondment ? h("button", { type: "button", "data-ask": one.number, onclick: open(true), text: code("act", REQUEST) }) : null,
  ];
}

function close(place) {
  const { number } = opened;
  opened = null;
  draw(place);
  place.querySelector(`[data-file="${CSS.escape(number)}"], [data-ask="${CSS.escape(number)}"]`)?.focus();
}

const heading = (place, words) => h("div", { class: "pane-links file-head" }, h("h3", { text: words }), h("button", { type: "button", class: "quiet", "aria-label": t("close"), onclick: () => close(place), text: "✕" }));

/** What was done is shown a moment later: ask until the person's file has another step, as long as this desk is open. */
async function stepShown(place, before) {
  const here = place.firstChild;
  const still = () => place.firstChild === here;
  for (let n = 0; n < TRIES && still(); n += 1) {
    shownAs = "";
    await showPeople(place, still);
    if (answer.rows.find((one) => one.number === before.number)?.steps.length > before.steps.length) break;
    await new Promise((rest) => setTimeout(rest, REST));
  }
  if (still()) place.querySelector(".person-file")?.focus();
}

// ---- asking for somebody

function requestForm(place, one) {
  const today = dayOf(answer.now);
  const input = (key, attributes) => h("input", { name: key, required: true, autocomplete: "off", value: typed[key] ?? "", oninput: (event) => { typed[key] = event.target.value; }, ...attributes });
  const bureaus = catalogue.departments.filter((entry) => entry.kind === "district_bureau").map((entry) => h("option", { value: entry.zh }));
  const trouble_ = h("div", { "aria-live": "polite" });
  const form = h("form", { class: "add-user ask-for", tabindex: -1, novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    const asked = Object.fromEntries(["to", "start", "back"].map((key) => [key, form.elements[key].value.trim()]));
    if (showFaults(form, wrongWith(asked, today)).length || form.querySelector("[aria-invalid]")) return;
    try {
      await act({ request: REQUEST, number: one.number, ...asked });
      opened = { number: one.number, asks: false };
      await stepShown(place, one);
    } catch (error) {
      trouble_.replaceChildren(...(error instanceof Refused ? showFaults(form, faultsOf(error.message).map(ruled)).map(trouble) : [troubleOf(error)]));
    }
  } },
  heading(place, `${code("act", REQUEST)} · ${one.name} ${one.number}`),
  h("p", { class: "hush rules", text: ["R-SEC-1", "R-SEC-4"].map((rule) => `${rule} ${code("rule", rule)}`).join(" · ") + ` · ${t("served_since")} ${one.since}` }),
  field("to", t("lent_to"), input("to", { maxlength: 100, list: "bureaus" })), h("datalist", { id: "bureaus" }, bureaus),
  field("start", t("lent_from"), input("start", { type: "date", min: today })), field("back", t("lent_back"), input("back", { type: "date", min: today })),
  trouble_, h("div", { class: "ends" }, h("button", { class: "primary", text: code("act", REQUEST) })));
  return form;
}

/** What the page can see for itself before it asks. */
function wrongWith({ to, start, back }, today) {
  return [
    to ? null : { at: "to", text: t("missing") },
    start ? (start < today ? { at: "start", text: t("not_before", { d: today }) } : null) : { at: "start", text: t("missing") },
    back ? (start && back <= start ? { at: "back", text: t("after", { d: start }) } : null) : { at: "back", text: t("missing") },
  ].filter(Boolean);
}

/** A refusal with the rule that it names in words, at the day that the rule is about. */
function ruled({ at, text }) {
  const [, rule] = /^(R-SEC-\d): /.exec(text) ?? [];
  return rule ? { at: text.includes("so back by") ? "back" : "start", text: `${rule} ${code("rule", rule)}: ${text.slice(rule.length + 2)}` } : { at, text };
}

// ---- 借调档案

function file(place, one) {
  const all = [];
  for (const step of one.steps) {
    if (step.step === "requested") all.unshift([]);
    all[0].push(step);
  }
  const said = h("div", { "aria-live": "polite" });
  return h("article", { class: "person-file", tabindex: -1, "aria-label": t("file") },
    heading(place, `${t("file")} · ${one.name} ${one.number}`),
    one.acts.length ? h("div", { class: "act-buttons" }, one.acts.map((found) => decision(place, one, found, said))) : null, said,
    all.map((steps) => secondment(steps)));
}

function decision(place, one, found, said) {
  const ground = found.request === REFUSE ? h("select", { "aria-label": t("act_ground"), name: "ground" }, GROUNDS.map((value) => h("option", { value, text: code("refusal", value) }))) : null;
  const button = h("button", { type: "button", class: ground ? "" : "primary", "data-act": found.request, text: code("act", found.request), onclick: async () => {
    try {
      await act(ground ? { ...found, ground: ground.value } : found);
      await stepShown(place, one);
    } catch (error) {
      said.replaceChildren(troubleOf(error));
    }
  } });
  return ground ? h("span", { class: "joined" }, ground, button) : button;
}

function secondment(steps) {
  const taken = Object.fromEntries(steps.map((step) => [step.step, step]));
  const [asked, refused] = [taken.requested, taken.refused];
  const lines = [];
  for (const [step, rule] of STEPS) {
    if (step === "ended" && taken.overdue) lines.push(line("bad", "overdue", taken.overdue, ""));
    if (taken[step]) lines.push(line(taken[step].late ? "bad" : "done", step, taken[step], rule));
    else if (refused) {
      lines.push(line("bad", "refused", refused, REFUSED_AT[refused.before] === step ? rule : ""));
      break;
    } else lines.push(line(lines.some((one) => one.dataset.state === "next") ? "ahead" : "next", step, null, rule));
  }
  return h("section", { class: "secondment" }, h("h4", { text: `${asked.lent_to} · ${asked.lent_from} – ${asked.back}` }), h("ol", { class: "steps" }, lines));
}

const SIGNS = { done: "✓", bad: "✕", next: "…", ahead: "" };

/** One step: what it is, who took it when, and the rule that it stands under. */
function line(state, step, taken, rule) {
  const by = taken ? [taken.who ?? t("by_itself"), shortTime(taken.at, answer.now), taken.ground ? code("refusal", taken.ground) : "", step === "ended" && taken.late ? t("late") : ""] : [t(state === "next" ? "next_step" : "later_step")];
  return h("li", { "data-state": state, "data-step": step }, h("span", { class: "dot", "aria-hidden": "true", text: SIGNS[state] }),
    h("span", {}, h("b", { text: code("step_of", step) }), " ", h("span", { class: "hush", text: by.filter(Boolean).join(" · ") }),
      rule ? h("span", { class: "rule", text: `${step === "refused" ? `${t("not_passed")} ` : ""}${rule} ${code("rule", rule)}` }) : null));
}
