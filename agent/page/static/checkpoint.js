// Checkpoints of the doorbell's log (protocol section 14): signed notes, checked under the device key of the pairing.

import { concat, equal, kidOf, sha256, unb64, utf8 } from "./bytes.js";
import { demand, Refused } from "./refused.js";
import { demandStrongSignKey } from "./weak_keys.js";

const NOTE = /^([^\n]+)\n(0|[1-9][0-9]{0,15})\n([^\n]+)\n\n\u2014 ([^ \n]+) ([^ \n]+)\n$/;
const ED25519 = { name: "Ed25519" };

/** `{size, root}` of a checkpoint that this device signed, or E_CHECKPOINT. */
export async function readCheckpoint(note, devicePub) {
  const found = typeof note === "string" ? NOTE.exec(note) : null;
  demand(found, "E_CHECKPOINT", "not a checkpoint");
  const [, origin, size, rootText, name, blobText] = found;
  const right = `doorbell/${await kidOf(devicePub)}`;
  demand(origin === right && name === right, "E_CHECKPOINT", "of another device");
  try {
    const root = unb64(rootText, 32);
    const blob = unb64(blobText, 68);
    const hint = (await sha256(concat(name, "\n", Uint8Array.of(1), devicePub))).subarray(0, 4);
    demand(equal(hint, blob.subarray(0, 4)), "E_CHECKPOINT", "another key");
    demandStrongSignKey(devicePub);
    const key = await crypto.subtle.importKey("raw", devicePub, ED25519, false, ["verify"]);
    const body = utf8(`${origin}\n${size}\n${rootText}\n`);
    demand(await crypto.subtle.verify(ED25519, key, blob.subarray(4), body), "E_CHECKPOINT", "signature");
    return { size: Number(size), root };
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused("E_CHECKPOINT", "not a checkpoint");
  }
}

/**
 * Compare what the log says now with the largest checkpoint seen before.
 * "good", or "back" (it lost entries), or "other" (it holds other entries at the same size). Whether a log that has
 * grown still holds the old entries can't be told here: evicted ones have left no bytes to hash.
 */
export function compareLog(before, size, root) {
  if (before === null || size > before.size) return "good";
  if (size < before.size) return "back";
  return equal(before.root, root) ? "good" : "other";
}
