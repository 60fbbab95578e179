// The page: hears what happens, keeps the clock, opens desks, and cases by the address.

import { clearActs, drawActs, pressed, startActs } from "./acts.js";
import { ask, forgetActs, Refused } from "./api.js";
import { addToTicker, boardQuestion, clearTicker, resetBoard, selectCase, showGroup, startBoard, tickBoard, town, updateBoard, wordBoard } from "./board.js";
import { clearCase, missingCase, showCase, startCase, tickCase } from "./case.js";
import { clearDesk, DESKS, isRinging, startDesk, tickDesk, updateDesk } from "./desk.js";
import { listen, startLive, stopListening } from "./live.js";
import { forgetFiles } from "./files.js";
import { openIntake, relabelIntake, startIntake } from "./intake.js";
import { clearKeeping, showOpenings, showUsers } from "./keeping.js";
import { clearLaunch, showLaunch } from "./launch.js";
import { showMuster, startMuster, tickMuster } from "./muster.js";
import { clearPeople, showPeople } from "./people.js";
import { showRoster } from "./staff.js";
import { startReport, wordReport } from "./report.js";
import { maySee, startSession, user, whoIsHere, wordSession } from "./session.js";
import { showWorkload } from "./workload.js";
import { catalogue, code, figure, h, language, longTime, say, setCatalogue, setLanguage, shortTime, t } from "./i18n.js";

const REST = 400; // between two rounds of questions
const AGAIN = 2000;
const SLOWLY = 30_000; // what needs no fact to change, such as what falls due, is asked for so often
const SPEEDS = [1, 10, 60, 300, 1800];
const NOW_FIGURES = ["open", "overdue", "triage"];
const FLOW_FIGURES = ["reports", "cases", "calls", "legs", "acknowledged", "reported_in", "closed", "disclosed"];
/** Pages that are neither the board nor a desk with rows: what draws them at first, and what every time that something happens. */
const SCREENS = { intake: { open: openIntake }, users: { show: showUsers }, openings: { show: showOpenings }, people: { show: showPeople }, roster: { show: showRoster }, muster: { show: showMuster }, launch: { show: showLaunch } };
const byId = (id) => document.getElementById(id);

// ---- the server's clock, running on between two events

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
  const moment = now();
  const { date, time: text } = longTime(moment, time.speed < 300);
  say(byId("now-date"), date);
  say(byId("now-time"), text);
  tickBoard();
  tickDesk();
  tickMuster();
  tickCase();
}

// ---- what happens

let status = null;
let caseId = null;
let desk = "board"; // or one of DESKS or SCREENS
let asking = null; // the round that is under way
let again = false;

/** Ask anew for what is on the screen; however often this is called, one round at a time. */
async function refresh() {
  again = true;
  if (asking) return asking;
  asking = (async () => {
    while (again && user()) {
      again = false;
      await round();
      await new Promise((rest) => setTimeout(rest, REST));
    }
    asking = null;
  })();
  return asking;
}

async function round() {
  const [where, what, id, whose] = [town(), desk, caseId, user()];
  const still = () => user() === whose && what === desk;
  try {
    const question = what === "board" ? `/api/board?${boardQuestion()}` : DESKS[what];
    const [found, busy] = await Promise.all([question ? ask(question) : null, what === "board" ? ask("/api/workload") : null,
      SCREENS[what]?.show?.(byId("screen"), still), id ? readCase(id) : null]);
    if (!still()) return;
    if (what === "board" && where === town()) {
      updateBoard(found);
      showWorkload(byId("workload"), busy.rows, { town: where, platform: user().unit.platform });
    } else if (DESKS[what]) updateDesk(desk, found);
    byId("lost").hidden = true;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return;
    lost();
    console.warn(error);
    if (still()) setTimeout(refresh, AGAIN);
  }
}

function lost() {
  say(byId("lost"), t("lost"));
  byId("lost").hidden = false;
}

/** One event of the stream: how things stand as a whole, and what has happened since the one before. */
function told(news) {
  byId("lost").hidden = true;
  setStatus(news.status);
  if (!news.facts.length) return;
  addToTicker(news.facts);
  refresh();
}

/** Listen in the name of whoever is here now, from what happened last. */
async function tune() {
  stopListening();
  if (!maySee("board")) return;
  listen();
  try {
    const whose = user();
    const { rows } = await ask("/api/recent?limit=40");
    if (user() === whose) addToTicker(rows);
  } catch (error) {
    console.warn(error);
  }
}

let reading = 0;

async function readCase(id) {
  const mine = ++reading;
  const at = moments[Number(byId("when-at").value)];
  const past = at && at !== moments.at(-1) ? at : null;
  try {
    const answer = await ask(`/api/cases/${encodeURIComponent(id)}${past ? `?position=${past.position}` : ""}`);
    if (id !== caseId || mine !== reading) return;
    wordWhen(past, answer.timeline);
    showCase(answer);
    byId("slip").href = `slip.html?case=${encodeURIComponent(id)}`;
    const context = { suggested: answer.reports?.[0]?.suggested_matter, responders: answer.turn_out?.responders ?? [] };
    drawActs(byId("acts"), answer.acts ?? [], answer.case, maySee("triage") || maySee("inbox") || maySee("review") || ["follow_up", "notices", "village", "district"].some(maySee), context);
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

const OWN = ["intake", ...Object.keys(DESKS), "launch", "users", "people", "openings", "roster", "muster"]; // a person's own desk is the first of these

function wordTabs() {
  const pages = ["board", ...OWN].filter(maySee);
  byId("tabs").hidden = !user();
  byId("tab-list").replaceChildren(...pages.map((page) => h("button", { type: "button", class: "tab", "aria-pressed": String(page === desk), onclick: () => openDesk(page), text: code("desk", page) })));
  say(byId("desk-title"), code("desk", desk));
  byId("own-desk").hidden = !DESKS[desk];
  byId("screen").hidden = !SCREENS[desk];
  byId("whole-board").hidden = desk !== "board";
  byId("morning").hidden = !user()?.unit.town && !town();
  byId("morning").href = `morning.html?town=${user()?.unit.town || town()}`;
  document.body.classList.toggle("at-desk", desk !== "board");
  byId("ticker").parentElement.hidden = byId("figures").hidden = !maySee("board");
  document.body.classList.toggle("no-ticker", !maySee("board"));
}

function openDesk(page) {
  desk = page;
  clearDesk();
  clearKeeping();
  byId("screen").replaceChildren();
  wordTabs();
  SCREENS[page]?.open?.(byId("screen"));
  refresh();
}

let occupied = false; // whether somebody was here, who leaves nothing on the screen

/** Somebody else is here now: their own desk first, and nothing of what the one before saw. */
function welcome(found) {
  resetBoard();
  clearTicker();
  clearDesk();
  clearKeeping();
  clearLaunch();
  clearPeople();
  byId("screen").replaceChildren();
  byId("workload").hidden = true;
  byId("figures").replaceChildren();
  for (const dialog of document.querySelectorAll("dialog[open]:not(#login)")) dialog.close();
  byId("report-form").reset();
  if (occupied && caseId) closeCase();
  clearCase();
  clearActs(byId("acts"));
  forgetActs();
  forgetFiles();
  wordTabs();
  tune();
  occupied = Boolean(found);
  if (!found) return;
  if (caseId) readCase(caseId).catch((error) => console.warn(error));
  showGroup(found.roles.includes("platform_head") ? found.unit.platform : null);
  openDesk(OWN.find((page) => !["district", "launch", "roster", "muster"].includes(page) && maySee(page)) ?? "board"); // who looks at a whole begins with the board
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
  wordBoard();
  wordReport();
  wordPlace();
  wordSession();
  wordTabs();
  if (status) setStatus(status);
}

// ---- everything is wired here

async function start() {
  startBoard(now, () => { wordTabs(); refresh(); });
  startCase(now);
  startDesk(now);
  startMuster(now);
  startIntake(now);
  startActs(refresh);
  startLive({ news: told, lost, refused: () => { ask("/api/status").catch((error) => { if (error.status !== 401) console.warn(error); }); }, asleep: () => document.hidden && !isRinging() });
  byId("speeds").append(...SPEEDS.map((speed) => h("button", { type: "button", value: speed, text: `${speed}×`, onclick: async () => {
    await ask("/api/clock", { speed }).then(tune, (error) => console.warn(error));
  } })));
  byId("language").addEventListener("click", () => {
    setLanguage(language() === "en" ? "zh" : "en");
    word();
    if (desk === "intake") relabelIntake(byId("screen"));
    refresh();
  });
  byId("when-at").addEventListener("input", () => { if (caseId) readCase(caseId).catch((error) => console.warn(error)); });
  byId("pane-close").addEventListener("click", closeCase);
  startReport(now);
  startSession(welcome);
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => { if (event.target === dialog || event.target.closest("[data-close]")) dialog.close(); });
  }
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape" && caseId) closeCase();
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (caseId && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && pressed(byId("acts"), event.key)) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  setInterval(() => { if (!document.hidden || isRinging()) refresh(); }, SLOWLY);
  addEventListener("hashchange", followAddress);
  addEventListener("popstate", followAddress);
  setInterval(() => { if (!document.hidden) tick(); }, 200);
  await begin();
}

/** The catalogue and who is here; asked again until the server answers. */
async function begin() {
  try {
    setCatalogue(await ask("/api/catalogue"));
    setClock(catalogue);
    word();
    await whoIsHere();
    followAddress();
  } catch (error) {
    console.warn(error);
    lost();
    setTimeout(begin, AGAIN);
  }
}

start();
