// Choosing and answering: nothing is chosen beforehand, and a yes says in full what leaves the house.

import { get, getAll, postDecision } from "../api.js";
import { choosableClip, groupClips } from "../clip_card.js";
import { makeDecline, makeShare } from "../consent.js";
import { ask, card, h, notice, say } from "../dom.js";
import { withTimesOf } from "../mapped_times.js";
import { Refused } from "../refused.js";
import { remember } from "../store.js";
import { isText } from "../text_rules.js";
import { amount, duration, explain, plural, span } from "../words.js";
import { isWaiting } from "./home.js";
import { seriesAfterYes } from "./series.js";

const CONTACT = [
  ["name", "Your name", "name"],
  ["phone", "Phone", "tel"],
  ["email", "E-mail", "email"],
  ["address", "Address", "street-address"],
];
const MAX_CONTACT = 80;

const lengthOf = (rows) => rows.reduce((sum, row) => sum + row.end_ms - row.start_ms, 0);
const clipsOf = (rows) => new Set(rows.map((row) => row.clip)).size;

function contactForm() {
  const inputs = CONTACT.map(([name, label, autocomplete]) => {
    const id = `contact-${name}`;
    return { name, label, input: h("input", { id, maxlength: String(MAX_CONTACT), autocomplete }), id };
  });
  const node = h(
    "details",
    { class: "card contact" },
    h("summary", {}, "Let them contact you (if you like)"),
    h("p", { class: "small" }, "Only what you fill in is sent, sealed so that only the agency can read it."),
    inputs.map(({ label, input, id }) => [h("label", { for: id }, label), input]),
  );
  /** Filled-in fields; throws for text that may not be sent. */
  const read = () => {
    const filled = {};
    for (const { name, label, input } of inputs) {
      const value = input.value.trim().normalize("NFC");
      if (value === "") continue;
      if (!isText(value, MAX_CONTACT)) throw new Error(`${label}: please use plain letters and digits`);
      filled[name] = value;
    }
    return filled;
  };
  return { node, read };
}

/** What a yes means, said in full. */
function statement(rows, answer, contact, button, series) {
  const [start, end] = [Math.min(...rows.map((row) => row.at_ms)), Math.max(...rows.map((row) => row.until_ms))];
  const size = rows.reduce((sum, row) => sum + row.bytes, 0);
  const fields = CONTACT.filter(([name]) => contact[name]).map(([, label]) => label.toLowerCase());
  const before = seriesAfterYes(series);
  return h(
    "div",
    {},
    h("p", { class: "big" }, `${plural(clipsOf(rows), "video")}, ${duration(lengthOf(rows))} in all`),
    h("p", {}, span(start, end, true)),
    h(
      "ul",
      {},
      h("li", {}, "Goes to ", h("strong", {}, answer.agency.name), " and no one else. Only they can open it."),
      h("li", {}, `What leaves: these ${plural(rows.length, "part")} (${amount(size)}) with their exact times, and a signed note that you agreed.`),
      h("li", {}, fields.length ? `For contact: ${fields.join(", ")}, as you filled in.` : "No name, phone number or address of yours."),
      before ? h("li", {}, before) : null,
      h("li", {}, "Nothing else: no other video, no sound, no live view."),
      h("li", {}, button ? "Next, press the button inside your home. Then you have a moment to stop it." : "Before it is sent you have a moment to stop it."),
      h("li", {}, "Once it has arrived you can't take it back. They may keep it and use it as evidence."),
    ),
  );
}

/** Send a decision and remember it, with the times that were shown. */
async function deliver(id, made, rows) {
  await postDecision(id, { envelope: made.envelope });
  const kept = rows.map((row) => ({ id: row.id, start_ms: row.at_ms, end_ms: row.until_ms, clip: row.clip }));
  await remember("decisions", id, { consent: made.value.id, decision: made.value.decision, at: made.value.at, rows: kept });
}

/** Run `decide(nonce)`; a nonce that ran out while the page lay open is replaced once. */
async function withNonce(parts, decide) {
  const { answer, checked } = parts;
  try {
    return await decide(answer.nonce);
  } catch (error) {
    if (error.code !== "C_NONCE") throw error;
  }
  const fresh = await get(`/api/requests/${checked.payload.id}`);
  if (fresh.sha256 !== checked.sha256) throw new Refused("C_STALE");
  answer.nonce = fresh.nonce;
  return decide(fresh.nonce);
}

async function sayNo(parts) {
  const { context, checked } = parts;
  const { me } = context;
  const gone = await ask({
    title: "Say no?",
    body: h("p", {}, "Nothing is sent, and they are not told that you said no. Until the request runs out you can change your mind."),
    yes: "No, do not share",
    kind: "danger",
    explain,
    run: () => withNonce(parts, async (nonce) => deliver(checked.payload.id, await makeDecline({ me, checked, nonce }), [])),
  });
  if (gone) {
    say("You said no. Nothing was sent.");
    context.redraw({ toTop: true });
  }
}

async function sayYes(parts, rows, contact) {
  const { context, checked, answer, memory, prev, series } = parts;
  const { me, status } = context;
  const sent = await ask({
    title: `Share with ${answer.agency.name}?`,
    body: statement(rows, answer, contact, status.button, series),
    yes: "Yes, share this",
    explain,
    run: (words) => withNonce(parts, async (nonce) => {
      const onProgress = (done, total) => words(`Sealing ${done} of ${total}…`);
      const made = await makeShare({ me, checked, nonce, rows, contact, prev, onProgress });
      await deliver(checked.payload.id, made, rows);
    }),
  });
  if (sent) {
    await memory.accept();
    context.redraw({ toTop: true });
  }
}

/** The bar at the bottom: what is chosen, no and yes. */
function answerBar(parts, chosenRows, contact, acknowledged) {
  const { answer } = parts;
  const total = h("p", { class: "total", role: "status" });
  const problem = h("p", { class: "problem", role: "alert" });
  const yes = h("button", { type: "button", class: "primary", id: "yes" }, "Share…");
  const no = h("button", { type: "button", class: "secondary", id: "no" }, "No");
  no.hidden = answer.state === "DECLINED";
  no.addEventListener("click", () => sayNo(parts));
  yes.addEventListener("click", () => {
    problem.textContent = "";
    try {
      if (!acknowledged()) throw new Error("Please read the warning about the agency's keys first and tick its box.");
      sayYes(parts, chosenRows(), contact.read());
    } catch (error) {
      problem.textContent = error.message;
    }
  });
  const refresh = () => {
    const rows = chosenRows();
    yes.disabled = rows.length === 0;
    total.textContent = rows.length
      ? `Chosen: ${plural(clipsOf(rows), "video")}, ${duration(lengthOf(rows))}`
      : "Choose what to share, or say no.";
  };
  return { node: h("div", { class: "answer-bar" }, total, problem, h("div", { class: "pair-of-buttons" }, no, yes)), refresh };
}

function keyWarning(memory, answer) {
  if (!memory.changed) return { node: null, acknowledged: () => true };
  const box = h("input", { type: "checkbox", id: "keys-ok" });
  const node = notice(
    "warn",
    "This agency's keys have changed",
    h("p", {}, `They are not those that this phone saw last from ${answer.agency.name}. That happens now and then, but it is also what a forger would need. Call the agency, on a number that you find yourself, before you share.`),
    h("label", { class: "choose" }, box, h("span", {}, "I have made sure.")),
  );
  return { node, acknowledged: () => box.checked };
}

/** Nodes for a phone that waits to be let in: it may say no, and sees nothing. */
function waitingParts(parts) {
  const no = h("button", { type: "button", class: "secondary", id: "no", onclick: () => sayNo(parts) }, "No");
  no.hidden = parts.answer.state === "DECLINED";
  return {
    nodes: [
      notice("plain", "This phone is not let in yet", h("p", {}, "It can say no, but it sees no video and can't share.")),
      no.hidden ? null : h("div", { class: "answer-bar" }, no),
    ],
  };
}

/** What stands below the facts while the owner may still answer. */
export async function deciding(parts) {
  const { context, checked, answer, memory } = parts;
  if (await isWaiting(context)) return waitingParts(parts);
  const listed = await getAll(`/api/requests/${checked.payload.id}/segments`);
  const rows = await withTimesOf(listed, checked.payload.to);
  const chosen = new Set();
  const contact = contactForm();
  const chosenRows = () => rows.filter((row) => chosen.has(row.id));
  const warning = keyWarning(memory, answer);
  const bar = answerBar(parts, chosenRows, contact, warning.acknowledged);
  const cards = groupClips(rows).map((clip) => choosableClip(context.me, clip, chosen, () => refresh()));
  const everything = h("button", { type: "button", class: "quiet", id: "choose-all" }, "Choose all");
  const usable = rows.filter((row) => row.stanza !== null);
  const refresh = () => {
    for (const one of cards) one.refresh();
    bar.refresh();
    everything.textContent = chosen.size === usable.length && chosen.size > 0 ? "Choose none" : "Choose all";
  };
  everything.addEventListener("click", () => {
    const all = chosen.size === usable.length;
    chosen.clear();
    if (!all) for (const row of usable) chosen.add(row.id);
    refresh();
  });
  refresh();
  const none = rows.length === 0 ? card(null, h("p", {}, "The videos of that time are no longer there.")) : null;
  return {
    first: warning.node,
    nodes: [
      h("div", { class: "list-head" }, h("h2", {}, "What you have from that time"), rows.length ? everything : null),
      h("p", { class: "small lock" }, "Opened here in your browser. Watching sends nothing and tells nobody."),
      none,
      cards.map((one) => one.node),
      contact.node,
      bar.node,
    ],
  };
}
