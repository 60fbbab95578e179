// A desk: what waits for one role, the most urgent first, each row with the act that is hoped for.

import { isMain, isOneStep, keyOf, perform } from "./acts.js";
import { clockTime, code, h, name, owner, say, span, t } from "./i18n.js";

/** The desks by their page: where they ask, and what their rows want. */
export const DESKS = {
  inbox: "/api/inbox", triage: "/api/triage", review: "/api/review", follow_up: "/api/follow-ups", notices: "/api/drafts", village: "/api/village", district: "/api/district",
};

const byId = (id) => document.getElementById(id);
let clock = () => Date.now();
let rows = [];
let known = null; // what was seen so far, to ring for what is new
const lines = new Map(); // id -> { same, element, time, due }: a line stays what it is until its row changes

export function startDesk(now) {
  clock = now;
  byId("desk-rows").addEventListener("keydown", keys);
  byId("desk-ring").addEventListener("click", (event) => ring(event.currentTarget));
}

/** Another desk is open now. */
export function clearDesk() {
  known = null;
  rows = [];
  lines.clear();
  byId("desk-rows").replaceChildren();
}

export function updateDesk(desk, answer) {
  rows = answer.rows.map((row) => (desk === "triage" ? { ...row, owner: "command_centre", owes: "classify", matter: row.best, since: row.queued_at, due: null } : row));
  const first = known === null;
  announce(rows.map(idOf), (fresh) => [t("new_call", { n: fresh.length }), about(rows.find((row) => idOf(row) === fresh[0]))]);
  byId("desk-ring").setAttribute("aria-pressed", String(rings));
  say(byId("desk-sum"), t("desk_sum", { n: rows.length, m: rows.filter(isLate).length }));
  const focused = document.activeElement?.closest?.("#desk-rows li")?.dataset.id;
  const wanted = rows.map(lineOf);
  for (const [id, { element }] of lines) {
    if (wanted.includes(element)) continue;
    element.remove();
    lines.delete(id);
  }
  const list = byId("desk-rows");
  wanted.forEach((element, n) => { if (list.children[n] !== element) list.insertBefore(element, list.children[n] ?? null); });
  byId("desk-empty").hidden = rows.length > 0;
  if (first && !document.querySelector("dialog[open]") && byId("pane").hidden) byId("desk-rows").querySelector("a")?.focus({ preventScroll: true });
  if (focused && !document.activeElement?.closest?.("#desk-rows")) lines.get(focused)?.element.querySelector("a").focus({ preventScroll: true });
  tickDesk();
}

const isLate = (row) => Boolean(row.late) || (row.due && Date.parse(row.due) < clock());
const idOf = (row) => row.call ?? row.case;

function lineOf(row) {
  const same = JSON.stringify([document.documentElement.lang, row, isLate(row)]);
  const before = lines.get(idOf(row));
  if (before?.same === same) return before.element;
  const drawn = { same, ...line(row) };
  before?.element.replaceWith(drawn.element);
  lines.set(idOf(row), drawn);
  return drawn.element;
}

function line(row) {
  const quick = (row.acts ?? []).find((act) => isMain(act) && isOneStep(act));
  const trouble = h("div");
  const time = h("span", { class: "time" });
  if (!row.due) say(time, t("waits_since", { d: clockTime(row.since) }));
  const element = h("li", { "data-id": idOf(row), class: isLate(row) ? "is-late" : "" },
    h("a", { class: "desk-row", href: `#case=${row.case}` },
      h("span", { class: `badge ${row.handling_class ?? "none"}`, title: code("class", row.handling_class) }, row.handling_class ?? "—",
        h("span", { class: "badge-word", text: row.handling_class ? ` ${code("class", row.handling_class)}` : "" })),
      h("span", { class: "about" }, h("span", { class: "matter", text: row.matter ? name("matter", row.matter) : t("unclassified") }),
        h("span", { class: "place", text: [name("town", row.town), row.village ? name("village", row.village) : "", row.role ? code("role", row.role) : "", row.visibility === "confidential" ? code("visibility", "confidential") : ""].filter(Boolean).join(" · ") })),
      h("span", { class: "owes", text: row.progress ? code("progress", row.progress) : "" }), h("span", { class: "owes", text: code("owes", row.owes) }), time),
    quick ? h("button", { type: "button", class: "primary quick", onclick: () => perform(quick, {}, trouble) }, code("act", quick.request), h("kbd", { "aria-hidden": "true", text: keyOf(quick).toUpperCase() })) : h("span"),
    trouble);
  return { element, time, due: row.due ? Date.parse(row.due) : null };
}

/** Move every countdown on to the present. */
export function tickDesk() {
  const now = clock();
  for (const { time, due } of lines.values()) {
    if (due === null) continue;
    const late = now > due;
    say(time, late ? t("overdue_by", { d: span(now - due) }) : t("left", { d: span(due - now) }));
    time.classList.toggle("bad-mark", late);
  }
}

/** Up and down between rows; the key of a row's one-step act does it. */
function keys(event) {
  const items = [...byId("desk-rows").children];
  const here = items.indexOf(event.target.closest("li"));
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    items[here + step]?.querySelector("a").focus();
  } else if (here >= 0 && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const act = (rows[here]?.acts ?? []).find((one) => keyOf(one) === event.key && isOneStep(one));
    if (act) {
      event.preventDefault();
      event.stopPropagation();
      perform(act, {}, items[here].lastElementChild);
    }
  }
}

// ---- sound and notification for what is new

let rings = false;

export const isRinging = () => rings;

/** Whether this browser rings, as a button that changes it. */
export const ringButton = () => h("button", { type: "button", class: "quiet ring", "aria-pressed": String(rings), onclick: (event) => ring(event.currentTarget), text: t("ring") });

async function ring(button) {
  rings = !rings;
  button.setAttribute("aria-pressed", String(rings));
  if (rings) sound();
  if (rings && globalThis.Notification?.permission === "default") await Notification.requestPermission().catch(() => {});
}

const about = (row) => `${name("matter", row.matter)} · ${owner(row.owner)}`;

/** Ring for those of `ids` that were not there before; `words` gives a notification's title, and more of it. */
export function announce(ids, words) {
  const fresh = known ? ids.filter((id) => !known.has(id)) : [];
  known = new Set(ids);
  if (!rings || !fresh.length) return;
  sound();
  if (document.hidden && globalThis.Notification?.permission === "granted") {
    const [title, body = ""] = words(fresh);
    new Notification(title, { body, tag: "hujiao" });
  }
}

function sound() {
  const context = new AudioContext();
  const tone = new OscillatorNode(context, { frequency: 880 });
  const loud = new GainNode(context, { gain: 0.12 });
  tone.connect(loud).connect(context.destination);
  tone.start();
  tone.stop(context.currentTime + 0.18);
  tone.onended = () => context.close();
}
