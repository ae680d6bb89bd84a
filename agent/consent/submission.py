"""The submission that ends an upload: protocol section 13. Pure: parts in, payload bytes out.

It shows an agency and a court what they need and nothing more: the request, the owner's consent, who the
approver is by the log, the leaves with their proofs, and the directory under which all of it was decided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.core.encoding import b64
from agent.core.envelope import MAX_CONSENT_BYTES, MAX_SUBMISSION_BYTES
from agent.core.ids import Kid
from agent.core.strict_json import dump, parse


@dataclass(frozen=True, slots=True)
class ShownApprover:
    """A phone that approved; `n` is the log index of its pairing."""

    phone: Kid
    public: bytes
    n: int


@dataclass(frozen=True, slots=True)
class ShownLeaf:
    """A log entry with the proof that it is in the log of the checkpoint."""

    n: int
    entry: bytes
    proof: Sequence[bytes]


def build_submission(
    *,
    request: bytes,
    consents: Sequence[bytes],
    device_pub: bytes,
    button_pub: bytes | None,
    approvers: Sequence[ShownApprover],
    leaves: Sequence[ShownLeaf],
    checkpoint: str,
    directory: Mapping[str, bytes],
) -> bytes:
    """Return the submission's payload.

    Args:
        request: the request's envelope.
        consents: the envelope of the share that stands.
        device_pub: the device's raw key.
        button_pub: the button's, where it signed.
        approvers: the phones that signed.
        leaves: as section 13 lists them.
        checkpoint: the signed note that all proofs lead to.
        directory: files by their path below the directory's URL.
    """
    submission: dict[str, object] = {
        "v": 1,
        "request": parse(request, max_bytes=MAX_CONSENT_BYTES),
        "consents": [parse(consent, max_bytes=MAX_SUBMISSION_BYTES) for consent in consents],
        "device_pub": b64(device_pub),
        "button_pub": None if button_pub is None else b64(button_pub),
        "approvers": [{"phone": one.phone, "pub": b64(one.public), "n": one.n} for one in approvers],
        "leaves": [
            {"n": leaf.n, "entry": b64(leaf.entry), "proof": [b64(step) for step in leaf.proof]} for leaf in leaves
        ],
        "checkpoint": checkpoint,
        "directory": {path: b64(raw) for path, raw in directory.items()},
    }
    return dump(submission)
