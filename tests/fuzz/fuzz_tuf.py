# Invariant: whatever bytes stand at one path of the directory, a refresh or a look-up raises one of this house's
# errors and the held view stays as it was, or what is held is exactly what the platform published.
"""Fuzzes what a hostile uplink may answer: TUF metadata and targets, one file at a time."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.consent.directory import DirectoryView
from agent.consent.tuf_directory import TufDirectory
from agent.core.errors import DoorbellError
from tests.fakes.consent_directory import AGENCY, FakeRepository

REPOSITORY: Final = FakeRepository(consistent=False)
PATHS: Final = ("metadata/2.root.json", *sorted(REPOSITORY.served))
FOLDER: Final = Path(tempfile.mkdtemp(prefix="fuzz-tuf-"))


def _look(folder: Path) -> DirectoryView:
    directory = TufDirectory(folder, REPOSITORY.installed_root)
    directory.refresh(REPOSITORY.fetch)
    return directory.look_up_agency(REPOSITORY.fetch, AGENCY)


HONEST: Final = _look(FOLDER / "honest")


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: the number of a path, and what stands there or elsewhere."""
    for number, path in enumerate(PATHS):
        yield bytes([number]) + REPOSITORY.served.get(path, b"")
    yield bytes([0]) + REPOSITORY.installed_root


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    path = PATHS[(data[0] if data else 0) % len(PATHS)]
    folder = FOLDER / "held"
    shutil.rmtree(folder, ignore_errors=True)
    directory = TufDirectory(folder, REPOSITORY.installed_root)
    REPOSITORY.bend(path, data[1:])
    try:
        held = directory.refresh(REPOSITORY.fetch)
        if held.platform != HONEST.platform or held.timestamp_expires_s != HONEST.timestamp_expires_s:
            raise AssertionError("another platform is held than was published")
        held = directory.look_up_agency(REPOSITORY.fetch, AGENCY)
        if held != HONEST:
            raise AssertionError("another agency is held than was published")
    except DoorbellError:
        if directory.view is not None and directory.view.agencies:
            raise AssertionError("something is held that did not verify") from None
    finally:
        REPOSITORY.bent.clear()
        REPOSITORY.asked.clear()
