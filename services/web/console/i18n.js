// Words of the console in the language of whoever looks, names from the catalogue, times in Asia/Shanghai.

import { CODES } from "./codes.js";
import { FIGURES, WORDS } from "./words.js";

export const CLASSES = ["U1", "U2", "U3", "U4", "U5", "U0"];
const stored = readStored("hujiao.lang");
let lang = stored === "en" || stored === "zh" ? stored : "zh";

export const language = () => lang;

export function setLanguage(next) {
  lang = next;
  store("hujiao.lang", next);
}

/** A value kept in this browser; the page works without. */
export function readStored(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

export function store(key, value) {
  try { localStorage.setItem(key, value); } catch { /* private browsing */ }
}

const pick = (pair) => pair[lang === "en" ? 1 : 0];

/** The word of the current language; `{n}` is filled in. */
export function t(key, values = {}) {
  const text = WORDS[key] ? pick(WORDS[key]) : key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** The word for a code of the API; an unknown code stands for itself. */
export function code(kind, value) {
  const pair = value == null ? null : CODES[kind][value];
  return pair ? pick(pair) : (value ?? "");
}

export const figure = (key) => pick(FIGURES[key]);

// ---- names of the catalogue

const names = { town: new Map(), village: new Map(), platform: new Map(), department: new Map(), matter: new Map(), duty: new Map(), item: new Map() };
export const catalogue = { towns: [], villages: [], platforms: [], departments: [], matters: [], items: [], demo: false, district: null };

export function setCatalogue(loaded) {
  Object.assign(catalogue, loaded);
  for (const [kind, list] of [["town", "towns"], ["village", "villages"], ["platform", "platforms"], ["department", "departments"], ["matter", "matters"], ["item", "items"]]) {
    names[kind] = new Map((loaded[list] ?? []).map((entry) => [entry.code, entry]));
  }
  if (loaded.district?.code) names.town.set(loaded.district.code, loaded.district);
  names.duty = new Map((loaded.duties ?? []).map((entry) => [entry.person, entry]));
}

/** The name of a town, village, platform, department or matter; its code when it is not in the catalogue. */
export function name(kind, key) {
  const entry = names[kind].get(key);
  if (!entry) return key ?? "";
  const text = (lang === "en" && entry.en) || entry.zh;
  return kind === "village" ? shortVillage(text) : text;
}

/** Wherever platforms stand: every town, and the district itself. */
export const units = () => (catalogue.district ? [...catalogue.towns, catalogue.district] : catalogue.towns);

export const platformOf = (department) => names.department.get(department)?.platform ?? null;

export function owner(key) {
  return CODES.owner[key] ? code("owner", key) : name("department", key);
}

const shortVillage = (text) => text.replace(/村?村民委员会$/, "村").replace(/(社区)?居民委员会$/, "社区");

/** Who did it: a post or a role, never a person's name. */
export function who(key) {
  if (!key) return "";
  const duty = names.duty.get(key);
  if (duty) {
    if (lang === "zh") return duty.zh;
    return duty.en ?? [duty.post?.replaceAll("_", " ") ?? key, name("platform", duty.platform)].filter(Boolean).join(", ");
  }
  if (CODES.who[key]) return code("who", key);
  const officer = /^\d+-([A-Z]\d+)-(\d+)$/.exec(key);
  if (officer) return `${name("department", officer[1])} ${code("who", "officer")} ${officer[2]}`;
  const [, post] = /^\d+-(centre|clerk)$/.exec(key) ?? [];
  if (post) return code("who", post);
  const role = /^(.+)-(\d+)$/.exec(key);
  return role && CODES.who[role[1]] ? `${code("who", role[1])} ${role[2]}` : key;
}

const list = (detail, kind) => detail.split(" ").filter(Boolean).map((key) => name(kind, key)).join(t("and"));

/** What the `detail` column says of a fact, in words. */
export function detail(row) {
  const text = row.detail;
  if (text == null || text === "") return "";
  switch (row.what) {
    case "case.classified.v1": {
      const [matter, urgency] = text.split(" ");
      return `${name("matter", matter)} · ${urgency ?? ""} ${code("class", urgency)}`;
    }
    case "case.calls-issued.v1": return list(text, "platform");
    case "call.departments-called.v1":
    case "call.released.v1": return list(text, "department");
    case "case.engaged.v1": return (lang === "en" ? "waiting for " : "还待 ") + list(text, "department");
    case "call.clock-missed.v1":
    case "call.escalated.v1": return code("clock", text);
    case "call.due-extended.v1":
    case "case.due-extended.v1": {
      const [what, until] = text.split(" ");
      return `${code(row.what.startsWith("case.") ? "owes" : "clock", what)} → ${shortTime(until)}`;
    }
    case "mobilisation.review-extended.v1": return `→ ${shortTime(text)}`;
    case "call.completed.v1": return code("solved", text);
    case "case.followed-up.v1": return code("answer", text);
    case "case.closed.v1": return code("reason", text);
    case "case.village-handling-started.v1": return name("village", text);
    case "case.district-called.v1":
    case "case.district-call-refused.v1": {
      const [version, ...rest] = text.split(" ");
      const why = rest.join(" ");
      return [t("list_version", { n: version.slice(1) }), CODES.condition[why] ? code("condition", why) : CODES.launch_ground[why] ? code("launch_ground", why) : `${code("act", "case.grant-launch-waiver.v1")} ${why}`].join(" · ");
    }
    case "case.village-resolved.v1": return code("solved", text);
    case "case.escalated.v1": return code("went_up", text);
    case "case.reopened.v1": return lang === "en" ? `time ${text}` : `第${text}次`;
    case "report.file-attached.v1":
    case "call.proof-attached.v1": return code("file", text.split("/")[0]);
    case "call.reported-in.v1": return t("people", { n: text });
    case "mobilisation.ordered.v1": return t("needed", { n: text });
    case "mobilisation.responders-called.v1": return t("called_n", { n: text.split(" ")[0] });
    case "mobilisation.responders-confirmed.v1": return t("confirmed_n", { n: text });
    case "mobilisation.mustered.v1":
    case "mobilisation.stood-down.v1": return t("people", { n: text });
    case "approval.round-opened.v1": return list(text, "item");
    case "approval.opinion-filed.v1": {
      const [item, opinion] = text.split(" ");
      return `${name("item", item)} · ${code("opinion", opinion)}`;
    }
    case "approval.material-requested.v1":
    case "approval.material-supplied.v1":
    case "approval.opinion-missed.v1": return name("item", text);
    case "approval.round-closed.v1": return code("round_outcome", text);
    case "approval.decided.v1": return code("decision", text);
    case "approval.milestone-reached.v1": {
      const [milestone, on] = text.split(" ");
      return `${code("milestone", milestone)} ${on}`;
    }
    case "call.delivery-failed.v1": {
      const [channel, reason] = text.split(" ");
      return `${channel} · ${code("delivery", reason)}`;
    }
    default: return text;
  }
}

// ---- times

const formats = new Map();

function format(kind, options) {
  const key = `${lang}/${kind}`;
  if (!formats.has(key)) {
    const locale = lang === "en" ? "en-GB" : "zh-CN";
    formats.set(key, new Intl.DateTimeFormat(locale, { timeZone: "Asia/Shanghai", hourCycle: "h23", ...options }));
  }
  return formats.get(key);
}

const parts = (kind, options, time) =>
  Object.fromEntries(format(kind, options).formatToParts(new Date(time)).map((part) => [part.type, part.value]));

/** `09-12 10:20`; with the year when it is not this year's. */
export function shortTime(time, now) {
  if (!time) return "";
  const options = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" };
  const p = parts("short", options, time);
  const year = now && parts("short", options, now).year !== p.year ? `${p.year}-` : "";
  return `${year}${p.month}-${p.day} ${p.hour}:${p.minute}`;
}

/** `10:20`. */
export function clockTime(time) {
  const p = parts("clock", { hour: "2-digit", minute: "2-digit" }, time);
  return `${p.hour}:${p.minute}`;
}

/** The date with its weekday, and the time of day. */
export function longTime(time, seconds) {
  const p = parts("long", { year: "numeric", month: "2-digit", day: "2-digit", weekday: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" }, time);
  return { date: `${p.year}-${p.month}-${p.day} ${p.weekday}`, time: `${p.hour}:${p.minute}${seconds ? `:${p.second}` : ""}` };
}

/** The day of a moment in Asia/Shanghai, as `2026-09-12`. */
export const dayOf = (time) => longTime(time).date.split(" ")[0];

/** A length as it is configured, such as `4wh`, in words. */
export function lengthWords(length) {
  const [, n, unit] = /^(\d+)(min|h|wh|wd|d)$/.exec(length) ?? [];
  return n ? `${n} ${t(`unit_${unit}`)}` : length;
}

/** A length of time in its two greatest units. */
export function span(milliseconds) {
  const seconds = Math.floor(Math.abs(milliseconds) / 1000);
  const [d, h, m, s] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
  const [D, H, M, S] = lang === "en" ? ["d", "h", "m", "s"] : ["天", "时", "分", "秒"];
  const gap = lang === "en" ? " " : "";
  if (d > 99) return `${d}${D}`;
  if (d) return `${d}${D}${gap}${h}${H}`;
  if (h) return `${h}${H}${gap}${String(m).padStart(2, "0")}${M}`;
  return m ? `${m}${M}${gap}${String(s).padStart(2, "0")}${S}` : `${s}${S}`;
}

/** An element with its attributes and children; strings become text, never markup. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (key === "text") element.textContent = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false && child !== ""));
  return element;
}

/** Set text only when it changed: keeps selections and spares screen readers. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
