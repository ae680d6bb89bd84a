"""What the upload server does with a submission: looks at its form, keeps the bundle, signs a receipt.

It judges the form only; whether the evidence holds is what `doorbell verify` says (protocol sections 13, 15).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.core.encoding import unb64
from agent.core.envelope import MAX_SUBMISSION_BYTES, check_signature, parse_envelope, payload_type, sign
from agent.core.errors import RefusedError
from agent.core.ids import Id, Sha256, is_id, is_sha256, sha256_hex
from agent.core.strict_json import parse
from demo.agency import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from demo.keys import SignKey

KEYS = {
    "v",
    "request",
    "consents",
    "device_pub",
    "button_pub",
    "approvers",
    "leaves",
    "checkpoint",
    "directory",
}


class Submissions:
    """Keeps bundles in `folder`, one for each request.

    Args:
        folder: Where bundles are written: `<folder>/<request id>/`.
        receipt_key: Signs receipts.
        segment: Gives the bytes of a complete upload by its SHA-256, or None.
        now_s: The platform's clock, unix seconds.
    """

    def __init__(
        self,
        folder: Path,
        receipt_key: SignKey,
        segment: Callable[[str], bytes | None],
        now_s: Callable[[], int],
    ) -> None:
        self.folder = folder
        self.receipt_key = receipt_key
        self.receipts: dict[str, bytes] = {}
        self._segment = segment
        self._now_s = now_s

    def take(self, raw: bytes) -> bytes:
        """Keep the bundle and return the receipt; the same submission gets the same receipt.

        Raises:
            RefusedError: it is no submission, or a segment that it names was not uploaded.
            ValueError, KeyError, TypeError: something in it has another form.
        """
        payload_bytes, payload = _opened(raw)
        digest = sha256_hex(payload_bytes)
        if digest in self.receipts:
            return self.receipts[digest]
        segments = _named_segments(payload)
        request = _id(_inner(payload["request"])["id"])
        files: dict[Id, bytes] = {}
        for segment_id, segment_sha256 in segments.items():
            body = self._segment(segment_sha256)
            if body is None:
                raise RefusedError("missing", f"segment {segment_id} was not uploaded")
            files[segment_id] = body
        receipt = {
            "v": 1,
            "submission_sha256": digest,
            "request": request,
            "segments": list(segments.values()),
            "received_at": self._now_s(),
        }
        envelope = sign("receipt", to_json(receipt), [self.receipt_key.private])
        self._write(request, raw, envelope, files)
        self.receipts[digest] = envelope
        return envelope

    def bundle(self, request: str) -> Path:
        """Where the bundle of a request is, or will be."""
        return self.folder / request

    def _write(self, request: Id, raw: bytes, receipt: bytes, files: Mapping[Id, bytes]) -> None:
        folder = self.bundle(request)
        (folder / "segments").mkdir(parents=True, exist_ok=True)
        for segment_id, body in files.items():
            (folder / "segments" / f"{segment_id}.seg").write_bytes(body)
        (folder / "submission.json").write_bytes(raw)
        (folder / "receipt.json").write_bytes(receipt)


def _opened(raw: bytes) -> tuple[bytes, dict[str, Any]]:
    """The verified payload of a submission that its own device key signed."""
    envelope = parse_envelope(raw, counts=(1,), max_bytes=MAX_SUBMISSION_BYTES, max_payload=MAX_SUBMISSION_BYTES)
    if envelope.payload_type != payload_type("submission"):
        raise RefusedError("form", "this is no submission")
    payload = parse(envelope.payload, max_bytes=MAX_SUBMISSION_BYTES)
    if not isinstance(payload, dict) or payload.keys() != KEYS:
        raise RefusedError("form", "a submission has other keys")
    check_signature(envelope, envelope.signatures[0], unb64(payload["device_pub"]))
    return envelope.payload, payload


def _inner(envelope: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """The payload of an envelope in the submission, unverified."""
    return parse(unb64(envelope["payload"]), max_bytes=MAX_SUBMISSION_BYTES)


def _id(value: object) -> Id:
    """An id: it becomes the name of a file, so it may be nothing else."""
    if not is_id(value):
        raise RefusedError("form", "an id in the submission is none")
    return value


def _named_segments(payload: dict[str, Any]) -> dict[Id, Sha256]:
    """Ids and hashes of the segments that the submission's consents share, in their order."""
    shared = [segment for consent in payload["consents"] for segment in _inner(consent)["segments"]]
    if not shared:
        raise RefusedError("form", "a submission shares at least one segment")
    if not all(is_sha256(segment["sha256"]) for segment in shared):
        raise RefusedError("form", "a hash in the submission is none")
    return {_id(segment["id"]): segment["sha256"] for segment in shared}
