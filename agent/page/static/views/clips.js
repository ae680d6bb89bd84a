// Every clip that this phone can open, newest first; watch, keep, delete.

import { act } from "../action.js";
import { get } from "../api.js";
import { clipCard, groupClips } from "../clip_card.js";
import { ask, h, say } from "../dom.js";
import { withTimes } from "../mapped_times.js";
import { clock, day, explain } from "../words.js";

const PAGE = 20;

function controls(context, clip) {
  const keep = h("button", { type: "button", class: "quiet" }, "Keep");
  keep.addEventListener("click", async () => {
    const kept = await ask({
      title: "Keep this video for good?",
      body: [
        h("p", {}, `${day(clip.start_ms)}, ${clock(clip.start_ms, true)}. It then stays until you delete it, also when new videos need the room.`),
        h("p", { class: "small" }, "Only deleting it undoes this, and the list does not show what is kept."),
      ],
      yes: "Keep it",
      explain,
      run: () => act("keep", { clip: clip.clip }),
    });
    if (kept) say("Kept until you delete it.");
  });
  const remove = h("button", { type: "button", class: "quiet danger-text" }, "Delete");
  remove.addEventListener("click", async () => {
    const gone = await ask({
      title: "Delete this video?",
      body: h("p", {}, `${day(clip.start_ms)}, ${clock(clip.start_ms, true)}. It can't be brought back.`),
      yes: "Delete it",
      kind: "danger",
      explain,
      run: () => act("delete", { clip: clip.clip }),
    });
    if (gone) {
      say("Deleted.");
      context.redraw();
    }
  });
  return h("div", { class: "row-of-buttons" }, h("div", { class: "action" }, keep), h("div", { class: "action" }, remove));
}

export async function clipsView(context) {
  const list = h("div", { class: "list" });
  const more = h("button", { type: "button", class: "secondary" }, "Show older videos");
  let before = null;
  let lastDay = null;
  const load = async () => {
    const rows = await get(`/api/clips?limit=${PAGE}${before === null ? "" : `&before=${before}`}`);
    for (const row of rows) {
      if (day(row.start_ms) !== lastDay) {
        lastDay = day(row.start_ms);
        list.append(h("h2", { class: "day" }, lastDay));
      }
      const [clip] = groupClips(withTimes(row));
      list.append(clipCard(context.me, clip, row.trigger, controls(context, clip)));
      before = row.start_ms;
    }
    more.hidden = rows.length < PAGE;
  };
  more.addEventListener("click", () => load().catch((error) => say(explain(error))));
  await load();
  const none = list.childElementCount === 0 ? h("p", { class: "calm" }, "No videos yet.") : null;
  return {
    title: "Videos",
    nodes: [none, list, more],
    onEvent: (name) => {
      if (name === "phone" && none) context.redraw(); // perhaps this phone was just let in
    },
    onReconnect: () => {
      if (none) context.redraw(); // else a film may be playing
    },
  };
}
