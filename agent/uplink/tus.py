"""Uploads over tus 1.0 and submissions: protocol section 13.

One call is one attempt; back-off, positions and state are the vault's. A server's answer can end an attempt
or make it start again, nothing else: what is sent where is decided by the directory and by the descriptor.
"""

import base64
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Final

from agent.core.envelope import MAX_SUBMISSION_BYTES
from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import Id, Sha256
from agent.uplink.addresses import MAX_PORT, HttpsAddress, is_host
from agent.uplink.https import Answer, HttpsSession, Peer
from agent.uplink.location import is_location, location_segment
from agent.uplink.sealed_fd import SealedFile

PEER: Final = Peer("upload", "the upload server")
VERSION: Final = {"Tus-Resumable": "1.0.0"}
PATCH_BYTES: Final = 262_144  # 17 s at 128 kbit/s, well inside PATCH_S
PATCH_S: Final = 120.0
SUBMISSION_S: Final = 300.0
DISCARD_S: Final = 300.0  # for all of a request's uploads: a server that is down must not hold a worker for hours
MAX_RECEIPT_BYTES: Final = 131_072  # 512 hashes in base64 are 50 kB
MAX_FRESH_STARTS: Final = 2
MAX_RESYNCS: Final = 3

_CREATED: Final = 201
_NO_CONTENT: Final = 204
_CONFLICT: Final = 409
_GONE: Final = (404, 410)
_SUBMITTED: Final = (200, 201)
_BASE: Final = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*", re.ASCII)
_OFFSET: Final = re.compile(r"[0-9]{1,15}", re.ASCII)


class _GoneError(Exception):
    """The server does not know this upload any more."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One segment on its way.

    Attributes:
        source: The sealed file.
        request: The request that it answers.
        segment: The segment's id.
        sha256: The file's hash.
        location: Where an earlier attempt got to, or None.
    """

    source: SealedFile
    request: Id
    segment: Id
    sha256: Sha256
    location: str | None


class Stop:
    """Stops what is under way, from another thread: at once, in the middle of a write."""

    def __init__(self) -> None:
        self._event = Event()
        self._abort: Callable[[], None] = lambda: None

    def set(self) -> None:
        """Stop now and for good."""
        self._event.set()
        self._abort()

    @contextmanager
    def over(self, session: HttpsSession) -> Iterator[None]:
        """Raise RefusedError (stopped) out of the block when `set` was called before or meanwhile."""
        self._abort = session.abort
        try:
            self.check()
            yield
        except TroubleError:
            self.check()
            raise
        finally:
            self._abort = lambda: None

    def check(self) -> None:
        """Raise RefusedError (stopped) if `set` was called."""
        if self._event.is_set():
            raise RefusedError("stopped", "the owner stopped this upload")


def endpoint_address(endpoint: object) -> HttpsAddress:
    """Read an endpoint `{host, port, base}` of `platform.json`.

    Raises:
        RefusedError: endpoint, when it is not of that form.
    """
    if isinstance(endpoint, Mapping) and endpoint.keys() == {"host", "port", "base"}:
        host, port, base = endpoint["host"], endpoint["port"], endpoint["base"]
        right_port = type(port) is int and 0 < port <= MAX_PORT
        if is_host(host) and right_port and isinstance(base, str) and _BASE.fullmatch(base):
            return HttpsAddress(host, port, base)
    raise RefusedError("endpoint", "this is no upload endpoint")


class TusClient:
    """Speaks to upload servers.

    Args:
        context: TLS as `agent.uplink.tls` makes it.
        private_addresses: `[platform] private_addresses`.
        patch_bytes: The most bytes of one PATCH.
    """

    def __init__(
        self, context: ssl.SSLContext, *, private_addresses: bool, patch_bytes: int = PATCH_BYTES
    ) -> None:
        self._context = context
        self._private_addresses = private_addresses
        self._patch_bytes = patch_bytes

    def upload(
        self,
        endpoint: HttpsAddress,
        upload: Upload,
        *,
        on_created: Callable[[str], None],
        on_progress: Callable[[int], None],
        stop: Stop,
    ) -> str:
        """Bring the whole file to the server, from where an earlier attempt left it; return its location.

        `on_created` is called with the location before the first byte goes there, `on_progress` with the bytes
        that the server has.

        Raises:
            RefusedError: stopped, segment, location, private-address, too-large.
            TroubleError: upload, for a failed attempt; the next one resumes.
        """
        location = upload.location
        with self._session(endpoint) as session, stop.over(session):
            for _ in range(MAX_FRESH_STARTS):
                try:
                    offset = 0 if location is None else _ask_offset(session, location, upload.source.length)
                    if location is None:
                        location = _create(session, upload)
                        on_created(location)
                    on_progress(offset)
                    self._send(session, location, upload.source, offset, on_progress, stop)
                except _GoneError:
                    location = None
                else:
                    return location
        raise PEER.trouble("forgets uploads as soon as they are made")

    def submit(self, endpoint: HttpsAddress, envelope: bytes) -> bytes:
        """Hand in a submission; return the answer's bytes, which the vault verifies as a receipt.

        Raises:
            RefusedError: too-large, private-address.
            TroubleError: upload, when the server does not take it.
        """
        if len(envelope) > MAX_SUBMISSION_BYTES:
            raise RefusedError("too-large", "the submission is too large")
        with self._session(endpoint) as session:
            answer = session.exchange(
                "POST",
                "/submissions",
                headers={"Content-Type": "application/json", "Content-Length": str(len(envelope))},
                body=envelope,
                max_answer_bytes=MAX_RECEIPT_BYTES,
                deadline_s=SUBMISSION_S,
            )
        if answer.status not in _SUBMITTED:
            raise PEER.trouble(f"does not take the submission ({answer.status})")
        return answer.body

    def discard(self, endpoint: HttpsAddress, locations: Sequence[str]) -> None:
        """Delete uploads; what the server does not know any more is deleted.

        Raises:
            RefusedError: location, private-address.
            TroubleError: upload, when one could not be deleted; the others were tried within `DISCARD_S`.
        """
        if not all(is_location(location) for location in locations):
            raise RefusedError("location", "this is no upload")
        failed: TroubleError | None = None
        ends_s = time.monotonic() + DISCARD_S
        with self._session(endpoint) as session:
            for location in locations:
                if time.monotonic() >= ends_s:
                    raise failed or PEER.trouble("deletes uploads too slowly")
                try:
                    answer = session.exchange("DELETE", f"/files/{location}", headers=VERSION)
                    if answer.status != _NO_CONTENT and answer.status not in _GONE:
                        raise PEER.trouble(f"does not delete an upload ({answer.status})")
                except TroubleError as trouble:
                    failed = trouble
        if failed is not None:
            raise failed

    def _session(self, endpoint: HttpsAddress) -> HttpsSession:
        return HttpsSession(endpoint, self._context, PEER, private_addresses=self._private_addresses)

    def _send(
        self,
        session: HttpsSession,
        location: str,
        source: SealedFile,
        offset: int,
        on_progress: Callable[[int], None],
        stop: Stop,
    ) -> None:
        for _ in range(MAX_RESYNCS):
            for at, part in source.parts(offset, self._patch_bytes):
                stop.check()
                if not _patch(session, location, at, part):
                    break
                on_progress(at + len(part))
            else:
                return
            offset = _ask_offset(session, location, source.length)
        raise PEER.trouble("does not agree on how much it has")


def _create(session: HttpsSession, upload: Upload) -> str:
    named = (("request", upload.request), ("segment", upload.segment), ("sha256", upload.sha256))
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in named)
    headers = {"Upload-Length": str(upload.source.length), "Upload-Metadata": metadata, "Content-Length": "0"}
    answer = session.exchange("POST", "/files/", headers={**VERSION, **headers})
    if answer.status != _CREATED:
        raise PEER.trouble(f"does not take an upload ({answer.status})")
    return location_segment(answer.headers.get("location", ""))


def _ask_offset(session: HttpsSession, location: str, length: int) -> int:
    """How much the server has.

    Raises:
        _GoneError: it does not know the upload, or knows one of another length.
        TroubleError: it says nothing usable.
    """
    if not is_location(location):
        raise _GoneError
    answer = session.exchange("HEAD", f"/files/{location}", headers=VERSION)
    if answer.status in _GONE:
        raise _GoneError
    if answer.status not in (200, _NO_CONTENT):
        raise PEER.trouble(f"does not say how much it has ({answer.status})")
    if "upload-length" in answer.headers and answer.headers["upload-length"] != str(length):
        raise _GoneError
    offset = _offset_of(answer)
    if offset is None or offset > length:
        raise PEER.trouble("does not say how much it has")
    return offset


def _patch(session: HttpsSession, location: str, offset: int, part: bytes) -> bool:
    """Send one part; False when the server is somewhere else and wants to be asked."""
    answer = session.exchange(
        "PATCH",
        f"/files/{location}",
        headers={
            **VERSION,
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(offset),
            "Content-Length": str(len(part)),
        },
        body=part,
        deadline_s=PATCH_S,
    )
    if answer.status in _GONE:
        raise _GoneError
    if answer.status == _CONFLICT:
        return False
    if answer.status != _NO_CONTENT:
        raise PEER.trouble(f"does not take a part ({answer.status})")
    return _offset_of(answer) == offset + len(part)


def _offset_of(answer: Answer) -> int | None:
    text = answer.headers.get("upload-offset", "")
    return int(text) if _OFFSET.fullmatch(text) else None
