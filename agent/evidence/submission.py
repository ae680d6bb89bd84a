"""The two files that a bundle is held together by: protocol section 13.

`submission.json` is signed by the device key that it names; `receipt.json` by the platform. Both are read
strictly, and nothing of them is believed before its claim holds.
"""

from dataclasses import dataclass
from typing import Final, cast

from agent.core.encoding import unb64
from agent.core.envelope import (
    MAX_CONSENT_BYTES,
    MAX_ENVELOPE_BYTES,
    MAX_PAYLOAD_BYTES,
    MAX_SUBMISSION_BYTES,
    Envelope,
    check_signature,
    parse_envelope,
    payload_type,
)
from agent.core.errors import RefusedError
from agent.core.ids import Id, Kid, Sha256, sha256_hex
from agent.core.strict_json import Json, dump, parse
from agent.evidence.forms import (
    BASE64,
    COUNT,
    ID,
    KEY,
    KID,
    OBJECT,
    ONE,
    SHA256,
    TIME_S,
    Form,
    list_of,
    nullable,
    read,
)
from agent.evidence.log_leaves import MAX_LEAVES, Leaf, parse_leaf
from agent.evidence.share import MAX_SEGMENTS

# 512 hashes of 64 digits and their quotes are 34 kB; as base64 in an envelope 46 kB.
MAX_RECEIPT_BYTES: Final = 65_536
MAX_CONSENTS: Final = 16
MAX_APPROVERS: Final = 16
MAX_PATHS: Final = 512
MAX_PATH: Final = 200

_SUBMISSION_FORM: Final[Form] = {
    "v": ONE,
    "request": OBJECT,
    "consents": list_of(OBJECT, 0, MAX_CONSENTS),
    "device_pub": KEY,
    "button_pub": nullable(KEY),
    "approvers": list_of(OBJECT, 0, MAX_APPROVERS),
    "leaves": list_of(OBJECT, 0, MAX_LEAVES),
    "checkpoint": lambda value: isinstance(value, str),
    "directory": lambda value: isinstance(value, dict) and len(value) <= MAX_PATHS,
}
_APPROVER_FORM: Final[Form] = {"phone": KID, "pub": KEY, "n": COUNT}
_RECEIPT_FORM: Final[Form] = {
    "v": ONE,
    "submission_sha256": SHA256,
    "request": ID,
    "segments": list_of(SHA256, 1, MAX_SEGMENTS),
    "received_at": TIME_S,
}


@dataclass(frozen=True, slots=True)
class Approver:
    """A phone that the device names as an approver, and the place of its pairing in the log."""

    phone: Kid
    public: bytes
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A submission whose own signature holds. What it carries is not verified yet."""

    sha256: Sha256
    request: Envelope
    consents: tuple[Envelope, ...]
    device: bytes
    button: bytes | None
    approvers: tuple[Approver, ...]
    leaves: tuple[Leaf, ...]
    checkpoint: str
    directory: dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a receipt says; `envelope` still waits for the directory's receipt key."""

    envelope: Envelope
    submission_sha256: Sha256
    request: Id
    segments: tuple[Sha256, ...]
    received_s: int


def _inner(value: Json, max_bytes: int, max_payload: int, counts: tuple[int, ...]) -> Envelope:
    return parse_envelope(dump(value), counts=counts, max_bytes=max_bytes, max_payload=max_payload)


def _approver(value: Json) -> Approver:
    item = read(value, _APPROVER_FORM, "an approver")
    return Approver(Kid(cast("str", item["phone"])), unb64(item["pub"]), cast("int", item["n"]))


def _directory(value: Json) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for path, content in cast("dict[str, Json]", value).items():
        if len(path) > MAX_PATH or not BASE64(content):
            raise RefusedError("E_SCHEMA", "the submission: a file of the directory has the wrong form")
        files[path] = unb64(content)
    return files


def parse_submission(raw: bytes) -> Submission:
    """Parse `submission.json` and verify that the device which it names signed it.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_ENVELOPE, E_TYPE, E_SCHEMA, E_KEY, E_SIG.
    """
    envelope = parse_envelope(raw, counts=(1,), max_bytes=MAX_SUBMISSION_BYTES, max_payload=MAX_SUBMISSION_BYTES)
    if envelope.payload_type != payload_type("submission"):
        raise RefusedError("E_TYPE", "submission.json is no submission")
    item = read(parse(envelope.payload, max_bytes=MAX_SUBMISSION_BYTES), _SUBMISSION_FORM, "the submission")
    device = unb64(item["device_pub"])
    check_signature(envelope, envelope.signatures[0], device)
    button = item["button_pub"]
    return Submission(
        sha256=sha256_hex(envelope.payload),
        request=_inner(item["request"], MAX_ENVELOPE_BYTES, MAX_PAYLOAD_BYTES, (1, 2)),
        consents=tuple(
            _inner(value, MAX_CONSENT_BYTES, MAX_CONSENT_BYTES, (1, 2))
            for value in cast("list[Json]", item["consents"])
        ),
        device=device,
        button=None if button is None else unb64(button),
        approvers=tuple(_approver(value) for value in cast("list[Json]", item["approvers"])),
        leaves=tuple(parse_leaf(value) for value in cast("list[Json]", item["leaves"])),
        checkpoint=cast("str", item["checkpoint"]),
        directory=_directory(item["directory"]),
    )


def parse_receipt(raw: bytes) -> Receipt:
    """Parse `receipt.json`. Its signature can only be judged once the directory is known.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_ENVELOPE, E_TYPE, E_SCHEMA.
    """
    envelope = parse_envelope(raw, counts=(1,), max_bytes=MAX_RECEIPT_BYTES, max_payload=MAX_RECEIPT_BYTES)
    if envelope.payload_type != payload_type("receipt"):
        raise RefusedError("E_TYPE", "receipt.json is no receipt")
    item = read(parse(envelope.payload, max_bytes=MAX_RECEIPT_BYTES), _RECEIPT_FORM, "the receipt")
    return Receipt(
        envelope=envelope,
        submission_sha256=Sha256(cast("str", item["submission_sha256"])),
        request=Id(cast("str", item["request"])),
        segments=tuple(Sha256(cast("str", value)) for value in cast("list[Json]", item["segments"])),
        received_s=cast("int", item["received_at"]),
    )
