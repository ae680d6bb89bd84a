// The page's duty (protocol section 10): believe nothing about a request that its two signatures do not carry.
// The numbers are those of the checks in section 7, in their order; 10 to 15 are the doorbell's own.

import { isId, kidOf, sha256Hex, unb64 } from "./bytes.js";
import { checkSignature, parseEnvelope, payloadType } from "./dsse.js";
import { areaM2, demandArea } from "./geo.js";
import { demand, Refused } from "./refused.js";
import { closed, isInteger, parseJson } from "./strict_json.js";
import { isText, MAX_DIRECTORY_TEXT } from "./text_rules.js";
import { demandStrongOpenKey, demandStrongSignKey } from "./weak_keys.js";

const MAX = 1e16 - 1;
const KEYS = [
  "v", "id", "agency", "case", "incident", "officer", "text", "area", "from", "to", "iat", "exp", "enc_pub", "ep",
  "dirv",
];
const FORMS = {
  agency: /^[a-z0-9][a-z0-9-]{1,62}[a-z0-9]$/,
  case: /^[A-Z0-9][A-Z0-9 ./_-]{1,38}[A-Z0-9]$/,
  incident: /^[a-z][a-z-]{2,31}$/,
};
const CEILINGS = { area_m2: 1_300_000, window_s: 43_200, lookback_s: 2_592_000, ttl_s: 604_800 };
const FLOOR_M2 = 65_000;

const has = (value, pattern) => typeof value === "string" && pattern.test(value);
const isKey32 = (value) => {
  try {
    return unb64(value, 32).length === 32;
  } catch {
    return false;
  }
};

/** The usable key of a directory list under `kid`: neither misnamed nor weak. `null`: none there, E_KEY: unusable. */
async function keyNamed(list, kid, demandStrong) {
  const named = list.filter((key) => key.kid === kid);
  if (named.length === 0) return null;
  for (const key of named) {
    const pub = unb64(key.pub, 32);
    try {
      demandStrong(pub);
    } catch {
      continue;
    }
    if ((await kidOf(pub)) === kid) return { ...key, raw: pub };
  }
  throw new Refused("E_KEY", "a weak or misnamed key");
}

const validAt = (key, t) => key.nbf <= t && t < key.exp;

/** 5: keys, types and forms (E_SCHEMA), then texts (E_TEXT), then the area (E_AREA). */
function checkPayload(raw) {
  const p = closed(parseJson(raw, 16384), KEYS, "E_SCHEMA");
  demand(p.v === 1 && isId(p.id), "E_SCHEMA", "v or id");
  for (const [name, form] of Object.entries(FORMS)) demand(has(p[name], form), "E_SCHEMA", name);
  closed(p.officer, ["name", "badge"], "E_SCHEMA");
  demand(typeof p.officer.name === "string" && has(p.officer.badge, /^[A-Za-z0-9-]{1,16}$/), "E_SCHEMA", "officer");
  demand(typeof p.text === "string", "E_SCHEMA", "text");
  for (const name of ["from", "to", "iat", "exp", "dirv"]) demand(isInteger(p[name], 0, MAX), "E_SCHEMA", name);
  demand(isKey32(p.enc_pub), "E_SCHEMA", "enc_pub");
  demand(has(p.ep, /^[\x21-\x7e]{1,64}$/), "E_SCHEMA", "ep");
  demand(isText(p.officer.name, 80, { oneScript: true }), "E_TEXT", "officer");
  demand(isText(p.text, 1000, { lines: 12 }), "E_TEXT", "text");
  demandArea(p.area);
  return p;
}

/** 8: what is answered goes to a key and an endpoint of this very agency. */
async function checkReply(p, agency, platform) {
  const pub = unb64(p.enc_pub, 32);
  const key = agency.enc.find((entry) => entry.pub === p.enc_pub);
  demand(key !== undefined && key.kid === (await kidOf(pub)), "E_REPLY", "enc_pub");
  try {
    demandStrongOpenKey(pub);
  } catch {
    throw new Refused("E_REPLY", "weak enc_pub");
  }
  demand(validAt(key, p.iat), "E_REPLY", "enc_pub out of time");
  demand(agency.endpoints.includes(p.ep) && Object.hasOwn(platform.endpoints, p.ep), "E_REPLY", "endpoint");
  demand(platform.incidents.includes(p.incident), "E_SCHEMA", "incident");
}

/** 9: order of times, the area's floor, ceilings lowered by the directory. */
function checkLimits(p, limits) {
  demand(p.from < p.to && p.to <= p.iat && p.iat < p.exp, "E_ORDER");
  const most = (name) => Math.min(CEILINGS[name], limits[name]);
  const area = areaM2(p.area);
  demand(area >= FLOOR_M2 && area <= most("area_m2"), "E_LIMIT", "area");
  demand(p.to - p.from <= most("window_s"), "E_LIMIT", "window");
  demand(p.iat - p.from <= most("lookback_s"), "E_LIMIT", "look-back");
  demand(p.exp - p.iat <= most("ttl_s"), "E_LIMIT", "life");
}

/** `{payload, sha256}` of a request envelope that passed checks 1 to 9 under these directory files. */
export async function checkRequest(raw, platform, agency) {
  const envelope = parseEnvelope(raw, { count: 2 }); // 1, 2
  demand(envelope.type === payloadType("request"), "E_TYPE"); // 3
  demand(platform !== null, "D_DIRECTORY");
  const listed = envelope.signatures.filter((one) => platform.dispatch.some((key) => key.kid === one.keyid));
  demand(listed.length > 0, "D_DIRECTORY", "no dispatch key"); // 4
  demand(listed.length === 1, "E_SIG", "two dispatch keys");
  const dispatchKey = await keyNamed(platform.dispatch, listed[0].keyid, demandStrongSignKey);
  await checkSignature(envelope, listed[0], dispatchKey.raw);
  const payload = checkPayload(envelope.payload); // 5
  demand(platform.version >= payload.dirv, "D_DIRECTORY", "older than the request asks for"); // 6
  demand(agency !== undefined, "D_DIRECTORY", "the agency was not looked up"); // 7
  const known = agency !== null && agency.id === payload.agency && agency.status === "active";
  demand(known, "E_AGENCY");
  const other = envelope.signatures.find((one) => one !== listed[0]);
  const agencyKey = await keyNamed(agency.sign, other.keyid, demandStrongSignKey);
  demand(agencyKey !== null, "E_SIG", "not a key of this agency");
  await checkSignature(envelope, other, agencyKey.raw); // 8
  demand(validAt(dispatchKey, payload.iat) && validAt(agencyKey, payload.iat), "E_KEY", "out of time");
  await checkReply(payload, agency, platform);
  checkLimits(payload, agency.limits); // 9
  return { payload, sha256: await sha256Hex(envelope.payload) };
}

/** Throw E_TEXT unless what a directory file would show is text that may be shown. */
export function demandShowable(agency, platform) {
  const isShowable = (text) => isText(text, MAX_DIRECTORY_TEXT);
  demand(isShowable(agency.name) && isShowable(platform.name), "E_TEXT", "a name in the directory");
  const { phone, web } = agency.contact ?? {};
  for (const line of [phone, web]) demand(line === undefined || isShowable(line), "E_TEXT", "contact");
}
