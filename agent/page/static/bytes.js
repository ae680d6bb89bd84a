// Bytes, text, base64 and hex: the small words that everything here is written in.
// Base64 is canonical (protocol section 1): one text for one byte string, nothing else is read.

const encoder = new TextEncoder();

/** UTF-8 bytes of a string. */
export const utf8 = (text) => encoder.encode(text);

/** All parts, one after the other; strings count as UTF-8. */
export function concat(...parts) {
  const arrays = parts.map((part) => (typeof part === "string" ? utf8(part) : part));
  const whole = new Uint8Array(arrays.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of arrays) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Lower-case hex. */
export const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

/** Bytes of lower-case hex. */
export function unhex(text) {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new Error("not hex");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Standard base64 with padding. */
export function b64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}

/** Bytes of canonical base64; `length` where it is known. Throws for anything else. */
export function unb64(text, length = null) {
  if (typeof text !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new Error("not base64");
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  if (b64(bytes) !== text) throw new Error("not canonical base64");
  if (length !== null && bytes.length !== length) throw new Error(`not ${length} bytes`);
  return bytes;
}

/** Bytes of canonical URL base64 without padding. */
export function unb64url(text, length) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Error("not base64url");
  const padded = text.replaceAll("-", "+").replaceAll("_", "/") + "=".repeat((4 - (text.length % 4)) % 4);
  return unb64(padded, length);
}

/** Whether two byte strings are the same; takes the same time wherever they differ. */
export function equal(a, b) {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i += 1) difference |= a[i] ^ b[i];
  return difference === 0;
}

/** SHA-256. */
export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

/** Lower-case hex SHA-256. */
export const sha256Hex = async (bytes) => hex(await sha256(bytes));

/** The kid of a raw public key: the first 16 hex digits of its SHA-256. */
export const kidOf = async (pub) => (await sha256Hex(pub)).slice(0, 16);

/** HMAC as bytes; `hash` is "SHA-256" or "SHA-512". An empty key stands for zeros, as HMAC defines it. */
export async function hmac(hash, key, message) {
  const raw = key.length === 0 ? new Uint8Array(32) : key;
  const imported = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, message));
}

/** A fresh id: 32 lower-case hex digits. */
export const newId = () => hex(crypto.getRandomValues(new Uint8Array(16)));

export const isId = (value) => typeof value === "string" && /^[0-9a-f]{32}$/.test(value);
export const isKid = (value) => typeof value === "string" && /^[0-9a-f]{16}$/.test(value);
