// Everything that is said to the owner in plain words: states, faults, refusals, times, amounts.

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
  const key = (t) => format(t, DAY);
  if (key(ms) === key(Date.now())) return "Today";
  if (key(ms) === key(Date.now() - 86_400_000)) return "Yesterday";
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

/** Name of the zone that times are shown in, "Los Angeles time". */
export const zoneName = () => `${zone.split("/").pop().replaceAll("_", " ")} time`;

export const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/** "24 seconds", "2 min 5 s", "3 hours". */
export function duration(ms) {
  const s = Math.max(1, Math.round(ms / 1000));
  if (s < 60) return plural(s, "second");
  if (s < 3600) return s % 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : plural(s / 60, "minute");
  const hours = Math.round(s / 360) / 10;
  return plural(hours, "hour");
}

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

// Codes of `faults` in the status; matched without case, with - and _ alike.
const FAULTS = {
  "no-recipient": ["Nothing is recorded", "No phone and no recovery key is set up. Pair a phone."],
  "few-recipients": ["Only one key opens your videos", "If it is lost, the videos are lost. Pair a second phone or keep the recovery key from the owner's card."],
  camera: ["The camera does not answer", "Check its cable and power. Recording starts again by itself."],
  frozen: ["The camera's picture stands still", "It is being restarted."],
  full: ["The memory card is full", "Old videos are being removed to make room."],
  disk: ["The memory card has a problem", "Videos may not be kept. Replace the card soon."],
  broker: ["No connection for requests", "New requests can't arrive. Check the home's internet connection."],
  directory: ["The list of agencies is out of date", "Check the home's internet connection. Until it is renewed nothing can be shared."],
  clock: ["The doorbell does not know the time", "Requests wait until it does. Check the home's internet connection."],
  recorder: ["The recording part has stopped", "It is being started again."],
  uplink: ["The connection to the internet has stopped", "It is being started again."],
};

/** `[title, what to do]` for a fault code. */
export function faultWords(code) {
  const plain = String(code).toLowerCase().replaceAll("_", "-");
  const found = FAULTS[plain] ?? Object.entries(FAULTS).find(([name]) => plain.startsWith(name))?.[1];
  return found ?? ["The doorbell has a problem", `It calls it "${plain.slice(0, 40)}". Run doorbell status at the doorbell for more.`];
}

const REFUSALS = {
  OFFLINE: "The doorbell can't be reached. Are you on your home network?",
  E_VAULT: "The doorbell is busy starting. Try again in a moment.",
  E_BUSY: "Too many screens are open. Close some and try again.",
  NOT_PAIRED: "This browser is not paired with the doorbell.",
  P_CLOSED: "Pairing is not open right now. Open it at the doorbell (doorbell pair, or hold the indoor button) and use the new link within two minutes.",
  P_MAC: "The link does not fit. Use the newest link from the doorbell.",
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
  E_TEXT: "A name may not hold invisible or unusual signs.",
  NO_STANZA: "This phone can't open one of these videos: it was paired later. Another phone can hand them on.",
  E_SEAL: "One of these videos does not open on this phone.",
  E_SEGMENT: "This part is damaged or was changed, so it is not shown.",
  NOT_FOUND: "It is no longer there.",
};

/** What went wrong, for a person. */
export const explain = (error) => REFUSALS[error?.code] ?? `That did not work (${String(error?.code ?? error?.message ?? error)}).`;

const DISTRUST = {
  E_SIG: "its signatures do not hold",
  E_KEY: "it was signed with a key that must not be used",
  E_AGENCY: "the agency is not a known, active one",
  E_REPLY: "the footage would go to a key or place that is not the agency's",
  E_LIMIT: "it asks for more than is allowed",
  E_TEXT: "its words hold hidden or misleading signs",
};

/** Why a request is not shown. */
export const distrust = (error) => DISTRUST[error?.code] ?? "it is not in order";
