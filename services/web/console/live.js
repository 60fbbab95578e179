// What happens, as it happens: one stream from the server, opened again wherever it breaks, after what was heard last.

const QUIET = 15_000; // the server says something every five seconds: after so long the line is dead
const AGAIN = 2_000;

let source = null;
let wanted = false; // whether somebody listens at all
let heard = null; // the position up to which we have heard
let lastSign = 0;
let asleep = () => false;
let handlers = { news: () => {}, lost: () => {}, refused: () => {} };

/** Wire the stream. `news` gets every event, `lost` is called when the line is broken, `refused` when the server lets us listen no more. */
export function startLive(found) {
  handlers = found;
  asleep = found.asleep;
  setInterval(() => { if (source && performance.now() - lastSign > QUIET) open(); }, 5_000);
  document.addEventListener("visibilitychange", () => (asleep() ? close() : resume()));
}

/** Listen from now on: somebody else is here. */
export function listen() {
  heard = null;
  wanted = true;
  open();
}

export function stopListening() {
  close();
  wanted = false;
}

/** A page that was asleep hears of everything since. */
function resume() {
  if (!source && wanted) open();
}

function close() {
  source?.close();
  source = null;
}

function open() {
  close();
  lastSign = performance.now();
  const mine = new EventSource(heard === null ? "/api/live" : `/api/live?after=${heard}`);
  source = mine;
  mine.addEventListener("news", (event) => {
    if (mine !== source) return;
    lastSign = performance.now();
    heard = Number(event.lastEventId);
    handlers.news(JSON.parse(event.data));
  });
  mine.addEventListener("error", () => {
    if (mine !== source) return;
    handlers.lost();
    if (mine.readyState !== EventSource.CLOSED) return; // the browser comes back by itself, with the id it heard last
    close();
    handlers.refused();
    setTimeout(() => { if (!source && wanted && !asleep()) open(); }, AGAIN);
  });
}
