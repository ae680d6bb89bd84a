"""Sealed memory: how a message that is larger than a frame travels, so that nobody can change it on the way."""

import fcntl
import os
from typing import Final

from agent.core.errors import RefusedError, TroubleError

MAX_BLOB_BYTES: Final = 16 * 1024 * 1024
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


def memfd(data: bytes, name: str = "doorbell") -> int:
    """Return a descriptor of sealed memory that holds `data` and can't be changed by anyone."""
    fd = os.memfd_create(name, os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except OSError as exc:
        os.close(fd)
        raise TroubleError("memory", "no memory for a message: restart the doorbell") from exc
    return fd


def read_memfd(fd: int) -> bytes:
    """Read and close a descriptor that must be sealed memory.

    Raises:
        RefusedError: frame, when it is no sealed memory or too large.
    """
    try:
        if fcntl.fcntl(fd, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
            raise RefusedError("frame", "the memory is not sealed")
        size = os.fstat(fd).st_size
        if size > MAX_BLOB_BYTES:
            raise RefusedError("frame", "the message is too large")
        return os.pread(fd, size, 0) if size else b""
    except OSError as exc:
        raise RefusedError("frame", "a descriptor is no sealed memory") from exc
    finally:
        os.close(fd)
