// One clip as a card: when, how long, watch it, and where asked for, choose it or parts of it.

import { h, icon } from "./dom.js";
import { play } from "./preview.js";
import { clock, day, duration, explain, plural, triggerWords } from "./words.js";

/** Rows of segments, with times to show, as clips: `[{clip, start_ms, end_ms, rows}]`, in the order of time. */
export function groupClips(rows) {
  const clips = new Map();
  for (const row of rows) {
    if (!clips.has(row.clip)) clips.set(row.clip, []);
    clips.get(row.clip).push(row);
  }
  return [...clips.entries()]
    .map(([clip, some]) => {
      some.sort((a, b) => a.n - b.n);
      return { clip, start_ms: some[0].at_ms, end_ms: some.at(-1).until_ms, rows: some };
    })
    .sort((a, b) => a.start_ms - b.start_ms);
}

/** A button that opens the clip in this browser and plays it in place. */
export function player(me, rows, label) {
  if (rows.some((row) => row.stanza === null)) return h("p", { class: "small" }, explain({ code: "NO_STANZA" }));
  const box = h("div", { class: "player" });
  const said = h("p", { class: "small", role: "status" });
  let run = 0;
  const button = h("button", { type: "button", class: "secondary watch" }, icon("play"), "Watch");
  button.setAttribute("aria-label", `Watch ${label}`);
  button.addEventListener("click", async () => {
    run += 1;
    const mine = run;
    const video = h("video", { controls: true, playsinline: true, muted: true, preload: "auto", "aria-label": label });
    video.muted = true; // there is no sound in it; muted films may start by themselves
    box.replaceChildren(video);
    button.hidden = true;
    said.textContent = "Opening it here, in your browser…";
    video.addEventListener("loadeddata", () => {
      if (!video.isConnected) return; // it was taken away, and what is said now is why
      said.textContent = "";
      video.play().catch(() => {}); // the owner presses play where the browser wants that
    }, { once: true });
    try {
      await play(video, me, rows, () => mine !== run || !video.isConnected);
      video.dataset.ready = "true";
    } catch (error) {
      if (mine !== run || !video.isConnected) return;
      box.replaceChildren();
      button.hidden = false;
      said.textContent = explain(error);
    }
  });
  return h("div", { class: "watching" }, box, button, said);
}

const unsure = (rows) => rows.some((row) => row.clock !== "synced");

/** Heading and facts of a clip; `trigger` where the list already stands under its day. */
function facts(clip, trigger) {
  const parts = plural(clip.rows.length, "part");
  const first = trigger ? triggerWords(trigger) : day(clip.start_ms);
  return [
    h("h3", {}, `${clock(clip.start_ms, true)} to ${clock(clip.end_ms, true)}`),
    h("p", { class: "small" }, `${first} · ${duration(clip.end_ms - clip.start_ms)} · ${parts}`),
    unsure(clip.rows) ? h("p", { class: "small warn-text" }, "The doorbell was not sure of the time then.") : null,
  ].filter(Boolean);
}

const label = (clip) => `the video from ${clock(clip.start_ms, true)}`;

/** A clip to look at; `below` are more controls. */
export function clipCard(me, clip, trigger, ...below) {
  return h("article", { class: "card clip" }, facts(clip, trigger), player(me, clip.rows, label(clip)), ...below);
}

/** The parts of a clip as boxes to tick; made when they are first looked at, for a clip may have hundreds. */
function partChooser(rows, chosen, onChange) {
  const boxes = [];
  const chips = h("div", { class: "chips", role: "group", "aria-label": "Parts" });
  const fill = () => {
    for (const row of rows) {
      const box = h("input", { type: "checkbox", value: row.id, checked: chosen.has(row.id) });
      box.addEventListener("change", () => {
        if (box.checked) chosen.add(row.id);
        else chosen.delete(row.id);
        onChange();
      });
      boxes.push(box);
      const words = `${clock(row.at_ms, true)}, ${duration(row.end_ms - row.start_ms)}`;
      chips.append(h("label", { class: "chip" }, box, h("span", {}, words)));
    }
  };
  const node = h("details", {}, h("summary", {}, "Choose parts of it"), chips);
  node.addEventListener("toggle", () => { if (node.open && boxes.length === 0) fill(); });
  return { node, refresh: () => { for (const box of boxes) box.checked = chosen.has(box.value); } };
}

/** A clip to choose from; `chosen` is a Set of segment ids, `onChange()` is called after each change. */
export function choosableClip(me, clip, chosen, onChange) {
  const usable = clip.rows.filter((row) => row.stanza !== null);
  const all = h("input", { type: "checkbox", class: "choose-clip", disabled: usable.length === 0 });
  const parts = usable.length > 1 ? partChooser(usable, chosen, onChange) : null;
  all.addEventListener("change", () => {
    for (const row of usable) {
      if (all.checked) chosen.add(row.id);
      else chosen.delete(row.id);
    }
    onChange();
  });
  const node = h(
    "article",
    { class: "card clip", "data-clip": clip.clip },
    h("label", { class: "choose" }, all, h("span", {}, facts(clip, null))),
    player(me, clip.rows, label(clip)),
    parts?.node,
  );
  const refresh = () => {
    const count = usable.filter((row) => chosen.has(row.id)).length;
    all.checked = count > 0 && count === usable.length;
    all.indeterminate = count > 0 && count < usable.length;
    node.classList.toggle("chosen", count > 0);
    parts?.refresh();
  };
  return { node, refresh };
}
