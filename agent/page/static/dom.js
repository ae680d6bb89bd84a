// Building the page from text: nodes only, never markup, so nothing foreign can become anything but text.

const SVG = "http://www.w3.org/2000/svg";

function apply(node, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "open") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
}

const flat = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

/** An element: `h("button", {class: "primary", onclick: f}, "Yes")`. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  apply(node, props);
  node.append(...flat(children));
  return node;
}

/** The same for drawings. */
export function s(tag, props = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  apply(node, props);
  node.append(...flat(children));
  return node;
}

const ICONS = {
  home: "M4 11.5 12 5l8 6.5V20h-5v-5H9v5H4z",
  ask: "M4 5h16v11H9l-5 4z",
  film: "M4 6h11v12H4z M15 10.5 20 8v8l-5-2.5z",
  more: "M5 7h14 M5 12h14 M5 17h14",
  check: "M5 12.5 10 17.5 19 7.5",
  warn: "M12 4 21 20H3z M12 10v5 M12 17.4v.2",
  lock: "M7 11V8a5 5 0 0 1 10 0v3 M5 11h14v9H5z",
  play: "M8 5.5 18.5 12 8 18.5z",
  phone: "M8 3h8v18H8z M11 18h2",
  bell: "M6 17h12l-1.5-2.5V10a4.5 4.5 0 0 0-9 0v4.5z M10.5 19.5h3",
  gear: "M4 7h10 M18 7h2 M14 5v4 M4 17h2 M10 17h10 M10 15v4",
  list: "M5 6h2 M10 6h9 M5 12h2 M10 12h9 M5 18h2 M10 18h9",
  next: "M9 6l6 6-6 6",
  back: "M15 6l-6 6 6 6",
};

/** A line icon; decoration only, so it is hidden from screen readers. */
export const icon = (name) =>
  s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, s("path", { d: ICONS[name] }));

/** A card with a heading. */
export const card = (title, ...children) =>
  h("section", { class: "card" }, title ? h("h2", {}, title) : null, ...children);

/** A notice of a kind: "good", "warn", "bad" or "plain". */
export const notice = (kind, title, ...children) =>
  h(
    "section",
    { class: `card notice ${kind}` },
    icon(kind === "good" ? "check" : kind === "plain" ? "bell" : "warn"),
    h("div", {}, title ? h("h2", {}, title) : null, ...children),
  );

/** Six digits to compare, in two groups; a screen reader says them one by one. */
export const digitsBlock = (digits) =>
  h("p", { class: "digits", "aria-label": digits.split("").join(" ") }, digits.slice(0, 3), h("span", {}, digits.slice(3)));

/** A button that is busy while its promise runs, and shows what went wrong beside itself. */
export function actionButton(label, kind, run, explain) {
  const problem = h("p", { class: "problem", role: "alert" });
  const button = h("button", { type: "button", class: kind }, label);
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    problem.textContent = "";
    try {
      await run((text) => { button.textContent = text; });
    } catch (error) {
      problem.textContent = explain(error);
    } finally {
      button.disabled = false;
      button.removeAttribute("aria-busy");
      button.textContent = label;
    }
  });
  return h("div", { class: "action" }, button, problem);
}

/**
 * Ask in a dialog; resolves to true or false. Escape and "back" mean no. It opens at its heading, so that it is read
 * from there, and so that a key pressed once too often answers nothing.
 * `run` may do the work while the dialog shows progress; then the dialog closes when it is done.
 */
export function ask({ title, body, yes, no = "Go back", kind = "primary", run = null, explain = String }) {
  return new Promise((resolve) => {
    let result = false;
    const dialog = h("dialog", { class: "sheet", "aria-labelledby": "sheet-title" });
    const back = h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, no);
    const confirm = actionButton(
      yes,
      kind,
      async (say) => {
        if (run) {
          back.disabled = true;
          try {
            await run(say);
          } finally {
            back.disabled = false;
          }
        }
        result = true;
        dialog.close();
      },
      explain,
    );
    dialog.append(h("h2", { id: "sheet-title", tabindex: "-1", autofocus: true }, title), h("div", { class: "sheet-body" }, body), confirm, back);
    dialog.addEventListener("cancel", (event) => { if (back.disabled) event.preventDefault(); });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Say something shortly at the bottom of the screen; read aloud by screen readers. */
export function say(text) {
  const box = document.getElementById("said");
  box.textContent = text;
  box.classList.add("shown");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => box.classList.remove("shown"), 4000);
}
