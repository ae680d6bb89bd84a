"""What the upload server does with a submission: looks at its form, keeps the bundle, signs a receipt.

It judges the form only; whether the evidence holds is what `doorbell verify` says (protocol sections 13, 15).
"""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from agent.core.envelope import check_signature, parse_envelope, payload_type, sign
from agent.core.errors import RefusedError
from agent.core.ids import sha256_hex
from demo.agency import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from demo.keys import SignKey

MAX_BYTES = 4_194_304
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
        """
        payload_bytes, payload = _opened(raw)
        digest = sha256_hex(payload_bytes)
        if digest in self.receipts:
            return self.receipts[digest]
        segments = _named_segments(payload)
        request = json.loads(b64decode(payload["request"]["payload"]))["id"]
        files: dict[str, bytes] = {}
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

    def _write(self, request: str, raw: bytes, receipt: bytes, files: Mapping[str, bytes]) -> None:
        folder = self.bundle(request)
        (folder / "segments").mkdir(parents=True, exist_ok=True)
        for segment_id, body in files.items():
            (folder / "segments" / f"{segment_id}.seg").write_bytes(body)
        (folder / "submission.json").write_bytes(raw)
        (folder / "receipt.json").write_bytes(receipt)


def _opened(raw: bytes) -> tuple[bytes, dict[str, Any]]:
    """The verified payload of a submission that its own device key signed."""
    envelope = parse_envelope(raw, counts=(1,), max_bytes=MAX_BYTES, max_payload=MAX_BYTES)
    if envelope.payload_type != payload_type("submission"):
        raise RefusedError("form", "this is no submission")
    payload = json.loads(envelope.payload)
    if not isinstance(payload, dict) or payload.keys() != KEYS:
        raise RefusedError("form", "a submission has other keys")
    check_signature(envelope, envelope.signatures[0], b64decode(payload["device_pub"]))
    return envelope.payload, payload


def _named_segments(payload: dict[str, Any]) -> dict[str, str]:
    """Ids and hashes of the segments that the submission's consents share, in their order."""
    consents = [json.loads(b64decode(consent["payload"])) for consent in payload["consents"]]
    shared = [segment for consent in consents for segment in consent["segments"]]
    if not shared:
        raise RefusedError("form", "a submission shares at least one segment")
    return {segment["id"]: segment["sha256"] for segment in shared}
