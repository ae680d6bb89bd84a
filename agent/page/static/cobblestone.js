// Opening Cobblestone-128 (c2sp.org/chunked-encryption@v1): AES-128-GCM over 16 KiB chunks.
//
//   salt (24) ∥ commitment (32) ∥ chunks, each with a 16-byte tag; the last one is shorter than 16 KiB
//   key (16) ∥ nonce (12) ∥ commitment (32) = HKDF-Expand-SHA512(CEK, prefix ∥ AEAD name ∥ 0 ∥ salt ∥ context)
//   nonce of chunk i = nonce XOR i

import { concat, equal, hmac } from "./bytes.js";
import { demand, Refused } from "./refused.js";

const CHUNK = 16384;
const TAG = 16;
const SALT = 24;
const HEADER = 56;
const PREFIX = "c2sp.org/chunked-encryption@v1+AEAD_AES_128_GCM\0";
const AT_ONCE = 32;

function nonceOf(base, i) {
  const nonce = Uint8Array.from(base);
  const view = new DataView(nonce.buffer);
  view.setUint32(8, (view.getUint32(8) ^ i) >>> 0);
  return nonce;
}

/** The plaintext of `sealed`, or E_SEGMENT: it opens as a whole or not at all. */
export async function openCobblestone(cek, context, sealed) {
  demand(sealed.length >= HEADER + TAG, "E_SEGMENT", "cut");
  const salt = sealed.subarray(0, SALT);
  // 60 bytes are less than one block of SHA-512, so HKDF-Expand is a single HMAC.
  const okm = await hmac("SHA-512", cek, concat(PREFIX, salt, context, Uint8Array.of(1)));
  demand(equal(okm.subarray(28, 60), sealed.subarray(SALT, HEADER)), "E_SEGMENT", "another key or context");
  const key = await crypto.subtle.importKey("raw", okm.subarray(0, 16), "AES-GCM", false, ["decrypt"]);
  const body = sealed.subarray(HEADER);
  const count = Math.floor(body.length / (CHUNK + TAG)) + 1;
  const last = body.length - (count - 1) * (CHUNK + TAG) - TAG;
  demand(last >= 0, "E_SEGMENT", "the last chunk is missing");
  const plain = new Uint8Array((count - 1) * CHUNK + last);
  const openChunk = async (i) => {
    const chunk = body.subarray(i * (CHUNK + TAG), (i + 1) * (CHUNK + TAG));
    const iv = nonceOf(okm.subarray(16, 28), i);
    plain.set(new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, chunk)), i * CHUNK);
  };
  try {
    for (let i = 0; i < count; i += AT_ONCE) {
      const some = Array.from({ length: Math.min(AT_ONCE, count - i) }, (_, k) => openChunk(i + k));
      await Promise.all(some);
    }
  } catch {
    throw new Refused("E_SEGMENT", "changed");
  }
  return plain;
}
