// HPKE, RFC 9180 base mode, one suite: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; one message each.
// Written on WebCrypto so that private keys can stay non-extractable.

import { concat, equal, hmac, utf8 } from "./bytes.js";
import { demand, Refused } from "./refused.js";
import { demandStrongOpenKey } from "./weak_keys.js";

const KEM_SUITE = concat("KEM", Uint8Array.of(0x00, 0x20));
const HPKE_SUITE = concat("HPKE", Uint8Array.of(0x00, 0x20, 0x00, 0x01, 0x00, 0x02));
const VERSION = utf8("HPKE-v1");
const EMPTY = new Uint8Array(0);
const X25519 = { name: "X25519" };
const ENC_BYTES = 32;
const TAG_BYTES = 16;

const extract = (suite, salt, label, input) => hmac("SHA-256", salt, concat(VERSION, suite, label, input));

/** LabeledExpand for at most 32 bytes: one block of HKDF-Expand. */
async function expand(suite, secret, label, info, length) {
  const labelled = concat(Uint8Array.of(0, length), VERSION, suite, label, info, Uint8Array.of(1));
  return (await hmac("SHA-256", secret, labelled)).subarray(0, length);
}

async function sharedPoint(privateKey, pub) {
  const publicKey = await crypto.subtle.importKey("raw", pub, X25519, true, []);
  return new Uint8Array(await crypto.subtle.deriveBits({ ...X25519, public: publicKey }, privateKey, 256));
}

/** The AES key and nonce of one message. */
async function schedule(point, enc, pub, info) {
  demand(!equal(point, new Uint8Array(32)), "E_SEAL", "no shared secret");
  const prk = await extract(KEM_SUITE, EMPTY, "eae_prk", point);
  const shared = await expand(KEM_SUITE, prk, "shared_secret", concat(enc, pub), 32);
  const pskHash = await extract(HPKE_SUITE, EMPTY, "psk_id_hash", EMPTY);
  const infoHash = await extract(HPKE_SUITE, EMPTY, "info_hash", info);
  const context = concat(Uint8Array.of(0), pskHash, infoHash);
  const secret = await extract(HPKE_SUITE, shared, "secret", EMPTY);
  const raw = await expand(HPKE_SUITE, secret, "key", context, 32);
  const iv = await expand(HPKE_SUITE, secret, "base_nonce", context, 12);
  const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
  return { key, iv };
}

/** Seal `plaintext` to the raw key `pub`: `enc ∥ ciphertext`. Throws E_KEY for a weak key. */
export async function hpkeSeal(pub, plaintext, info) {
  demandStrongOpenKey(pub);
  const ephemeral = await crypto.subtle.generateKey(X25519, true, ["deriveBits"]);
  const enc = new Uint8Array(await crypto.subtle.exportKey("raw", ephemeral.publicKey));
  const { key, iv } = await schedule(await sharedPoint(ephemeral.privateKey, pub), enc, pub, info);
  return concat(enc, new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plaintext)));
}

/** Open `sealed` with a private CryptoKey and its raw public half. Throws E_SEAL. */
export async function hpkeOpen(privateKey, pub, sealed, info) {
  demand(sealed.length >= ENC_BYTES + TAG_BYTES, "E_SEAL", "too short");
  const enc = sealed.subarray(0, ENC_BYTES);
  try {
    demandStrongOpenKey(enc);
    const { key, iv } = await schedule(await sharedPoint(privateKey, enc), enc, pub, info);
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, sealed.subarray(ENC_BYTES));
    return new Uint8Array(plain);
  } catch {
    throw new Refused("E_SEAL", "not sealed to this key, or changed");
  }
}

/** Info of a stanza (protocol section 9). */
export const stanzaInfo = (segmentId, kid) => concat("doorbell/stanza/v1\0", segmentId, kid);
/** Info of a wrap for an agency (section 11); hashes as raw bytes. */
export const grantInfo = (requestHash, segmentHash) => concat("doorbell/grant/v1\0", requestHash, segmentHash);
/** Info of the owner's contact (section 11). */
export const contactInfo = (requestHash) => concat("doorbell/contact/v1\0", requestHash);
