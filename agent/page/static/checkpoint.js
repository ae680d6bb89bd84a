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

/** RFC 6962 hash of one entry's bytes. */
export const leafHash = (entry) => sha256(concat(Uint8Array.of(0), entry));

/** RFC 6962 root over leaf hashes. */
export async function treeRoot(leaves) {
  if (leaves.length === 0) return sha256(new Uint8Array(0));
  let level = leaves;
  // Pairing neighbours and carrying a lonely last one up gives RFC 6962's shape.
  while (level.length > 1) {
    const next = [];
    for (let i = 0; i + 1 < level.length; i += 2) {
      next.push(await sha256(concat(Uint8Array.of(1), level[i], level[i + 1])));
    }
    if (level.length % 2) next.push(level[level.length - 1]);
    level = next;
  }
  return level[0];
}

/**
 * Compare what the log says now with the largest checkpoint seen before.
 * "good", or "back" (it lost entries), or "other" (it holds other entries at the same size).
 */
export function compareLog(before, size, root) {
  if (before === null || size > before.size) return "good";
  if (size < before.size) return "back";
  return equal(before.root, root) ? "good" : "other";
}
