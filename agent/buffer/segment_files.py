"""Sealed segments as files: `<id>.seg` with `<id>.json` beside it, in one folder. This module does the I/O.

Rules of this room:

1. A segment is there when `<id>.seg` is there: its sidecar was made durable and got its name before it.
2. Everything is written under a temporary name, made durable, and renamed; then the folder is made durable.
   Three fsyncs; the index's commit is the fourth and last.
3. Nothing written is ever changed. The recorder writes, the vault removes.
4. What is not explained is moved to the quarantine, never deleted.
"""

import errno
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn, Self

from agent.buffer.names import SEGMENT, SIDECAR, TEMPORARY, Scan, sort_names
from agent.buffer.sidecar import MAX_SIDECAR_BYTES, Sidecar, encode_sidecar, parse_sidecar
from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import Id, sha256_hex
from agent.core.segment_file import MAX_FILE_BYTES, SegmentMeta, split

_MODE: Final = 0o640  # the recorder writes, the vault reads by group; nobody else
_NAME_BYTES: Final = 240  # of the 255 that a file system takes: room for a number
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class SegmentFolder:
    """One folder of sealed segments. Holds one descriptor until `close`."""

    def __init__(self, path: Path) -> None:
        """Open the folder, which must exist.

        Raises:
            TroubleError: "storage-failed".
        """
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as exc:
            _trouble(exc, path)
        self._flusher = ThreadPoolExecutor(1, thread_name_prefix="fsync")  # starts its thread at the first write

    def close(self) -> None:
        """Give the descriptor back. Closing again is nothing."""
        self._flusher.shutdown()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, sidecar: Sidecar, file: bytes | bytearray | memoryview) -> None:
        """Make a sealed segment durable: sidecar, segment, folder. On return it survives a power cut.

        Raises:
            TroubleError: "storage-full" or "storage-failed"; then nothing of it is left under its final name.
        """
        self.write_proving(sidecar.id, file, lambda: sidecar)

    def write_proving(
        self, id_: Id, file: bytes | bytearray | memoryview, prove: Callable[[], Sidecar]
    ) -> Sidecar:
        """Make a sealed segment durable while `prove` opens it again: the disk and the processor work together.

        The segment gets its name only after the proof, and after both files are durable.

        Args:
            id_: the segment.
            file: its bytes, which must not change meanwhile.
            prove: returns the sidecar; whatever it raises, nothing is left of the segment.

        Raises:
            TroubleError: "storage-full" or "storage-failed"; then nothing of it is left under its final name.
        """
        with ExitStack() as undo:
            undo.callback(self._take_back, id_)
            try:
                sidecar = self._write_proving(id_, file, prove)
            except OSError as exc:
                _trouble(exc, self.path)
            undo.pop_all()
            return sidecar

    def _write_proving(
        self, id_: Id, file: bytes | bytearray | memoryview, prove: Callable[[], Sidecar]
    ) -> Sidecar:
        with ExitStack() as files:
            segment_fd = self._write_temporary(f"{id_}{SEGMENT}", file)
            files.callback(os.close, segment_fd)
            # Starts the write-back without waiting for it (fadvise(2)); the proof goes on meanwhile.
            os.posix_fadvise(segment_fd, 0, 0, os.POSIX_FADV_DONTNEED)
            sidecar = prove()
            sidecar_fd = self._write_temporary(f"{id_}{SIDECAR}", encode_sidecar(sidecar))
            files.callback(os.close, sidecar_fd)
            # At the same time, so that a journal commits both at once.
            flush = self._flusher.submit(os.fsync, segment_fd)
            try:
                os.fsync(sidecar_fd)
            finally:
                flush.result()
        for ending in (SIDECAR, SEGMENT):
            name = f"{id_}{ending}"
            os.rename(name + TEMPORARY, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        os.fsync(self._fd)
        return sidecar

    def _write_temporary(self, name: str, content: bytes | bytearray | memoryview) -> int:
        """Write a file under its temporary name and return its descriptor."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name + TEMPORARY, flags, _MODE, dir_fd=self._fd)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(fd, rest) :]
        except OSError:
            os.close(fd)
            raise
        return fd

    def _take_back(self, id_: Id) -> None:
        for ending in (SEGMENT, SIDECAR):
            for name in (f"{id_}{ending}", f"{id_}{ending}{TEMPORARY}"):
                self._unlink(name)

    def _unlink(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._fd)
        except OSError as exc:
            if exc.errno != errno.ENOENT:
                _trouble(exc, self.path / name)

    def scan(self) -> Scan:
        """Look at every name in the folder, without opening any file.

        Raises:
            TroubleError: "storage-failed".
        """
        try:
            names = set(os.listdir(self._fd))  # noqa: PTH208 - by descriptor: the folder that was opened
        except OSError as exc:
            _trouble(exc, self.path)
        # Names that change while they are listed may be missed: a sidecar may be there all the same.
        late = {f"{one}{SIDECAR}" for one in sort_names(names).lone}
        return sort_names(names | {name for name in late if self._exists(name)})

    def _exists(self, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError as exc:
            _trouble(exc, self.path / name)
        return True

    def open_readonly(self, id_: Id) -> int:
        """Open a segment file for reading and return the descriptor, which the caller closes.

        Raises:
            TroubleError: "segment-missing" when there is none, "storage-failed".
        """
        return self._open(f"{id_}{SEGMENT}")

    def _open(self, name: str) -> int:
        try:
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
        except FileNotFoundError as exc:
            raise TroubleError("segment-missing", f"{self.path / name} is gone") from exc
        except OSError as exc:
            _trouble(exc, self.path / name)

    def _read(self, name: str, max_bytes: int) -> bytes:
        fd = self._open(name)
        try:
            with open(fd, "rb", buffering=0, closefd=False) as file:
                if os.fstat(fd).st_size > max_bytes:
                    raise RefusedError("E_SIZE", f"{name} is longer than {max_bytes} bytes")
                return file.read(max_bytes + 1)
        except OSError as exc:
            _trouble(exc, self.path / name)
        finally:
            os.close(fd)

    def size(self, id_: Id) -> int | None:
        """Return the length of a segment file in bytes, or None when there is none.

        Raises:
            TroubleError: "storage-failed".
        """
        try:
            return os.stat(f"{id_}{SEGMENT}", dir_fd=self._fd, follow_symlinks=False).st_size
        except FileNotFoundError:
            return None
        except OSError as exc:
            _trouble(exc, self.path)

    def free_bytes(self) -> int:
        """Return how many bytes the disk still takes.

        Raises:
            TroubleError: "storage-failed".
        """
        try:
            disk = os.fstatvfs(self._fd)
        except OSError as exc:
            _trouble(exc, self.path)
        return disk.f_bavail * disk.f_frsize

    def read_sidecar(self, id_: Id) -> Sidecar:
        """Read and parse the sidecar of a segment.

        Raises:
            RefusedError: E_SIZE, E_JSON, E_SIDECAR; E_SIDECAR too when it names another segment.
            TroubleError: "segment-missing" or "storage-failed".
        """
        sidecar = parse_sidecar(self._read(f"{id_}{SIDECAR}", MAX_SIDECAR_BYTES))
        if sidecar.id != id_:
            raise RefusedError("E_SIDECAR", f"the sidecar of {id_} names another segment")
        return sidecar

    def read(self, id_: Id) -> bytes:
        """Read a whole segment file.

        Raises:
            RefusedError: E_SIZE.
            TroubleError: "segment-missing" or "storage-failed".
        """
        return self._read(f"{id_}{SEGMENT}", MAX_FILE_BYTES)

    def check(self, id_: Id) -> tuple[SegmentMeta, Sidecar]:
        """Read a whole pair and return meta and sidecar once they fit each other: id, length and hash.

        Raises:
            RefusedError: E_SIZE, E_JSON, E_SEGMENT, E_SIDECAR.
            TroubleError: "segment-missing" or "storage-failed".
        """
        sidecar = self.read_sidecar(id_)
        file = self.read(id_)
        meta, _, _ = split(file)
        if meta.id != id_ or len(file) != sidecar.bytes or sha256_hex(file) != sidecar.sha256:
            raise RefusedError("E_SEGMENT", f"segment {id_} is not what its sidecar says")
        return meta, sidecar

    def remove(self, ids: Iterable[Id]) -> None:
        """Delete segments, each before its sidecar, and make that durable with one fsync. Missing ones are fine.

        Raises:
            TroubleError: "storage-failed".
        """
        for id_ in ids:
            self._unlink(f"{id_}{SEGMENT}")
            self._unlink(f"{id_}{SIDECAR}")
        self.sync()

    def remove_half(self, names: Iterable[str]) -> None:
        """Delete what `Scan.half` named. Durable by the next `sync`; a power cut only brings it back.

        Raises:
            TroubleError: "storage-failed".
        """
        for name in names:
            self._unlink(name)

    def quarantine(self, names: Iterable[str], into: Path) -> None:
        """Move files out of the folder into an existing one of the same disk; on return that is durable.

        They keep their names, but for a number after one that lies there already.

        Raises:
            TroubleError: "storage-failed".
        """
        try:
            with ExitStack() as folders:
                into_fd = os.open(into, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                folders.callback(os.close, into_fd)
                for name in names:
                    os.rename(name, into / _free_name(into, name), src_dir_fd=self._fd)
                os.fsync(into_fd)  # before the source's: a power cut may leave a file twice, never nowhere
        except OSError as exc:
            _trouble(exc, self.path)
        self.sync()

    def sync(self) -> None:
        """Make the names of the folder durable.

        Raises:
            TroubleError: "storage-failed".
        """
        try:
            os.fsync(self._fd)
        except OSError as exc:
            _trouble(exc, self.path)


def _free_name(folder: Path, name: str) -> str:
    """Return a name that nothing in `folder` has: this one, or it with a number."""
    free, number = name, 1
    while os.path.lexists(folder / free):
        number += 1
        free = os.fsdecode(os.fsencode(name)[:_NAME_BYTES] + b".%d" % number)
    return free


def _trouble(exc: OSError, path: Path) -> NoReturn:
    """Translate an error of the disk."""
    if exc.errno in _FULL:
        raise TroubleError("storage-full", f"no room left at {path}: make room or lower max_bytes") from exc
    raise TroubleError("storage-failed", f"{path}: {exc.strerror}; check the card or disk") from exc
