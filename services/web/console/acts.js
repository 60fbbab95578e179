// What the person who is logged in can do about a case: the acts that the server offers, each with its few fields.

import { act as send, ask, Refused } from "./api.js";
import { ACCEPTED, sendProofs } from "./files.js";
import { catalogue, code, h, name, say, shortTime, t, who } from "./i18n.js";

const OPINIONS = ["agree", "agree_with_conditions", "object"];
const SOLVED = ["yes", "partly", "no"];
const REFUSALS = ["court", "petition", "discipline", "secret", "out_of_area", "not_genuine", "emergency_line"];
const DECLINED = ["ill", "on_other_duty", "unreachable", "other"];
const WITHHELD = ["personal_data", "secret", "incorrect"];
const CONDITIONS = ["", "cross_town", "beyond_competence", "headcount", "repeat", "overdue_at_town", "casualties_or_media"];
const RECUSALS = ["complained_of", "interested"];
const WENT_UP = ["beyond_village", "asked"];
const ANSWERS = { solved: { contacted: true, solved: true, satisfied: true }, dissatisfied: { contacted: true, solved: true, satisfied: false }, "not solved": { contacted: true, solved: false, satisfied: false }, unreached: { contacted: false } };

const words = (key, { required = true, label = key } = {}) => ({ key, label, make: (id) => h("textarea", { id, name: key, rows: 3, required, maxlength: 20000 }), read: (text) => text.trim() || undefined });
const choice = (key, kind, values) => ({ key, make: (id) => h("select", { id, name: key, required: true }, values().map((value) => h("option", { value, text: kind === "matter" || kind === "department" ? `${value} ${name(kind, value)}` : code(kind, value) }))), read: (text) => text });
const optional = (key, kind, values) => ({ ...choice(key, kind, values), make: (id) => Object.assign(choice(key, kind, values).make(id), { required: false }) });
/** People of the turn-out who are still waited for, of the act's own department if it has one; one of them, or some. */
const awaited = ({ responders }, { department }, states) => responders.filter((one) => states.includes(one.presence) && (!department || one.department === department));
const nameOf = (one) => `${one.number} ${name("department", one.department)}`;
const some = (key, ...states) => ({ key, group: true, make: (id, context, act) => h("fieldset", { id }, h("legend", { text: t(`act_${key}`) }), awaited(context, act, states).map((one) => h("label", { class: "check" }, h("input", { type: "checkbox", value: one.number, checked: true }), " ", nameOf(one)))),
  read: (text, group) => [...group.querySelectorAll(":checked")].map((one) => one.value) });
const one = (key, ...states) => ({ key, make: (id, context, act) => h("select", { id, name: key, required: true }, awaited(context, act, states).map((who) => h("option", { value: who.number, text: nameOf(who) }))), read: (text) => text });
const number = (key, max = 5000) => ({ key, make: (id) => h("input", { id, name: key, type: "number", min: 1, max, value: 1, required: true, inputmode: "numeric" }), read: Number });
const line = (key) => ({ key, make: (id) => h("input", { id, name: key, maxlength: 110, placeholder: "《…》第…条" }), read: (text) => text.trim() || undefined });
const day = (key) => ({ key, make: (id) => h("input", { id, name: key, type: "date", required: true }), read: (text) => text });
const files = { key: "files", make: (id) => h("input", { id, name: "files", type: "file", accept: ACCEPTED, multiple: true, required: true }), read: (text, input) => [...input.files] };

/** Every act: its key on the keyboard, its fields, whether it is the one that is hoped for, and its own way if it has one. */
const FORMS = {
  "call.acknowledge.v1": { key: "a", main: true, fields: [] },
  "call.report-in.v1": { key: "r", main: true, fields: [number("people")] },
  "call.contact-reporter.v1": { key: "c", fields: [] },
  "call.note.v1": { key: "n", fields: [words("note")] },
  "call.attach-proof.v1": { key: "v", fields: [files], send: (act, given) => sendProofs(act, given.files) },
  "call.file-result.v1": { key: "f", main: true, fields: [choice("solved", "solved", () => SOLVED), words("account"), words("reply", { required: false })] },
  "case.classify.v1": { key: "t", main: true, fields: [choice("matter", "matter", () => catalogue.matters.map((entry) => entry.code))] },
  "case.recuse-department.v1": { key: "0", fields: [choice("department", "department", () => catalogue.departments.map((entry) => entry.code)), choice("ground", "recusal", () => RECUSALS)] },
  "report.refuse.v1": { key: "x", fields: [choice("ground", "ground", () => REFUSALS), words("advice")] },
  "case.approve-result.v1": { key: "p", main: true, fields: [] },
  "case.send-back-result.v1": { key: "b", fields: [words("reason")] },
  "case.explain.v1": { key: "e", fields: [] },
  "case.resolve-in-village.v1": { key: "s", main: true, fields: [choice("solved", "solved", () => SOLVED), words("account"), words("reply")] },
  "case.escalate.v1": { key: "g", fields: [choice("reason", "went_up", () => WENT_UP)] },
  "case.call-district.v1": { key: "d", fields: [optional("condition", "condition", () => CONDITIONS), words("evidence", { required: false })] },
  "case.grant-launch-waiver.v1": { key: "g", main: true, fields: [choice("bureau", "department", () => catalogue.departments.filter((entry) => entry.kind === "district_bureau").map((entry) => entry.code)), words("reason")] },
  "case.hand-down.v1": { key: "h", fields: [words("reason")] },
  "case.consent-to-hand-down.v1": { key: "k", fields: [] },
  "case.follow-up.v1": { key: "u", main: true, fields: [{ key: "answer", make: (id) => choice("answer", "answer", () => Object.keys(ANSWERS)).make(id), read: (text) => ANSWERS[text] }] },
  "approval.file-opinion.v1": { key: "l", main: true, fields: [choice("opinion", "opinion", () => OPINIONS), line("legal_basis"), words("conditions", { required: false })] },
  "approval.request-material.v1": { key: "m", fields: [words("pieces")] },
  "approval.supply-material.v1": { key: "q", main: true, fields: [] },
  "approval.open-next-round.v1": { key: "z", main: true, fields: [words("remedied", { required: false })] },
  "approval.decide.v1/granted": { key: "i", main: true, fields: [] },
  "approval.decide.v1/refused": { key: "j", fields: [words("reason")] },
  "approval.reach-milestone.v1": { key: "1", fields: [day("on")] },
  "mobilisation.order.v1": { key: "2", fields: [number("min_people", 500)] },
  "mobilisation.confirm.v1": { key: "3", main: true, fields: [some("numbers", "called")] },
  "mobilisation.muster.v1": { key: "4", main: true, fields: [some("numbers", "called", "confirmed")] },
  "mobilisation.decline.v1": { key: "5", fields: [one("number", "called", "confirmed"), choice("ground", "declined", () => DECLINED)] },
  "mobilisation.stand-down.v1": { key: "6", fields: [] },
  "mobilisation.review.v1": { key: "7", main: true, fields: [words("note", { label: "review" })] },
  "outcome.publish.v1": { key: "o", main: true, fields: [words("reply", { required: false })] },
  "outcome.withhold.v1": { key: "w", fields: [choice("ground", "withheld", () => WITHHELD)] },
};

let done = () => {};
let shownAs = "";
const busy = new Set();

export function startActs(whenDone) {
  done = whenDone;
}

const formOf = (act) => FORMS[act.decision ? `${act.request}/${act.decision}` : act.request];

/** What an act is called, with what it is about where there may be several. */
function labelOf(act) {
  const about = act.item ? name("item", act.item) : act.decision ? code("decision", act.decision) : act.milestone ? code("milestone", act.milestone) : "";
  return [code("act", act.request), about].filter(Boolean).join(" · ");
}

export const keyOf = (act) => formOf(act)?.key;
export const isOneStep = (act) => formOf(act)?.fields.length === 0;
export const isMain = (act) => Boolean(formOf(act)?.main);

/** Do an act; tells what went wrong beside `near`. */
export async function perform(act, fields, near) {
  const what = JSON.stringify([act, fields]);
  if (busy.has(what)) return false;
  busy.add(what);
  try {
    const { answer, ...rest } = fields;
    const own = formOf(act).send;
    await (own ? own(act, fields) : send({ ...act, ...rest, ...answer }));
    done(act);
    return true;
  } catch (error) {
    const text = error instanceof Refused ? t("failed", { e: error.message }) : t("unreachable");
    near.replaceChildren(h("p", { class: "error", role: "alert", text }));
    return false;
  } finally {
    busy.delete(what);
  }
}

/**
 * The part of a case's pane in which one acts; what is being filled in, and words that were opened, stay as they are.
 * Forms choose from what the case says: a `suggested` matter, and the `responders` of its turn-out.
 */
export function drawActs(place, acts, row, mayOpen, context) {
  const same = JSON.stringify([acts, mayOpen, context, document.documentElement.lang]);
  if (same === shownAs && place.dataset.case === row.case) return;
  shownAs = same;
  if (place.dataset.case !== row.case) {
    place.dataset.case = row.case;
    place.replaceChildren(h("h3"), h("div", { class: "act-buttons" }), h("div", { class: "act-form" }), h("div", { "aria-live": "polite" }), h("div", { class: "words" }));
  }
  const [title, list, form, trouble, texts] = place.children;
  say(title, t("acts"));
  const buttons = acts.filter(formOf).map((act) => {
    const { key, main, fields } = formOf(act);
    const label = [labelOf(act), h("kbd", { "aria-hidden": "true", text: key.toUpperCase() })];
    return h("button", { type: "button", class: main ? "primary" : "", "data-key": key, "aria-keyshortcuts": key,
      onclick: () => (fields.length ? fillIn(form, act, fields, trouble, context) : perform(act, {}, trouble)) }, label);
  });
  const read = mayOpen ? h("button", { type: "button", "data-key": "y", "aria-keyshortcuts": "y", onclick: () => openWords(row.case, texts, trouble) }, t("open_words"), h("kbd", { "aria-hidden": "true", text: "Y" })) : null;
  place.hidden = !buttons.length && !read;
  list.replaceChildren(...[...buttons, read].filter(Boolean));
}

export function clearActs(place) {
  shownAs = "";
  delete place.dataset.case;
  place.replaceChildren();
  place.hidden = true;
}

function fillIn(place, act, fields, trouble, context) {
  trouble.replaceChildren();
  const inputs = fields.map((field) => field.make(`act-${field.key}`, context, act));
  const form = h("form", { onsubmit: async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(fields.map((field, n) => [field.key, field.read(inputs[n].value, inputs[n])]));
    if (await perform(act, values, trouble)) place.replaceChildren();
  } },
  fields.map((field, n) => (field.group ? inputs[n] : h("label", { for: `act-${field.key}` }, h("span", { text: t(`act_${field.label ?? field.key}`) }), inputs[n]))),
  h("div", { class: "ends" }, h("button", { type: "button", onclick: () => place.replaceChildren(), text: t("cancel") }), h("button", { class: "primary", text: labelOf(act) })));
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "SELECT") return;
    event.preventDefault();
    form.requestSubmit();
  });
  const matter = inputs.find((input) => input.name === "matter");
  if (matter && context.suggested) matter.value = context.suggested;
  place.replaceChildren(form);
  (inputs[0].querySelector("input") ?? inputs[0]).focus();
}

/** What residents said and what was written since: as much of it as whoever is here may read now. */
async function openWords(id, place, trouble) {
  const path = `/api/cases/${encodeURIComponent(id)}`;
  const [reports, written] = await Promise.allSettled([ask(`${path}/words`, {}), ask(`${path}/written`, {})]);
  if (reports.value || written.value) {
    place.replaceChildren(h("p", { class: "hush", text: t("words_recorded") }), ...(reports.value ?? []).map(told), ...(written.value ?? []).map(wrote));
    trouble.replaceChildren();
  } else {
    const error = reports.reason;
    trouble.replaceChildren(h("p", { class: "error", role: "alert", text: error instanceof Refused ? t("failed", { e: error.message }) : t("unreachable") }));
  }
}

function wrote(one) {
  return h("article", { class: "told" },
    h("p", { class: "hush", text: [code("what", one.what), one.department ? name("department", one.department) : "", who(one.by ?? ""), shortTime(one.at)].filter(Boolean).join(" · ") }),
    one.erased ? h("p", { class: "hush", text: t("words_erased") }) : null,
    one.text ? h("p", { class: "told-text", text: one.text }) : null,
    one.reply ? h("p", { class: "told-text" }, h("b", { text: `${t("act_reply")} ` }), one.reply) : null);
}

function told(report) {
  if (report.erased) return h("article", { class: "told" }, h("p", { class: "hush", text: t("words_erased") }));
  const { contact } = report;
  return h("article", { class: "told" },
    h("p", { class: "hush", text: [report.receipt, shortTime(report.reported_at), report.anonymous ? t("anonymous") : ""].filter(Boolean).join(" · ") }),
    h("h4", { text: report.title }), h("p", { class: "told-text", text: report.text }),
    report.place ? h("p", { text: report.place }) : null,
    contact && (contact.name || contact.phone) ? h("p", {}, contact.name ?? "", " ", contact.phone ? h("a", { href: `tel:${contact.phone}`, text: contact.phone }) : null) : null);
}

/** A key that was pressed while a case is open: the act with that key, if there is one. */
export function pressed(place, key) {
  const button = place.hidden ? null : place.querySelector(`button[data-key="${CSS.escape(key)}"]`);
  button?.click();
  return Boolean(button);
}
