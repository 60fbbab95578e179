// 工作量: how busy each department is and how it keeps its clocks, below the board of those who answer for them.

import { h, name, platformOf, say, t } from "./i18n.js";

const COLUMNS = ["open", "called", "acknowledged", "acknowledged_late", "reported_in", "filed", "filed_late", "missed"];

/** Draw the departments of a town, or of the whole district; of one platform for its head. */
export function showWorkload(place, rows, { town, platform }) {
  const sums = new Map();
  for (const row of rows) {
    if ((town && row.town !== town) || (platform && platformOf(row.department) !== platform)) continue;
    const sum = sums.get(row.department) ?? Object.fromEntries(COLUMNS.map((column) => [column, 0]));
    for (const column of COLUMNS) sum[column] += row[column];
    sums.set(row.department, sum);
  }
  const busiest = [...sums].sort(([, a], [, b]) => b.open - a.open || b.missed - a.missed);
  place.hidden = !busiest.length;
  say(place.querySelector("summary"), t("workload"));
  place.querySelector("table").replaceChildren(
    h("thead", {}, h("tr", {}, h("th", { scope: "col", text: t("seat_department") }), COLUMNS.map((column) => h("th", { scope: "col", class: "number", text: t(`w_${column}`) })))),
    h("tbody", {}, busiest.map(([department, sum]) => h("tr", {}, h("th", { scope: "row", text: name("department", department) }),
      COLUMNS.map((column) => h("td", { class: `number ${/late|missed/.test(column) && sum[column] ? "bad-mark" : ""}`, text: String(sum[column]) }))))));
}
