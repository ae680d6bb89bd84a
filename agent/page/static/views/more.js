// The way to everything that is not needed every day.

import { h, icon } from "../dom.js";

const LINKS = [
  ["phones", "Phones", "Add, check or remove a phone", "phone"],
  ["settings", "Settings", "Requests, agencies, alerts, limits", "gear"],
  ["alerts", "Alerts", "What is going on nearby", "bell"],
  ["log", "Log", "Everything that happened, in order", "list"],
];

export async function moreView() {
  const links = LINKS.map(([path, title, text, picture]) =>
    h("a", { class: "card request-link", href: `#/${path}` }, icon(picture), h("div", {}, h("h2", {}, title), h("p", { class: "small" }, text)), icon("next")),
  );
  return { title: "More", nodes: links };
}
