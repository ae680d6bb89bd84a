# Invariant: whatever the bytes, `check_cancel` returns a Cancel or raises RefusedError with a code of section 7; a
# key of one agency never cancels in the name of another.
"""Fuzzes cancels: as messages, and as payloads that an agency or dispatch signs."""

from collections.abc import Iterator
from typing import Final

from agent.consent.notices import check_cancel
from agent.core.envelope import parse_envelope, sign
from agent.core.errors import RefusedError
from agent.core.strict_json import dump
from tests.consent.request_vectors import document, raw_of
from tests.fakes.consent_requests import AGENCY, DISPATCH, OTHER_AGENCY, OTHER_SIGN, SIGN, cancel, view

CODES: Final = frozenset(
    {"E_SIZE", "E_JSON", "E_ENVELOPE", "E_TYPE", "D_DIRECTORY", "E_SIG", "E_KEY", "E_SCHEMA", "E_TEXT"}
)
VIEW: Final = view()
KEYS: Final = {1: (SIGN, AGENCY), 2: (OTHER_SIGN, OTHER_AGENCY), 3: (DISPATCH, None)}


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: 0 and a message, or the number of a key and a payload."""
    for mode in KEYS:
        yield bytes([mode]) + dump(cancel())
    for case in document("notices.json")["cases"]:
        if case["kind"] == "cancel":
            yield b"\0" + raw_of(case)
            yield b"\1" + parse_envelope(raw_of(case), counts=(1, 2)).payload


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    mode, rest = data[:1], data[1:]
    key, owner = KEYS.get(mode[0] if mode else 0, (None, None))
    raw = rest if key is None else sign("cancel", rest, (key,))
    try:
        got = check_cancel(raw, view=VIEW)
    except RefusedError as refused:
        if refused.code not in CODES:
            raise AssertionError(f"{refused.code} can't come here") from refused
        return
    if owner is not None and got.agency != owner:
        raise AssertionError("a cancel in another agency's name")
