// The resident's page: a report is kept in this phone until the server has given its receipt, however poor the line.

import { ask, newKey, Refused, sendFile } from "../console/api.js";
import { MOST_FILES, shrink } from "../console/files.js";
import { catalogue, code, h, language, name, owner, readStored, say, setCatalogue, setLanguage, shortTime, store } from "../console/i18n.js";

const WORDS = {
  title: ["群众上报", "Report to the township"], report: ["我要上报", "Report"], danger: ["有人身危险请先拨 110、119、120。", "If anybody is in danger, call 110, 119 or 120 first."],
  demo: ["演示系统，请勿填写真实姓名、电话。", "This is a demo: please do not enter real names or telephone numbers."],
  text: ["发生了什么", "What happened"], files: ["照片、录音、PDF（可不填，最多 6 个）", "Photos, recordings, PDFs (optional, at most 6)"],
  too_many: ["附件最多 6 个，请重新选择。", "At most 6 files, please choose again."],
  sending: ["附件发送中，请勿关闭此页：", "Sending files, please keep this page open: "], attached: ["附件已收到：", "Files received: "],
  stopped: ["信号不好：会自动重发。", "Poor line: they are sent again by themselves."], again: ["现在重发", "Send again now"], not_taken: ["有附件未收：", "A file was not taken: "],
 village: ["村、社区", "Village or community"], place: ["具体地点（可不填）", "Exact place (optional)"],
  phone: ["电话（可不填，留了才能回访）", "Telephone (optional; without it nobody can ask you)"], send: ["提交", "Send"],
  waiting: ["信号不好：已存在本机，会自动重发。", "Poor line: kept in this phone, and sent again by itself."],
  sent: ["已收到。回执号：", "Received. Your receipt:"], mine: ["我的回执", "My receipts"], lookup: ["查进展", "See progress"], receipt: ["回执号", "Receipt"], find: ["查询", "Find"],
  stage: ["进展", "Stage"], matter: ["事项", "Matter"], promised: ["承诺期限", "Promised by"], holder: ["现由", "With"], reported: ["上报时间", "Reported"], reply: ["答复", "Reply"],
  unknown: ["没有这个回执号，请核对。", "There is no such receipt; please check it."], often: ["查询太频繁，请过一分钟再试。", "Too many look-ups; try again in a minute."],
  solved: ["解决了吗？", "Is it solved?"], yes_solved: ["解决了", "Solved"], not_solved: ["没解决", "Not solved"],
  satisfied: ["满意吗？", "Are you satisfied?"], yes_satisfied: ["满意", "Satisfied"], not_satisfied: ["不满意", "Not satisfied"],
  rate: ["提交评价", "Send my answer"], rated: ["您的评价", "Your answer"], reopen: ["要求重新办理", "Have it taken up again"],
  reopen_hint: ["问题还在或又出现了？结案 30 天内可以要求重新办理。", "Not solved, or back again? Within 30 days it can be taken up again."],
  reason: ["理由", "Why"], reopened: ["已重新办理，主办部门会再次上门处理。", "Taken up again: the lead department is called once more."],
  thanks: ["已收到您的评价，谢谢。", "Your answer was received. Thank you."], both: ["请回答两个问题。", "Please answer both questions."],
  hotline: ["如仍未解决，请拨打热线 12345。", "If it is still not solved, please call the hotline 12345."],
  other: ["您先前已提交过另一个答复，以先前的为准。", "Another answer of yours came before; that one counts."],
  refused: ["现在不能提交：", "This cannot be sent now: "],
  unreachable: ["连接不上服务，请稍后重试。", "The service cannot be reached. Please try again."], which: ["请从列表里选一个村、社区。", "Please choose a village from the list."],
  notices: ["办理结果公开", "Published outcomes"], search: ["搜索", "Search"], nothing: ["没有相符的结果。", "Nothing fits."], staff: ["工作人员登录", "Staff log-in"],
};
const PENDING = "hujiao.pending";
const RECEIPTS = "hujiao.receipts";
const AGAIN = 10_000;
const SOON = 1_500;
const MOST = 20;

const byId = (id) => document.getElementById(id);
const t = (key) => WORDS[key][language() === "en" ? 1 : 0];
const kept = (key) => JSON.parse(readStored(key) ?? "[]");

let published = [];
let sending = false;
let unsent = null;
const chosen = new Map(); // a report's own number -> { line, files } that go together, kept until it has a receipt
let outbox = []; // those whose report has one, in order: { receipt, file, share, done, trouble }
let carrying = false;

// ---- reporting

/** A village's code from what was typed: its name with its town, its short name, or its code. */
function villageOf(typed) {
  const wanted = typed.trim();
  const fits = catalogue.villages.filter((entry) => [entry.code, labelOf(entry), name("village", entry.code), entry.zh, entry.en].includes(wanted));
  return fits.length === 1 ? fits[0] : null;
}

const labelOf = (entry) => `${name("town", entry.town)} ${name("village", entry.code)}`;

function report(event) {
  event.preventDefault();
  const form = event.target;
  const value = (key) => form.elements[key].value.trim();
  const village = villageOf(value("village"));
  byId("report-error").hidden = Boolean(village);
  if (!village) {
    say(byId("report-error"), t("which"));
    form.elements.village.focus();
    return;
  }
  const files = [...form.elements.files.files];
  if (files.length > MOST_FILES) {
    byId("report-error").hidden = false;
    say(byId("report-error"), t("too_many"));
    form.elements.files.focus();
    return;
  }
  const line = { id: newKey("web"), time: new Date().toISOString().replace("Z", "+00:00"), channel: "web", title: "", text: value("text"), town: village.town, village: village.code };
  if (catalogue.demo) line.time = catalogue.now;
  if (value("place")) line.place = value("place");
  if (value("phone")) line.contact = { phone: value("phone") };
  if (files.length) chosen.set(line.id, { line, files });
  store(PENDING, JSON.stringify([...kept(PENDING), line]));
  unsent = kept(PENDING).some((one) => one.id === line.id) ? null : line; // a phone that keeps nothing sends from here
  form.reset();
  deliver();
}

/** Hand in what waits, the oldest first; the same line again gets the same receipt. */
async function deliver() {
  if (sending) return;
  sending = true;
  let under = null; // what is on its way
  try {
    for (let line = next(); line; line = next()) {
      under = line;
      byId("waiting").hidden = false;
      say(byId("waiting"), t("waiting"));
      const answer = await ask("/api/reports", line);
      store(RECEIPTS, JSON.stringify([...new Set([answer.receipt, ...kept(RECEIPTS)])].slice(0, MOST)));
      outbox.push(...(chosen.get(line.id)?.files ?? []).map((file) => ({ receipt: answer.receipt, file, share: 0 })));
      done(line);
      carry();
    }
  } catch (error) {
    console.warn(error);
    if (error instanceof Refused && error.status < 500 && error.status !== 429) {
      if (!byId("report").elements.files.files.length) byId("report").elements.files.files = listOf(chosen.get(under.id)?.files ?? []);
      done(under);
      byId("report").elements.text.value ||= under.text; // nothing of it was taken: it can be mended and sent again
      say(byId("report-error"), error.message);
      byId("report-error").hidden = false;
    }
  }
  sending = false;
  drawMine();
}

/** What waits; a line that another window has settled comes again while its files are here, and gets the same receipt. */
const next = () => kept(PENDING)[0] ?? unsent ?? [...chosen.values()][0]?.line;

/** This one is settled; another window may have settled it too. */
function done(line) {
  chosen.delete(line.id);
  store(PENDING, JSON.stringify(kept(PENDING).filter((one) => one.id !== line.id)));
  if (unsent?.id === line.id) unsent = null;
  byId("waiting").hidden = true;
}

function drawMine() {
  const receipts = kept(RECEIPTS);
  byId("mine").replaceChildren(...(receipts.length ? [h("p", { text: t("sent") }), h("p", {}, h("output", { class: "receipt", text: receipts[0] }))] : []),
    ...(receipts.length ? [h("p", { class: "hush", text: t("mine") }), h("ul", {}, receipts.map((receipt) => h("li", {}, h("button", { type: "button", class: "inline", onclick: () => show(receipt), text: receipt }))))] : []));
}

// ---- files

function listOf(files) {
  const list = new DataTransfer();
  for (const file of files) list.items.add(file);
  return list.files;
}

const nextFile = () => outbox.find((entry) => !entry.done && !entry.trouble);

/** Send what waits, one after the other; the same file again is one file, so it may be sent as often as it takes. */
async function carry() {
  if (carrying) return;
  carrying = true;
  for (let entry = nextFile(); entry; entry = nextFile()) {
    const under = entry;
    try {
      under.small ??= await shrink(under.file);
      drawFiles();
      await sendFile(`/api/receipts/${encodeURIComponent(under.receipt)}/files`, under.small, (share) => { under.share = share; drawFiles(); });
      under.done = true;
    } catch (error) {
      console.warn(error);
      under.share = 0;
      const passes = !(error instanceof Refused) || error.status === 404 || error.status === 429 || error.status >= 500;
      if (passes) {
        if (error.status === 404) setTimeout(carry, SOON); // the receipt is that new
        break;
      }
      under.trouble = error.message;
    }
  }
  carrying = false;
  drawFiles();
}

function drawFiles() {
  const [waits, troubles] = [nextFile(), outbox.filter((entry) => entry.trouble)];
  const count = `${outbox.filter((entry) => entry.done).length} / ${outbox.length}`;
  const share = waits?.share ? ` · ${Math.round(waits.share * 100)}%` : "";
  byId("sending").hidden = !outbox.length;
  byId("sending").replaceChildren(
    h("p", { text: `${t(waits ? "sending" : "attached")}${count}${share}` }),
    ...(waits && !carrying ? [h("p", { class: "hush", text: t("stopped") }), h("button", { type: "button", onclick: carry, text: t("again") })] : []),
    ...troubles.map((entry) => h("p", { class: "error", text: `${t("not_taken")}${entry.file.name}: ${entry.trouble}` })));
}

// ---- progress

function show(receipt) {
  byId("lookup").elements.receipt.value = receipt;
  byId("lookup").requestSubmit();
}

async function lookUp(event) {
  event.preventDefault();
  const receipt = event.target.elements.receipt.value.replace(/\s/g, "").toUpperCase();
  try {
    const found = await ask(`/api/receipts/${encodeURIComponent(receipt)}`);
    const line = (label, text) => (text ? [h("dt", { text: t(label) }), h("dd", { text })] : []);
    byId("found").replaceChildren(h("dl", {}, line("receipt", found.receipt), line("stage", code("phase", found.stage)), line("matter", name("matter", found.matter)),
      line("reported", shortTime(found.reported_at)), line("promised", found.stage === "closed" ? "" : shortTime(found.result_due)),
      line("holder", found.holders.map(owner).join("、")), line("reply", found.reply), line("rated", told(found.rated))), ...offers(found));
  } catch (error) {
    const words = error instanceof Refused ? (error.status === 429 ? t("often") : t("unknown")) : t("unreachable");
    byId("found").replaceChildren(h("p", { class: "error", text: words }));
  }
  byId("found").scrollIntoView({ block: "nearest" });
}

const told = (rated) => (rated ? [t(rated.solved ? "yes_solved" : "not_solved"), rated.satisfied == null ? "" : t(rated.satisfied ? "yes_satisfied" : "not_satisfied")].filter(Boolean).join("，") : "");

/** What the holder of a receipt can do about it now. */
function offers(found) {
  const path = `/api/receipts/${encodeURIComponent(found.receipt)}`;
  if (found.may.includes("rate")) {
    const ask = (key) => h("fieldset", { class: "choice" }, h("legend", { text: t(key) }),
      ["yes", "not"].map((answer) => h("label", {}, h("input", { type: "radio", name: key, value: answer }), h("span", { text: t(`${answer}_${key}`) }))));
    return [offer(`${path}/rating`, "rate", "thanks", [ask("solved"), ask("satisfied")], (form) => {
      const [solved, satisfied] = ["solved", "satisfied"].map((key) => form.elements[key].value);
      return solved && satisfied ? { solved: solved === "yes", satisfied: satisfied === "yes" } : null;
    })];
  }
  if (found.may.includes("reopen")) {
    const reason = h("textarea", { name: "reason", rows: 3, required: true, maxlength: 2000 });
    return [offer(`${path}/reopening`, "reopen", "reopened", [h("p", { class: "hush", text: t("reopen_hint") }), h("label", {}, h("span", { text: t("reason") }), reason)],
      () => ({ reason: reason.value.trim() }))];
  }
  return found.stage === "closed" ? [h("p", { class: "hush", text: t("hotline") })] : [];
}

/** A form that sends once; what came of it stands in its place. */
function offer(path, label, thanks, fields, read) {
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const button = h("button", { class: "primary", text: t(label) });
  const complain = (text) => { say(error, text); error.hidden = false; };
  const form = h("form", { class: "offer", oninput: () => { error.hidden = true; }, onsubmit: async (event) => {
    event.preventDefault();
    const body = read(form);
    if (!body) return complain(t("both"));
    button.disabled = true;
    try {
      const { rated } = await ask(path, body);
      form.replaceWith(h("p", { class: "done", role: "status", text: [t(thanks), label === "rate" ? told(rated) : ""].filter(Boolean).join(" ") }));
    } catch (problem) {
      button.disabled = false;
      if (!(problem instanceof Refused)) return complain(t("unreachable"));
      complain({ 409: t("other"), 429: t("often") }[problem.status] ?? t("refused") + problem.message);
    }
  } }, fields, error, button);
  return form;
}

// ---- published outcomes

function drawNotices() {
  const wanted = byId("search").value.trim().toLowerCase();
  const told = (row) => [name("matter", row.matter), name("town", row.town), name("village", row.village), row.reply ?? ""];
  const fitting = published.filter((row) => told(row).join(" ").toLowerCase().includes(wanted)).slice(0, MOST);
  byId("notices").replaceChildren(...fitting.map((row) => {
    const [matter, town, village, reply] = told(row);
    return h("li", {}, h("strong", { text: matter }), h("p", { class: "hush", text: [town, village, shortTime(row.decided_at)].filter(Boolean).join(" · ") }), reply ? h("p", { text: reply }) : null);
  }));
  byId("no-notices").hidden = fitting.length > 0;
}

// ---- words

function word() {
  document.documentElement.lang = language() === "en" ? "en" : "zh-CN";
  for (const element of document.querySelectorAll("[data-t]")) say(element, t(element.dataset.t));
  say(byId("language"), language() === "en" ? "中文" : "English");
  byId("language").lang = language() === "en" ? "zh-CN" : "en";
  document.title = t("title");
  const { district } = catalogue;
  say(byId("district"), district ? (language() === "en" && district.en) || district.zh : "");
  byId("demo").hidden = !catalogue.demo;
  byId("villages").replaceChildren(...catalogue.villages.map((entry) => h("option", { value: labelOf(entry) })));
  drawMine();
  drawFiles();
  drawNotices();
}

async function begin() {
  try {
    setCatalogue(await ask("/api/catalogue"));
    published = (await ask("/api/notices?limit=200")).rows;
  } catch (error) {
    console.warn(error);
    setTimeout(begin, AGAIN);
  }
  word();
  deliver();
}

byId("report").addEventListener("submit", report);
byId("lookup").addEventListener("submit", lookUp);
byId("search").addEventListener("input", drawNotices);
byId("language").addEventListener("click", () => { setLanguage(language() === "en" ? "zh" : "en"); word(); });
addEventListener("online", deliver);
addEventListener("online", carry);
addEventListener("beforeunload", (event) => { if (chosen.size || nextFile()) event.preventDefault(); });
setInterval(deliver, AGAIN);
setInterval(carry, AGAIN);
begin();
