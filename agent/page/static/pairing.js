// Pairing (protocol section 10): the link carries a secret and the hash of the doorbell's key; both sides prove
// that they know them, so that neither a stranger's phone nor a stranger's doorbell can slip in between.

import { b64, concat, equal, hmac, sha256, unb64, unb64url } from "./bytes.js";
import { demand, Refused } from "./refused.js";

/** `{secret, spki}` of the part of a pairing link after `#`. */
export function parseFragment(fragment) {
  const parts = fragment.split(".");
  demand(parts.length === 3 && parts[0] === "1", "P_LINK", "version");
  try {
    return { secret: unb64url(parts[1], 16), spki: unb64url(parts[2], 32) };
  } catch {
    throw new Refused("P_LINK", "not a pairing link");
  }
}

/** The same for a whole link. */
export function parseLink(link) {
  const found = /^https:\/\/[^/#]+\/pair#(.+)$/.exec(link);
  demand(found, "P_LINK", "not a pairing link");
  return parseFragment(found[1]);
}

const said = (side, { spki }, keys) => concat(`doorbell/pair/v1\0${side}`, spki, keys.signPub, keys.openPub);

/** What the phone sends as `mac`. */
export async function phoneMac(link, keys) {
  return b64(await hmac("SHA-256", link.secret, said("phone", link, keys)));
}

/** Throw P_DEVICE unless the answer's `mac` was made by who knows the secret and has this device kid. */
export async function checkDeviceMac(link, keys, deviceKid, mac) {
  const right = await hmac("SHA-256", link.secret, concat(said("device", link, keys), deviceKid));
  let given = new Uint8Array(0);
  try {
    given = unb64(mac, 32);
  } catch {
    // an unreadable mac is a wrong one
  }
  demand(equal(given, right), "P_DEVICE", "this is not the doorbell that printed the link");
}

/** Six digits that both screens show: the first 20 bits of SHA-256(sign_pub ∥ open_pub) modulo 10^6. */
export async function sixDigits(signPub, openPub) {
  const hash = await sha256(concat(signPub, openPub));
  const bits = (hash[0] << 12) | (hash[1] << 4) | (hash[2] >> 4);
  return String(bits % 1_000_000).padStart(6, "0");
}

/** What is signed to open a session. */
export const sessionBytes = (spki, challenge) => concat("doorbell/session/v1\0", spki, challenge);
