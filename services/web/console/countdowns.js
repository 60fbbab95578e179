// Countdowns that one screen shows, moved on together.

import { h, say, span, t } from "./i18n.js";

/** How long is left until each due time, by `clock`, or for how long it has been late. */
export function countdowns(clock) {
  let all = []; // [element, due in milliseconds]
  return {
    to(due) {
      const element = h("span", { class: "count-down" });
      all.push([element, Date.parse(due)]);
      return element;
    },
    tick() {
      const now = clock();
      all = all.filter(([element]) => element.isConnected);
      for (const [element, due] of all) {
        const late = now > due;
        say(element, late ? t("overdue_by", { d: span(now - due) }) : t("left", { d: span(due - now) }));
        element.classList.toggle("is-late", late);
      }
    },
    clear() { all = []; },
  };
}
