# Invariant: whatever the bytes, `check_alert` returns an Alert or raises RefusedError with a code of section 7;
# what it returns is text that may be shown, of a category that there is, in time, and only dispatch signed it.
"""Fuzzes alerts: as messages, and as payloads that dispatch or an agency signs."""

from collections.abc import Iterator
from typing import Final

from agent.consent.notices import check_alert
from agent.core.envelope import parse_envelope, sign
from agent.core.errors import RefusedError
from agent.core.geo import contains
from agent.core.strict_json import dump
from agent.core.text import is_text
from tests.consent.request_vectors import document, raw_of
from tests.fakes.consent_requests import CAMERA, DISPATCH, NOW_S, SIGN, alert, view

CODES: Final = frozenset(
    {
        *("E_SIZE", "E_JSON", "E_ENVELOPE", "E_TYPE", "D_DIRECTORY", "E_SIG", "E_KEY", "E_SCHEMA", "E_TEXT"),
        *("E_AREA", "E_ORDER", "E_LIMIT", "E_EXPIRED", "E_FUTURE", "I_NO_AREA"),
    }
)
VIEW: Final = view()


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: 0 and a message, 1 and a payload for dispatch, 2 and one for an agency."""
    yield b"\1" + dump(alert())
    yield b"\2" + dump(alert())
    for case in document("notices.json")["cases"]:
        if case["kind"] == "alert":
            yield b"\0" + raw_of(case)
            yield b"\1" + parse_envelope(raw_of(case), counts=(1, 2)).payload


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    mode, rest = data[:1], data[1:]
    key = {b"\1": DISPATCH, b"\2": SIGN}.get(mode)
    raw = rest if key is None else sign("alert", rest, (key,))
    try:
        got = check_alert(
            raw, view=VIEW, now_s=NOW_S, trusted=True, camera=CAMERA, seen=(), muted=False, shown_24h=0
        )
    except RefusedError as refused:
        if refused.code not in CODES:
            raise AssertionError(f"{refused.code} can't come here") from refused
        return
    if key is SIGN:
        raise AssertionError("an alert that dispatch did not sign")
    if not (is_text(got.title, limit=80) and is_text(got.text, limit=1_000, lines=12)):
        raise AssertionError("text that may not be shown")
    if got.category not in VIEW.platform.incidents or not contains(got.area, CAMERA):
        raise AssertionError("an alert of another category or place")
    if not got.iat_s - 300 <= NOW_S < got.exp_s <= got.iat_s + 604_800:
        raise AssertionError("an alert out of time")
