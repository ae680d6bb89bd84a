// All requests of the last 30 days, newest first.

import { get } from "../api.js";
import { card, h, notice } from "../dom.js";
import { requestLink, withheldLine } from "./home.js";
import { repeatedNotice } from "./series.js";

export async function requestsView(context) {
  const rows = await get("/api/requests");
  const off = context.status.requests_enabled
    ? null
    : notice("plain", "Requests are off", h("p", {}, "Nobody can ask you for video. ", h("a", { href: "#/settings" }, "Turn them on in Settings")));
  const none = rows.length === 0 ? h("p", { class: "calm" }, "No requests in the last 30 days.") : null;
  const withheld = withheldLine(context.status);
  return {
    title: "Requests",
    nodes: [off, repeatedNotice(rows), none, rows.map((row) => requestLink(row, rows)), withheld ? card(null, withheld) : null],
    onEvent: (name) => {
      if (name === "request" || name === "state") context.redraw();
    },
  };
}
