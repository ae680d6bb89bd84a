// The memory of this phone about the doorbell's log: the largest checkpoint it ever saw (protocol section 10).

import { get } from "./api.js";
import { b64, equal, unb64 } from "./bytes.js";
import { compareLog, readCheckpoint } from "./checkpoint.js";
import { recall, remember } from "./store.js";

/**
 * `{verdict, size, before}`: "good", "back" (entries are missing), "other" (entries were exchanged) or "bad" (the
 * checkpoint is not this doorbell's). A bad one is never remembered.
 */
export async function checkLog(me, answer) {
  const kept = await recall("checkpoint", "largest");
  const before = kept ? { size: kept.size, root: unb64(kept.root, 32) } : null;
  let signed;
  try {
    signed = await readCheckpoint(answer.checkpoint, me.devicePub);
  } catch {
    return { verdict: "bad", size: answer.size, before };
  }
  const root = unb64(answer.root, 32);
  if (signed.size > answer.size) return { verdict: "back", size: answer.size, before };
  if (signed.size === answer.size && !equal(signed.root, root)) return { verdict: "other", size: answer.size, before };
  const verdict = compareLog(before, signed.size, signed.root);
  if (verdict === "good") await remember("checkpoint", "largest", { size: signed.size, root: b64(signed.root) });
  return { verdict, size: answer.size, before };
}

/** Look at the log's newest state without its entries. */
export const peekLog = async (me) => checkLog(me, await get("/api/log?limit=1"));

const PAGE = 512;
const NAMES = [
  "requests_enabled", "muted_agencies", "alerts", "max_window_s", "max_area_m2", "max_lookback_days",
  "daily_approvals", "quiet_hours", "cell_precision",
];

/**
 * The owner's settings as the log recorded them: there is no other place that says them, and none that could say
 * something else. Read once from the start, then only what is new. Returns `{name: value}` of what was ever set.
 */
export async function readSettings() {
  const kept = (await recall("settings", "scan")) ?? { next: 0, values: {} };
  for (;;) {
    const after = kept.next > 0 ? `&after=${kept.next - 1}` : "";
    const { entries } = await get(`/api/log?limit=${PAGE}${after}`);
    for (const text of entries) {
      const entry = text === null ? {} : JSON.parse(text);
      if (entry.t !== "settings") continue;
      for (const name of NAMES) if (Object.hasOwn(entry, name)) kept.values[name] = entry[name];
    }
    kept.next += entries.length;
    if (entries.length < PAGE) break;
  }
  await remember("settings", "scan", kept);
  return kept.values;
}
