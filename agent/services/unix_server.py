"""Listens on a unix socket and lets in only the users that may."""

import contextlib
import logging
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.core.errors import TroubleError

log = logging.getLogger(__name__)

AGAIN_S: Final = 0.2  # after this a failed accept is tried again
PEERCRED: Final = struct.Struct("3i")  # pid, uid, gid: unix(7)


class Server:
    """Listens on one socket and hands on each connection that the kernel says is of an allowed user.

    Args:
        path: where; an old socket there is replaced.
        on_socket: called in the accept thread with each connection; owns it from then on, unless it raises
            RuntimeError because the system has no thread left: then only that peer is turned away.
        mode: permissions of the socket file.
        uids: the user ids that may connect; None: whoever the file's permissions let in.
    """

    def __init__(
        self,
        path: Path,
        on_socket: Callable[[socket.socket], None],
        *,
        mode: int = 0o660,
        uids: frozenset[int] | None = None,
    ) -> None:
        self._on_socket = on_socket
        self._uids = uids
        self._path = path
        self._closed = threading.Event()
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            path.unlink(missing_ok=True)
            self._sock.bind(str(path))
            path.chmod(mode)
            self._sock.listen(8)
        except OSError as exc:
            self._sock.close()
            raise TroubleError(
                "run-dir", f"can't listen at {path}: {exc.strerror or exc}; check [device] run_dir"
            ) from exc
        self._thread = threading.Thread(target=self._accept_all, name=f"{path.stem}-accept", daemon=True)
        self._thread.start()

    def _accept_all(self) -> None:
        while not self._closed.is_set():
            try:
                sock, _ = self._sock.accept()
            except OSError:  # closed; or a peer that left at once, or no descriptor is free for a while
                self._closed.wait(AGAIN_S)
                continue
            raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEERCRED.size)
            if self._uids is not None and PEERCRED.unpack(raw)[1] not in self._uids:
                sock.close()
                continue
            try:
                self._on_socket(sock)
            except RuntimeError as exc:
                log.warning("%s: a peer was turned away: %s", self._path.name, exc)
                sock.close()

    def close(self) -> None:
        """Stop to listen and remove the socket."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._sock.close()
        self._path.unlink(missing_ok=True)
