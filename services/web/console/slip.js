// 呼叫单 on A4: who is called to what, by when, with room for who acknowledges and what was done; no resident's words.

import { code, h, name, shortTime, t } from "./i18n.js";
import { ask } from "./api.js";
import { district, onPaper, table } from "./paper.js";

onPaper(async (query) => {
  const id = query.get("case") ?? "";
  const { case: one, calls, legs, now } = await ask(`/api/cases/${encodeURIComponent(id)}`);
  document.title = `${t("case")} ${id}`;
  const time = (at) => (at ? shortTime(at, Date.parse(now)) : "—");
  const attempt = Math.max(0, ...calls.map((call) => call.attempt));
  const called = calls.filter((call) => call.attempt === attempt);
  return [
    h("header", {}, h("div", {}, h("h1", { text: title() }), h("p", { text: `${district()} ${name("town", one.town)}` }), h("p", { class: "hush", text: id })),
      h("figure", {}, h("img", { class: "qr", src: `/api/cases/${encodeURIComponent(id)}/qr.svg`, alt: t("scan") }), h("figcaption", { text: t("scan") }))),
    table(["matter", "class", "f_village", "reported_at", "result_due"], [h("tr", {}, [one.matter ? name("matter", one.matter) : t("unclassified"),
      one.handling_class ? `${one.handling_class} ${code("class", one.handling_class)}` : "—", one.village ? name("village", one.village) : "—", time(one.reported_at), time(one.result_due)].map((text) => h("td", { text })))]),
    ...called.flatMap((call) => [h("h2", { text: `${name("platform", call.platform)} · ${t("nth_call", { n: call.attempt })} · ${code("level", call.level)}` }),
      table(["seat_department", "signed", "arrived", "done_how"], legs.filter((leg) => leg.call === call.call).flatMap((leg) => [
        h("tr", {}, h("td", {}, h("strong", { text: name("department", leg.department) }), ` ${code("role", leg.role)}`), h("td", { text: `${t("due")} ${time(leg.acknowledge_due)}` }),
          h("td", { text: leg.arrive_due ? `${t("due")} ${time(leg.arrive_due)}` : "—" }), h("td", { text: `${t("due")} ${time(leg.result_due)}` })),
        h("tr", { class: "blank" }, [leg.acknowledged_at, leg.reported_in_at, leg.filed_at].reduce((cells, at) => [...cells, h("td", { text: at ? time(at) : "" })], [h("td")])),
      ]))]),
    h("p", { class: "hush", text: time(now) }),
  ];
});

const title = () => t("call_slip");
