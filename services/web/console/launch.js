// 启动清单编辑: the list in force, what lists refused, and the next version, kept as a draft until it is published.

import { act, ask, Refused } from "./api.js";
import { CODES } from "./codes.js";
import { faultsOf, field, showFaults, trouble, troubleOf } from "./forms.js";
import { catalogue, code, h, language, lengthWords, name, say, shortTime, t } from "./i18n.js";

const LENGTH = /^([1-9]\d{0,3}(min|h|wh|wd|d))?$/;
const CONDITIONS = Object.keys(CODES.condition).filter(Boolean);
const EMPTY = { matter: "", bureau: "", platform: "", conditions: [], evidence_required: "", acknowledge: "", arrive: "", legal_basis: "" };
const TEXTS = ["evidence_required", "legal_basis"];
const LENGTHS = ["acknowledge", "arrive"];

let answer = null;
let draft = null; // { base, lines: [{ key, item, was, gone, open }], effective_from, citation }
let told = ""; // what became of the last publication
let parts = null;
let drawn = { above: "", draft: null, language: "" };
let keys = 0;

/** Nobody goes on with what somebody else has begun. */
export function clearLaunch() {
  answer = draft = parts = null;
  told = "";
}

export async function showLaunch(place, still = () => true) {
  const found = await ask("/api/launch-list");
  if (!still()) return;
  answer = found;
  if (!draft || (draft.base !== found.version && !isChanged())) draft = begin();
  if (!parts?.above.isConnected) {
    parts = { above: h("section"), refused: h("section"), list: h("section"), publish: h("section") };
    drawn = {};
    place.replaceChildren(...Object.values(parts));
  }
  const above = JSON.stringify([language(), { ...found, now: "" }, draft.base]);
  const anew = drawn.draft !== draft || drawn.language !== language();
  if (above !== drawn.above || anew) drawAbove();
  if (anew) drawDraft();
  drawn = { above, draft, language: language() };
}

/** The newest list is what the next one is made from, whether or not its day has come. */
const newest = () => answer.waiting ?? answer.in_force;

function begin() {
  const lines = newest().items.map((item) => ({ key: ++keys, item: { ...EMPTY, ...item }, was: { ...EMPTY, ...item } }));
  return { base: answer.version, lines, effective_from: answer.earliest, citation: "" };
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const change = (line) => (line.gone ? "removed" : !line.was ? "added" : same(line.item, line.was) ? "" : "changed");
const isChanged = () => Boolean(draft.citation) || draft.lines.some(change);
const kept = () => draft.lines.filter((line) => !line.gone);

// ---- what is, and what was refused

function drawAbove() {
  const since = (list) => (list.effective_from ? t("list_since", { d: list.effective_from, c: list.citation }) : t("list_of_files"));
  const { in_force: now, waiting } = answer;
  parts.above.replaceChildren(
    h("p", { class: "case-place" }, h("strong", { text: t("list_in_force", { n: now.version }) }), ` · ${since(now)} · ${t("lines_n", { n: now.items.length })}`),
    waiting ? h("p", { class: "notice", text: `${t("list_waiting", { n: waiting.version })} · ${since(waiting)}` }) : "",
    draft.base !== answer.version ? h("p", { class: "error" }, `${t("list_overtaken", { n: answer.version })} `, h("button", { type: "button", onclick: () => { draft = begin(); changed(); drawAbove(); }, text: t("start_anew") })) : "");
  drawRefused();
}

function drawRefused() {
  parts.refused.replaceChildren(h("h3", { text: t("refused_calls") }), answer.refused.length ? h("ul", { class: "launch-lines" }, answer.refused.map((row) => {
    const listed = kept().find((line) => line.item.matter === row.matter);
    return h("li", { class: "launch-line", "data-refused": row.matter },
      h("p", {}, h("strong", { text: `${row.matter} ${name("matter", row.matter)}` }), " ", h("span", { class: "chip bad", text: t("times_n", { n: row.times }) }),
        h("span", { class: "hush", text: ` ${[name("town", row.town), code("launch_ground", row.ground), t("last_time", { d: shortTime(row.last_at, answer.now) })].join(" · ")}` })),
      h("button", { type: "button", "data-add": row.matter, onclick: () => (listed ? edit(listed) : add({ matter: row.matter, bureau: row.bureau })), text: t(listed ? "edit_line" : "add_line") }));
  })) : h("p", { class: "empty", text: t("nothing_refused") }));
}

// ---- the draft

/** The draft has changed: draw what depends on it. */
function changed() {
  told = "";
  drawDraft();
  drawRefused();
  drawn.draft = draft;
}

function add(item) {
  const line = { key: ++keys, item: { ...EMPTY, ...item }, was: null };
  draft.lines.unshift(line);
  edit(line);
}

function edit(line) {
  line.open = true;
  changed();
  const element = elementOf(line);
  element.scrollIntoView({ block: "nearest" });
  (element.querySelector("select:invalid") ?? element.querySelector("select, input")).focus({ preventScroll: true });
}

const elementOf = (line) => parts.list.querySelector(`[data-key="${line.key}"]`);

function drawDraft() {
  const focused = parts.list.contains(document.activeElement) ? document.activeElement.id : "";
  parts.list.replaceChildren(
    h("div", { class: "file-head" }, h("h3", { text: t("next_list") }), h("button", { type: "button", id: "launch-add", onclick: () => add({}), text: t("add_new") })),
    h("ol", { class: "launch-lines" }, draft.lines.map(lineOf)));
  parts.publish.replaceChildren(publishForm());
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

const bureauName = (item) => (item.bureau ? name("department", item.bureau) : t("choose"));
const platformOfItem = (item) => item.platform || catalogue.departments.find((entry) => entry.code === item.bureau)?.platform || "";

function lineOf(line) {
  const { item } = line;
  const state = change(line);
  const button = (id, word, onclick) => h("button", { type: "button", id: `l-${line.key}-${id}`, onclick, "aria-label": `${t(word)} ${item.matter}`, text: t(word) });
  const lengths = LENGTHS.filter((of) => item[of]).map((of) => `${code("clock", of)} ${lengthWords(item[of])}`);
  return h("li", { class: `launch-line ${state}`, "data-key": line.key, "data-matter": item.matter },
    h("div", { class: "launch-head" },
      h("p", {}, h("strong", { text: item.matter ? `${item.matter} ${name("matter", item.matter)}` : t("choose") }), " ", state ? h("span", { class: `chip ${state === "removed" ? "bad" : "strong"}`, text: t(`line_${state}`) }) : null,
        h("span", { class: "hush", text: ` → ${[bureauName(item), name("platform", platformOfItem(item)), ...lengths].filter(Boolean).join(" · ")}` })),
      h("p", { class: "chips" }, item.conditions.length === CONDITIONS.length ? h("span", { class: "chip", text: t("any_condition") }) : item.conditions.length ? item.conditions.map((one) => h("span", { class: "chip", text: code("condition", one) })) : h("span", { class: "chip good", text: t("at_once") }))),
    h("div", { class: "act-buttons" }, line.gone ? button("back", "restore", () => { line.gone = false; changed(); }) : [
      button("edit", line.open ? "done" : "edit_line", () => (line.open ? close(line) : edit(line))),
      button("remove", "remove_line", () => remove(line))]),
    line.open && !line.gone ? fieldsOf(line) : null);
}

function close(line) {
  const faults = faultsIn(line);
  if (faults.length) return void showFaults(elementOf(line), faults);
  line.open = false;
  changed();
}

function remove(line) {
  if (line.was) Object.assign(line, { gone: true, open: false });
  else draft.lines.splice(draft.lines.indexOf(line), 1);
  changed();
  (document.getElementById(`l-${line.key}-back`) ?? document.getElementById("launch-add")).focus({ preventScroll: true });
}

function fieldsOf(line) {
  const { item } = line;
  const place = (of) => `items-${line.key}-${of}`;
  const set = (of) => (event) => { item[of] = event.target.value.trim(); sums(); };
  const select = (of, list, empty) => h("select", { onchange: set(of), required: of !== "platform" }, h("option", { value: "", text: empty }),
    list.map(([value, text]) => h("option", { value, text, selected: value === item[of] })));
  const input = (of, attributes) => h("input", { value: item[of], autocomplete: "off", oninput: set(of), ...attributes });
  const pairs = (kind, list) => list.map((entry) => [entry.code, `${entry.code} ${name(kind, entry.code)}`]);
  return h("div", { class: "launch-fields", role: "group", "aria-label": `${t("edit_line")} ${item.matter}` },
    field(place("matter"), t("matter"), select("matter", pairs("matter", catalogue.matters), t("choose"))),
    field(place("bureau"), t("act_bureau"), select("bureau", pairs("department", catalogue.departments.filter((entry) => entry.kind === "district_bureau")), t("choose"))),
    field(place("platform"), t("seat_platform"), select("platform", pairs("platform", catalogue.platforms.filter((entry) => entry.levels.includes("district"))), t("bureaus_own"))),
    h("fieldset", {}, h("legend", { text: t("act_condition") }), CONDITIONS.map((one) => h("label", { class: "check" }, h("input", { type: "checkbox", checked: item.conditions.includes(one), onchange: (event) => {
      item.conditions = CONDITIONS.filter((of) => (of === one ? event.target.checked : item.conditions.includes(of)));
      sums();
    } }), " ", code("condition", one)))),
    field(place("evidence_required"), t("act_evidence"), input("evidence_required", { maxlength: 500 })),
    LENGTHS.map((of) => field(place(of), t(`limit_${of}`), input(of, { maxlength: 8, placeholder: t("limit_of_class"), spellcheck: "false" }), t("limit_hint"))),
    field(place("legal_basis"), t("line_basis"), input("legal_basis", { maxlength: 500 })));
}

/** What the page can see for itself in one line. */
function faultsIn(line) {
  const { item } = line;
  const at = (of, text) => ({ at: `items-${line.key}-${of}`, text });
  return [
    !item.matter ? at("matter", t("missing")) : kept().some((other) => other !== line && other.item.matter === item.matter) ? at("matter", t("listed_twice")) : null,
    item.bureau ? null : at("bureau", t("missing")),
    ...LENGTHS.map((of) => (LENGTH.test(item[of]) ? null : at(of, t("limit_hint")))),
    ...TEXTS.map((of) => (item[of].length > 500 ? at(of, t("too_long")) : null)),
  ].filter(Boolean);
}

// ---- publishing

function counted() {
  const n = (state) => draft.lines.filter((line) => change(line) === state).length;
  return t("list_changes", { a: n("added"), c: n("changed"), r: n("removed"), n: kept().length });
}

const sums = () => say(parts.publish.querySelector(".sum"), counted());

function publishForm() {
  const input = (of, attributes) => h("input", { name: of, required: true, autocomplete: "off", value: draft[of], oninput: (event) => { draft[of] = event.target.value; }, ...attributes });
  return h("form", { class: "add-user publish", novalidate: true, onsubmit: (event) => { event.preventDefault(); publish(); } },
    h("h3", { text: t("publish_list") }), h("p", { class: "sum", text: counted() }),
    field("effective_from", t("holds_from"), input("effective_from", { type: "date", min: answer.earliest })),
    field("citation", t("citation"), input("citation", { maxlength: 200 })),
    h("div", { class: "trouble", "aria-live": "polite" }, told ? h("p", { class: "told", text: told }) : null),
    h("div", { class: "ends" }, h("button", { class: "primary", id: "launch-publish", text: t("publish_list") })));
}

/** Every fault is shown at its field, in lines that are opened for it; gives whether there was one. */
function refuse(faults) {
  for (const line of kept()) line.open ||= faults.some(({ at }) => at?.startsWith(`items-${line.key}-`));
  changed();
  const place = parts.list.parentElement;
  const elsewhere = showFaults(place, faults);
  parts.publish.querySelector(".trouble").replaceChildren(...elsewhere.map(trouble));
}

async function publish() {
  const lines = kept();
  const { effective_from, citation } = draft;
  const faults = [
    ...lines.flatMap(faultsIn),
    citation.trim() ? null : { at: "citation", text: t("missing") },
    !effective_from ? { at: "effective_from", text: t("missing") } : effective_from < answer.earliest ? { at: "effective_from", text: t("not_before", { d: answer.earliest }) } : null,
    lines.length ? null : { text: t("list_empty") },
  ].filter(Boolean);
  if (faults.length) return refuse(faults);
  try {
    const items = lines.map(({ item }) => Object.fromEntries(Object.entries(item).filter(([, value]) => value.length)));
    const { facts } = await act({ request: "launch.publish.v1", items, effective_from, citation: citation.trim() });
    draft = null;
    told = facts ? t("list_published") : t("list_same");
    if (parts?.list.isConnected) await showLaunch(parts.list.parentElement);
  } catch (error) {
    if (!parts?.list.isConnected) return; // whoever published looks at another desk now
    if (!(error instanceof Refused)) return void parts.publish.querySelector(".trouble").replaceChildren(troubleOf(error));
    refuse(faultsOf(error.message).map(({ at, text }) => ({ at: ofLine(at, lines), text })));
  }
}

/** Where the field `items[2].bureau` of what was sent stands in the draft. */
function ofLine(at, lines) {
  const [, n, of] = /^items\[(\d+)\]\.(\w+)/.exec(at ?? "") ?? [];
  return lines[n] ? `items-${lines[n].key}-${of}` : at;
}
