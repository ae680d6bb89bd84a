// Calls to the doorbell (protocol section 10). A session is opened when one is needed, by signing a challenge.

import { b64, unb64 } from "./bytes.js";
import { identity } from "./keys.js";
import { sessionBytes } from "./pairing.js";
import { Refused } from "./refused.js";
import { parseJson } from "./strict_json.js";

const TIMEOUT_MS = 20_000;
// The doorbell answers a yes on an old list of agencies when it has a fresh one, two minutes at most. To give up sooner
// would call lost what it takes all the same.
const DECISION_MS = 150_000;

/** The whole answer's bytes; OFFLINE where it does not come, or its end does not. */
async function send(path, options, timeoutMs = TIMEOUT_MS) {
  let response;
  let bytes;
  try {
    response = await fetch(path, { cache: "no-store", redirect: "error", signal: AbortSignal.timeout(timeoutMs), ...options });
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch {
    throw new Refused("OFFLINE", "the doorbell can't be reached");
  }
  if (response.ok) return bytes;
  let code = "E_VAULT";
  try {
    code = parseJson(bytes).error ?? code;
  } catch {
    // an answer without a code is trouble at the other end
  }
  throw new Refused(code, path);
}

const posting = (body) => ({
  method: "POST",
  headers: { "Content-Type": "application/json", "X-Doorbell": "1" },
  body: JSON.stringify(body),
});

/** Prove who this phone is; the doorbell answers with a cookie. */
export async function openSession() {
  const me = await identity();
  if (!me) throw new Refused("NOT_PAIRED");
  const { challenge } = parseJson(await send("/api/session/challenge", posting({ phone: me.phone })));
  const said = sessionBytes(me.spki, unb64(challenge, 32));
  const sig = new Uint8Array(await crypto.subtle.sign({ name: "Ed25519" }, me.signKey, said));
  await send("/api/session", posting({ phone: me.phone, sig: b64(sig) }));
}

/** Whether a call failed because this phone is none of the house, or not any more. */
export const isUnpaired = (error) => error.code === "C_APPROVER" || error.code === "C_SIG";

let opening = null;
let isOpen = false; // as far as this page knows; a session ends at the doorbell

async function withOneSession() {
  opening ??= openSession().finally(() => {
    opening = null;
  });
  await opening;
  isOpen = true;
}

/** Run `call`; when there is no session or it is over, open one and run it once more. */
async function withSession(call) {
  if (!isOpen) await withOneSession();
  try {
    return await call();
  } catch (error) {
    if (error.code !== "NO_SESSION") throw error;
  }
  await withOneSession();
  return call();
}

/** `GET`, as strict JSON. */
export const get = (path) => withSession(async () => parseJson(await send(path)));

/** `GET`, as bytes. */
export const getBytes = (path) => withSession(() => send(path));

/** `POST` with a session, as strict JSON. */
export const post = (path, body) => withSession(async () => parseJson(await send(path, posting(body))));

/** `POST` of a decision: waits as long as the doorbell may take. */
export const postDecision = (id, body) =>
  withSession(async () => parseJson(await send(`/api/requests/${id}/decision`, posting(body), DECISION_MS)));

/** `POST` without a session: pairing. */
export const postOpenly = async (path, body) => parseJson(await send(path, posting(body)));

/** All pages of a list whose rows carry `i`. */
export async function getAll(path, limit = 512) {
  const rows = [];
  for (;;) {
    const after = rows.length ? `&after=${rows[rows.length - 1].i}` : "";
    const some = await get(`${path}?limit=${limit}${after}`);
    rows.push(...some);
    if (some.length < limit) return rows;
  }
}

const EVENTS = ["request", "state", "progress", "alert", "status", "phone"];
const RETRY_MS = 3000;
const OFFLINE_AFTER_MS = 6000; // the doorbell ends a stream now and then, and the browser is back within two seconds

/**
 * Listen to the doorbell's events for as long as it knows this phone: `onEvent(name, data)`, and
 * `onEvent("online" | "offline" | "unpaired")`.
 */
export function listen(onEvent) {
  let source = null;
  let late = null;
  const start = async () => {
    try {
      await get("/api/status"); // opens a session where there is none
    } catch (error) {
      clearTimeout(late); // what is said now is newer
      onEvent(isUnpaired(error) ? "unpaired" : "offline", {});
      if (!isUnpaired(error)) setTimeout(start, RETRY_MS);
      return;
    }
    source = new EventSource("/api/events");
    source.onopen = () => {
      clearTimeout(late);
      late = null;
      onEvent("online", {});
    };
    source.onerror = () => {
      late ??= setTimeout(() => onEvent("offline", {}), OFFLINE_AFTER_MS);
      if (source.readyState === EventSource.CLOSED) setTimeout(start, RETRY_MS); // else the browser tries by itself
    };
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => onEvent(name, JSON.parse(event.data)));
    }
  };
  start();
}
