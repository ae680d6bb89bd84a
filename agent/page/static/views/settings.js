// What the owner decides in advance. Every setting can only ask less of the owner, never answer for them.

import { act } from "../action.js";
import { get } from "../api.js";
import { actionButton, ask, card, h, notice, say } from "../dom.js";
import { readSettings } from "../log_check.js";
import { demand } from "../refused.js";
import { isText, MAX_DIRECTORY_TEXT } from "../text_rules.js";
import { explain, moment } from "../words.js";

async function change(args, undo) {
  try {
    await act("settings", args);
    say("Saved.");
  } catch (error) {
    undo();
    say(explain(error));
  }
}

/** A switch: its label, what it means, and what it sends. */
function toggle(label, text, isOn, argsFor, { confirm = null } = {}) {
  const box = h("input", { type: "checkbox", role: "switch", checked: isOn });
  box.addEventListener("change", async () => {
    const on = box.checked;
    if (on && confirm && !(await ask(confirm))) {
      box.checked = false;
      return;
    }
    box.disabled = true;
    await change(argsFor(on), () => { box.checked = !on; });
    box.disabled = false;
  });
  return h("label", { class: "switch" }, h("span", {}, h("strong", {}, label), text ? h("span", { class: "small" }, text) : null), box);
}

/** A choice among a few values. */
function choice(label, name, options, value) {
  const id = `set-${name}`;
  const select = h("select", { id }, options.map(([key, text]) => h("option", { value: String(key) }, text)));
  let before = String(value ?? "");
  if (![...select.options].some((option) => option.value === before)) {
    select.prepend(h("option", { value: before }, before === "" ? "As set up" : before));
  }
  select.value = before;
  select.addEventListener("change", async () => {
    const chosen = select.value === "" ? null : Number(select.value);
    await change({ [name]: chosen }, () => { select.value = before; });
    before = select.value;
  });
  return h("div", { class: "choice" }, h("label", { for: id }, label), select);
}

const LIMITS = [
  ["The longest stretch of time", "max_window_s", [["", "As set up"], [3600, "1 hour"], [10800, "3 hours"], [21600, "6 hours"], [43200, "12 hours"]]],
  ["The widest area", "max_area_m2", [["", "As set up"], [65000, "0.065 km² (a block)"], [250000, "0.25 km²"], [650000, "0.65 km²"], [1300000, "1.3 km²"]]],
  ["How far back", "max_lookback_days", [["", "As set up"], [1, "1 day"], [7, "7 days"], [14, "14 days"], [30, "30 days"]]],
  ["Yeses in one day", "daily_approvals", [["", "As set up"], [1, "1"], [2, "2"], [3, "3"], [5, "5"]]],
];

function mutes(agencies, muted) {
  const now = new Set(muted);
  const switches = agencies
    .filter((agency) => isText(agency.name, MAX_DIRECTORY_TEXT))
    .map((agency) =>
      toggle(agency.name, null, !now.has(agency.id), (on) => {
        if (on) now.delete(agency.id);
        else now.add(agency.id);
        return { muted_agencies: [...now].sort() };
      }),
    );
  return switches.length ? switches : h("p", { class: "small" }, "No agency of your region is known yet.");
}

function quietHours(value) {
  const text = (minutes) => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
  const minutes = (words) => Number(words.slice(0, 2)) * 60 + Number(words.slice(3, 5));
  const from = h("input", { type: "time", id: "quiet-from", value: value ? text(value[0]) : "" });
  const to = h("input", { type: "time", id: "quiet-to", value: value ? text(value[1]) : "" });
  const save = actionButton(
    "Save",
    "secondary",
    async () => {
      const given = [from, to].filter((input) => input.value !== "" || input.validity.badInput).length;
      demand(given !== 1 && !from.validity.badInput && !to.validity.badInput, "QUIET_HALF");
      demand(given === 0 || from.value !== to.value, "QUIET_SAME");
      await act("settings", { quiet_hours: given === 0 ? null : [minutes(from.value), minutes(to.value)] });
      say("Saved.");
    },
    explain,
  );
  return h("div", {}, h("div", { class: "times" }, h("label", { for: "quiet-from" }, "From"), from, h("label", { for: "quiet-to" }, "to"), to, save), h("p", { class: "small" }, "The lamp and notices rest then. Both empty: never."));
}

/** Confirming the time changes something only where the doorbell has the same (protocol section 16). */
function clockCard(context) {
  if (context.status.clock !== "suspect") return null;
  const now = h("strong", {}, moment(Date.now()));
  const button = actionButton(
    "Yes, that is the time",
    "primary",
    async () => {
      await act("settings", { clock_at: Math.floor(Date.now() / 1000) });
      const { clock } = await context.refresh();
      demand(clock !== "suspect", "CLOCK_DIFFERS");
      say("Saved.");
      context.redraw();
    },
    explain,
  );
  return notice("warn", "Is this the right time?", h("p", {}, "The doorbell's clock jumped. This phone says it is ", now, "."), button);
}

const TURN_ON = {
  title: "Let agencies ask you?",
  body: h("p", {}, "Police and other agencies may then ask for video. They never see whether you have any, and nothing is sent without your yes to that one request."),
  yes: "Yes, let them ask",
};

export async function settingsView(context) {
  const { status } = context;
  const set = await readSettings();
  const agencies = await get("/api/agencies");
  return {
    title: "Settings",
    back: "more",
    nodes: [
      clockCard(context),
      card(
        "Requests for video",
        toggle("Agencies may ask me", "Off: no request reaches you, and nobody can tell.", status.requests_enabled, (on) => ({ requests_enabled: on }), { confirm: TURN_ON }),
      ),
      card("Who may ask", h("p", { class: "small" }, "Switch one off and its requests are no longer shown. It is not told."), mutes(agencies, set.muted_agencies ?? [])),
      card("Narrower limits", h("p", { class: "small" }, "Requests beyond these are dropped. They can only be narrower than what is allowed anyway."), LIMITS.map(([label, name, options]) => choice(label, name, options, set[name]))),
      card("Alerts", toggle("Show alerts", "Messages about what happens near you. They never ask for video.", set.alerts ?? true, (on) => ({ alerts: on }))),
      card("Quiet hours", quietHours(set.quiet_hours ?? null)),
    ],
    onReconnect: () => {}, // something may be half typed
  };
}
