// The way to the server: one function for every question and every act, in the name of who is logged in.

const TIMEOUT = 10_000;
const FILE_TIMEOUT = 180_000;

const sent = new Map(); // acts without an answer yet -> their keys: the same again is the same act
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

/** Do an act: its wire name under `request`, and its fields. Without an answer, the same again is done once. */
export async function act(asked) {
  const what = JSON.stringify(asked);
  if (!sent.has(what)) sent.set(what, newKey("act"));
  try {
    const answer = await ask("/api/acts", asked, { key: sent.get(what) });
    sent.delete(what);
    return answer;
  } catch (error) {
    if (error instanceof Refused && error.status < 500) sent.delete(what);
    throw error;
  }
}

/** Nobody goes on with what somebody else has begun. */
export const forgetActs = () => sent.clear();

/** Send the bytes of a file; `told` hears which share of them is on its way. */
export function sendFile(path, file, told = () => {}) {
  return new Promise((done, failed) => {
    const way = new XMLHttpRequest();
    way.open("POST", path);
    way.timeout = FILE_TIMEOUT;
    way.setRequestHeader("content-type", file.type || "application/octet-stream");
    if (csrf) way.setRequestHeader("x-csrf-token", csrf);
    way.upload.onprogress = (event) => { if (event.lengthComputable) told(event.loaded / event.total); };
    way.onerror = way.ontimeout = () => failed(new TypeError("no answer"));
    way.onload = () => {
      const data = jsonOf(way.responseText);
      if (way.status === 401) loggedOut();
      if (way.status === 201) done(data);
      else failed(new Refused(way.status, plain(data?.detail) || `HTTP ${way.status}`));
    };
    way.send(file);
  });
}

/** The bytes of a file, with what it is. */
export async function takeFile(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(FILE_TIMEOUT) });
  if (answer.status === 401) loggedOut();
  if (!answer.ok) throw new Refused(answer.status, plain(jsonOf(await answer.text())?.detail) || `HTTP ${answer.status}`);
  return answer.blob();
}

function jsonOf(text) {
  try { return JSON.parse(text); } catch { return null; }
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
