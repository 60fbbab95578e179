// The live board (who owes what until when, by platform) and the ticker of recent facts.

import { CLASSES, catalogue, clockTime, code, detail, h, name, owner, readStored, say, shortTime, span, store, t, units, who } from "./i18n.js";

const FEW = 7;
const byId = (id) => document.getElementById(id);

const filters = { town: readStored("hujiao.town") ?? "", classes: new Set(), overdue: false, group: null };
const open = new Set(); // groups that show all their rows
const shown = new Map(); // "case|owner" -> { element, parts, row }
const sections = new Map(); // group -> its elements
let last = { rows: [], groups: {}, total: 0, overdue: 0, soon: 0 };
let clock = () => Date.now();
let selected = null;

export const town = () => filters.town;

/** What to ask the server for, as the filters stand. */
export const boardQuestion = () => new URLSearchParams({ town: filters.town, classes: [...filters.classes].join(" "), overdue: String(filters.overdue) });

/** Wire the filters; `now` is the server's time in milliseconds, `reload` asks for the board at once. */
export function startBoard(now, reload) {
  clock = now;
  byId("filter-town").addEventListener("change", (event) => {
    filters.town = event.target.value;
    store("hujiao.town", filters.town);
    reload();
  });
  byId("filter-overdue").addEventListener("change", (event) => {
    filters.overdue = event.target.checked;
    reload();
  });
  byId("filter-class").replaceChildren(...CLASSES.map((key) => {
    const button = h("button", { type: "button", class: "class-chip", "data-class": key, "aria-pressed": "false" }, key);
    button.addEventListener("click", () => {
      if (!filters.classes.delete(key)) filters.classes.add(key);
      button.setAttribute("aria-pressed", String(filters.classes.has(key)));
      reload();
    });
    return button;
  }));
  byId("groups").addEventListener("keydown", moveFocus);
  byId("ticker-pause").addEventListener("click", () => pauseTicker(!paused));
}

/** Words that are not rewritten by every drawing: after loading the catalogue and after a change of language. */
export function wordBoard() {
  const select = byId("filter-town");
  select.replaceChildren(h("option", { value: "", text: t("all_towns") }),
    ...units().map((entry) => h("option", { value: entry.code, text: name("town", entry.code) })));
  if (!units().some((entry) => entry.code === filters.town)) filters.town = "";
  select.value = filters.town;
  for (const chip of byId("filter-class").children) {
    const key = chip.dataset.class;
    chip.title = code("class", key);
    chip.setAttribute("aria-label", `${key} ${code("class", key)}`);
  }
  wordTicker();
  pauseTicker(paused);
  shown.clear();
  sections.clear();
  byId("groups").replaceChildren();
  byId("tiles").replaceChildren();
  draw();
}

export function updateBoard(answer) {
  last = answer;
  draw();
}

/** An empty board, with no filter but the town that was chosen here last. */
export function resetBoard() {
  filters.classes.clear();
  filters.overdue = byId("filter-overdue").checked = false;
  for (const chip of byId("filter-class").children) chip.setAttribute("aria-pressed", "false");
  updateBoard({ rows: [], groups: {}, total: 0, overdue: 0, soon: 0 });
  wordBoard();
}

/** Show one group alone, or all. */
export function showGroup(group) {
  filters.group = group;
  draw();
}

/** Mark the rows of the case whose pane is open. */
export function selectCase(id) {
  selected = id;
  for (const { element, row } of shown.values()) mark(element, row.case);
}

const mark = (element, id) => (id === selected ? element.setAttribute("aria-current", "true") : element.removeAttribute("aria-current"));
const key = (row) => `${row.case}|${row.owner}`;
const groupOf = (row) => row.platform ?? row.owner;
const groups = () => [...catalogue.platforms.map((entry) => entry.code), "command_centre", "disclosure"];
const groupName = (group) => (group === "command_centre" || group === "disclosure" ? code("owner", group) : name("platform", group));
const isLate = (row) => Boolean(row.overdue) || (row.due !== null && Date.parse(row.due) < clock());

function draw() {
  const rows = last.rows;
  const grouped = new Map(groups().map((group) => [group, []]));
  for (const row of rows) grouped.get(groupOf(row))?.push(row);
  const focused = document.activeElement;
  const used = new Set();
  for (const [group, of] of grouped) {
    tile(group);
    section(group, of, used);
  }
  for (const id of shown.keys()) if (!used.has(id)) shown.delete(id);
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  say(byId("sum"), [t("items", { n: last.total, m: last.overdue }), last.soon ? t("soon", { n: last.soon }) : ""].filter(Boolean).join(t("comma")));
  say(byId("partial"), last.total > last.rows.length ? t("partial", { n: last.rows.length, m: last.total }) : "");
  tickBoard();
}

const counted = (group) => last.groups[group] ?? { total: 0, overdue: 0, soon: 0 };

function tile(group) {
  const tiles = byId("tiles");
  let button = tiles.querySelector(`[data-group="${group}"]`);
  if (!button) {
    button = h("button", { type: "button", class: "tile", "data-group": group }, h("span", { class: "tile-name" }),
      h("span", { class: "tile-count" }), h("span", { class: "tile-late" }), h("span", { class: "tile-soon" }));
    button.addEventListener("click", () => {
      filters.group = filters.group === group ? null : group;
      draw();
    });
    tiles.append(button);
  }
  const { total, overdue: late, soon } = counted(group);
  const [title, count, overdue, approaching] = button.children;
  say(title, groupName(group));
  say(count, String(total));
  say(overdue, late ? `${t("overdue")} ${late}` : "");
  say(approaching, soon ? t("soon", { n: soon }) : "");
  button.classList.toggle("late", late > 0);
  button.setAttribute("aria-pressed", String(filters.group === group));
}

function section(group, rows, used) {
  let parts = sections.get(group);
  if (!parts) {
    const title = h("h3", { id: `group-${group}` });
    const list = h("ol", { class: "rows" });
    const more = h("button", { type: "button", class: "more" });
    more.addEventListener("click", () => {
      if (!open.delete(group)) open.add(group);
      draw();
    });
    const count = h("span", { class: "count" });
    const element = h("section", { class: "group", "aria-labelledby": title.id }, h("div", { class: "group-head" }, title, count), list, h("p", { class: "empty" }), more);
    parts = { element, title, count, list, more, empty: element.querySelector(".empty") };
    sections.set(group, parts);
    byId("groups").append(element);
  }
  const alone = filters.group === group;
  const all = alone || open.has(group);
  parts.element.hidden = filters.group !== null && !alone;
  parts.element.classList.toggle("alone", alone);
  say(parts.title, groupName(group));
  say(parts.count, t("items", { n: counted(group).total, m: counted(group).overdue }));
  say(parts.empty, rows.length ? "" : t("nothing"));
  parts.more.hidden = alone || rows.length <= FEW;
  parts.more.setAttribute("aria-expanded", String(all));
  say(parts.more, all ? t("show_less") : t("show_all", { n: rows.length }));
  const wanted = (parts.element.hidden ? [] : all ? rows : rows.slice(0, FEW)).map((row) => {
    used.add(key(row));
    return line(row);
  });
  wanted.forEach((element, index) => {
    if (parts.list.children[index] !== element) parts.list.insertBefore(element, parts.list.children[index] ?? null);
  });
  while (parts.list.children.length > wanted.length) parts.list.lastChild.remove();
}

function line(row) {
  const id = key(row);
  let entry = shown.get(id);
  if (!entry) {
    const part = (cls) => h("span", { class: cls });
    const parts = { badge: part("badge"), matter: part("matter"), place: part("place"), who: part("dept"), role: part("role"), owes: part("owes"), time: part("time"), bar: h("i") };
    const link = h("a", { class: "row", href: `#case=${row.case}` }, parts.badge, h("span", { class: "about" }, parts.matter, parts.place),
      h("span", { class: "by" }, parts.who, parts.role), parts.owes,
      h("span", { class: "left" }, parts.time, h("span", { class: "bar", "aria-hidden": "true" }, parts.bar)));
    entry = { element: h("li", {}, link), link, parts, row: null };
    shown.set(id, entry);
  }
  const known = entry.row;
  if (!known || known.since !== row.since || known.owes !== row.owes || known.due !== row.due || known.overdue !== row.overdue || known.escalated !== row.escalated || known.matter !== row.matter) {
    const { parts } = entry;
    parts.badge.className = `badge ${row.handling_class ?? "none"}`;
    parts.badge.hidden = !row.handling_class && row.owner === "disclosure";
    parts.badge.replaceChildren(row.handling_class ?? "—", h("span", { class: "badge-word", text: row.handling_class ? ` ${code("class", row.handling_class)}` : "" }));
    parts.badge.title = code("class", row.handling_class);
    say(parts.matter, row.matter ? name("matter", row.matter) : t("unclassified"));
    parts.matter.title = parts.matter.textContent;
    say(parts.place, place(row));
    say(parts.who, owner(row.owner));
    parts.who.title = parts.who.textContent;
    say(parts.role, [code("role", row.role), row.escalated ? t("escalated", { n: row.escalated }) : ""].filter(Boolean).join(" · "));
    const owes = row.owner === "command_centre" && row.owes === "result" ? "track" : row.owes;
    say(parts.owes, code("owes", owes));
    if (known && known.owes !== row.owes) flash(entry.link);
  }
  entry.row = row;
  mark(entry.element, row.case);
  return entry.element;
}

const place = (row) => [name("town", row.town), row.village ? name("village", row.village) : ""].filter(Boolean).join(" · ");

function flash(element) {
  element.classList.remove("changed");
  requestAnimationFrame(() => element.classList.add("changed"));
}

/** Move every countdown and bar on to the present. */
export function tickBoard() {
  const now = clock();
  for (const { link, parts, row } of shown.values()) {
    if (row.due === null) {
      say(parts.time, t("no_due"));
      continue;
    }
    const [due, since] = [Date.parse(row.due), Date.parse(row.since)];
    const late = now > due;
    const share = due > since ? Math.min(1, Math.max(0, (now - since) / (due - since))) : 1;
    const state = late || row.overdue ? "late" : share > 0.75 ? "soon" : "fine";
    if (link.dataset.state !== state) link.dataset.state = state;
    say(parts.time, late ? t("overdue_by", { d: span(now - due) }) : t("left", { d: span(due - now) }));
    parts.bar.style.transform = `scaleX(${share.toFixed(3)})`;
  }
}

function moveFocus(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.matches?.(".row")) return;
  const links = [...byId("groups").querySelectorAll(".group:not([hidden]) .row")];
  const next = links[links.indexOf(event.target) + step];
  if (next) {
    event.preventDefault();
    next.focus();
  }
}

// ---- the ticker

const TICKER = 40;
const facts = new Map(); // position -> its row and its line, the newest first
let paused = false;

function pauseTicker(next) {
  paused = next;
  const button = byId("ticker-pause");
  say(button, t(paused ? "resume" : "pause"));
  button.setAttribute("aria-pressed", String(paused));
  drawTicker();
}

export function clearTicker() {
  facts.clear();
  drawTicker();
}

/** Show these facts too, each once; while it is paused they wait. */
export function addToTicker(rows) {
  const fresh = facts.size > 0;
  for (const row of rows) if (!facts.has(row.position)) facts.set(row.position, { row, fresh, line: null });
  const keep = [...facts.keys()].sort((a, b) => b - a).slice(0, TICKER);
  for (const position of facts.keys()) if (!keep.includes(position)) facts.delete(position);
  drawTicker();
}

function drawTicker() {
  if (paused) return;
  const list = byId("ticker");
  const wanted = [...facts.entries()].sort(([a], [b]) => b - a).map(([, entry]) => (entry.line ??= tickerLine(entry.row, entry.fresh)));
  wanted.forEach((element, index) => {
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
  });
  while (list.children.length > wanted.length) list.lastChild.remove();
}

/** The same facts in another language. */
function wordTicker() {
  for (const entry of facts.values()) Object.assign(entry, { line: null, fresh: false });
  byId("ticker").replaceChildren();
}

function tickerLine(row, fresh) {
  const actor = row.department ? name("department", row.department) : row.platform ? name("platform", row.platform) : who(row.who);
  const about = [name("town", row.town), row.matter ? name("matter", row.matter) : ""].filter(Boolean).join(" · ");
  const inside = [
    h("time", { datetime: row.at, title: shortTime(row.at, clock()), text: clockTime(row.at) }),
    h("span", { class: "fact" }, h("b", { text: code("what", row.what) }), row.late ? h("span", { class: "late-mark", text: t("late") }) : null,
      h("span", { class: "actor", text: [actor, detail(row)].filter(Boolean).join(" · ") }), h("span", { class: "hush", text: about })),
  ];
  const tone = row.late || /missed|escalated|sent-back|rework|reopened/.test(row.what) ? "warn" : row.what.split(".")[0];
  const line = row.case ? h("a", { href: `#case=${row.case}` }, ...inside) : h("div", {}, ...inside);
  return h("li", { class: fresh ? "fresh" : null, "data-tone": tone }, line);
}
