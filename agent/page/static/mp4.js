// Just enough of fragmented MP4 to join a clip's segments (protocol section 9).

import { concat, equal } from "./bytes.js";
import { demand } from "./refused.js";

/** Length of the `ftyp moov` at the start. */
function initLength(mp4) {
  const view = new DataView(mp4.buffer, mp4.byteOffset, mp4.byteLength);
  let end = 0;
  for (const name of ["ftyp", "moov"]) {
    demand(end + 8 <= mp4.length, "E_SEGMENT", "no fragmented MP4");
    const size = view.getUint32(end);
    const found = String.fromCharCode(...mp4.subarray(end + 4, end + 8));
    demand(found === name && size >= 8 && end + size <= mp4.length, "E_SEGMENT", "no fragmented MP4");
    end += size;
  }
  return end;
}

/** The joined film: the first segment whole, of the others what follows the init. */
export function joinMp4(segments) {
  const init = segments[0].subarray(0, initLength(segments[0]));
  const rest = segments.slice(1).map((mp4) => {
    demand(equal(mp4.subarray(0, init.length), init), "E_SEGMENT", "not of one clip");
    return mp4.subarray(init.length);
  });
  return concat(segments[0], ...rest);
}
