// What is wrong, in the owner's words, and what to do: every code of docs/ref/faults.md, held equal by a test.

const AGAIN = "It is started again by itself.";
const ONLINE = "Check the home's internet connection.";

/** Fault code → `[what is wrong, what to do]`. */
export const FAULTS = {
  "no-recipient": ["Nothing is recorded", "No phone and no recovery key is set up. Pair a phone."],
  "one-recipient": ["Only one key opens your videos", "If it is lost, so are the videos. Pair a second phone, or keep the recovery key of the owner's card safe."],
  "camera-missing": ["The camera does not answer", "Check its cable and power. Recording starts again by itself."],
  "camera-failed": ["The camera has failed", `${AGAIN} If this stays, unplug the doorbell and plug it in again.`],
  "camera-frozen": ["The camera's picture stands still", `${AGAIN} If this stays, check its cable and power.`],
  "camera-changed": ["The camera sends another kind of picture", AGAIN],
  "camera-unreadable": ["The camera's picture can't be read", "Whoever set the doorbell up should check which camera it uses."],
  "camera-ended": ["The film is over", "The doorbell plays a film in place of a camera, and it has ended. Whoever set it up can choose another one."],
  zones: ["Nothing is recorded, to keep a private area private", "A part of the picture that you want blacked out can't be blacked out. Whoever set the doorbell up should check its privacy zones."],
  "storage-full": ["The memory card is full", "Recording goes on for a while without it. Delete videos that you no longer need; if this stays, something else fills the card."],
  "storage-failed": ["The memory card can't be written", "New videos may be lost. Replace the card soon."],
  "storage-pinned": ["No room for new videos", "What you kept or are sending takes all the room. Delete videos that you no longer need, also ones that you kept."],
  "segments-quarantined": ["Some stored files were not in order", "They were set aside and are not shown. After a power cut that can happen once; if it goes on, replace the card."],
  "log-changed": ["The doorbell's own record was changed", "Something, or somebody, altered its log on the memory card. Keep the card as it is, and look at Log under More."],
  "recorder-overfull": ["Videos begin a little later than they should", "The camera sends more than there is memory for. Whoever set the doorbell up can lower the picture's quality."],
  "recorder-down": ["The recording part has stopped", AGAIN],
  "uplink-down": ["The part with the internet connection has stopped", `No request can arrive. ${AGAIN}`],
  "broker-down": ["No connection for requests", `New requests can't arrive. ${ONLINE}`],
  "broker-refused": ["The platform refuses this doorbell", "Requests can't arrive. Ask whoever set it up to check its account."],
  directory: ["The list of agencies can't be renewed", `Nothing can be shared when it is too old. ${ONLINE} If this stays, ask the platform.`],
  "directory-late": ["The list of agencies can't be renewed in time", `Nothing can be shared when it is too old. ${ONLINE}`],
  "directory-missing": ["The list of agencies is not there yet", `Requests wait until it is. ${ONLINE}`],
  "directory-refused": ["The list of agencies is not genuine", "The doorbell does not use what it was given. If this stays, ask the platform: somebody may be tampering with it."],
  "directory-expired": ["The list of agencies is out of date", `Until it is renewed nothing can be shared. ${ONLINE} If this stays, ask the platform.`],
  "directory-disk": ["The list of agencies can't be stored", "The memory card has no room left for it, or can't be written. Make room; if this stays, replace the card."],
  "clock-unsynced": ["The doorbell does not know the time yet", `It records; requests wait. ${ONLINE}`],
  "clock-suspect": ["The doorbell's clock jumped", "Nothing is shared or removed until you have confirmed the time in Settings."],
  "upload-waits": ["Sending is interrupted", "The agency's server can't be reached. The doorbell tries again by itself, for three days."],
  "page-port": ["This page can't be opened", "Another program at the doorbell holds its place. Whoever set the doorbell up should stop that program or choose another port."],
  button: ["The button or the bell does not work", "The doorbell can't use the pin that it is wired to. Whoever set it up should check the wiring."],
  lamp: ["The lamp indoors does not work", "The doorbell can't use the pin that it is wired to. Whoever set it up should check the wiring."],
};

const SHORT = 40; // characters of an unknown code that are shown

/** `[what is wrong, what to do]` for a fault code. */
export function faultWords(code) {
  if (Object.hasOwn(FAULTS, code)) return FAULTS[code];
  const plain = String(code).replace(/[^A-Za-z0-9_-]/g, "").slice(0, SHORT);
  return ["Something at the doorbell is not right", `It calls it "${plain}". Run doorbell status at the doorbell for more.`];
}
