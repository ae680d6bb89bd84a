// The doorbell's log in plain words, and whether it still fits what this phone saw before.

import { get } from "../api.js";
import { card, h, notice, say } from "../dom.js";
import { checkLog } from "../log_check.js";
import { explain, moment, plural, stateWords } from "../words.js";

const PAGE = 100;
const VERDICTS = {
  good: ["good", "The log fits", "It is signed by your doorbell and reaches at least as far as this phone has seen it."],
  back: ["bad", "Entries are missing", "The log is shorter than this phone has seen it. Someone may have changed the doorbell's memory."],
  other: ["bad", "Entries were exchanged", "The log holds other entries than this phone has seen. Someone may have changed the doorbell's memory."],
  bad: ["bad", "The log is not signed by your doorbell", "What is shown here may be false."],
};

const NAMES = {
  boot: () => "Started",
  clock: () => "The clock was set",
  segment: () => "A part of a video was kept",
  evicted: (entry) => `${plural(entry.ids?.length ?? 0, "old part")} removed to make room`,
  request: () => "A request for video came",
  rejected: (entry) => `${plural(Object.values(entry.counts ?? {}).reduce((a, b) => a + b, 0), "false or unfit message")} refused`,
  consent: () => "You answered a request",
  state: (entry) => `Request: ${stateWords(entry.to)[0].toLowerCase()}`,
  receipt: () => "The receipt came",
  paired: () => "A phone was paired",
  admitted: () => "A phone was let in",
  unpaired: () => "A phone was removed",
  settings: () => "Settings were changed",
  key: (entry) => `A key was made: ${entry.name}`,
  config: () => "The setup was read",
  alert: () => "An alert came",
};

function line(text, n) {
  if (text === null) return h("li", {}, h("span", { class: "n" }, n), h("span", {}, "Removed with its video"));
  const entry = JSON.parse(text);
  const words = NAMES[entry.t]?.(entry) ?? String(entry.t);
  return h("li", {}, h("span", { class: "n" }, n), h("span", {}, words), h("time", { class: "small" }, moment(entry.at * 1000)));
}

export async function logView(context) {
  const top = await get("/api/log?limit=1");
  const { verdict, before } = await checkLog(context.me, top);
  const [kind, title, text] = VERDICTS[verdict];
  const list = h("ol", { class: "log", reversed: true });
  const older = h("button", { type: "button", class: "secondary" }, "Show older entries");
  let end = top.size;
  const load = async () => {
    const start = Math.max(0, end - PAGE);
    const after = start > 0 ? `&after=${start - 1}` : "";
    const { entries } = await get(`/api/log?limit=${end - start}${after}`);
    const lines = entries.map((entry, i) => line(entry, start + i)).reverse();
    list.append(...lines);
    end = start;
    older.hidden = end === 0;
  };
  older.addEventListener("click", async () => {
    older.disabled = true; // a second click would show the same entries again
    await load().catch((error) => say(explain(error)));
    older.disabled = false;
  });
  if (end > 0) await load();
  const seen = before ? ` Last time you looked it had ${plural(before.size, "entry", "entries")}.` : "";
  return {
    title: "Log",
    back: "more",
    nodes: [notice(kind, title, h("p", {}, text), h("p", { class: "small" }, `${plural(top.size, "entry", "entries")} now.${seen}`)), card(null, list), older],
    onReconnect: () => {}, // older entries may have been asked for
  };
}
