// Where an answered request stands: waiting for the button, the moment to stop it, sending, receipt, end.

import { post } from "../api.js";
import { actionButton, card, h, notice, say } from "../dom.js";
import { recall } from "../store.js";
import { duration, explain, moment, plural, span } from "../words.js";

function stopButton(context, id) {
  return actionButton(
    "Stop, do not send",
    "danger",
    async () => {
      await post(`/api/requests/${id}/stop`, {});
      say("Stopped.");
      context.redraw({ toTop: true });
    },
    explain,
  );
}

/** A number that counts down to what the doorbell said, or a plain sentence where it said nothing. */
function countdown(context, id, without) {
  const number = h("span", { class: "seconds", "aria-hidden": "true" });
  const spoken = h("span", { class: "unseen", role: "timer" });
  const node = h("div", { class: "countdown" }, number, spoken);
  let last = null;
  const tick = () => {
    const deadline = context.deadlines.get(id);
    if (deadline === undefined) {
      number.textContent = without;
      number.classList.add("words");
      return;
    }
    const left = Math.max(0, Math.ceil((deadline - performance.now()) / 1000));
    number.classList.remove("words");
    number.textContent = String(left);
    if (last === null || left % 15 === 0) spoken.textContent = `${left} seconds left`;
    last = left;
  };
  tick();
  const timer = setInterval(tick, 250);
  return { node, leave: () => clearInterval(timer) };
}

async function shared(id) {
  const kept = await recall("decisions", id);
  if (kept?.decision !== "share" || kept.rows.length === 0) return null;
  const length = kept.rows.reduce((sum, row) => sum + row.end_ms - row.start_ms, 0);
  const clips = new Set(kept.rows.map((row) => row.clip)).size;
  return h(
    "div",
    {},
    h("p", { class: "big" }, `${plural(clips, "video")}, ${duration(length)}`),
    h("p", {}, span(kept.rows[0].start_ms, kept.rows.at(-1).end_ms, true)),
    h("p", { class: "small" }, `You said yes on this phone ${moment(kept.at * 1000)}.`),
  );
}

function confirming(context, id) {
  const count = countdown(context, id, "two minutes");
  const node = notice(
    "plain",
    "Press the button inside your home",
    h("p", {}, "So that nobody can share with a stolen phone alone. Nothing is sent before."),
    count.node,
    stopButton(context, id),
  );
  return { first: node, nodes: [], leave: count.leave };
}

function grace(context, id, agency) {
  const count = countdown(context, id, "in a moment");
  const node = card(
    "Sending starts in",
    count.node,
    h("p", {}, `Until then nothing has left your home. Then your doorbell sends it to ${agency.name}.`),
    stopButton(context, id),
  );
  return { first: node, nodes: [], leave: count.leave };
}

function uploading(context, id) {
  const bar = h("progress", { max: "1", value: 0, "aria-label": "Sent so far" });
  const words = h("p", { class: "small" }, "Connecting…");
  const update = () => {
    const seen = context.progress.get(id);
    if (!seen || !(seen.total > 0)) return;
    bar.value = Math.min(1, seen.sent / seen.total);
    words.textContent = `${Math.round(bar.value * 100)} %`;
  };
  update();
  const node = card(
    "Sending",
    bar,
    words,
    h("p", { class: "small" }, "You can close this page; the doorbell goes on, also after a power cut."),
    stopButton(context, id),
  );
  return { first: node, nodes: [], onEvent: (name, data) => { if (name === "progress" && data.id === id) update(); } };
}

const ENDS = {
  DECLINED: ["plain", "Somebody at home said no", "On another phone, or at the doorbell itself. Nothing was sent. Only where the no was said can it be changed."],
  HANDED_OVER: ["plain", "Sent", "All parts are there. The doorbell waits for the signed receipt."],
  DELIVERED: ["good", "Delivered", "The receipt came, is signed, and lists exactly what you shared. It is kept in the doorbell's log."],
  UNCONFIRMED: ["warn", "Sent, but no receipt came", "All parts were sent, but within three days nobody confirmed them. Call the agency if it matters to you."],
  WITHDRAWN: ["plain", "You stopped it", "The agency got no keys to open anything. What was sent so far is asked to be deleted."],
  FAILED: ["warn", "It could not be sent", "For three days the doorbell could not reach the agency's server. Nothing was handed over."],
  CANCELLED: ["plain", "No longer valid", "The request was withdrawn or its sender is no longer trusted. Nothing more is sent."],
  EXPIRED: ["plain", "Ran out", "Nobody answered in time. Nothing was sent, and they were told nothing."],
};

function ended(state) {
  const [kind, title, text] = ENDS[state] ?? ["plain", state, ""];
  return { first: notice(kind, title, h("p", {}, text)), nodes: [] };
}

/** What is shown for a request that was answered or is over. */
export async function standing({ context, checked, answer }) {
  const { id } = checked.payload;
  const draw = { CONFIRMING: confirming, GRACE: grace, UPLOADING: uploading }[answer.state];
  const part = draw ? draw(context, id, answer.agency) : ended(answer.state);
  const what = await shared(id);
  if (what) part.nodes.push(card("What you shared", what));
  return part;
}
