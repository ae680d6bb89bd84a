// Home: does anything wait, is it recording, is anything wrong. In that order; not recording comes before all.

import { get } from "../api.js";
import { card, h, icon, notice } from "../dom.js";
import { faultWords } from "../faults.js";
import { peekLog } from "../log_check.js";
import { amount, incident, moment, plural, shownName, span, stateWords } from "../words.js";
import { waitingCard } from "./pair.js";
import { seriesLine } from "./series.js";

const MOST_OPEN = 3; // cards of requests; the rest is one line, so that what is wrong is not pushed out of sight
const OPEN = new Set(["PENDING", "CONFIRMING", "GRACE", "UPLOADING", "HANDED_OVER"]);

/** One of the `rows` of requests as a card that leads to it. */
export function requestLink(row, rows) {
  const [words, kind] = stateWords(row.state);
  const series = seriesLine(rows, row);
  return h(
    "a",
    { class: "card request-link", href: `#/request/${row.id}` },
    h(
      "div",
      {},
      h("p", { class: `state ${kind}` }, words),
      h("h2", {}, shownName(row)),
      h("p", {}, `${incident(row.incident)} · case ${row.case}`),
      h("p", { class: "small" }, span(row.from * 1000, row.to * 1000)),
      series ? h("p", { class: "small series" }, series) : null,
    ),
    icon("next"),
  );
}

const moreLink = (count) =>
  h("a", { class: "card request-link", href: "#/requests" }, h("h2", {}, plural(count, "more open request")), icon("next"));

function recordingCard(status) {
  if (!status.recording) {
    return notice("bad", "Your doorbell is not recording", h("p", {}, "What is wrong stands further down. It tries again by itself."));
  }
  return notice("good", "Your doorbell is recording", h("p", {}, "It keeps a video when something moves or someone rings. It is sealed to keys of your own."));
}

function clockNotice(status) {
  if (status.clock === "suspect") {
    const [title] = faultWords("clock-suspect");
    return notice("warn", title, h("p", {}, "Nothing is shared or removed until it is sure again."), h("p", {}, h("a", { href: "#/settings" }, "Check the time in Settings")));
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
export function withheldLine(status) {
  if (!(status.withheld > 0)) return null;
  const were = status.withheld === 1 ? "request was" : "requests were";
  const text = `${status.withheld} ${were} held back since the doorbell started, because too many came at once. Nothing was sent, and nobody was told.`;
  return h("p", { class: "row withheld" }, icon("warn"), h("span", {}, text));
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
  const isWaitingForMe = (row) => row.state === "PENDING";
  const open = requests.filter((row) => OPEN.has(row.state)).toSorted((a, b) => isWaitingForMe(b) - isWaitingForMe(a));
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
      status.recording ? null : recordingCard(status),
      open.slice(0, MOST_OPEN).map((row) => requestLink(row, requests)),
      open.length > MOST_OPEN ? moreLink(open.length - MOST_OPEN) : null,
      open.length === 0 && status.requests_enabled ? h("p", { class: "calm" }, "Nothing waits for you.") : null,
      status.recording ? recordingCard(status) : null,
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
