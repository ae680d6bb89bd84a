"""The owner's yes as a bundle carries it: protocol section 11.

A share names the request, the agency's key and each segment with its sealed key. It is signed by the approver's
phone, or by the button where no phone was used; a phone's share may carry the button's press as a second one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from agent.core.encoding import unb64
from agent.core.envelope import MAX_CONSENT_BYTES, Envelope, check_signature, payload_type
from agent.core.errors import RefusedError
from agent.core.ids import Id, Kid, Sha256, kid_of, sha256_hex
from agent.core.seal import WRAP_BYTES
from agent.core.strict_json import Json, parse
from agent.evidence.forms import (
    AGENCY,
    BASE64,
    COUNT,
    ID,
    KEY,
    KID,
    NAME,
    OBJECT,
    ONE,
    SHA256,
    TIME_MS,
    TIME_S,
    Form,
    list_of,
    nullable,
    octets,
    one_of,
    read,
)
from agent.evidence.request_scope import Request

MAX_SEGMENTS: Final = 512  # section 11
CLOCK_SLACK_S: Final = 300  # sections 7 and 11: how far a device's clock and a message may be apart

_CONSENT_FORM: Final[Form] = {
    "v": ONE,
    "id": ID,
    "decision": one_of("share", "decline"),
    "request": OBJECT,
    "agency": AGENCY,
    "enc_pub": KEY,
    "ep": NAME,
    "segments": list_of(OBJECT, 0, MAX_SEGMENTS),
    "contact": nullable(BASE64),
    "approver": KID,
    "channel": one_of("phone", "button", "console"),
    "nonce": NAME,
    "at": TIME_S,
    "prev": nullable(ID),
}
_REQUEST_FORM: Final[Form] = {"id": ID, "sha256": SHA256}
_SEGMENT_FORM: Final[Form] = {
    "id": ID,
    "sha256": SHA256,
    "bytes": COUNT,
    "start_ms": TIME_MS,
    "end_ms": TIME_MS,
    "wrap": octets(WRAP_BYTES),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """One segment that a share names, with its key sealed to the agency."""

    id: Id
    sha256: Sha256
    size_bytes: int
    start_ms: int
    end_ms: int
    wrap: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A verified yes; `pressed` says that the button's key signed it too."""

    id: Id
    sha256: Sha256
    approver: Kid
    channel: str
    pressed: bool
    at_s: int
    contact: bytes | None
    granted: tuple[Granted, ...]


def _granted(value: Json) -> Granted:
    item = read(value, _SEGMENT_FORM, "a granted segment")
    return Granted(
        id=Id(cast("str", item["id"])),
        sha256=Sha256(cast("str", item["sha256"])),
        size_bytes=cast("int", item["bytes"]),
        start_ms=cast("int", item["start_ms"]),
        end_ms=cast("int", item["end_ms"]),
        wrap=unb64(item["wrap"]),
    )


def verify_share(envelope: Envelope, phones: Mapping[Kid, bytes], button: bytes | None, request: Request) -> Share:
    """Verify every signature of a consent, then read it, then hold it against the request.

    Args:
        envelope: as the bundle carries it.
        phones: kid → raw sign key of the approvers that the submission names.
        button: the button's raw sign key, if the submission names one.
        request: the verified request.

    Raises:
        RefusedError: C_APPROVER, C_SIG, C_STALE, or what parsing and `check_signature` raise.
    """
    if envelope.payload_type != payload_type("consent"):
        raise RefusedError("E_TYPE", "what stands for a consent is none")
    button_kid = None if button is None else kid_of(button)
    for signature in envelope.signatures:
        public = button if signature.keyid == button_kid else phones.get(signature.keyid)
        if public is None:
            raise RefusedError("C_APPROVER", f"{signature.keyid} signed a consent and is no approver")
        check_signature(envelope, signature, public)
    item = read(parse(envelope.payload, max_bytes=MAX_CONSENT_BYTES), _CONSENT_FORM, "the consent")
    approver = Kid(cast("str", item["approver"]))
    channel = cast("str", item["channel"])
    _check_signers(frozenset(s.keyid for s in envelope.signatures), approver, channel, button_kid)
    _check_request(item, request)
    contact = item["contact"]
    share = Share(
        id=Id(cast("str", item["id"])),
        sha256=sha256_hex(envelope.payload),
        approver=approver,
        channel=channel,
        pressed=channel == "phone" and len(envelope.signatures) > 1,
        at_s=cast("int", item["at"]),
        contact=None if contact is None else unb64(contact),
        granted=tuple(_granted(entry) for entry in cast("list[Json]", item["segments"])),
    )
    if not share.granted or len({granted.id for granted in share.granted}) != len(share.granted):
        raise RefusedError("C_STALE", "a consent grants nothing, or one segment twice")
    if not request.issued_s - 2 * CLOCK_SLACK_S <= share.at_s < request.expires_s + CLOCK_SLACK_S:
        raise RefusedError("C_STALE", "a consent was given while the request was not alive")
    return share


def _check_signers(signers: frozenset[Kid], approver: Kid, channel: str, button: Kid | None) -> None:
    """The approver signed; a press may stand beside a phone, and nothing else does."""
    if approver not in signers:
        raise RefusedError("C_SIG", "the approver did not sign the consent")
    if channel == "phone":
        if approver == button or not signers <= {approver, button}:
            raise RefusedError("C_SIG", "a consent by phone is signed by another than that phone and the button")
    elif approver != button or signers != {approver}:
        raise RefusedError("C_SIG", f"a consent by {channel} is not signed by the button's key alone")


def _check_request(item: dict[str, Json], request: Request) -> None:
    if item["decision"] != "share":
        raise RefusedError("C_STATE", "the owner declined")
    named = read(item["request"], _REQUEST_FORM, "the consent's request")
    if named["id"] != request.id or named["sha256"] != request.sha256:
        raise RefusedError("C_STALE", "a consent answers another request")
    if (
        item["agency"] != request.agency
        or unb64(item["enc_pub"]) != request.enc_public
        or item["ep"] != request.endpoint
    ):
        raise RefusedError("C_STALE", "a consent names another agency, key or upload server than the request")
