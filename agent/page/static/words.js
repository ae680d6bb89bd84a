// Everything that is said to the owner in plain words: states, refusals, times, amounts. Faults are in faults.js.

import { isText, MAX_DIRECTORY_TEXT } from "./text_rules.js";

let zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Show times as the doorbell's place has them. */
export function useTimeZone(name) {
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: name });
    zone = name;
  } catch {
    // an unknown name: the phone's own zone stays
  }
}

const format = (ms, options, timeZone = zone) => new Intl.DateTimeFormat("en-GB", { timeZone, ...options }).format(ms);
const DAY = { year: "numeric", month: "2-digit", day: "2-digit" };

/** "Today", "Yesterday" or "Tue 24 November". */
export function day(ms) {
  const ago = dayNumber(Date.now() / 1000) - dayNumber(ms / 1000);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  return format(ms, { weekday: "short", day: "numeric", month: "long" });
}

/** "14:02" or, exactly, "14:02:10". */
export const clock = (ms, exactly = false) =>
  format(ms, { hour: "2-digit", minute: "2-digit", ...(exactly ? { second: "2-digit" } : {}) });

/** "Today, 14:02". */
export const moment = (ms) => `${day(ms)}, ${clock(ms)}`;

/** "Today, 14:02 to 15:02" or with both days. */
export function span(from, to, exactly = false) {
  const tail = day(from) === day(to) ? clock(to, exactly) : `${day(to)}, ${clock(to, exactly)}`;
  return `${day(from)}, ${clock(from, exactly)} to ${tail}`;
}

/** The same in UTC, for the record: "24 Nov 2026 22:02 to 23:02 UTC". */
export function utcSpan(from, to) {
  const date = (ms) => format(ms, { day: "numeric", month: "short", year: "numeric" }, "UTC");
  const time = (ms) => format(ms, { hour: "2-digit", minute: "2-digit" }, "UTC");
  const tail = date(from) === date(to) ? time(to) : `${date(to)} ${time(to)}`;
  return `${date(from)} ${time(from)} to ${tail} UTC`;
}

/** Name of the zone that times are shown in, "Los Angeles time"; null where that is UTC anyway. */
export const zoneName = () => (/UTC$/.test(zone) ? null : `${zone.split("/").pop().replaceAll("_", " ")} time`);

export const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/** "24 seconds", "2 min 5 s", "3 hours". */
export function duration(ms) {
  const s = Math.max(1, Math.round(ms / 1000));
  if (s < 60) return plural(s, "second");
  if (s < 3600) return s % 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : plural(s / 60, "minute");
  const hours = Math.round(s / 360) / 10;
  return plural(hours, "hour");
}

/** "3 h 20 min", "45 min", "12 hours"; a second more counts as a whole minute, so that nothing looks smaller than it is. */
export function hoursAndMinutes(seconds) {
  const minutes = Math.max(1, Math.ceil(seconds / 60));
  if (minutes < 60) return `${minutes} min`;
  const [h, min] = [Math.floor(minutes / 60), minutes % 60];
  return min ? `${h} h ${min} min` : plural(h, "hour");
}

let days = { zone: null, format: null };

/** One formatter for a zone: making it costs far more than using it. */
function dayFormat() {
  if (days.zone !== zone) days = { zone, format: new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...DAY }) };
  return days.format;
}

/** The number of the day on which second `s` falls where the doorbell stands; the next day has the next number. */
export function dayNumber(s) {
  const parts = dayFormat().formatToParts(s * 1000);
  const [year, month, date] = ["year", "month", "day"].map((type) => Number(parts.find((part) => part.type === type).value));
  return Date.UTC(year, month - 1, date) / 86_400_000;
}

/** An agency's name as the list says it, where it is text that may be shown. */
export const shownName = (row) => (isText(row.agency_name, MAX_DIRECTORY_TEXT) ? row.agency_name : "An agency with an unreadable name");

/** "1.2 GB". */
export function amount(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1000 ** step;
  return `${value >= 100 || step === 0 ? Math.round(value) : value.toFixed(1)} ${units[step]}`;
}

/** "missing-person" as "Missing person". */
export const incident = (code) => {
  const text = String(code).replaceAll("-", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

const STATES = {
  PENDING: ["Waiting for you", "open"],
  CONFIRMING: ["Press the button at home", "open"],
  GRACE: ["Sending starts soon", "open"],
  UPLOADING: ["Sending", "open"],
  HANDED_OVER: ["Sent, waiting for the receipt", "open"],
  DELIVERED: ["Delivered", "good"],
  UNCONFIRMED: ["Sent, no receipt came", "warn"],
  DECLINED: ["You said no", "plain"],
  WITHDRAWN: ["You stopped it", "plain"],
  FAILED: ["Could not be sent", "warn"],
  CANCELLED: ["No longer valid", "plain"],
  EXPIRED: ["Ran out unanswered", "plain"],
};

/** `[words, kind]` for a request's state. */
export const stateWords = (state) => STATES[state] ?? [String(state), "plain"];

const TRIGGERS = { motion: "Something moved", press: "Someone rang", manual: "Recorded by hand" };
export const triggerWords = (trigger) => TRIGGERS[trigger] ?? "Recorded";

const REFUSALS = {
  OFFLINE: "The doorbell can't be reached. Are you on your home network?",
  E_VAULT: "The doorbell is busy starting. Try again in a moment.",
  E_BUG: "The doorbell made a mistake of its own. Try again; if it stays, run doorbell status at the doorbell.",
  E_TIMEOUT: "The connection was too slow. Try again, nearer to the router if you can.",
  NO_SESSION: "This browser keeps no cookies for this page. Allow them, then try again.",
  E_BUSY: "Too many screens are open. Close some and try again.",
  NOT_PAIRED: "This browser is not paired with the doorbell.",
  P_CLOSED: "Pairing is not open right now. Run doorbell pair at the doorbell and use its new link within two minutes. Or hold the indoor button for five seconds and use the link on the owner's card.",
  P_MAC: "The link does not fit. Use the newest link from doorbell pair, or the one on the owner's card.",
  P_DEVICE: "Something else answered in the doorbell's place. Do not go on: check that you are on your own home network.",
  P_LINK: "This is not a whole pairing link. Scan the code again.",
  C_APPROVER: "This phone may not do that.",
  C_SIG: "The doorbell did not accept this phone's signature. Pair the phone again.",
  C_STATE: "Too late: the request has moved on. The page shows how it stands now.",
  C_NONCE: "This page was open too long. Look at the request again, then decide.",
  C_STALE: "Something changed meanwhile, or this phone's clock is wrong. Look at the request again, then decide.",
  C_CLOCK: "The doorbell is not sure of the time, so it shares nothing for now. Saying no works.",
  C_WRAP: "The doorbell did not accept the sealed keys. Try again.",
  C_RATE: "You have shared as often as your limit for one day allows. Try again tomorrow.",
  C_LOCKED: "None of these videos can be opened that way. Share from a paired phone.",
  NO_NAME: "Give this phone a name, so that you know it among your phones.",
  E_TEXT: "A name may not hold invisible or unusual signs.",
  CLOCK_DIFFERS: "The doorbell has another time than this phone, so it stays careful. If this phone's time is right, check the home's internet connection: the doorbell takes its time from there.",
  QUIET_HALF: "Not saved: fill in both times, or leave both empty for no quiet hours.",
  QUIET_SAME: "Not saved: the two times are the same. Choose different ones, or leave both empty for no quiet hours.",
  TOO_MANY: "That is more than can be sent at once. Choose at most 512 parts, about half an hour.",
  NO_STANZA: "This phone can't open one of these videos: it was paired later. Another phone can hand them on.",
  E_SEAL: "One of these videos does not open on this phone.",
  E_SEGMENT: "This part is damaged or was changed, so it is not shown.",
  NOT_FOUND: "It is no longer there.",
};

/** What went wrong, for a person. Only a text is a code of ours: what a browser throws has numbers of its own. */
export function explain(error) {
  const code = typeof error?.code === "string" ? error.code : null;
  if (Object.hasOwn(REFUSALS, code)) return REFUSALS[code];
  return `That did not work (${code ?? error?.message ?? String(error)}).`;
}

const DISTRUST = {
  E_SIG: "its signatures do not hold",
  E_KEY: "it was signed with a key that must not be used",
  E_AGENCY: "the agency is not a known, active one",
  E_REPLY: "the footage would go to a key or place that is not the agency's",
  E_LIMIT: "it asks for more than is allowed",
  E_TEXT: "its words hold hidden or misleading signs",
  D_DIRECTORY: "the doorbell does not hold the agencies' list that it needs",
};

/** Why a request is not shown. */
export const distrust = (error) => DISTRUST[error?.code] ?? "it is not in order";
