// This phone's two key pairs: one signs, one opens. Both are made here and can never be read out again, not even by
// this page; a page that lies can make them sign while it is open, but can't take them away.

import { kidOf } from "./bytes.js";
import { recall, remember } from "./store.js";

const raw = async (key) => new Uint8Array(await crypto.subtle.exportKey("raw", key));

/** Why this browser can't be a phone, in plain words; null when it can. */
export async function whyUnable() {
  if (!window.isSecureContext || !crypto.subtle) return "This page was not opened securely. Use the link as it was printed.";
  if (!window.indexedDB) return "This browser keeps nothing, perhaps because it is in private mode.";
  try {
    await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    await crypto.subtle.generateKey({ name: "X25519" }, false, ["deriveBits"]);
    if (!"".isWellFormed) throw new Error("old");
    return null;
  } catch {
    return "This browser is too old. Please update it, or use a current Chrome, Edge, Firefox or Safari.";
  }
}

/** Fresh keys: CryptoKeys that can't be extracted, and their raw public halves. */
export async function makeKeys() {
  const sign = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
  const open = await crypto.subtle.generateKey({ name: "X25519" }, false, ["deriveBits"]);
  const [signPub, openPub] = [await raw(sign.publicKey), await raw(open.publicKey)];
  return {
    signKey: sign.privateKey,
    openKey: open.privateKey,
    signPub,
    openPub,
    phone: await kidOf(signPub),
    openKid: await kidOf(openPub),
  };
}

/** Who this phone is: its keys, its doorbell (`device`, `devicePub`, `spki`) and its name; or undefined. */
export const identity = () => recall("identity", "me");

/** Keep a new identity. */
export const keepIdentity = (me) => remember("identity", "me", me);
