# Invariant: whatever the bytes, the directory's parsers return a file or raise RefusedError with E_SIZE, E_JSON,
# E_SCHEMA or E_TEXT; what they return is text that may be shown, and a key verifies only under its own kid.
"""Fuzzes the target files of the directory, as a platform could write them."""

from collections.abc import Iterator
from typing import Final

from agent.consent.directory import parse_agency, parse_platform, parse_region
from agent.consent.directory_keys import SignKey
from agent.core.errors import RefusedError
from agent.core.ids import kid_of
from agent.core.keys import is_weak
from agent.core.strict_json import dump
from agent.core.text import MAX_DIRECTORY_TEXT, is_text
from tests.consent.request_vectors import document
from tests.fakes.consent_requests import AGENCY, agency_file, platform_file, region_file

CODES: Final = frozenset({"E_SIZE", "E_JSON", "E_SCHEMA", "E_TEXT"})


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: 0 and a platform's file, 1 and an agency's, 2 and a region's."""
    yield b"\0" + dump(platform_file())
    yield b"\1" + dump(agency_file())
    yield b"\2" + dump(region_file())
    for directory in document("requests.json")["directories"].values():
        yield b"\0" + dump(directory["platform"])
        yield from (b"\1" + dump(value) for value in directory["agencies"].values() if value is not None)


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    mode, rest = data[:1], data[1:]
    try:
        texts, keys = _parsed(mode, rest)
    except RefusedError as refused:
        if refused.code not in CODES:
            raise AssertionError(f"{refused.code} can't come here") from refused
        return
    if not all(is_text(text, limit=MAX_DIRECTORY_TEXT) for text in texts):
        raise AssertionError("text that may not be shown")
    if any(key.verifier is not None and (kid_of(key.pub) != key.kid or is_weak(key.pub)) for key in keys):
        raise AssertionError("a weak or misnamed key that verifies")


def _parsed(mode: bytes, raw: bytes) -> tuple[list[str], tuple[SignKey, ...]]:
    if mode == b"\0":
        platform = parse_platform(raw)
        return [platform.name], platform.dispatch + platform.receipt
    if mode == b"\1":
        agency = parse_agency(raw, AGENCY)
        texts = [agency.name, agency.country, agency.region, agency.contact_phone, agency.contact_web]
        return texts, agency.sign
    return [item.name for item in parse_region(raw, "9q8").agencies], ()
