// 值班日报 on A4: the night's cases of a town, the clocks missed in it, what falls due today, and who is on duty.

import { ask } from "./api.js";
import { code, h, name, owner, shortTime, t, who } from "./i18n.js";
import { district, onPaper, row, table } from "./paper.js";

onPaper(async (query) => {
  const town = query.get("town") ?? "";
  const day = query.get("day");
  const found = await ask(`/api/towns/${encodeURIComponent(town)}/morning${day ? `?day=${encodeURIComponent(day)}` : ""}`);
  document.title = `${t("morning")} ${name("town", town)} ${found.day}`;
  const now = Date.parse(found.now);
  const time = (at) => (at ? shortTime(at, now) : "—");
  const matter = (of) => h("a", { href: `./#case=${of.case}`, text: of.matter ? name("matter", of.matter) : t("unclassified") });
  const urgency = (of) => (of.handling_class ? `${of.handling_class} ${code("class", of.handling_class)}` : "—");
  const place = (of) => (of.village ? name("village", of.village) : "—");
  const section = (title, heads, rows) => [h("h2", { text: `${t(title)} · ${rows.length}` }), rows.length ? table(heads, rows) : h("p", { class: "hush", text: t("nothing") })];
  return [
    h("header", {}, h("div", {}, h("h1", { text: t("morning") }), h("p", { text: `${district()} ${name("town", town)} · ${found.day}` }), h("p", { class: "hush", text: t("night", { a: time(found.since), b: time(found.until) }) })),
      h("div", {}, h("p", { class: "hush", text: t("on_duty") }), ...found.duties.map((person) => h("p", { text: who(person) })))),
    ...section("night_cases", ["class", "matter", "f_village", "reported_at", "stage"], found.cases.map((of) => row(urgency(of), matter(of), place(of), time(of.reported_at), code("phase", of.phase)))),
    ...section("night_missed", ["class", "matter", "seat_department", "clock", "missed_at"], found.missed.map((of) => row(urgency(of), matter(of), name("department", of.department), code("clock", of.detail), time(of.at)))),
    ...section("due_today", ["due", "holder", "still_owed", "class", "matter", "f_village"], found.due.map((of) => row(h("span", { class: Date.parse(of.due) < now ? "late" : "", text: time(of.due) }), owner(of.owner), code("owes", of.owes), urgency(of), matter(of), place(of)))),
  ];
});
