// The segment file (protocol section 9): meta in the clear, the film sealed under its own key and bound to the meta.

import { concat, isId, isKid, sha256, utf8, equal } from "./bytes.js";
import { openCobblestone } from "./cobblestone.js";
import { demand } from "./refused.js";
import { closed, isInteger, parseJson } from "./strict_json.js";

const MAGIC = utf8("DBSEG1\0\0");
const HEADER = 10;
const MAX_META = 4096;
const MAX = 1e16 - 1;
const KEYS = [
  "v", "id", "clip", "n", "start_ms", "end_ms", "clock", "boot", "mono_ms", "device", "codec", "width", "height",
  "trigger", "masked", "dropped",
];

function holds(meta) {
  return (
    meta.v === 1 &&
    ["n", "start_ms", "end_ms", "mono_ms", "masked", "dropped"].every((key) => isInteger(meta[key], 0, MAX)) &&
    ["width", "height"].every((key) => isInteger(meta[key], 1, 65535)) &&
    ["id", "clip", "boot"].every((key) => isId(meta[key])) &&
    isKid(meta.device) &&
    ["synced", "unsynced", "suspect"].includes(meta.clock) &&
    ["motion", "press", "manual"].includes(meta.trigger) &&
    typeof meta.codec === "string" &&
    /^[a-z0-9]{2,8}(\.[A-Za-z0-9]{1,16}){0,8}$/.test(meta.codec) &&
    meta.start_ms <= meta.end_ms
  );
}

/** `{meta, mp4}` of a segment file, or E_SEGMENT, E_SIZE, E_JSON. */
export async function openSegment(file, cek) {
  demand(file.length >= HEADER && equal(file.subarray(0, 8), MAGIC), "E_SEGMENT", "no segment file");
  const end = HEADER + file[8] * 256 + file[9];
  demand(end <= file.length, "E_SEGMENT", "the file ends inside its meta");
  const raw = file.subarray(HEADER, end);
  const meta = closed(parseJson(raw, MAX_META), KEYS, "E_SEGMENT");
  demand(holds(meta), "E_SEGMENT", "a field of the meta");
  const context = concat("doorbell/segment/v1\0", await sha256(raw));
  return { meta, mp4: await openCobblestone(cek, context, file.subarray(end)) };
}
