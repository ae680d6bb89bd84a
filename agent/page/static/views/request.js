// One request. First it is verified here; only what its signatures carry is shown. Then it depends on where it stands.

import { get } from "../api.js";
import { hex, sha256, utf8 } from "../bytes.js";
import { areaDrawing, areaSentence } from "../area_view.js";
import { card, h, icon, notice } from "../dom.js";
import { demand } from "../refused.js";
import { checkRequest, demandShowable } from "../request_checks.js";
import { recall, remember } from "../store.js";
import { distrust, incident, moment, span, stateWords, utcSpan, zoneName } from "../words.js";
import { deciding } from "./decide.js";
import { standing } from "./standing.js";

/** A no may be replaced only by the phone that said it (protocol section 11). */
async function mayAnswer(id, state) {
  if (state === "PENDING") return true;
  return state === "DECLINED" && (await recall("decisions", id))?.decision === "decline";
}

/** The answer of the doorbell, verified: `{checked, answer}`. */
async function verified(id) {
  const answer = await get(`/api/requests/${id}`);
  const raw = utf8(JSON.stringify(answer.envelope));
  const checked = await checkRequest(raw, answer.platform, answer.agency);
  demand(checked.sha256 === answer.sha256 && checked.payload.id === id, "E_SIG", "another request");
  demandShowable(answer.agency, answer.platform);
  return { checked, answer };
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
    row("Which minutes", h("strong", {}, span(from, to)), h("p", { class: "small" }, `${zoneName()} · ${utcSpan(from, to)}`)),
    row("Where", h("div", { class: "where" }, areaDrawing(payload.area, camera), h("p", {}, areaSentence(payload.area, camera)))),
    row("Case", payload.case),
    row("Officer", `${payload.officer.name}, badge ${payload.officer.badge}`),
    row("To reach them", agency.contact.phone, h("p", { class: "small" }, agency.contact.web), h("p", { class: "small" }, "To be sure, look the number up yourself before you call.")),
    row("Answer until", moment(payload.exp * 1000), h("p", { class: "small" }, "You need not answer. They are not told whether you looked, or whether you have any video.")),
  );
}

function asker(answer, memory) {
  const fresh = memory.isNew ? h("p", { class: "small" }, "This is the first request from them on this phone.") : null;
  return h(
    "section",
    { class: "card asker" },
    h("p", { class: "small" }, "Asks you for video"),
    h("h2", {}, answer.agency.name),
    h("p", { class: "verified" }, icon("check"), `Signed by the agency and by ${answer.platform.name}; checked on this phone.`),
    fresh,
  );
}

function untrusted(error) {
  console.warn(error);
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
  let found;
  try {
    found = await verified(id);
  } catch (error) {
    const foreign = ["NOT_FOUND", "OFFLINE", "E_VAULT", "NO_SESSION", "C_APPROVER", "NOT_PAIRED"];
    if (foreign.includes(error.code)) throw error;
    return untrusted(error);
  }
  const { checked, answer } = found;
  const memory = await keyMemory(answer.agency);
  const [words, kind] = stateWords(answer.state);
  const part = (await mayAnswer(id, answer.state))
    ? await deciding({ context, checked, answer, memory })
    : await standing({ context, checked, answer });
  return {
    title: "Request",
    back: "requests",
    nodes: [
      answer.state === "DECLINED" ? h("p", { class: `state ${kind}` }, words) : null,
      part.first,
      asker(answer, memory),
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
