"""A bundle on disk: `submission.json`, `receipt.json`, `segments/<id>.seg`, and nothing else that is read.

A bundle comes from strangers. Every file is opened once, without following links or waiting for pipes, must be a
regular file, and is read up to a bound. Names come from verified ids, never from the bundle.
"""

import os
import stat
from pathlib import Path
from typing import Final

from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import Id, is_id

MAX_NAMES: Final = 1_024
SUFFIX: Final = ".seg"
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def read_file(path: Path, *, max_bytes: int, what: str, follow: bool = False) -> bytes:
    """Return the content of a regular file.

    Args:
        path: the file.
        max_bytes: the most bytes it may have.
        what: how a person calls the file.
        follow: whether the path's last part may be a symbolic link: only where a person typed the path.

    Raises:
        TroubleError: it is not there or can't be read.
        RefusedError: E_FILE, when it is no regular file; E_SIZE, when it is larger.
    """
    try:
        descriptor = os.open(path, _FLAGS & ~os.O_NOFOLLOW if follow else _FLAGS)
    except FileNotFoundError as exc:
        raise TroubleError("missing", f"{what} is missing") from exc
    except (OSError, ValueError) as exc:
        raise TroubleError("unreadable", f"{what} can't be read: {_why(exc)}") from exc
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):  # a folder can be opened too, and a pipe
            raise RefusedError("E_FILE", f"{what} is no regular file")
        if status.st_size > max_bytes:
            raise RefusedError("E_SIZE", f"{what} is larger than {max_bytes} bytes")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(max_bytes + 1)
    except OSError as exc:
        raise TroubleError("unreadable", f"{what} can't be read: {_why(exc)}") from exc
    finally:
        os.close(descriptor)
    if len(content) > max_bytes:
        raise RefusedError("E_SIZE", f"{what} is larger than {max_bytes} bytes")
    return content


def _why(exc: OSError | ValueError) -> str:
    reason = exc.strerror if isinstance(exc, OSError) else None
    return reason.lower() if reason else "a wrong name"


class BundleFolder:
    """A folder with a bundle.

    Raises:
        TroubleError: there is no such folder, or it can't be looked at.
    """

    def __init__(self, path: Path) -> None:
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            is_folder = False
        except (OSError, ValueError) as exc:
            raise TroubleError("unreadable", f"{path} can't be read: {_why(exc)}") from exc
        if not is_folder:
            raise TroubleError("missing", f"{path} is no folder: give the folder that holds submission.json")
        self._path = path

    def submission(self, max_bytes: int) -> bytes:
        """Return the bytes of `submission.json`."""
        return read_file(self._path / "submission.json", max_bytes=max_bytes, what="submission.json")

    def receipt(self, max_bytes: int) -> bytes:
        """Return the bytes of `receipt.json`."""
        return read_file(self._path / "receipt.json", max_bytes=max_bytes, what="receipt.json")

    def segment(self, segment: Id, max_bytes: int) -> bytes:
        """Return the bytes of `segments/<id>.seg`."""
        name = f"{segment}{SUFFIX}"
        return read_file(self._path / "segments" / name, max_bytes=max_bytes, what=f"segments/{name}")

    def segment_ids(self) -> frozenset[Id]:
        """Return the ids of the segment files that are there.

        Raises:
            TroubleError: there is no folder `segments`.
            RefusedError: E_FILE for a name that is no segment's; E_SIZE for too many.
        """
        found: set[Id] = set()
        try:
            with os.scandir(self._path / "segments") as entries:
                for entry in entries:
                    name = entry.name.removesuffix(SUFFIX)
                    if not is_id(name) or name == entry.name:
                        raise RefusedError("E_FILE", f"segments/ holds {entry.name[:60]!a}, which is no segment")
                    found.add(name)
                    if len(found) > MAX_NAMES:
                        raise RefusedError("E_SIZE", f"segments/ holds more than {MAX_NAMES} files")
        except OSError as exc:
            raise TroubleError("missing", f"segments/ can't be read: {_why(exc)}") from exc
        return frozenset(found)
