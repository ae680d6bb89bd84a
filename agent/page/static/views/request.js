// One request. First it is verified here; only what its signatures carry is shown. Then it depends on where it stands.

import { get } from "../api.js";
import { hex, sha256, utf8 } from "../bytes.js";
import { areaDrawing, areaSentence } from "../area_view.js";
import { card, h, icon, notice } from "../dom.js";
import { demand } from "../refused.js";
import { checkRequest, demandShowable } from "../request_checks.js";
import { seriesOf } from "../series.js";
import { recall, remember } from "../store.js";
import { dayNumber, distrust, incident, moment, span, stateWords, utcSpan, zoneName } from "../words.js";
import { deciding } from "./decide.js";
import { seriesNotice } from "./series.js";
import { standing } from "./standing.js";

/** States in which nothing is left to answer or to stop. */
const OVER = new Set(["HANDED_OVER", "DELIVERED", "UNCONFIRMED", "WITHDRAWN", "FAILED", "CANCELLED", "EXPIRED"]);

/** The own no that a yes would replace (protocol section 11): its id, or null. */
async function ownDecline(me, id, answer) {
  if (answer.state !== "DECLINED") return null;
  if (answer.declined) return answer.declined.approver === me.phone ? answer.declined.id : null;
  const kept = await recall("decisions", id);
  return kept?.decision === "decline" ? kept.consent : null;
}

/** The answer of the doorbell, verified. */
async function verified(id, answer) {
  const raw = utf8(JSON.stringify(answer.envelope));
  const checked = await checkRequest(raw, answer.platform, answer.agency);
  demand(checked.sha256 === answer.sha256 && checked.payload.id === id, "E_SIG", "another request");
  demandShowable(answer.agency, answer.platform);
  return checked;
}

/** Keys of an agency as one short text, and whether they are those that this phone saw last. */
async function keyMemory(agency) {
  const kids = [...agency.sign, ...agency.enc].map((key) => key.kid).sort().join(" ");
  const print = hex(await sha256(utf8(kids)));
  const before = await recall("agencies", agency.id);
  const accept = () => remember("agencies", agency.id, { print, name: agency.name });
  if (before === undefined) await accept();
  return { isNew: before === undefined, changed: before !== undefined && before.print !== print, accept };
}

function facts(checked, answer, camera) {
  const { payload } = checked;
  const { agency } = answer;
  const row = (term, ...words) => h("div", {}, h("dt", {}, term), h("dd", {}, ...words));
  const [from, to] = [payload.from * 1000, payload.to * 1000];
  return h(
    "dl",
    { class: "facts" },
    row("Why", h("strong", {}, incident(payload.incident)), h("p", { class: "quote" }, payload.text)),
    row("Which minutes", h("strong", {}, span(from, to)), h("p", { class: "small" }, [zoneName(), utcSpan(from, to)].filter(Boolean).join(" · "))),
    row("Where", h("div", { class: "where" }, areaDrawing(payload.area, camera), h("p", {}, areaSentence(payload.area, camera)))),
    row("Case", payload.case),
    row("Officer", `${payload.officer.name}, badge ${payload.officer.badge}`),
    row("To reach them", agency.contact.phone, h("p", { class: "small" }, agency.contact.web), h("p", { class: "small" }, "To be sure, look the number up yourself before you call.")),
    row("Answer until", moment(payload.exp * 1000), h("p", { class: "small" }, "You need not answer. They are not told whether you looked, or whether you have any video.")),
  );
}

function asker(answer, memory) {
  const fresh = memory.isNew ? h("p", { class: "small" }, "It is the first of theirs that you open on this phone.") : null;
  return h(
    "section",
    { class: "card asker" },
    h("p", { class: "small" }, "Asks you for video"),
    h("h2", {}, answer.agency.name),
    h("p", { class: "verified" }, icon("check"), `Signed by the agency and by ${answer.platform.name}; checked on this phone.`),
    fresh,
  );
}

/** The verified request among all that came in 30 days; its state is the doorbell's word. */
async function among(payload, state) {
  const { id, agency, case: caseName, from, to } = payload;
  return seriesOf(await get("/api/requests"), { id, agency, case: caseName, from, to, state }, dayNumber);
}

/** A request that is over and can no longer be checked, because the agencies' list has moved on. */
async function overUnchecked(context, id, answer) {
  const part = await standing({ context, checked: { payload: { id } }, answer });
  const why = h("p", { class: "calm" }, "What was asked is no longer shown: the keys that signed it are not in use any more, so this phone can't check it.");
  return { title: "Request", back: "requests", nodes: [part.first, part.nodes, why] };
}

function untrusted(error) {
  console.warn(error);
  if (error.code === "D_DIRECTORY") {
    const text = h("p", {}, "The doorbell does not hold the list of agencies that this request names, so this phone can't check it. Try again when the doorbell is connected.");
    return { title: "Request", back: "requests", nodes: [notice("warn", "Can't be checked right now", text)] };
  }
  return {
    title: "Request",
    back: "requests",
    nodes: [
      notice(
        "bad",
        "This request can't be trusted",
        h("p", {}, `It is not shown, because ${distrust(error)}.`),
        h("p", {}, "Someone may be tampering with your doorbell or your home network. Do not share anything until that is cleared up."),
      ),
    ],
  };
}

export async function requestView(context, id) {
  const answer = await get(`/api/requests/${id}`);
  if (Number.isInteger(answer.seconds)) context.deadlines.set(id, performance.now() + answer.seconds * 1000);
  let checked;
  try {
    checked = await verified(id, answer);
  } catch (error) {
    return OVER.has(answer.state) ? overUnchecked(context, id, answer) : untrusted(error);
  }
  const memory = await keyMemory(answer.agency);
  const [words, kind] = stateWords(answer.state);
  const prev = await ownDecline(context.me, id, answer);
  const series = await among(checked.payload, answer.state);
  const mayAnswer = answer.state === "PENDING" || prev !== null;
  const part = mayAnswer
    ? await deciding({ context, checked, answer, memory, prev, series })
    : await standing({ context, checked, answer });
  return {
    title: "Request",
    back: "requests",
    nodes: [
      answer.state === "DECLINED" ? h("p", { class: `state ${kind}` }, words) : null,
      part.first,
      asker(answer, memory),
      seriesNotice(series, answer.agency, checked.payload.case, mayAnswer),
      card(null, facts(checked, answer, context.status.camera)),
      part.nodes,
    ],
    leave: part.leave,
    onReconnect: async () => {
      const row = (await get("/api/requests")).find((one) => one.id === id);
      if (row && row.state !== answer.state) context.redraw({ toTop: true });
    },
    onEvent: (name, data) => {
      if (name === "state" && data.id === id && data.state !== answer.state) context.redraw({ toTop: true });
      else part.onEvent?.(name, data);
    },
  };
}
