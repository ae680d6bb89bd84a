"""A house with an owner: phones, a button, an agency, segments, and consents that are good unless changed.

Everything derives from fixed seeds, so that a failing case is the same in every run. These are test keys.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.consent.consent_form import RequestRef, SegmentRef
from agent.consent.console import ButtonKeys
from agent.consent.decision_facts import DecisionFacts
from agent.consent.nonces import Nonces
from agent.consent.phones import Phone, PhoneState
from agent.consent.release import Standing
from agent.consent.states import State
from agent.core.encoding import b64
from agent.core.envelope import sign
from agent.core.ids import Id, Kid, Sha256, kid_of, sha256_hex
from agent.core.keys import raw_public
from agent.core.seal import grant_info, hpke_seal, stanza_info
from agent.core.strict_json import dump

NOW_S = 1_800_000_000
NOW_NS = 10**12


def seed(name: str, size: int = 32) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:size]


def an_id(name: str) -> Id:
    return Id(seed(name).hex()[:32])


@dataclass(frozen=True)
class TestPhone:
    """A phone with its private keys."""

    __test__ = False
    name: str
    state: PhoneState

    @property
    def sign_key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(seed(f"{self.name} sign, a test key"))

    @property
    def open_key(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(seed(f"{self.name} open, a test key"))

    @property
    def sign_pub(self) -> bytes:
        return raw_public(self.sign_key)

    @property
    def kid(self) -> Kid:
        return kid_of(self.sign_pub)

    @property
    def known(self) -> Phone:
        return Phone(kid=self.kid, sign_pub=self.sign_pub, state=self.state)


ANNA = TestPhone("anna", PhoneState.ADMITTED)
BEN = TestPhone("ben", PhoneState.ADMITTED)
GUEST = TestPhone("guest", PhoneState.WAITING)
LOST = TestPhone("lost", PhoneState.UNPAIRED)
STRANGER = TestPhone("stranger", PhoneState.ADMITTED)  # never paired; not in the house

BUTTON = ButtonKeys(
    Ed25519PrivateKey.from_private_bytes(seed("button sign, a test key")),
    X25519PrivateKey.from_private_bytes(seed("button open, a test key")),
)
AGENCY_ENC = X25519PrivateKey.from_private_bytes(seed("agency enc, a test key"))


def a_segment(n: int) -> SegmentRef:
    start_ms = (NOW_S - 600) * 1000 + n * 4000
    return SegmentRef(
        id=an_id(f"segment {n}"),
        sha256=sha256_hex(f"segment {n}".encode()),
        size_bytes=100_000 + n,
        start_ms=start_ms,
        end_ms=start_ms + 4000,
    )


def cek_of(segment: SegmentRef) -> bytes:
    return seed(f"cek {segment.id}", 16)


REQUEST = RequestRef(
    id=an_id("request"),
    sha256=Sha256(sha256_hex(b"request")),
    agency="us-ca-examplepd",
    enc_pub=raw_public(AGENCY_ENC),
    endpoint="ep1",
)
SEGMENTS = tuple(a_segment(n) for n in range(3))


@dataclass
class House:
    """What the vault knows, and consents as a phone would make them."""

    nonces: Nonces = field(default_factory=Nonces)

    def facts(self, **change: Any) -> DecisionFacts:
        """Return the facts of a request that waits for the owner, with `change`."""
        facts = DecisionFacts(
            state=State.PENDING,
            request=REQUEST,
            segments=SEGMENTS,
            phones={phone.kid: phone.known for phone in (ANNA, BEN, GUEST, LOST)},
            button_pub=raw_public(BUTTON.sign_key),
            nonces=self.nonces,
            declined=None,
            now_ns=NOW_NS,
            now_s=NOW_S,
            trusted=True,
            timestamp_fresh=True,
            approvals_today=0,
            daily_approvals=3,
        )
        return replace(facts, **change)

    def standing(self, **change: Any) -> Standing:
        """Return what is true when the grace time of 60 s is just over, with `change`."""
        facts = self.facts()
        standing = Standing(
            state=State.GRACE,
            request=facts.request,
            segments=facts.segments,
            phones=facts.phones,
            button_pub=facts.button_pub,
            button_required=False,
            recheck=None,
            grace_since_ns=NOW_NS,
            grace_ns=60 * 10**9,
            now_ns=NOW_NS + 60 * 10**9,
        )
        return replace(standing, **change)

    def payload(self, phone: TestPhone = ANNA, *, decision: str = "share", **change: Any) -> dict[str, Any]:
        """Return the payload of a good consent by `phone`, with `change`; ... takes a field out."""
        payload: dict[str, Any] = {
            "v": 1,
            "id": an_id("consent"),
            "decision": decision,
            "request": {"id": REQUEST.id, "sha256": REQUEST.sha256},
            "agency": REQUEST.agency,
            "enc_pub": b64(REQUEST.enc_pub),
            "ep": REQUEST.endpoint,
            "segments": [named(segment) for segment in SEGMENTS] if decision == "share" else [],
            "contact": None,
            "approver": phone.kid,
            "channel": "phone",
            "nonce": change.pop("nonce", None) or self.nonces.issue(phone.kid, REQUEST.id, NOW_NS),
            "at": NOW_S,
            "prev": None,
        }
        return {name: value for name, value in (payload | change).items() if value is not ...}

    def consent(self, phone: TestPhone = ANNA, *, decision: str = "share", **change: Any) -> bytes:
        """Return a good consent by `phone`, with `change`."""
        return envelope(self.payload(phone, decision=decision, **change), phone.sign_key)


def named(segment: SegmentRef, **change: Any) -> dict[str, Any]:
    """Return a segment as a consent names it, wrapped to the agency, with `change`."""
    wrap = hpke_seal(REQUEST.enc_pub, cek_of(segment), grant_info(REQUEST.sha256, segment.sha256))
    item = {
        "id": segment.id,
        "sha256": segment.sha256,
        "bytes": segment.size_bytes,
        "start_ms": segment.start_ms,
        "end_ms": segment.end_ms,
        "wrap": b64(wrap),
    }
    return item | change


def envelope(payload: Mapping[str, Any], key: Ed25519PrivateKey, name: str = "consent") -> bytes:
    return sign(name, dump(payload), [key])


def button_stanzas(segments: tuple[SegmentRef, ...] = SEGMENTS) -> dict[Id, bytes]:
    """Return what the recorder sealed to the button's open key."""
    public = raw_public(BUTTON.open_key)
    return {
        segment.id: hpke_seal(public, cek_of(segment), stanza_info(segment.id, BUTTON.open_kid))
        for segment in segments
    }
