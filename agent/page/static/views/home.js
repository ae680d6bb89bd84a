// Home: is it recording, does anything wait, is anything wrong. In that order.

import { get } from "../api.js";
import { card, h, icon, notice } from "../dom.js";
import { peekLog } from "../log_check.js";
import { amount, faultWords, incident, moment, plural, span, stateWords } from "../words.js";
import { waitingCard } from "./pair.js";

const OPEN = new Set(["PENDING", "CONFIRMING", "GRACE", "UPLOADING", "HANDED_OVER"]);

/** One request as a card that leads to it. */
export function requestLink(row) {
  const [words, kind] = stateWords(row.state);
  return h(
    "a",
    { class: "card request-link", href: `#/request/${row.id}` },
    h(
      "div",
      {},
      h("p", { class: `state ${kind}` }, words),
      h("h2", {}, row.agency_name),
      h("p", {}, `${incident(row.incident)} · case ${row.case}`),
      h("p", { class: "small" }, span(row.from * 1000, row.to * 1000)),
    ),
    icon("next"),
  );
}

function recordingCard(status) {
  if (!status.recording) {
    return notice("bad", "Your doorbell is not recording", h("p", {}, "See below what is wrong. It tries again by itself."));
  }
  return notice("good", "Your doorbell is recording", h("p", {}, "It keeps a video when something moves or someone rings. Only your phones can open it."));
}

function clockNotice(status) {
  if (status.clock === "suspect") {
    return notice("warn", "The doorbell's clock jumped", h("p", {}, "Nothing is shared or removed until it is sure again."), h("p", {}, h("a", { href: "#/settings" }, "Check the time in Settings")));
  }
  return null;
}

function quietFacts(status) {
  const { bytes, limit } = status.storage;
  const asks = status.requests_enabled
    ? "Requests for video can reach you. Nobody learns whether you have any."
    : "Requests for video are off: nobody can ask you.";
  const meter = h("meter", { min: "0", max: String(limit), value: String(bytes), "aria-label": "Room used" });
  return card(
    null,
    h("p", { class: "row" }, icon("ask"), h("span", {}, asks, " ", h("a", { href: "#/settings" }, "Settings"))),
    h("p", { class: "row" }, icon("film"), h("span", {}, `Videos use ${amount(bytes)} of ${amount(limit)}. The oldest make room for new ones.`)),
    meter,
    withheldLine(status),
  );
}

/** What was held back because too much came at once; shown as a number only (protocol section 7). */
function withheldLine(status) {
  if (!(status.withheld > 0)) return null;
  return h("p", { class: "row" }, icon("warn"), h("span", {}, `${plural(status.withheld, "request")} not shown, because too many came at once.`));
}

async function logWarning(me) {
  const { verdict } = await peekLog(me);
  if (verdict === "good") return null;
  return notice("bad", "The doorbell's log does not fit", h("p", {}, "It is not what this phone saw before."), h("p", {}, h("a", { href: "#/log" }, "Look at the log")));
}

/** Whether this phone is still waiting to be let in. */
export async function isWaiting(context) {
  const phones = await get("/api/phones");
  return phones.find((row) => row.phone === context.me.phone)?.state === "waiting";
}

export async function homeView(context) {
  const { status, me } = context;
  const [requests, alerts, waiting, log] = [
    await get("/api/requests"),
    await get("/api/alerts"),
    await isWaiting(context),
    await logWarning(me),
  ];
  const open = requests.filter((row) => OPEN.has(row.state));
  // A clock that jumped has a notice of its own, with something to do.
  const faults = status.faults.filter((code) => code !== "clock-suspect").map((code) => {
    const [title, todo] = faultWords(code);
    return notice("warn", title, h("p", {}, todo));
  });
  const alertLine = alerts.length
    ? h("a", { class: "card request-link", href: "#/alerts" }, h("div", {}, h("h2", {}, plural(alerts.length, "alert")), h("p", { class: "small" }, `Newest: ${moment(alerts[0].iat * 1000)}`)), icon("next"))
    : null;
  return {
    title: "Home",
    nodes: [
      waiting ? await waitingCard(me) : null,
      log,
      open.map(requestLink),
      open.length === 0 && status.requests_enabled ? h("p", { class: "calm" }, "Nothing waits for you.") : null,
      recordingCard(status),
      clockNotice(status),
      faults,
      alertLine,
      quietFacts(status),
    ],
    onEvent: (name) => {
      if (["request", "state", "alert", "status", "phone"].includes(name)) context.redraw();
    },
  };
}
