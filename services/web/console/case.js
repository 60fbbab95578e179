// The pane of one case: where it stands, which departments were called, and everything that happened.

import { approval } from "./approvals.js";
import { catalogue, clockTime, code, detail, h, language, name, owner, platformOf, say, shortTime, t, who } from "./i18n.js";
import { countdowns } from "./countdowns.js";
import { turnOut } from "./staff.js";
import { fileList, forgetFiles } from "./files.js";

const STEPS = ["registered", "calling", "in_progress", "in_review", "resolved", "closed"];
const STEP_OF = { triage: "registered", village_handling: "registered", rework: "in_progress" };
const REACHED = ["opened_at", "called_at", "engaged_at", "submitted_at", "resolved_at", "closed_at"];
const CLOCKS = [
  ["acknowledge", "acknowledge_due", "acknowledged_at", "acknowledged_late"],
  ["arrive", "arrive_due", "reported_in_at", "reported_in_late"],
  ["contact", "contact_due", "contacted_at", "contacted_late"],
  ["result", "result_due", "filed_at", "filed_late"],
];

const byId = (id) => document.getElementById(id);
let shownAs = ""; // what is drawn: drawn again only when the answer changed
let asked = 0; // when the answer was given, by the server's clock
let counting = countdowns(() => Date.now());
let dues = []; // why each due time is what it is
let hours = "";

export function startCase(now) {
  counting = countdowns(now);
}

/** An empty pane, while the case is being read. */
export function clearCase() {
  forgetFiles();
  shownAs = "";
  counting.clear();
  say(byId("pane-title"), t("case"));
  byId("pane-body").replaceChildren(h("p", { class: "hush", text: t("loading") }));
}

export function missingCase(text) {
  shownAs = "";
  counting.clear();
  byId("pane-body").replaceChildren(h("p", { class: "error", text: text || t("no_case") }));
}

/** Draw the answer of `/api/cases/{case}` unless it is what already stands there. */
export function showCase(answer) {
  const { now, ...rest } = answer;
  asked = Date.parse(now);
  const same = language() + JSON.stringify(rest);
  if (same === shownAs) return;
  shownAs = same;
  counting.clear();
  dues = answer.dues ?? [];
  hours = (catalogue.hours ?? []).map((slot) => slot.join("–")).join(t("and"));
  const { case: row } = answer;
  say(byId("pane-title"), row.matter ? name("matter", row.matter) : t("unclassified"));
  byId("pane-body").replaceChildren(
    head(row), recused(answer.recusals ?? []), stepper(row), owed(answer.board ?? []), turnOut(answer.turn_out, countdown, block), approval(answer, countdown, block, asked), attached(answer.reports ?? [], answer.files ?? [], row), departments(answer.calls ?? [], answer.legs ?? [], row, answer.files ?? []),
    why(answer.explain ?? []), timeline(answer.timeline ?? [], answer.explain ?? []));
  tickCase();
}

/** Move the pane's countdowns on to the present. */
export const tickCase = () => counting.tick();

const countdown = (due) => counting.to(due);

/** What is explained at a tap, and by the pointer above it. */
function explained(content, text) {
  if (!text) return content;
  const because = h("span", { class: "because", hidden: true, text });
  const button = h("button", { type: "button", class: "why-this", title: text, "aria-expanded": "false", onclick: () => {
    because.hidden = !because.hidden;
    button.setAttribute("aria-expanded", String(!because.hidden));
  } }, content);
  return [button, because];
}

/** 回避: who must not hear of it, at the top, for all who may. */
function recused(rows) {
  if (!rows.length) return "";
  return h("p", { class: "recused", role: "note" }, h("b", { text: t("recused") }), " ",
    rows.map((row) => h("span", { class: "chip bad", text: `${name("department", row.department)} · ${code("recusal", row.ground)}` })));
}

/** A rule as the server writes it, such as `U3 acknowledge 4wh` or `matter 103 promised 1wd`, in words. */
function ruleWords(rule) {
  const [first, second] = rule.split(" ");
  if (first === "matter") return t("rule_promised", { m: name("matter", second) });
  const clock = code("clock", second);
  return /^U\d$/.test(first) ? `${first} ${code("class", first)} · ${clock}` : code("owes", { urgent: "review", "follow-up": "follow_up" }[first] ?? first);
}

/** Why something is due when it is: the newest reason for this clock of this owner, in a call or in the case itself. */
function reasonOf(owes, of, call = "") {
  const found = dues.findLast((one) => one.owes === owes && one.owner === of && one.call === call);
  const half = found?.rule.startsWith("half of ");
  const rule = half ? found.rule.slice("half of ".length) : (found?.rule ?? "");
  const length = /(\d+)(min|h|wh|wd|d)$/.exec(rule);
  if (!length) return "";
  const working = length[2].startsWith("w") ? t("due_working", { h: hours }) : "";
  return [t("due_because", { r: ruleWords(rule), n: half ? t("half", { n: length[1] }) : length[1], u: t(`unit_${length[2]}`), s: shortTime(found.since, asked) }), working, found.provisional ? t("due_provisional") : ""].filter(Boolean).join("");
}

const at = (time) => h("time", { datetime: time, text: shortTime(time, asked) });
const leads = (legs) => Number(legs.some((leg) => leg.role === "lead"));
const chip = (text, cls = "") => (text ? h("span", { class: `chip ${cls}`, text }) : null);

function head(row) {
  const urgency = row.handling_class;
  return h("div", { class: "case-head" },
    h("p", { class: "chips" },
      urgency ? h("span", { class: `badge ${urgency}`, text: `${urgency} ${code("class", urgency)}` }) : null,
      chip(code("phase", row.phase), "strong"),
      row.level && row.level !== "town" ? chip(code("level", row.level)) : null,
      row.attempt > 1 ? chip(t("attempt", { n: row.attempt })) : null,
      row.late ? chip(t("late_case"), "bad") : null,
      row.solved ? chip(code("solved", row.solved)) : null,
      row.satisfied == null ? null : chip(t(row.satisfied ? "satisfied" : "dissatisfied"), row.satisfied ? "good" : "bad"),
      row.close_reason && row.close_reason !== "solved" ? chip(code("reason", row.close_reason)) : null,
      chip(code("visibility", row.visibility))),
    h("p", { class: "case-place" }, [name("town", row.town), row.village ? name("village", row.village) : ""].filter(Boolean).join(" · "),
      h("span", { class: "hush" }, ` · ${t("reports_n", { n: row.reports })} · ${t("reported_at")} `, at(row.reported_at),
        row.result_due ? [` · ${t("result_due")} `, explained(at(row.result_due), reasonOf("result", "command_centre"))] : null)),
    h("p", { class: "hush id", text: row.case }));
}

function stepper(row) {
  const current = STEPS.indexOf(STEP_OF[row.phase] ?? row.phase);
  const steps = STEPS.map((step, index) => {
    const state = index < current || row.phase === "closed" ? "done" : index === current ? "current" : "ahead";
    const time = state === "ahead" ? null : row[REACHED[index]];
    return h("li", { class: state, "aria-current": state === "current" ? "step" : null },
      h("span", { class: "dot", "aria-hidden": "true", text: state === "done" ? "✓" : String(index + 1) }),
      h("span", { class: "step", text: code("step", step) }),
      time ? h("span", { class: "hush" }, at(time)) : null);
  });
  return h("ol", { class: "stepper" }, steps);
}

const block = (title, ...inside) => h("section", { class: "block" }, h("h3", { text: t(title) }), ...inside);

function owed(rows) {
  if (!rows.length) return "";
  return block("still_owed", h("ul", { class: "owed" }, rows.map((row) => h("li", {},
    h("span", { text: owner(row.owner) }),
    h("b", { text: code("owes", row.owner === "command_centre" && row.owes === "result" ? "track" : row.owes) }),
    row.due ? explained(countdown(row.due), reasonOf(row.owes, row.owner, row.call ?? "")) : h("span", { class: "hush", text: t("no_due") })))));
}

function why(sentences) {
  if (!sentences.length) return "";
  return block("why", h("ul", { class: "why" }, sentences.map((sentence) => h("li", { text: sentence[language()] ?? sentence.zh }))));
}

/** What residents attached, report by report. */
function attached(reports, files, row) {
  const theirs = reports.map((report) => [report, files.filter((file) => file.report === report.report)]).filter(([, of]) => of.length);
  if (!theirs.length) return "";
  return block("attachments", theirs.map(([report, of]) => h("div", {},
    h("p", { class: "hush", text: `${shortTime(report.reported_at, asked)} · ${t("files_n", { n: of.length })}` }),
    report.erased_at ? h("p", { class: "hush", text: t("words_erased") }) : fileList(of, row.case))));
}

function departments(calls, legs, row, files) {
  if (!legs.length) return "";
  const known = new Map(calls.map((call) => [call.call, call]));
  const grouped = new Map();
  for (const leg of legs) grouped.set(leg.call, [...(grouped.get(leg.call) ?? []), leg]);
  const order = { lead: 0, assist: 1, consult: 2 };
  const sorted = [...grouped].sort(([a, x], [b, y]) =>
    (known.get(b)?.attempt ?? 1) - (known.get(a)?.attempt ?? 1) || leads(y) - leads(x));
  return block("departments", sorted.map(([id, of]) => {
    const call = known.get(id);
    const platform = call?.platform ?? of[0].platform ?? platformOf(of[0].department);
    const note = [row.attempt > 1 ? t("nth_call", { n: call?.attempt ?? 1 }) : "", call ? code("level", call.level) : ""].filter(Boolean).join(" · ");
    of.sort((a, b) => (order[a.role] ?? 3) - (order[b.role] ?? 3));
    return h("div", { class: "call" }, h("h4", {}, name("platform", platform), h("span", { class: "hush", text: ` ${note}` })),
      h("div", { class: "cards" }, of.map((leg) => card(leg, files.filter((file) => file.call === id && file.department === leg.department)))));
  }));
}

function card(leg, proofs) {
  const clocks = CLOCKS.filter(([, due, actual]) => leg[due] || leg[actual]);
  return h("article", { class: `card ${leg.progress}` },
    h("header", {}, h("h5", { text: name("department", leg.department) }),
      chip(code("role", leg.role), leg.role === "lead" ? "strong" : ""), leg.required && leg.role !== "lead" ? chip(t("required")) : null,
      h("span", { class: "progress", text: code("progress", leg.progress) })),
    h("table", {}, h("thead", {}, h("tr", {}, ["clock", "due", "actual"].map((word) => h("th", { scope: "col", text: t(word) })))),
      h("tbody", {}, clocks.map(([kind, due, actual, late]) => h("tr", {},
        h("th", { scope: "row", text: code("clock", kind) }),
        h("td", {}, leg[due] ? explained(at(leg[due]), reasonOf(kind, leg.department, leg.call)) : "—"),
        h("td", {}, outcome(leg, leg[due], leg[actual], leg[late])))))),
    leg.people || leg.solved || delivery(leg) ? h("p", { class: "hush" }, [
      delivery(leg), leg.people ? t("people", { n: leg.people }) : "", code("solved", leg.solved)].filter(Boolean).join(" · ")) : null,
    proofs.length ? [h("p", { class: "hush", text: `${t("proof")} · ${t("files_n", { n: proofs.length })}` }), fileList(proofs, leg.case)] : null);
}

/** How its alert stands: that it did not arrive matters to nobody once the department knows all the same. */
const delivery = (leg) => (leg.delivered_at || leg.progress === "called" ? code("delivery", leg.delivery) : "");

function outcome(leg, due, actual, late) {
  if (actual) return [at(actual), " ", h("span", { class: late ? "bad-mark" : "good-mark", text: t(late ? "was_late" : "on_time") })];
  if (leg.progress === "released" || leg.progress === "filed") return h("span", { class: "hush", text: leg.progress === "released" ? t("stopped") : "—" });
  return due ? countdown(due) : "—";
}

function timeline(rows, sentences) {
  let day = "";
  const because = (row) => sentences.filter((one) => one.position === row.position).map((one) => one[language()] ?? one.zh).join(" ");
  const lines = rows.flatMap((row) => {
    const date = shortTime(row.at, asked).split(" ")[0];
    const first = date !== day;
    day = date;
    const actor = row.department ? name("department", row.department) : row.platform ? name("platform", row.platform) : "";
    const by = who(row.who);
    const words = [actor, by && !(actor && by.startsWith(actor)) ? by : "", detail(row)].filter(Boolean);
    const warn = row.late || /missed|escalated|sent-back|rework|reopened|delivery-failed/.test(row.what);
    return [
      first ? h("li", { class: "day" }, h("span", { text: date })) : null,
      h("li", { "data-tone": warn ? "warn" : row.what.split(".")[0] },
        h("time", { datetime: row.at, text: clockTime(row.at) }),
        h("span", {}, explained(h("b", { text: code("what", row.what) }), because(row)), row.late ? h("span", { class: "late-mark", text: t("late") }) : null,
          words.length ? h("span", { class: "actor", text: words.join(" · ") }) : null)),
    ];
  });
  return block("timeline", h("ol", { class: "timeline" }, lines));
}
