// Forms whose refusals stand at the field that they are about, whoever refuses: the page before it sends, or the server.

import { Refused } from "./api.js";
import { h, t } from "./i18n.js";

/** A control with its label, and room for what is wrong with it; `place` is its name for `showFaults`. */
export function field(place, label, control, hint) {
  const id = `f-${place}`;
  control.id = id;
  control.setAttribute("aria-describedby", `${id}-fault`);
  return h("div", { class: "field", "data-field": place }, h("label", { for: id }, h("span", { text: label })), control,
    hint ? h("p", { class: "hush", text: hint }) : null, h("p", { class: "fault", id: `${id}-fault` }));
}

/** Say at each field what is wrong with it, and at no other; gives the texts for which there is no field here. */
export function showFaults(form, faults) {
  for (const place of form.querySelectorAll("[data-field]")) wrong(place, "");
  const elsewhere = [];
  for (const { at, text } of faults) {
    const place = at ? form.querySelector(`[data-field="${CSS.escape(at)}"]`) : null;
    if (place) wrong(place, text);
    else elsewhere.push(text);
  }
  form.querySelector("[aria-invalid=true]")?.focus();
  return elsewhere;
}

function wrong(place, text) {
  place.querySelector(".fault").textContent = text;
  const control = place.querySelector("input, select, textarea");
  if (text) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
}

/** What the server says is wrong, each with the field that it names: `start: expected …`, `… - at `$.items[2].bureau``. */
export function faultsOf(text) {
  return text.split("; ").map((one) => {
    const [, path] = /at `\$\.([^`]+)`/.exec(one) ?? [];
    const [, item, of] = /^item (\d+): (\w+): /.exec(one) ?? [];
    const at = path ?? (item ? `items[${item - 1}].${of}` : /^(\w+): /.exec(one)?.[1]);
    return { at, text: one };
  });
}

/** An error at the end of a form, in words. */
export const trouble = (text) => h("p", { class: "error", role: "alert", text });

export const troubleOf = (error) => trouble(error instanceof Refused ? t("failed", { e: error.message }) : t("unreachable"));
