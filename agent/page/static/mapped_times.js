// Times to show. What was recorded before the doorbell knew the time keeps its recorded times in all that is signed;
// the doorbell maps it later (protocol section 16), and only the times of its clips say so.

import { get } from "./api.js";

const PAGE = 100;

/** Milliseconds from the recorded to the mapped time of a clip of `/api/clips`. */
const shiftOf = (clip) => clip.start_ms - Math.min(...clip.segments.map((row) => row.start_ms));

const shifted = (row, ms) => ({ ...row, at_ms: row.start_ms + ms, until_ms: row.end_ms + ms });

/** The rows of a clip of `/api/clips` with `at_ms` and `until_ms`, the times to show. */
export const withTimes = (clip) => clip.segments.map((row) => shifted(row, shiftOf(clip)));

/** The same for `rows` of a request whose window ends at `to` (seconds): looks their clips up where they were mapped. */
export async function withTimesOf(rows, to) {
  const missing = new Set(rows.filter((row) => row.clock === "unsynced").map((row) => row.clip));
  const shifts = new Map();
  let before = to * 1000;
  while (missing.size > 0) {
    const clips = await get(`/api/clips?before=${before}&limit=${PAGE}`);
    for (const clip of clips) {
      if (missing.delete(clip.clip)) shifts.set(clip.clip, shiftOf(clip));
    }
    if (clips.length < PAGE) break;
    before = clips.at(-1).start_ms;
  }
  return rows.map((row) => shifted(row, shifts.get(row.clip) ?? 0));
}
