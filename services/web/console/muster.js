// 集结板: the turn-outs under way, each with a count that climbs by itself, and who is free and who is not.

import { ask } from "./api.js";
import { countdowns } from "./countdowns.js";
import { h, language, name, say, t } from "./i18n.js";
import { load, musterOf } from "./staff.js";

const shown = new Map(); // turn-out -> { same, element, mustered }: a card stays where it is, and keeps the focus
let counting = countdowns(() => Date.now());

export function startMuster(now) {
  counting = countdowns(now);
}

export const tickMuster = () => counting.tick();

export async function showMuster(place, still = () => true) {
  const answer = await ask("/api/turn-outs");
  if (!still()) return;
  if (!place.firstChild) {
    shown.clear();
    place.append(h("p", { class: "sum", role: "status" }), h("ul", { class: "musters" }), h("section"));
  }
  const [sum, list, people] = place.children;
  say(sum, answer.rows.length ? t("turn_outs_n", { n: answer.rows.length, m: answer.rows.filter((row) => row.phase !== "mustered").length }) : t("no_turn_outs"));
  const wanted = answer.rows.map(cardOf);
  for (const [id, { element }] of shown) {
    if (wanted.includes(element)) continue;
    element.remove();
    shown.delete(id);
  }
  wanted.forEach((element, n) => { if (list.children[n] !== element) list.insertBefore(element, list.children[n] ?? null); });
  drawPeople(people, answer);
  tickMuster();
}

/** The card of a turn-out: drawn anew inside when its numbers change, marked when more people have come. */
function cardOf(row) {
  const same = JSON.stringify([language(), row]);
  const known = shown.get(row.mobilisation) ?? { element: h("li", { class: "muster-card", "data-case": row.case }, h("a", { href: `#case=${row.case}` }), h("div")) };
  if (known.same !== same) {
    const [link, body] = known.element.children;
    link.replaceChildren(h("strong", { text: name("matter", row.matter) }), h("span", { class: "hush", text: [name("town", row.town), row.village ? name("village", row.village) : "", name("platform", row.platform)].filter(Boolean).join(" · ") }));
    body.replaceChildren(musterOf(row, (due) => counting.to(due)));
    if (known.mustered < row.mustered) body.querySelector(".muster strong").classList.add("climbed");
    shown.set(row.mobilisation, { ...known, same, mustered: row.mustered });
  }
  return known.element;
}

function drawPeople(place, answer) {
  const at = new Date(answer.now).toISOString();
  if (!answer.people) return;
  const departments = answer.people.length ? load(answer.people, at, { names: true }) : h("p", { class: "empty", text: t("nobody_known") });
  if (place.lastChild?.isEqualNode(departments)) return; // whose leave has begun or ended meanwhile is somewhere else
  place.replaceChildren(h("h3", { text: t("busy_and_free") }), departments);
}
