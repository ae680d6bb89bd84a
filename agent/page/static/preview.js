// Watching a clip: fetched sealed, opened in this browser, played from memory.

import { getBytes } from "./api.js";
import { sha256Hex } from "./bytes.js";
import { openCek } from "./consent.js";
import { joinMp4 } from "./mp4.js";
import { demand } from "./refused.js";
import { openSegment } from "./segment_file.js";

/** One segment: checked against its hash, opened, and as it claims to be. */
export async function fetchSegment(me, row) {
  const file = await getBytes(`/api/segments/${row.id}`);
  demand(file.length === row.bytes && (await sha256Hex(file)) === row.sha256, "E_SEGMENT", "not the part that was listed");
  const { meta, mp4 } = await openSegment(file, await openCek(me, row));
  demand(meta.id === row.id && meta.clip === row.clip && meta.n === row.n, "E_SEGMENT", "another part");
  return { meta, mp4 };
}

const mediaSource = () => window.ManagedMediaSource ?? window.MediaSource;

const once = (target, name) => new Promise((resolve, reject) => {
  target.addEventListener(name, resolve, { once: true });
  target.addEventListener("error", () => reject(new Error("the film does not play")), { once: true });
});

/** Feed segments to a MediaSource one by one, so that a long clip starts at once. */
async function stream(video, me, rows, first, isStopped) {
  const Source = mediaSource();
  const source = new Source();
  const url = URL.createObjectURL(source);
  video.disableRemotePlayback = true;
  video.src = url;
  try {
    await once(source, "sourceopen");
    const buffer = source.addSourceBuffer(`video/mp4; codecs="${first.meta.codec}"`);
    buffer.mode = "segments";
    let last = 0;
    for (const [i, row] of rows.entries()) {
      if (isStopped()) return;
      const { mp4 } = i === 0 ? first : await fetchSegment(me, row);
      const appended = once(buffer, "updateend");
      buffer.appendBuffer(mp4);
      await appended;
      if (i === 0) {
        // A part from the middle of a clip starts late on the clip's own clock.
        video.currentTime = buffer.buffered.start(0);
      }
      last = buffer.buffered.end(buffer.buffered.length - 1);
    }
    if (source.readyState === "open") {
      source.endOfStream();
      demand(last > 0, "E_SEGMENT", "nothing to see");
    }
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Join everything first; for browsers without MediaSource. */
async function whole(video, me, rows, first, isStopped) {
  const films = [first.mp4];
  for (const row of rows.slice(1)) {
    if (isStopped()) return;
    films.push((await fetchSegment(me, row)).mp4);
  }
  const url = URL.createObjectURL(new Blob([joinMp4(films)], { type: "video/mp4" }));
  video.src = url;
  video.addEventListener("emptied", () => URL.revokeObjectURL(url), { once: true });
}

/** Play `rows` (of one clip, in order) in `video`. Resolves once all of it is there; returns the first meta. */
export async function play(video, me, rows, isStopped = () => false) {
  const first = await fetchSegment(me, rows[0]);
  const Source = mediaSource();
  const canStream = Source?.isTypeSupported(`video/mp4; codecs="${first.meta.codec}"`);
  await (canStream ? stream : whole)(video, me, rows, first, isStopped);
  return first.meta;
}
