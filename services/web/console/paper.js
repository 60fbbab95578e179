// What the printed pages share: the catalogue's names, the two buttons, and a page instead of an error.

import { ask, Refused } from "./api.js";
import { catalogue, h, language, say, setCatalogue, t } from "./i18n.js";

/** Fill the paper with what `draw` makes of the address's query; `draw` may ask the server. */
export async function onPaper(draw) {
  const paper = document.getElementById("paper");
  document.getElementById("print").addEventListener("click", () => print());
  try {
    setCatalogue(await ask("/api/catalogue"));
    document.documentElement.lang = language() === "en" ? "en" : "zh-CN";
    say(document.getElementById("print"), t("print"));
    say(document.getElementById("back"), t("back"));
    paper.replaceChildren(...await draw(new URLSearchParams(location.search)));
  } catch (error) {
    paper.replaceChildren(h("p", { class: "late", role: "alert", text: error instanceof Refused ? error.message : t("unreachable") }));
  }
}

export const district = () => (language() === "en" && catalogue.district.en) || catalogue.district.zh;

export const table = (heads, rows) => h("div", { class: "scrolls" }, h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col", text: t(head) })))), h("tbody", {}, rows)));
export const row = (...cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell ?? "")));
