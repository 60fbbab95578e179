// Finding a village by its name, its code or its pinyin, whole or by first letters: 冬城, 445303100201, dongcheng, dc.

import { catalogue, h, name } from "./i18n.js";

const SHOWN = 8;

/** Whether the letters can be read as the beginning of each of some syllables in turn. */
function spells(syllables, letters) {
  if (!letters) return true;
  if (!syllables.length) return false;
  return syllables[0].split("/").some((way) => {
    for (let n = Math.min(way.length, letters.length); n > 0; n -= 1) {
      if (letters.startsWith(way.slice(0, n)) && spells(syllables.slice(1), letters.slice(n))) return true;
    }
    return false;
  });
}

/** The villages that what was typed can mean; those of `town` first. */
export function fits(typed, town = "") {
  const wanted = typed.toLowerCase().replace(/[\s'·]/g, "");
  if (!wanted) return [];
  const called = (entry) => name("town", entry.town).toLowerCase().replace(/[\s']/g, "") + entry.zh;
  const found = catalogue.villages.filter((entry) => entry.code.startsWith(wanted) || called(entry).includes(wanted) || spells(entry.pinyin.split(" "), wanted));
  return found.sort((a, b) => Number(b.town === town) - Number(a.town === town)).slice(0, SHOWN);
}

export const villageLabel = (entry) => `${name("town", entry.town)} ${name("village", entry.code)}`;

/** Make a text field a list to choose from; `picked` is called with the village, or null while there is none. */
export function pickVillage(input, list, { town, picked }) {
  let found = [];
  let at = 0;
  const close = () => { list.hidden = true; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); };
  const choose = (entry) => { input.value = villageLabel(entry); close(); picked(entry); };
  const mark = () => {
    [...list.children].forEach((option, n) => option.setAttribute("aria-selected", String(n === at)));
    if (list.children[at]) input.setAttribute("aria-activedescendant", list.children[at].id);
  };
  const draw = () => {
    list.replaceChildren(...found.map((entry, n) => h("li", { role: "option", id: `${list.id}-${n}`, onmousedown: (event) => { event.preventDefault(); choose(entry); } },
      h("span", { text: villageLabel(entry) }), h("small", { text: entry.code }))));
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(Boolean(found.length)));
    mark();
  };
  input.addEventListener("input", () => { found = fits(input.value, town()); at = 0; picked(null); draw(); });
  input.addEventListener("blur", () => { if (!list.hidden && found.length === 1) choose(found[0]); else close(); });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (list.hidden) return;
    if (step) at = (at + step + found.length) % found.length;
    else if (event.key === "Enter" && found[at]) choose(found[at]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (!list.hidden) mark();
  });
}
