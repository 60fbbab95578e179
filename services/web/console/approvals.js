// 并联审批 in a case's pane: who was asked what in which round and what they said, and how far the project got.

import { code, h, name, shortTime, t, who } from "./i18n.js";

const TONE = { agree: "good", agree_with_conditions: "good", object: "bad" };

/** The matrix of a case whose departments were asked for opinions; nothing for any other. */
export function approval(answer, countdown, block, now) {
  const rounds = [...(answer.approval_rounds ?? [])].sort((a, b) => a.round - b.round);
  if (!rounds.length) return "";
  const items = [...(answer.approvals ?? [])].sort((a, b) => a.round - b.round || a.item.localeCompare(b.item));
  return block("approval", rounds.map((round) => [
    h("p", { class: "round" }, h("strong", { text: t("round_n", { n: round.round }) }), " ", round.closed_at ? chip(code("round_outcome", round.outcome), round.outcome === "approved" ? "good" : "bad") : countdown(round.due), " ", round.decision ? chip(code("decision", round.decision), round.decision === "granted" ? "good" : "bad") : null),
    matrix(items.filter((row) => row.round === round.round), now)]), milestones(answer.milestones ?? [], now));
}

const chip = (text, cls = "") => h("span", { class: `chip ${cls}`, text });

function matrix(rows, now) {
  const heads = ["item", "opinion", "ceiling"];
  return h("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": t("approval") }, h("table", { class: "list matrix" },
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col", text: t(head) })))),
    h("tbody", {}, rows.map((row) => h("tr", {},
      h("th", { scope: "row" }, name("item", row.item), h("span", { class: "hush", text: name("department", row.department) })),
      h("td", {}, said(row, now)),
      h("td", { class: "hush", text: row.ceiling ? shortTime(row.ceiling, now) : "—" }))))));
}

function said(row, now) {
  const lacks = row.material_requested_at ? chip(t(row.material_supplied_at ? "material_supplied" : "material_lacking"), row.material_supplied_at ? "" : "bad") : null;
  const told = row.missed && row.told_person ? h("span", { class: "hush", text: ` ${t("told_to", { n: who(row.told_person) })}` }) : null;
  if (!row.opinion) return [chip(t(row.missed ? "no_opinion" : "opinion_owed"), row.missed ? "bad" : ""), " ", lacks, told];
  return [chip(code("opinion", row.opinion), TONE[row.opinion]), " ", row.late ? chip(t("late"), "bad") : null,
    h("span", { class: "hush", text: [shortTime(row.filed_at, now), row.opinion === "object" ? row.legal_basis : ""].filter(Boolean).join(" · ") }), " ", lacks];
}

function milestones(rows, now) {
  if (!rows.length) return "";
  return h("ul", { class: "milestones" }, rows.map((row) => h("li", {}, h("span", { text: code("milestone", row.milestone) }), " ",
    row.reached_on ? chip(row.reached_on, row.in_time === 0 || row.in_time === false ? "bad" : "good") : h("span", { class: "hush", text: t("promised_by", { n: shortTime(row.due, now) }) }))));
}
