"""The one thing that uplink may send: a sealed segment file, by a read-only descriptor that it was handed.

It never opens a file by name. Before the first byte leaves, the whole file is read and its hash compared; while
it is sent it is hashed again, and the last bytes stay here unless the hash still holds.
"""

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Final

from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import Sha256
from agent.core.segment_file import MAGIC, MAX_FILE_BYTES

_READ_BYTES: Final = 262_144


class SealedFile:
    """A segment behind `fd`, which stays the caller's to close.

    Args:
        fd: A read-only descriptor of a regular file.
        length: Its length in bytes.
        sha256: Its hash.

    Raises:
        RefusedError: segment, when it is not exactly that file; then nothing of it may be sent.
        TroubleError: storage, when it can't be read.
    """

    def __init__(self, fd: int, length: int, sha256: Sha256) -> None:
        self._fd = fd
        self.length = length
        self._sha256 = sha256
        try:
            status, flags = os.fstat(fd), fcntl.fcntl(fd, fcntl.F_GETFL)
        except OSError as exc:
            raise RefusedError("segment", "the descriptor is not open") from exc
        if not stat.S_ISREG(status.st_mode) or flags & os.O_ACCMODE != os.O_RDONLY:
            raise RefusedError("segment", "the descriptor is not a file that is open for reading only")
        if not len(MAGIC) < length <= MAX_FILE_BYTES or status.st_size != length:
            raise RefusedError("segment", "the file has another length than was approved")
        if self._read(0, len(MAGIC)) != MAGIC:
            raise RefusedError("segment", "the file is not a sealed segment")
        self._check(self._hash_to(length))

    def parts(self, offset: int, part_bytes: int) -> Iterator[tuple[int, bytes]]:
        """Yield `(offset, bytes)` from `offset` to the end; the last part only if the hash still holds.

        Raises:
            RefusedError: segment, when the file changed meanwhile.
            TroubleError: storage, when it can't be read.
        """
        digest = self._hash_to(offset)
        while offset < self.length:
            part = self._read(offset, min(part_bytes, self.length - offset))
            digest.update(part)
            if offset + len(part) == self.length:
                self._check(digest)
            yield offset, part
            offset += len(part)

    def _hash_to(self, end: int) -> "hashlib._Hash":
        digest = hashlib.sha256()
        for offset in range(0, end, _READ_BYTES):
            digest.update(self._read(offset, min(_READ_BYTES, end - offset)))
        return digest

    def _check(self, digest: "hashlib._Hash") -> None:
        if digest.hexdigest() != self._sha256:
            raise RefusedError("segment", "the file is not the one that was approved")

    def _read(self, offset: int, count: int) -> bytes:
        try:
            part = os.pread(self._fd, count, offset)
        except OSError as exc:
            raise TroubleError("storage", f"a segment can't be read ({exc.strerror}): check the card") from exc
        if len(part) != count:
            raise RefusedError("segment", "the file became shorter")
        return part
