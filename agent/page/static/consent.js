// The owner's decision as a signed consent (protocol section 11). A share carries each segment's key, opened from
// this phone's stanza and sealed again to the one key that the verified request names; the doorbell never sees it.

import { b64, newId, unb64, unhex, utf8 } from "./bytes.js";
import { signEnvelope } from "./dsse.js";
import { contactInfo, grantInfo, hpkeOpen, hpkeSeal, stanzaInfo } from "./hpke.js";
import { demand } from "./refused.js";

const CEK_BYTES = 16;
const MAX_SEGMENTS = 512;

/** The key of one segment, opened from this phone's stanza. */
export async function openCek(me, row) {
  demand(row.stanza !== null, "NO_STANZA", "this phone can't open this part");
  const cek = await hpkeOpen(me.openKey, me.openPub, unb64(row.stanza), stanzaInfo(row.id, me.openKid));
  demand(cek.length === CEK_BYTES, "E_SEAL", "not a segment key");
  return cek;
}

async function grant(me, row, checked) {
  const info = grantInfo(unhex(checked.sha256), unhex(row.sha256));
  const wrap = await hpkeSeal(unb64(checked.payload.enc_pub, 32), await openCek(me, row), info);
  const { id, sha256, bytes, start_ms, end_ms } = row;
  return { id, sha256, bytes, start_ms, end_ms, wrap: b64(wrap) };
}

/** `contact`: `{name?, phone?, email?, address?}` sealed to the agency, or null when nothing was filled in. */
async function sealContact(checked, contact) {
  const filled = Object.fromEntries(Object.entries(contact).filter(([, value]) => value !== ""));
  if (Object.keys(filled).length === 0) return null;
  const plain = utf8(JSON.stringify(filled));
  return b64(await hpkeSeal(unb64(checked.payload.enc_pub, 32), plain, contactInfo(unhex(checked.sha256))));
}

function consent(me, checked, nonce, decision, segments, contact, prev) {
  const { payload, sha256 } = checked;
  return {
    v: 1,
    id: newId(),
    decision,
    request: { id: payload.id, sha256 },
    agency: payload.agency,
    enc_pub: payload.enc_pub,
    ep: payload.ep,
    segments,
    contact,
    approver: me.phone,
    channel: "phone",
    nonce,
    at: Math.floor(Date.now() / 1000),
    prev,
  };
}

/**
 * A signed yes: `{value, envelope}`. `checked` comes from `checkRequest`, so what is sealed to was verified.
 * `onProgress(done, total)` is called as keys are sealed.
 */
export async function makeShare({ me, checked, nonce, rows, contact, prev, onProgress = () => {} }) {
  demand(rows.length >= 1 && rows.length <= MAX_SEGMENTS, "TOO_MANY", `choose at most ${MAX_SEGMENTS} parts`);
  const segments = [];
  for (const row of rows) {
    segments.push(await grant(me, row, checked));
    onProgress(segments.length, rows.length);
  }
  const sealed = await sealContact(checked, contact);
  const value = consent(me, checked, nonce, "share", segments, sealed, prev);
  return { value, envelope: await signEnvelope("consent", value, me.signKey, me.phone) };
}

/** A signed no: `{value, envelope}`. */
export async function makeDecline({ me, checked, nonce }) {
  const value = consent(me, checked, nonce, "decline", [], null, null);
  return { value, envelope: await signEnvelope("consent", value, me.signKey, me.phone) };
}
