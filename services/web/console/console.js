// The page: polls the API, keeps the clock, opens desks, and cases by the address.

import { clearActs, drawActs, pressed, startActs } from "./acts.js";
import { ask, Refused } from "./api.js";
import { isPaused, selectCase, startBoard, tickBoard, town, updateBoard, updateTicker, wordBoard, boardQuestion } from "./board.js";
import { clearCase, missingCase, showCase, startCase, tickCase } from "./case.js";
import { clearDesk, DESKS, startDesk, tickDesk, updateDesk } from "./desk.js";
import { startReport, wordReport } from "./report.js";
import { maySee, startSession, user, wordSession } from "./session.js";
import { catalogue, code, figure, h, language, longTime, say, setCatalogue, setLanguage, shortTime, t } from "./i18n.js";

const POLL = 1500;
const SPEEDS = [1, 10, 60, 300, 1800];
const NOW_FIGURES = ["open", "overdue", "triage"];
const FLOW_FIGURES = ["reports", "cases", "calls", "legs", "acknowledged", "reported_in", "closed", "disclosed"];
const byId = (id) => document.getElementById(id);

// ---- the server's clock, running on between two polls

const time = { server: Date.now(), here: performance.now(), speed: 1, shown: 0 };

function now() {
  const running = time.server + (performance.now() - time.here) * time.speed;
  const behind = time.shown - running;
  time.shown = behind > 0 && behind < 5000 * time.speed ? time.shown : running; // never a little backwards
  return time.shown;
}

function setClock(status) {
  time.server = Date.parse(status.now);
  time.here = performance.now();
  time.speed = status.clock?.speed || 1;
}

function tick() {
  if (!status) return;
  const moment = now();
  const { date, time: text } = longTime(moment, time.speed < 300);
  say(byId("now-date"), date);
  say(byId("now-time"), text);
  tickBoard();
  tickDesk();
  tickCase();
}

// ---- polling

let status = null;
let timer = 0;
let round = 0;
let caseId = null;
let desk = "board"; // or one of DESKS

async function poll() {
  clearTimeout(timer);
  const mine = ++round;
  if (!user()) return;
  try {
    const [where, what] = [town(), desk];
    const [found, board, recent, own] = await Promise.all([
      ask("/api/status"),
      what === "board" ? ask(`/api/board?${boardQuestion()}`) : null,
      isPaused() ? null : ask("/api/recent?limit=40"),
      what === "board" ? null : ask(DESKS[what]),
      caseId ? readCase(caseId) : null,
    ]);
    if (mine !== round) return;
    setStatus(found);
    if (board && where === town()) updateBoard(board);
    if (recent) updateTicker(recent.rows);
    if (own && what === desk) updateDesk(desk, own);
    byId("lost").hidden = true;
  } catch (error) {
    if (mine !== round) return;
    say(byId("lost"), t("lost"));
    byId("lost").hidden = false;
    console.warn(error);
  }
  if (!document.hidden) timer = setTimeout(poll, POLL);
}

async function readCase(id) {
  const at = moments[Number(byId("when-at").value)];
  const past = at && at !== moments.at(-1) ? at : null;
  try {
    const answer = await ask(`/api/cases/${encodeURIComponent(id)}${past ? `?position=${past.position}` : ""}`);
    if (id !== caseId) return;
    wordWhen(past, answer.timeline);
    showCase(answer);
    const suggested = answer.reports?.[0]?.suggested_matter;
    drawActs(byId("acts"), answer.acts ?? [], answer.case, maySee("triage") || maySee("inbox") || maySee("review") || maySee("follow_up"), suggested);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (id === caseId) missingCase(error.status === 404 ? t("no_case") : error.message);
  }
}

// ---- the case as it was: every fact of it is a moment one can go back to

let moments = []; // the timeline of the case as it stands now

function wordWhen(past, timeline) {
  if (!past) {
    const atNow = Number(byId("when-at").value) >= moments.length - 1;
    moments = timeline;
    byId("when-at").max = Math.max(0, moments.length - 1);
    if (atNow) byId("when-at").value = moments.length - 1;
  }
  byId("when").hidden = moments.length < 2;
  byId("when").classList.toggle("past", Boolean(past));
  say(byId("when-text"), past ? `${shortTime(past.at, now())} ${code("what", past.what)}` : t("as_it_is"));
}

function clearWhen() {
  moments = [];
  byId("when-at").max = byId("when-at").value = 0;
  byId("when").hidden = true;
}

function setStatus(found) {
  status = found;
  setClock(found);
  for (const button of byId("speeds").children) button.setAttribute("aria-pressed", String(Number(button.value) === time.speed));
  drawFigures(found.figures ?? {});
  byId("figures").title = found.lag > 0 ? t("lag", { n: found.lag }) : "";
}

/** What is the same for everybody who looks here. */
function wordPlace() {
  byId("demo").hidden = byId("report-demo").hidden = !catalogue.demo;
  document.body.classList.toggle("is-demo", Boolean(catalogue.demo));
  say(byId("district"), name_of(catalogue.district));
  say(byId("demo-note"), note(catalogue.district?.note ?? ""));
}

const name_of = (district) => (language() === "en" && district?.en) || district?.zh || "";

/** The note stands in both languages, Chinese first; show the part of the current one when they can be told apart. */
function note(text) {
  const both = /^(.*[\u3002\uff01])\s*([A-Za-z].*)$/su.exec(text);
  return both ? both[language() === "en" ? 2 : 1] : text;
}

function drawFigures(figures) {
  const list = byId("figures");
  if (!list.children.length) {
    list.append(...[...NOW_FIGURES, ...FLOW_FIGURES].map((key) =>
      h("div", { class: NOW_FIGURES.includes(key) ? "present" : "flow-figure", "data-figure": key }, h("dt"), h("dd", {}, h("span"), h("small")))));
  }
  for (const item of list.children) {
    const key = item.dataset.figure;
    say(item.querySelector("dt"), figure(key));
    say(item.querySelector("dd span"), figures[key] == null ? "–" : figures[key].toLocaleString("en-US"));
    if (key === "acknowledged") say(item.querySelector("small"), figures.acknowledged_late ? `${t("late")} ${figures.acknowledged_late.toLocaleString("en-US")}` : "");
    if (key === "overdue") item.classList.toggle("late", figures.overdue > 0);
  }
}

// ---- the case in the address

let opener = null;

function followAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1)).get("case");
  if (wanted === caseId) return;
  const before = caseId;
  caseId = wanted;
  byId("pane").hidden = !wanted;
  document.body.classList.toggle("with-case", Boolean(wanted));
  selectCase(wanted);
  if (wanted) {
    if (!before) opener = document.activeElement;
    clearCase();
    clearActs(byId("acts"));
    clearWhen();
    byId("pane").scrollTop = 0;
    byId("pane-title").focus({ preventScroll: true });
    if (user()) readCase(wanted).catch((error) => console.warn(error));
  } else if (opener?.isConnected) {
    opener.focus({ preventScroll: true });
  }
}

function closeCase() {
  history.pushState(null, "", location.pathname + location.search);
  followAddress();
}

// ---- the desks

function wordTabs() {
  const pages = ["board", ...Object.keys(DESKS)].filter(maySee);
  byId("tabs").hidden = !user();
  byId("tab-list").replaceChildren(...pages.map((page) => h("button", { type: "button", class: "tab", "aria-pressed": String(page === desk), onclick: () => openDesk(page), text: code("desk", page) })));
  say(byId("desk-title"), code("desk", desk));
  byId("own-desk").hidden = desk === "board";
  byId("whole-board").hidden = desk !== "board";
  document.body.classList.toggle("at-desk", desk !== "board");
}

function openDesk(page) {
  desk = page;
  clearDesk();
  wordTabs();
  poll();
}

/** Somebody else is here now: their own desk first, and nothing of what the one before saw. */
function welcome(found) {
  updateBoard({ rows: [], groups: {}, total: 0, overdue: 0 });
  wordBoard();
  clearDesk();
  if (caseId) closeCase();
  if (!found) return;
  openDesk(Object.keys(DESKS).find(maySee) ?? "board");
}

// ---- words

function word() {
  document.documentElement.lang = language() === "en" ? "en" : "zh-CN";
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-t]")) say(element, t(element.dataset.t));
  for (const element of document.querySelectorAll("[data-t-label]")) element.setAttribute("aria-label", t(element.dataset.tLabel));
  const other = byId("language");
  say(other, language() === "en" ? "中文" : "English");
  other.lang = language() === "en" ? "zh-CN" : "en";
  byId("groups").setAttribute("aria-description", t("hint"));
  wordBoard();
  wordReport();
  wordPlace();
  wordSession();
  wordTabs();
  if (status) setStatus(status);
}

// ---- everything is wired here

async function start() {
  startBoard(now, poll);
  startCase(now);
  startDesk(now);
  startActs(poll);
  byId("speeds").append(...SPEEDS.map((speed) => h("button", { type: "button", value: speed, text: `${speed}×`, onclick: async () => {
    await ask("/api/clock", { speed }).catch((error) => console.warn(error));
    poll();
  } })));
  byId("language").addEventListener("click", () => {
    setLanguage(language() === "en" ? "zh" : "en");
    word();
    poll();
  });
  byId("when-at").addEventListener("input", () => { if (caseId) readCase(caseId).catch((error) => console.warn(error)); });
  byId("pane-close").addEventListener("click", closeCase);
  startReport(now);
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => { if (event.target === dialog || event.target.closest("[data-close]")) dialog.close(); });
  }
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape" && caseId) closeCase();
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (caseId && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && pressed(byId("acts"), event.key)) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
  addEventListener("hashchange", followAddress);
  addEventListener("popstate", followAddress);
  setInterval(() => { if (!document.hidden) tick(); }, 200);
  await begin();
}

/** The catalogue and who is here; asked again until the server answers. */
async function begin() {
  try {
    setCatalogue(await ask("/api/catalogue"));
    word();
    await startSession(welcome);
    followAddress();
  } catch (error) {
    console.warn(error);
    say(byId("lost"), t("lost"));
    byId("lost").hidden = false;
    setTimeout(begin, POLL);
  }
}

start();
