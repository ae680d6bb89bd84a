// Text that a person is shown (protocol section 1, *text*): it can't hide, reorder or imitate.

/** The protocol sets no length for what the directory names; the doorbell and the verifier take as much. */
export const MAX_DIRECTORY_TEXT = 200;

const CONTROL = /[\p{C}\p{Zl}\p{Zp}]/u;
const OTHER_SPACE = /[^\P{Zs} ]/u;
const VARIATION = /[\uFE00-\uFE0F\u{E0100}-\u{E01EF}\u180B\u180C\u180D\u180F]/u;
const BLANK_LETTER = /[\u115F\u1160\u3164\uFFA0\u2800]/u;
const PILE = /[\p{Mn}\p{Me}]{3}/u;
const LETTER = /[\p{Lu}\p{Ll}\p{Lt}\p{Lo}]/u;

const SCRIPTS = [
  "Latin", "Greek", "Cyrillic", "Armenian", "Hebrew", "Arabic", "Devanagari", "Bengali", "Gurmukhi", "Gujarati",
  "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Thai", "Lao", "Tibetan", "Myanmar", "Georgian", "Hangul",
  "Ethiopic", "Cherokee", "Khmer", "Mongolian", "Hiragana", "Katakana", "Bopomofo", "Han",
].map((name) => [name, new RegExp(`\\p{Script=${name}}`, "u")]);
const JAPANESE = new Set(["Han", "Hiragana", "Katakana"]);
const KOREAN = new Set(["Han", "Hangul"]);

const scriptOf = (char) => SCRIPTS.find(([, pattern]) => pattern.test(char))?.[0] ?? "other";

/** Whether all letters share one script; {Han, kana} and {Han, Hangul} count as one. */
export function isOneScript(value) {
  const scripts = [...new Set([...value].filter((char) => LETTER.test(char)).map(scriptOf))];
  const within = (group) => scripts.every((script) => group.has(script));
  return scripts.length <= 1 || within(JAPANESE) || within(KOREAN);
}

/** Whether `value` may be shown: at most `limit` code points, `lines` lines, of one script where asked for. */
export function isText(value, limit, { lines = 1, oneScript = false } = {}) {
  if (typeof value !== "string" || !value.isWellFormed()) return false;
  const count = [...value].length;
  if (count < 1 || count > limit || value !== value.trim() || value !== value.normalize("NFC")) return false;
  const parts = value.split("\n");
  if (parts.length > lines) return false;
  const bad = (part) => [CONTROL, OTHER_SPACE, VARIATION, BLANK_LETTER].some((pattern) => pattern.test(part));
  if (parts.some(bad) || PILE.test(value)) return false;
  return !oneScript || isOneScript(value);
}
