// The two dialogs that need no log-in: handing in a report, and looking up a receipt. Clerks take down reports with the first.

import { ask, newKey, Refused } from "./api.js";
import { town } from "./board.js";
import { catalogue, code, h, name, say, shortTime, t } from "./i18n.js";
import { user } from "./session.js";

const byId = (id) => document.getElementById(id);
let clock = () => Date.now();

/** Wire the dialogs; `now` is the server's time in milliseconds. */
export function startReport(now) {
  clock = now;
  byId("open-report").addEventListener("click", openReport);
  byId("open-lookup").addEventListener("click", () => openLookup(""));
  form.addEventListener("submit", sendReport);
  field("town").addEventListener("change", wordReport);
  field("anonymous").addEventListener("change", (event) => { byId("report-contact").hidden = event.target.checked; });
  byId("report-another").addEventListener("click", () => { showForm(true); field("title").focus(); });
  byId("report-follow").addEventListener("click", () => { byId("report").close(); openLookup(byId("receipt").textContent); });
  byId("receipt-copy").addEventListener("click", async (event) => {
    const button = event.currentTarget;
    await navigator.clipboard?.writeText(byId("receipt").textContent).then(() => say(button, t("copied")), () => {});
    setTimeout(() => say(button, t("copy")), 2000);
  });
  byId("lookup-form").addEventListener("submit", lookUp);
}

// ---- the report

const form = byId("report-form");
const field = (key) => form.elements.namedItem(key);
let sent = { body: "", id: "", time: "" }; // the same words again are the same report: sending twice is harmless

/** The lists of towns and villages in the current language. */
export function wordReport() {
  const options = (entries, kind, first) => [h("option", { value: "", text: t(first) }), ...entries.map((one) => h("option", { value: one.code, text: name(kind, one.code) }))];
  const [where, village] = [field("town").value, field("village").value];
  field("town").replaceChildren(...options(catalogue.towns, "town", "choose"));
  field("town").value = where;
  field("village").replaceChildren(...options(catalogue.villages.filter((one) => one.town === where), "village", "f_unknown"));
  field("village").value = village;
  if (field("village").selectedIndex < 0) field("village").value = "";
}

function openReport() {
  showForm(true);
  if (!field("town").value && town()) field("town").value = town();
  wordReport();
  byId("report").showModal();
  field("title").focus();
}

function showForm(show) {
  form.hidden = !show;
  byId("report-done").hidden = show;
  byId("report-error").hidden = true;
}

/** The role in which whoever is here takes down reports for others, if it is one. */
const byClerk = () => user()?.roles.find((role) => role === "intake_clerk" || role === "village_clerk");

function readForm() {
  const text = (key) => field(key).value.trim();
  const body = { title: text("title"), text: text("text"), channel: byClerk() === "village_clerk" ? "village" : byClerk() ? "hotline" : "web", town: text("town") };
  if (text("village")) body.village = text("village");
  if (text("place")) body.place = text("place");
  const contact = { name: text("name"), phone: text("phone") };
  if (field("anonymous").checked) body.anonymous = true;
  else if (contact.name || contact.phone) body.contact = contact;
  return body;
}

async function sendReport(event) {
  event.preventDefault();
  const body = readForm();
  const same = JSON.stringify(body);
  if (same !== sent.body) sent = { body: same, id: newKey("web"), time: new Date(clock()).toISOString().replace("Z", "+00:00") };
  const button = byId("report-send");
  button.disabled = true;
  say(button, t("sending"));
  for (const element of form.elements) element.removeAttribute("aria-invalid");
  byId("report-error").hidden = true;
  try {
    showReceipt(await ask(byClerk() ? "/api/desk/reports" : "/api/reports", { id: sent.id, time: sent.time, ...body }));
  } catch (error) {
    console.warn(error);
    const words = error instanceof Refused ? t("failed", { e: error.message }) : t("unreachable");
    say(byId("report-error"), words);
    byId("report-error").hidden = false;
    const wrong = form.elements.namedItem(/^([a-z]+)\b/.exec(error.message)?.[1] ?? "");
    if (error instanceof Refused && wrong instanceof HTMLElement) {
      wrong.setAttribute("aria-invalid", "true");
      wrong.focus();
    }
  }
  button.disabled = false;
  say(button, t("send"));
}

function showReceipt(answer) {
  say(byId("receipt"), answer.receipt);
  byId("report-repeated").hidden = !answer.repeated;
  form.reset();
  sent = { body: "", id: "", time: "" };
  showForm(false);
  byId("report-contact").hidden = false;
  byId("report-follow").focus();
}

// ---- the receipt

async function lookUp(event) {
  event?.preventDefault();
  const answer = byId("lookup-answer");
  const receipt = byId("lookup-form").elements.namedItem("receipt").value.replace(/\s/g, "").toUpperCase();
  if (!receipt) return;
  answer.replaceChildren(h("p", { class: "hush", text: t("loading") }));
  try {
    const found = await ask(`/api/receipts/${encodeURIComponent(receipt)}`);
    const line = (label, text) => (text ? [h("dt", { text: t(label) }), h("dd", { text })] : []);
    answer.replaceChildren(h("dl", { class: "answer" }, line("receipt", found.receipt), line("stage", code("phase", found.stage)),
      line("matter", name("matter", found.matter)), line("reported_at", shortTime(found.reported_at, clock())), line("reply", found.reply)),
    found.case ? h("p", { class: "ends" }, h("a", { class: "button", href: `#case=${found.case}`, onclick: () => byId("lookup").close(), text: t("open_case") })) : "");
  } catch (error) {
    answer.replaceChildren(h("p", { class: "error", text: error instanceof Refused ? error.message : t("unreachable") }));
  }
}

function openLookup(receipt) {
  byId("lookup-answer").replaceChildren();
  byId("lookup").showModal();
  const input = byId("lookup-form").elements.namedItem("receipt");
  input.value = receipt;
  input.focus();
  if (receipt) lookUp();
}
