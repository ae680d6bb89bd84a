// Alerts that are live nearby. They inform; nothing follows from them.

import { get } from "../api.js";
import { h, notice } from "../dom.js";
import { isText } from "../text_rules.js";
import { incident, moment } from "../words.js";

function alertCard(alert) {
  if (!isText(alert.title, 80) || !isText(alert.text, 1000, { lines: 12 })) return null;
  const from = alert.source?.kind === "agency" ? "From an agency" : "From a neighbour";
  return h(
    "article",
    { class: "card" },
    h("p", { class: "small" }, `${from} · ${incident(alert.category)} · ${moment(alert.iat * 1000)}`),
    h("h2", {}, alert.title),
    h("p", { class: "quote" }, alert.text),
  );
}

export async function alertsView(context) {
  const cards = (await get("/api/alerts")).map(alertCard).filter(Boolean);
  const none = cards.length === 0 ? notice("plain", "No alerts", h("p", {}, "Nothing is going on near you, as far as the platform says.")) : null;
  return {
    title: "Alerts",
    back: "more",
    nodes: [none, cards],
    onEvent: (name) => {
      if (name === "alert") context.redraw();
    },
  };
}
