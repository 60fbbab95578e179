// The way to the server: one function for every question and every act, in the name of who is logged in.

const TIMEOUT = 10_000;

let csrf = "";
let loggedOut = () => {};

/** The server said no: its status and its reason. */
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** Ask, or with a body do; `key` makes the same act sent again harmless. */
export async function ask(path, body, { method, key } = {}) {
  const options = { method: method ?? (body === undefined ? "GET" : "POST"), headers: {} };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["content-type"] = "application/json";
  }
  if (options.method !== "GET") options.headers["x-csrf-token"] = csrf;
  if (key) options.headers["idempotency-key"] = key;
  const answer = await fetch(path, { ...options, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT) });
  const data = await answer.json().catch(() => null);
  if (answer.status === 401 && path !== "/api/session") loggedOut();
  if (!answer.ok) throw new Refused(answer.status, plain(data?.detail) || `HTTP ${answer.status}`);
  return data;
}

/** Remember what goes with the session of whoever is logged in now; `ended` is called when the server knows them no more. */
export function useSession(token, ended) {
  csrf = token;
  loggedOut = ended;
}

/** A number of our own for a report or an act. */
export function newKey(kind) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `${kind}-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

const plain = (found) => (Array.isArray(found) ? found.map((one) => one.msg ?? JSON.stringify(one)).join("; ") : found == null ? "" : String(found));
