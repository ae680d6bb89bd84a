"""What a consent says: the payload of protocol section 11, parsed once into frozen types.

Only form is judged here (E_JSON, E_SCHEMA). Whether it is true, current and allowed is for `consents`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agent.consent.forms import (
    AGENCY,
    formed,
    id_form,
    integer,
    key_bytes,
    kid_form,
    octets,
    one_of,
    sha256_form,
    short,
    version_1,
)
from agent.core.envelope import MAX_CONSENT_BYTES
from agent.core.errors import RefusedError
from agent.core.ids import Id, Kid, Sha256
from agent.core.strict_json import Json, closed, parse

MAX_SEGMENTS: Final = 512  # section 11
MAX_NONCE: Final = 128  # a nonce is opaque; ours are 32 characters
MAX_ENDPOINT: Final = 64
MAX_WRAP_FORM_BYTES: Final = 1024  # C_WRAP says that a wrap is 64 bytes; this only bounds the form
# Four texts of 80 code points, each at worst two \uXXXX escapes of 6 bytes, with their keys, sealed.
MIN_CONTACT_BYTES: Final = 48
MAX_CONTACT_BYTES: Final = 4_096

_KEYS: Final = frozenset(
    {"v", "id", "decision", "request", "agency", "enc_pub", "ep", "segments", "contact", "approver"}
    | {"channel", "nonce", "at", "prev"}
)
_REQUEST_KEYS: Final = frozenset({"id", "sha256"})
_SEGMENT_KEYS: Final = frozenset({"id", "sha256", "bytes", "start_ms", "end_ms", "wrap"})


class Decision(StrEnum):
    """What the owner decided."""

    SHARE = "share"
    DECLINE = "decline"


class Channel(StrEnum):
    """How the owner decided; button and console sign with the button's key."""

    PHONE = "phone"
    BUTTON = "button"
    CONSOLE = "console"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRef:
    """A stored segment as a consent names it; times as its meta recorded them."""

    id: Id
    sha256: Sha256
    size_bytes: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Grant:
    """A segment with its key, sealed to the agency."""

    segment: SegmentRef
    wrap: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRef:
    """What a consent must repeat of the request that it answers; `sha256` is of the request's payload."""

    id: Id
    sha256: Sha256
    agency: str
    enc_pub: bytes
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentForm:
    """A well-formed payload. `request` is what it claims to answer."""

    id: Id
    decision: Decision
    request: RequestRef
    grants: tuple[Grant, ...]
    contact: bytes | None
    approver: Kid
    channel: Channel
    nonce: str
    at_s: int
    prev: Id | None

    @property
    def shares(self) -> bool:
        """Whether footage is to leave."""
        return self.decision is Decision.SHARE


def _grant(value: Json) -> Grant:
    item = closed(value, _SEGMENT_KEYS, "E_SCHEMA", "a segment")
    segment = SegmentRef(
        id=id_form(item["id"], "segment id"),
        sha256=sha256_form(item["sha256"], "segment sha256"),
        size_bytes=integer(item["bytes"], "segment bytes"),
        start_ms=integer(item["start_ms"], "start_ms"),
        end_ms=integer(item["end_ms"], "end_ms"),
    )
    return Grant(segment, octets(item["wrap"], "wrap", low=0, high=MAX_WRAP_FORM_BYTES))


def _grants(value: Json, decision: Decision) -> tuple[Grant, ...]:
    wanted = range(1, MAX_SEGMENTS + 1) if decision is Decision.SHARE else range(1)
    if not isinstance(value, list) or len(value) not in wanted:
        raise RefusedError("E_SCHEMA", "segments: 1 to 512 for a share, none for a decline")
    return tuple(_grant(item) for item in value)


def parse_consent(payload: bytes) -> ConsentForm:
    """Parse a consent's payload.

    Raises:
        RefusedError: E_JSON, E_SCHEMA.
    """
    item = closed(parse(payload, max_bytes=MAX_CONSENT_BYTES), _KEYS, "E_SCHEMA", "the consent")
    version_1(item["v"])
    decision = Decision(one_of(item["decision"], "decision", frozenset(Decision)))
    asked = closed(item["request"], _REQUEST_KEYS, "E_SCHEMA", "request")
    contact = item["contact"]
    return ConsentForm(
        id=id_form(item["id"], "id"),
        decision=decision,
        request=RequestRef(
            id=id_form(asked["id"], "request id"),
            sha256=sha256_form(asked["sha256"], "request sha256"),
            agency=formed(item["agency"], AGENCY, "agency"),
            enc_pub=key_bytes(item["enc_pub"], "enc_pub"),
            endpoint=short(item["ep"], "ep", limit=MAX_ENDPOINT),
        ),
        grants=_grants(item["segments"], decision),
        contact=None
        if contact is None
        else octets(contact, "contact", low=MIN_CONTACT_BYTES, high=MAX_CONTACT_BYTES),
        approver=kid_form(item["approver"], "approver"),
        channel=Channel(one_of(item["channel"], "channel", frozenset(Channel))),
        nonce=short(item["nonce"], "nonce", limit=MAX_NONCE),
        at_s=integer(item["at"], "at"),
        prev=None if item["prev"] is None else id_form(item["prev"], "prev"),
    )
