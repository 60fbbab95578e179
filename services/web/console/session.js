// Who is here: logging in and out, and in the demo taking a seat.

import { ask, Refused, useSession } from "./api.js";
import { catalogue, code, h, name, say, t, units } from "./i18n.js";

const WATCHER = { role: "district_command", unit: {} };
const SEATS = {
  department_officer: ["town", "department"], command_centre: ["town"], platform_head: ["town", "platform"], village_clerk: ["town", "village"], reviewer: ["town"], follow_up_clerk: ["town"],
  district_command: [], district_leader: [], town_committee: ["town"], personnel: [],
};

const byId = (id) => document.getElementById(id);
let here = { demo: false, user: null };
let changed = () => {};

export const user = () => here.user;
export const maySee = (page) => Boolean(here.user?.pages.includes(page));

/** Wire logging in and out; `whenChanged` hears who is here now. */
export function startSession(whenChanged) {
  changed = whenChanged;
  byId("login-form").addEventListener("submit", logIn);
  byId("seat-form").addEventListener("submit", takeSeat);
  byId("seat-role").addEventListener("change", wordSeats);
  byId("seat-town").addEventListener("change", wordSeats);
  byId("seat-open").addEventListener("click", openSeats);
  byId("leave").addEventListener("click", leave);
  byId("login").addEventListener("cancel", (event) => event.preventDefault());
}

/** Find out who is here; in a demo nobody need log in to watch. */
export async function whoIsHere() {
  here = await ask("/api/session");
  if (here.user || !here.demo) enter(here);
  if (!here.user) await nobody();
}

async function nobody() {
  if (here.demo) enter(await ask("/api/seats", WATCHER));
  else byId("login").showModal();
}

function enter(found) {
  here = found;
  useSession(found.user?.csrf ?? "", () => { if (here.user) enter({ ...here, user: null }), nobody(); });
  if (found.user && byId("login").open) byId("login").close();
  wordSession();
  changed(found.user);
}

/** The words that depend on who is here. */
export function wordSession() {
  byId("seat-open").hidden = !here.demo;
  byId("leave").hidden = !here.user || (here.demo && here.user.roles[0] === WATCHER.role);
  say(byId("who"), here.user ? [here.user.roles.map((role) => code("role_of", role)).join(t("and")), unit(here.user.unit)].filter(Boolean).join(" · ") : "");
  byId("who").title = here.user?.person ?? "";
}

const unit = (of) => ["town", "village", "platform", "department"].map((part) => (of[part] ? name(part, of[part]) : "")).filter(Boolean).join(" ");

async function logIn(event) {
  event.preventDefault();
  const form = event.target;
  const error = byId("login-error");
  error.hidden = true;
  try {
    const found = await ask("/api/session", { name: form.elements.name.value.trim(), password: form.elements.password.value });
    form.reset();
    enter(found);
  } catch (refused) {
    say(error, refused instanceof Refused ? t(refused.status === 401 ? "login_wrong" : refused.status === 429 ? "login_locked" : "failed", { e: refused.message }) : t("unreachable"));
    error.hidden = false;
    form.elements.password.select();
  }
}

async function leave() {
  await ask("/api/session", undefined, { method: "DELETE" }).catch((error) => console.warn(error));
  enter({ ...here, user: null });
  await nobody();
}

// ---- the demo's seats

async function openSeats() {
  byId("seat-role").replaceChildren(...Object.keys(SEATS).map((role) => h("option", { value: role, text: code("role_of", role) })));
  wordSeats();
  byId("seat-error").hidden = true;
  byId("seat").showModal();
  await suggestSeat().catch((error) => console.warn(error));
}

/** The busiest department: whoever sits there has something to do at once. */
async function suggestSeat() {
  if (!maySee("board")) return;
  const { rows } = await ask("/api/workload");
  const busiest = rows.reduce((most, row) => (row.called - row.acknowledged > (most ? most.called - most.acknowledged : 0) ? row : most), null);
  if (!busiest) return;
  byId("seat-town").value = busiest.town;
  wordSeats();
  byId("seat-department").value = busiest.department;
}

function wordSeats() {
  const wanted = SEATS[byId("seat-role").value];
  const at = () => byId("seat-town").value;
  const there = (entry) => (entry.kind === "district_bureau") === (at() === catalogue.district?.code);
  for (const [part, all] of [
    ["town", () => (wanted.includes("department") ? units() : catalogue.towns)], ["department", () => catalogue.departments.filter(there)],
    ["platform", () => catalogue.platforms], ["village", () => catalogue.villages.filter((entry) => entry.town === at())],
  ]) {
    const [select, list] = [byId(`seat-${part}`), all()];
    const before = select.value;
    select.parentElement.hidden = select.disabled = !wanted.includes(part);
    select.replaceChildren(...list.map((entry) => h("option", { value: entry.code, text: name(part, entry.code) })));
    if (list.some((entry) => entry.code === before)) select.value = before;
  }
}

async function takeSeat(event) {
  event.preventDefault();
  const role = byId("seat-role").value;
  const wanted = Object.fromEntries(SEATS[role].map((part) => [part, byId(`seat-${part}`).value]));
  try {
    const found = await ask("/api/seats", { role, unit: wanted });
    byId("seat").close();
    enter(found);
  } catch (error) {
    say(byId("seat-error"), error instanceof Refused ? error.message : t("unreachable"));
    byId("seat-error").hidden = false;
  }
}
