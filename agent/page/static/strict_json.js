// JSON as protocol section 1 wants it: UTF-8, no BOM, integers of at most 16 digits, no key twice, not too deep.
// JSON.parse takes floats and lets the last of two keys win; a signature would then cover two readings.

import { Refused } from "./refused.js";

const MAX_DEPTH = 32;
const SPACE = new Set([" ", "\t", "\n", "\r"]);
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const INTEGER = /-?(?:0|[1-9][0-9]*)/y;
const LITERALS = [["true", true], ["false", false], ["null", null]];

class Parser {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  fail(why) {
    throw new Refused("E_JSON", `${why} at ${this.at}`);
  }

  skip() {
    while (SPACE.has(this.text[this.at])) this.at += 1;
  }

  take(char) {
    if (this.text[this.at] !== char) this.fail(`no ${char}`);
    this.at += 1;
  }

  value(depth) {
    if (depth > MAX_DEPTH) this.fail("nested too deeply");
    this.skip();
    const char = this.text[this.at];
    if (char === "{") return this.object(depth);
    if (char === "[") return this.list(depth);
    if (char === '"') return this.string();
    for (const [word, value] of LITERALS) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.integer();
  }

  integer() {
    INTEGER.lastIndex = this.at;
    const found = INTEGER.exec(this.text);
    if (!found) this.fail("no value");
    this.at += found[0].length;
    if (/[.eE0-9]/.test(this.text[this.at] ?? "")) this.fail("not an integer");
    if (found[0].replace("-", "").length > 16 || found[0] === "-0") this.fail("no integer of 16 digits");
    return Number(found[0]);
  }

  string() {
    this.take('"');
    let result = "";
    for (;;) {
      const char = this.text[this.at];
      if (char === undefined || char < " ") this.fail("string without end");
      this.at += 1;
      if (char === '"') break;
      result += char === "\\" ? this.escape() : char;
    }
    if (!result.isWellFormed()) this.fail("half a character");
    return result;
  }

  escape() {
    const char = this.text[this.at];
    this.at += 1;
    if (char === "u") {
      const digits = this.text.slice(this.at, this.at + 4);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail("no escape");
      this.at += 4;
      return String.fromCharCode(parseInt(digits, 16));
    }
    if (!Object.hasOwn(ESCAPES, char)) this.fail("no escape");
    return ESCAPES[char];
  }

  /** Items between brackets, separated by commas. */
  items(close, item) {
    this.at += 1;
    this.skip();
    if (this.text[this.at] === close) {
      this.at += 1;
      return;
    }
    for (;;) {
      item();
      this.skip();
      if (this.text[this.at] === close) break;
      this.take(",");
    }
    this.at += 1;
  }

  list(depth) {
    const result = [];
    this.items("]", () => result.push(this.value(depth + 1)));
    return result;
  }

  object(depth) {
    const result = Object.create(null);
    this.items("}", () => {
      this.skip();
      const key = this.string();
      if (key in result) this.fail("a key stands twice");
      this.skip();
      this.take(":");
      result[key] = this.value(depth + 1);
    });
    return result;
  }
}

/** The value in `bytes`; objects have no prototype. Throws E_SIZE or E_JSON. */
export function parseJson(bytes, maxBytes = Infinity) {
  if (bytes.length > maxBytes) throw new Refused("E_SIZE");
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused("E_JSON", "not UTF-8");
  }
  const parser = new Parser(text);
  const value = parser.value(1);
  parser.skip();
  if (parser.at !== text.length) parser.fail("something follows");
  return value;
}

/** `value` as an object with exactly these keys, or `code`. */
export function closed(value, keys, code) {
  const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
  if (!isObject || Object.keys(value).length !== keys.length || !keys.every((key) => Object.hasOwn(value, key))) {
    throw new Refused(code, "keys");
  }
  return value;
}

/** Whether `value` is an integer within [low, high]. */
export const isInteger = (value, low, high) => Number.isInteger(value) && value >= low && value <= high;
