"""Known answers, walked in real Chromium by the very modules that the owner's phone runs."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page


pytestmark = pytest.mark.browser

VECTORS = Path(__file__).parents[1] / "vectors"

# What only the doorbell can know: its clock, its memory, its owner, its place, its footage.
DEVICE_CODES = {"E_EXPIRED", "E_FUTURE", "D_CLOCK", "E_FLOOD", "E_REPLAY"}

OPEN_WRAPS = """async (cases) => {
  const { hpkeOpen } = await import("/static/hpke.js");
  const { unb64, b64, hex } = await import("/static/bytes.js");
  const url = (text) => text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const results = [];
  for (const one of cases) {
    const jwk = { kty: "OKP", crv: "X25519", d: url(one.private), x: url(one.public) };
    const key = await crypto.subtle.importKey("jwk", jwk, { name: "X25519" }, false, ["deriveBits"]);
    try {
      results.push(b64(await hpkeOpen(key, unb64(one.public), unb64(one.wrap), unb64(one.info))));
    } catch (error) {
      results.push(error.code);
    }
  }
  return results;
}"""

OPEN_SEGMENTS = """async (cases) => {
  const { openSegment } = await import("/static/segment_file.js");
  const { unb64, sha256Hex } = await import("/static/bytes.js");
  const results = [];
  for (const one of cases) {
    try {
      results.push(await sha256Hex((await openSegment(unb64(one.file), unb64(one.cek))).mp4));
    } catch (error) {
      results.push(error.code);
    }
  }
  return results;
}"""

JOIN_CLIPS = """async (cases) => {
  const { openSegment } = await import("/static/segment_file.js");
  const { joinMp4 } = await import("/static/mp4.js");
  const { unb64, sha256Hex } = await import("/static/bytes.js");
  const results = [];
  for (const one of cases) {
    const films = [];
    for (const part of one.segments) films.push((await openSegment(unb64(part.file), unb64(part.cek))).mp4);
    results.push(await sha256Hex(joinMp4(films)));
  }
  return results;
}"""

CHECK_REQUESTS = """async ({ cases, directories }) => {
  const { checkRequest } = await import("/static/request_checks.js");
  const { unb64 } = await import("/static/bytes.js");
  const results = [];
  for (const one of cases) {
    const directory = one.directory === null ? null : directories[one.directory];
    try {
      const platform = directory?.platform ?? null;
      const agencies = directory?.agencies ?? {};
      const agency = Object.hasOwn(agencies, one.agency) ? agencies[one.agency] : undefined;
      const raw = unb64(one.raw);
      const padded = new Uint8Array(Math.max(raw.length, one.padded_to ?? 0)).fill(32);
      padded.set(raw);
      await checkRequest(padded, platform, agency);
      results.push("OK");
    } catch (error) {
      results.push(error.code ?? String(error));
    }
  }
  return results;
}"""

PAIRING = """async (vectors) => {
  const pairing = await import("/static/pairing.js");
  const { unb64, b64 } = await import("/static/bytes.js");
  const { inputs } = vectors;
  const keys = { signPub: unb64(inputs.sign_pub), openPub: unb64(inputs.open_pub) };
  const link = { secret: unb64(inputs.secret), spki: unb64(inputs.spki) };
  const links = vectors.links.map((one) => {
    try {
      const read = pairing.parseLink(one.link);
      return b64(read.secret) === inputs.secret && b64(read.spki) === inputs.spki;
    } catch {
      return false;
    }
  });
  const mac = await pairing.phoneMac(link, keys);
  const pair = vectors.pair.map((one) => one.mac === mac);
  const answer = [];
  for (const one of vectors.answer) {
    answer.push(await pairing.checkDeviceMac(link, keys, inputs.device, one.mac).then(() => true, () => false));
  }
  const key = await crypto.subtle.importKey("raw", keys.signPub, { name: "Ed25519" }, false, ["verify"]);
  const said = pairing.sessionBytes(link.spki, unb64(inputs.challenge));
  const session = [];
  for (const one of vectors.session) {
    session.push(await crypto.subtle.verify({ name: "Ed25519" }, key, unb64(one.sig), said));
  }
  return { links, pair, answer, session, code: await pairing.sixDigits(keys.signPub, keys.openPub) };
}"""

CHECKPOINTS = """async ({ cases, devicePub }) => {
  const { readCheckpoint } = await import("/static/checkpoint.js");
  const { unb64 } = await import("/static/bytes.js");
  const results = [];
  for (const one of cases) {
    results.push(await readCheckpoint(one.note, unb64(devicePub)).then(() => true, () => false));
  }
  return results;
}"""


def load(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((VECTORS / name).read_text())
    return value


def test_every_wrap_opens_or_is_refused_as_it_must(screen: Page) -> None:
    cases = load("wraps.json")["cases"]
    results = screen.evaluate(OPEN_WRAPS, cases)
    for case, result in zip(cases, results, strict=True):
        assert result == (case["plaintext"] if case["opens"] else "E_SEAL"), case["name"]


def test_every_segment_file_opens_or_is_refused_as_it_must(screen: Page) -> None:
    cases = load("segments.json")["cases"]
    results = screen.evaluate(OPEN_SEGMENTS, cases)
    for case, result in zip(cases, results, strict=True):
        if case["opens"]:
            assert result == case["sha256_plain"], case["name"]
        else:
            assert result in {"E_SEGMENT", "E_SIZE", "E_JSON"}, case["name"]


def test_every_clip_joins_to_its_film(screen: Page) -> None:
    cases = load("clips.json")["cases"]
    results = screen.evaluate(JOIN_CLIPS, cases)
    assert results == [case["joined_sha256"] for case in cases]


def agency_of(raw: str) -> str:
    """The agency that a request names, where it can be read at all."""
    try:
        payload = json.loads(base64.b64decode(json.loads(base64.b64decode(raw))["payload"]))
        return str(payload["agency"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "us-ca-examplepd"


def test_every_request_gets_the_code_that_its_signatures_and_payload_deserve(screen: Page) -> None:
    vectors = load("requests.json")
    cases = []
    for case in vectors["cases"]:
        state = vectors["defaults"] | case["state"]
        cases.append(case | {"directory": state["directory"], "agency": agency_of(case["raw"])})
    results = screen.evaluate(CHECK_REQUESTS, {"cases": cases, "directories": vectors["directories"]})
    wrong = []
    for case, result in zip(cases, results, strict=True):
        is_device_only = case["expect"] in DEVICE_CODES or case["expect"].startswith("I_")
        by_owner = case["expect"] == "E_LIMIT" and "owner's" in case["name"]
        right = {"OK"} if is_device_only or by_owner else set(case["accept"])
        if result not in right:
            wrong.append((case["name"], case["expect"], result))
    assert wrong == []
    assert len(results) > 500


def test_pairing_links_macs_sessions_and_digits(screen: Page) -> None:
    vectors = load("pairing.json")
    result = screen.evaluate(PAIRING, vectors)
    assert result["code"] == vectors["inputs"]["code"]
    for part in ("links", "pair", "answer", "session"):
        assert result[part] == [case["holds"] for case in vectors[part]], part


def test_checkpoints_of_the_log(screen: Page) -> None:
    vectors = load("log.json")
    cases = vectors["checkpoints"]
    assert screen.evaluate(CHECKPOINTS, {"cases": cases, "devicePub": vectors["device_pub"]}) == [
        case["holds"] for case in cases
    ]
