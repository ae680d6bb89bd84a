// The signed envelope (protocol section 2): DSSE 1.0, Ed25519 only. What is signed is type and payload together.

import { b64, concat, isKid, kidOf, unb64, utf8 } from "./bytes.js";
import { demand, Refused } from "./refused.js";
import { closed, parseJson } from "./strict_json.js";
import { demandStrongSignKey } from "./weak_keys.js";

const ED25519 = { name: "Ed25519" };

/** The payload type of `request`, `consent` and so on. */
export const payloadType = (name) => `application/vnd.doorbell.${name}.v1+json`;

const pae = (type, payload) => concat(`DSSEv1 ${utf8(type).length} ${type} ${payload.length} `, payload);

function orRefuse(code, read) {
  try {
    return read();
  } catch {
    throw new Refused(code);
  }
}

/** `{type, payload, signatures: [{keyid, sig}]}` of an envelope's bytes; nothing in it is verified yet. */
export function parseEnvelope(raw, { count, maxBytes = 24576, maxPayload = 16384 }) {
  const outer = closed(parseJson(raw, maxBytes), ["payloadType", "payload", "signatures"], "E_ENVELOPE");
  demand(typeof outer.payloadType === "string", "E_ENVELOPE", "payloadType");
  demand(Array.isArray(outer.signatures) && outer.signatures.length === count, "E_ENVELOPE", "signatures");
  const payload = orRefuse("E_ENVELOPE", () => unb64(outer.payload));
  demand(payload.length <= maxPayload, "E_SIZE");
  const signatures = outer.signatures.map((item) => {
    const { keyid, sig } = closed(item, ["keyid", "sig"], "E_ENVELOPE");
    demand(isKid(keyid), "E_ENVELOPE", "keyid");
    return { keyid, sig: orRefuse("E_ENVELOPE", () => unb64(sig, 64)) };
  });
  demand(new Set(signatures.map((one) => one.keyid)).size === count, "E_ENVELOPE", "one key twice");
  return { type: outer.payloadType, payload, signatures };
}

/** Verify one signature under a key that the caller trusts; E_KEY or E_SIG. */
export async function checkSignature(envelope, signature, pub) {
  demandStrongSignKey(pub);
  demand((await kidOf(pub)) === signature.keyid, "E_KEY", "misnamed key");
  let holds = false;
  try {
    const key = await crypto.subtle.importKey("raw", pub, ED25519, false, ["verify"]);
    holds = await crypto.subtle.verify(ED25519, key, signature.sig, pae(envelope.type, envelope.payload));
  } catch {
    throw new Refused("E_KEY", "not a key");
  }
  demand(holds, "E_SIG", "the signature does not hold");
}

/** An envelope of `value` as `name`, signed by a phone's key; ready for JSON. */
export async function signEnvelope(name, value, signKey, kid) {
  const payload = utf8(JSON.stringify(value));
  const type = payloadType(name);
  const sig = new Uint8Array(await crypto.subtle.sign(ED25519, signKey, pae(type, payload)));
  return { payloadType: type, payload: b64(payload), signatures: [{ keyid: kid, sig: b64(sig) }] };
}
