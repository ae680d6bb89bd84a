"""A small upload server: tus 1.0 with creation and termination, and submissions (protocol section 13).

Faults can be planted, so that tests see what a device does about them.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from agent.core.encoding import unb64
from agent.core.envelope import MAX_SUBMISSION_BYTES
from agent.core.errors import RefusedError
from agent.core.ids import sha256_hex
from agent.core.segment_file import MAX_FILE_BYTES
from demo.https_server import HttpsServer, QuietHandler
from demo.submissions import Submissions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from demo.certs import Certificate
    from demo.keys import SignKey

BASE = "/up"
TUS = {"Tus-Resumable": "1.0.0"}
REMEMBERED_REQUESTS = 4096
_FILE = re.compile(rf"{BASE}/files/([A-Za-z0-9_-]{{8,128}})")


@dataclass
class Stored:
    """One upload."""

    length: int
    metadata: dict[str, str]
    data: bytearray = field(default_factory=bytearray)

    @property
    def complete(self) -> bool:
        """Whether all of it is there."""
        return len(self.data) == self.length


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the next request of `method`.

    `drop` cuts the connection after `after_bytes` of the body, `status` answers `status`, `slow` waits `wait_s`
    first, `forget` loses the upload.
    """

    method: str
    kind: Literal["drop", "status", "slow", "forget"]
    after_bytes: int = 0
    status: int = 503
    wait_s: float = 0.0


class UploadServer:
    """Takes uploads and submissions on `https://localhost:<port>/up`.

    Args:
        folder: Where bundles are written.
        certificate: What the server shows.
        receipt_key: Signs receipts.
        now_s: The platform's clock, unix seconds.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        folder: Path,
        certificate: Certificate,
        receipt_key: SignKey,
        *,
        now_s: Callable[[], int] = lambda: int(time.time()),
        port: int = 0,
    ) -> None:
        self.uploads: dict[str, Stored] = {}
        self.deleted: list[str] = []
        self.faults: deque[Fault] = deque()
        self.requests: deque[str] = deque(maxlen=REMEMBERED_REQUESTS)
        self.submissions = Submissions(folder, receipt_key, self.segment, now_s)
        self.lock = threading.Lock()
        self._https = HttpsServer(_handler(self), certificate, port=port)

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        return self._https.port

    @property
    def endpoint(self) -> dict[str, str | int]:
        """The endpoint as `platform.json` names it."""
        return {"host": "localhost", "port": self.port, "base": BASE}

    def start(self) -> None:
        """Serve from now on."""
        self._https.start()

    def stop(self) -> None:
        """Close the listener and every connection."""
        self._https.stop()

    def segment(self, sha256: str) -> bytes | None:
        """The bytes of a complete upload with this hash."""
        for stored in self.uploads.values():
            if stored.complete and stored.metadata.get("sha256") == sha256:
                body = bytes(stored.data)
                return body if sha256_hex(body) == sha256 else None
        return None

    def fault(self, method: str) -> Fault | None:
        """Take the planted fault if it is meant for this method."""
        with self.lock:
            return self.faults.popleft() if self.faults and self.faults[0].method == method else None


class _Handler(QuietHandler):
    """One connection's requests; `owner` is set by `_handler`."""

    owner: UploadServer

    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        if self._faulty():
            return
        if self.path == f"{BASE}/submissions":
            self._submit()
        elif self.path == f"{BASE}/files/":
            self._create()
        else:
            self.answer(404)

    def do_HEAD(self) -> None:  # noqa: N802 - http.server's name
        stored = None if self._faulty() else self._stored()
        if stored is not None:
            sizes = {"Upload-Offset": str(len(stored.data)), "Upload-Length": str(stored.length)}
            self.answer(200, headers={**TUS, **sizes, "Cache-Control": "no-store"})

    def do_DELETE(self) -> None:  # noqa: N802 - http.server's name
        if not self._faulty() and self._stored() is not None:
            name = self.path.rpartition("/")[2]
            with self.owner.lock:
                del self.owner.uploads[name]
                self.owner.deleted.append(name)
            self.answer(204, headers=TUS)

    def do_PATCH(self) -> None:  # noqa: N802 - http.server's name
        fault = self.owner.fault("PATCH")
        if self._planted(fault):
            return
        stored = self._stored()
        if stored is None:
            return
        if self.headers.get("Upload-Offset") != str(len(stored.data)):
            self.rfile.read(self._length())
            self.answer(409, headers=TUS)
            return
        wanted = min(self._length(), stored.length - len(stored.data))
        if fault is not None and fault.kind == "drop":
            stored.data += self.rfile.read(min(wanted, fault.after_bytes))
            self._cut()
            return
        stored.data += self.rfile.read(wanted)
        self.answer(204, headers={**TUS, "Upload-Offset": str(len(stored.data))})

    def _create(self) -> None:
        length = self.headers.get("Upload-Length", "")
        if not length.isdecimal() or int(length) > MAX_FILE_BYTES or "Tus-Resumable" not in self.headers:
            self.answer(400, headers=TUS)
            return
        try:
            metadata = _metadata(self.headers.get("Upload-Metadata", ""))
        except ValueError:
            self.answer(400, headers=TUS)
            return
        name = secrets.token_hex(12)
        with self.owner.lock:
            self.owner.uploads[name] = Stored(int(length), metadata)
        self.answer(201, headers={**TUS, "Location": f"{BASE}/files/{name}"})

    def _submit(self) -> None:
        length = self._length()
        if length > MAX_SUBMISSION_BYTES:
            self.close_connection = True
            self.answer(413)
            return
        body = self.rfile.read(length)
        if self.headers.get("Content-Type") != "application/json":
            self.answer(415)
            return
        try:
            with self.owner.lock:
                receipt = self.owner.submissions.take(body)
        except RefusedError as error:
            self.answer(409 if error.code == "missing" else 400, _error(error))
        except (ValueError, KeyError, TypeError) as error:
            self.answer(400, _error(RefusedError("form", str(error))))
        else:
            self.answer(200, receipt, {"Content-Type": "application/json"})

    def _faulty(self) -> bool:
        return self._planted(self.owner.fault(self.command))

    def _planted(self, fault: Fault | None) -> bool:
        """Play a fault; whether the request ended with it."""
        self.owner.requests.append(f"{self.command} {self.path}")
        if fault is None:
            return False
        if fault.kind == "slow":
            time.sleep(fault.wait_s)
            return False
        if fault.kind == "forget":
            self.owner.uploads.pop(self.path.rpartition("/")[2], None)
            return False
        if fault.kind == "drop" and self.command == "PATCH":
            return False  # some of the body is taken first
        if fault.kind == "drop":
            self._cut()
            return True
        self.close_connection = True
        self.answer(fault.status)
        return True

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(2)

    def _stored(self) -> Stored | None:
        """The upload that the path names; answers 404 where there is none."""
        found = _FILE.fullmatch(self.path)
        stored = self.owner.uploads.get(found[1]) if found else None
        if stored is None:
            self.rfile.read(self._length())
            self.answer(404, headers=TUS)
        return stored

    def _length(self) -> int:
        text = self.headers.get("Content-Length", "0")
        return int(text) if text.isdecimal() else 0


def _metadata(header: str) -> dict[str, str]:
    """Read `Upload-Metadata`, `<key> <base64>` with commas between; ValueError for another form."""
    pairs = [pair.split(" ") for pair in header.split(",")]
    return {pair[0]: unb64(pair[1]).decode() for pair in pairs if len(pair) == 2}


def _handler(server: UploadServer) -> type[_Handler]:
    return type("Handler", (_Handler,), {"owner": server})


def _error(error: RefusedError) -> bytes:
    return json.dumps({"error": str(error)}).encode()
