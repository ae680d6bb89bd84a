// The frame of the page: who this phone is, where we are, what just happened. Views draw one screen each.
//
// A view is `async (context, argument) => {title, nodes, back?, onEvent?, onReconnect?, leave?}`; `context` is what this
// file knows. `onReconnect` is for where drawing anew, after the line was down, would take something away.

import { get, isUnpaired, listen } from "./api.js";
import { h, icon, notice } from "./dom.js";
import { identity, whyUnable } from "./keys.js";
import { explain, useTimeZone } from "./words.js";
import { alertsView } from "./views/alerts.js";
import { clipsView } from "./views/clips.js";
import { homeView } from "./views/home.js";
import { logView } from "./views/log.js";
import { moreView } from "./views/more.js";
import { pairView, unpairedView } from "./views/pair.js";
import { phonesView } from "./views/phones.js";
import { requestView } from "./views/request.js";
import { requestsView } from "./views/requests.js";
import { settingsView } from "./views/settings.js";

const VIEWS = {
  "": homeView,
  requests: requestsView,
  request: requestView,
  clips: clipsView,
  more: moreView,
  phones: phonesView,
  settings: settingsView,
  log: logView,
  alerts: alertsView,
};
const TABS = [
  ["", "Home", "home"],
  ["requests", "Requests", "ask"],
  ["clips", "Videos", "film"],
  ["more", "More", "more"],
];
const TAB_OF = { request: "requests", phones: "more", settings: "more", log: "more", alerts: "more" };

const main = document.getElementById("main");
const nav = document.getElementById("nav");
const top = document.getElementById("top");

const context = {
  me: null,
  status: null,
  /** When CONFIRMING or GRACE of a request ends, by this phone's monotonic clock, as far as the doorbell said. */
  deadlines: new Map(),
  /** `{sent, total}` of uploads. */
  progress: new Map(),
  go: (path) => { location.hash = `#/${path}`; },
  /** Draw the screen anew; `toTop` when what matters now stands at its top. */
  redraw: async ({ toTop = false } = {}) => {
    await draw();
    if (toTop) scrollTo(0, 0);
  },
  /** Fresh status of the doorbell. */
  async refresh() {
    context.status = await get("/api/status");
    useTimeZone(context.status.time_zone);
    return context.status;
  },
};

let current = { leave: null, onEvent: null };
let drawing = 0;

function drawTop(title, back) {
  const link = back === undefined ? null : h("a", { class: "back", href: `#/${back}`, "aria-label": "Back" }, icon("back"));
  top.replaceChildren(link ?? h("span", { class: "mark" }, icon("bell")), h("h1", { id: "title", tabindex: "-1" }, title));
  document.title = `${title} · Doorbell`;
}

function drawNav(name) {
  const here = TAB_OF[name] ?? name;
  nav.replaceChildren(
    ...TABS.map(([path, label, picture]) =>
      h("a", { href: `#/${path}`, "aria-current": path === here ? "page" : null }, icon(picture), h("span", {}, label)),
    ),
  );
  nav.hidden = false;
}

async function viewFor(name, argument) {
  try {
    await context.refresh();
    return await (VIEWS[name] ?? homeView)(context, argument);
  } catch (error) {
    if (isUnpaired(error)) return unpairedView();
    console.warn(error);
    const again = h("button", { type: "button", class: "secondary", onclick: () => draw() }, "Try again");
    return { title: "Doorbell", nodes: [notice("warn", "That did not work", h("p", {}, explain(error)), again)] };
  }
}

/** Draw the screen that the address names; the newest call wins. */
async function draw() {
  drawing += 1;
  const mine = drawing;
  const [name = "", argument = null] = location.hash.replace(/^#\/?/, "").split("/");
  const view = await viewFor(name, argument);
  if (mine !== drawing) {
    view.leave?.(); // it was made and is never shown
    return;
  }
  current.leave?.();
  current = view;
  drawTop(view.title, view.back);
  drawNav(name);
  main.replaceChildren(...view.nodes.flat(Infinity).filter(Boolean));
  main.dataset.view = name || "home";
}

let wasOnline = false;

function onEvent(name, data) {
  if (name === "state") {
    if (Number.isInteger(data.seconds)) context.deadlines.set(data.id, performance.now() + data.seconds * 1000);
    else context.deadlines.delete(data.id);
  }
  if (name === "progress") context.progress.set(data.id, data);
  document.body.classList.toggle("offline", name === "offline");
  if (name === "unpaired") draw();
  if (name === "online" && wasOnline) {
    // What happened while the line was down was not heard.
    if (current.onReconnect) current.onReconnect();
    else draw();
  }
  if (name === "online") wasOnline = true;
  current.onEvent?.(name, data);
}

async function drawPairing() {
  const view = await pairView(context);
  drawTop(view.title);
  main.replaceChildren(...view.nodes);
  main.dataset.view = "pair";
}

async function start() {
  const unable = await whyUnable();
  if (unable) {
    drawTop("Doorbell");
    main.replaceChildren(notice("bad", "This browser can't be used", h("p", {}, unable)));
    return;
  }
  context.me = (await identity()) ?? null;
  const isLink = location.pathname === "/pair" && location.hash !== "";
  if (isLink || context.me === null) {
    await drawPairing();
    // A newer link opened in the same tab changes only what follows the #.
    addEventListener("hashchange", drawPairing);
    return;
  }
  history.replaceState(null, "", `/${location.hash}`); // a link's address without its link is nothing to come back to
  addEventListener("hashchange", async () => {
    await draw();
    scrollTo(0, 0);
    document.getElementById("title").focus({ preventScroll: true });
  });
  await draw();
  listen(onEvent);
}

start();
