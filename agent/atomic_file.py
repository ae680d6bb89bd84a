"""A file replaced as a whole: what a reader or a power cut finds is the old one or the new one."""

import os
from pathlib import Path


def replace_file(path: Path, content: bytes, *, mode: int) -> None:
    """Replace `path` durably: on return the new content survives a power cut.

    Args:
        path: in a folder that exists.
        content: the new content.
        mode: of the file, when it is not there yet.

    Raises:
        OSError: it could not be written; the old one is still there.
    """
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
