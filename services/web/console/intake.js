// 话务登记: taking down a report while the caller talks: who it is, where, what about, and the receipt read back.

import { ask, newKey, Refused } from "./api.js";
import { catalogue, code, h, name, say, shortTime, t } from "./i18n.js";
import { user } from "./session.js";
import { pickVillage } from "./villages.js";

const PAUSE = 400; // after the last key, before the server is asked
const LEAST_DIGITS = 7;

let clock = () => Date.now();
let parts = null; // the elements of the desk, once it is drawn
let village = null;
let matter = "";
let sent = { body: "", id: "", time: "" }; // the same words again are the same report

export function startIntake(now) {
  clock = now;
}

/** Draw the desk into an empty place. */
export function openIntake(place) {
  const input = (key, more = {}) => h("input", { name: key, autocomplete: "off", ...more });
  const label = (key, ...inside) => h("label", {}, h("span", { text: t(key) }), ...inside);
  parts = {
    phone: input("phone", { type: "tel", maxlength: 20, inputmode: "tel" }), name: input("name", { maxlength: 60 }),
    village: input("village", { required: true, role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": "intake-villages", spellcheck: "false" }),
    villages: h("ul", { id: "intake-villages", role: "listbox", class: "options", hidden: true, "aria-label": t("f_village") }),
    place: input("place", { maxlength: 200 }), text: h("textarea", { name: "text", rows: 6, required: true, maxlength: 20000 }),
    about: h("select", { name: "complained_of" }, h("option", { value: "", text: t("about_none") }), catalogue.departments.map((entry) => h("option", { value: entry.code, text: `${entry.code} ${name("department", entry.code)}` }))),
    suggested: h("div", { class: "suggested", role: "group", "aria-label": t("suggested") }), trouble: h("p", { class: "error", role: "alert", hidden: true }),
    send: h("button", { class: "primary" }, t("take_down"), h("kbd", { "aria-hidden": "true", text: "Ctrl ⏎" })),
    told: h("section", { class: "told-before", "aria-live": "polite" }), taken: h("section", { class: "taken", "aria-live": "assertive", hidden: true }),
  };
  parts.form = h("form", { class: "intake-form", novalidate: true },
    h("div", { class: "two" }, label("caller_phone", parts.phone), label("f_name", parts.name)),
    h("div", { class: "two" }, h("label", { class: "picker" }, h("span", { text: t("village_hint") }), parts.village, parts.villages), label("f_place", parts.place)),
    label("f_text", parts.text), label("f_complained_of", parts.about), parts.suggested, parts.trouble, h("div", { class: "ends" }, parts.send));
  place.replaceChildren(h("div", { class: "intake" }, h("div", {}, parts.taken, parts.form), parts.told));
  pickVillage(parts.village, parts.villages, { town: () => user()?.unit.town ?? "", picked: (entry) => { village = entry; } });
  parts.phone.addEventListener("input", later(lookUp));
  parts.text.addEventListener("input", later(suggest));
  parts.form.addEventListener("submit", send);
  parts.form.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) parts.form.requestSubmit(); });
  clear();
}

/** The same desk in another language, with what has been written so far. */
export function relabelIntake(place) {
  const [before, chosen] = [parts, [village, matter]];
  openIntake(place);
  for (const key of ["phone", "name", "village", "place", "text", "about"]) parts[key].value = before[key].value;
  [village, matter] = chosen;
  lookUp().catch((error) => console.warn(error));
  suggest().catch((error) => console.warn(error));
}

function clear() {
  parts.form.reset();
  [village, matter] = [null, ""];
  parts.trouble.hidden = true;
  drawSuggestions([]);
  drawTold([]);
  parts.phone.focus({ preventScroll: true });
}

/** The same, when nobody has called it again for a moment. */
function later(what) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(() => what().catch((error) => console.warn(error)), PAUSE);
  };
}

// ---- what this caller told before

async function lookUp() {
  const phone = parts.phone.value;
  if (phone.replace(/\D/g, "").length < LEAST_DIGITS) return drawTold([]);
  const found = await ask("/api/desk/callers", { phone });
  return phone === parts.phone.value && drawTold(found);
}

function drawTold(reports) {
  parts.told.replaceChildren(h("h3", { text: t("told_before") }), reports.length ? h("ul", {}, reports.map((report) => h("li", {},
    h("a", { href: `#case=${report.case}` }, h("b", { text: report.matter ? name("matter", report.matter) : t("unclassified") }),
      h("span", { class: "hush", text: [shortTime(report.reported_at, clock()), name("village", report.village), code("phase", report.phase), report.receipt].filter(Boolean).join(" · ") })))))
    : h("p", { class: "hush", text: t("told_nothing") }));
}

// ---- what it is about

async function suggest() {
  const text = parts.text.value;
  const found = text.trim() ? await ask("/api/desk/suggestions", { text }) : [];
  if (text === parts.text.value) drawSuggestions(found);
}

function drawSuggestions(found) {
  if (!found.some((one) => one.matter === matter)) matter = "";
  parts.suggested.replaceChildren(...found.map((one) => h("button", { type: "button", class: "suggestion", "aria-pressed": String(one.matter === matter),
    onclick: () => { matter = matter === one.matter ? "" : one.matter; drawSuggestions(found); } },
  h("b", { text: `${one.matter} ${name("matter", one.matter)}` }), h("span", { class: "hush", text: t("because", { s: one.score.toFixed(2), w: one.words.join("、") }) }))));
}

// ---- taking it down

function read() {
  const value = (key) => parts[key].value.trim();
  const body = { title: "", text: value("text"), channel: user().roles.includes("intake_clerk") ? "hotline" : "village", town: village.town, village: village.code };
  if (value("place")) body.place = value("place");
  if (matter) body.matter = matter;
  if (value("about")) body.complained_of = [value("about")];
  const contact = { name: value("name"), phone: value("phone") };
  if (contact.name || contact.phone) body.contact = contact;
  return body;
}

async function send(event) {
  event.preventDefault();
  parts.trouble.hidden = true;
  const missing = !village ? ["village", "village_missing"] : !parts.text.value.trim() ? ["text", "text_missing"] : null;
  if (missing) return complain(t(missing[1]), parts[missing[0]]);
  const body = read();
  const same = JSON.stringify(body);
  if (same !== sent.body) sent = { body: same, id: newKey("desk"), time: new Date(clock()).toISOString().replace("Z", "+00:00") };
  parts.send.disabled = true;
  try {
    readBack(await ask("/api/desk/reports", { id: sent.id, time: sent.time, ...body }));
  } catch (error) {
    complain(error instanceof Refused ? t("failed", { e: error.message }) : t("unreachable"), parts.text);
  }
  parts.send.disabled = false;
  return undefined;
}

function complain(text, near) {
  say(parts.trouble, text);
  parts.trouble.hidden = false;
  near.focus();
}

/** The receipt in groups, as one reads it to somebody who writes it down. */
function readBack(answer) {
  sent = { body: "", id: "", time: "" };
  parts.taken.replaceChildren(h("p", { text: t("read_back") }), h("p", { class: "receipt read-back", "aria-label": [...answer.receipt].join(" ") }, answer.receipt.match(/.{1,4}/g).map((group) => h("span", { text: group }))),
    ...(answer.repeated ? [h("p", { class: "hush", text: t("repeated") })] : []));
  parts.taken.hidden = false;
  clear();
}
