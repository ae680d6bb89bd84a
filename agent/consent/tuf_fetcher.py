"""How python-tuf gets bytes in the vault, which has no network: by asking whoever was handed in.

Only paths of a closed set of forms are ever asked for, each with the ceiling of protocol section 4, whatever
a signed length says. Errors of python-tuf leave this room translated.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import IO, Final, TypeAlias

from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.ngclient import FetcherInterface

from agent.core.directory_paths import ceiling_of
from agent.core.errors import DoorbellError, RefusedError, TroubleError

Fetch: TypeAlias = Callable[[str, int], bytes]
"""Return the bytes of a path below the directory's URL, at most so many.

Raises RefusedError("not-found") where there is no such file, TroubleError when it can't be had now.
"""

NOT_FOUND: Final = "not-found"


class VaultFetcher(FetcherInterface):
    """Hands python-tuf's wishes to `ask`, which is set anew for each operation."""

    def __init__(self, ask: Fetch) -> None:
        self.ask = ask

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """Yield the file at `url`, a path below the directory's URL, held in memory."""
        yield BytesIO(self.download_bytes(url, max_length))

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Return the file at `url`, of at most `max_length` bytes and never more than section 4 allows."""
        limit = min(max_length, ceiling_of(url))
        try:
            data = self.ask(url, limit)
        except RefusedError as exc:
            if exc.code == NOT_FOUND:
                raise DownloadHTTPError(f"{url} is not there", 404) from exc
            raise
        if len(data) > limit:
            raise DownloadLengthMismatchError(f"{url} is longer than {limit} bytes")
        return bytes(data)

    def _fetch(self, url: str) -> Iterator[bytes]:
        raise DownloadError(f"{url} was asked for without a limit")


@contextmanager
def translated() -> Iterator[None]:
    """Turn python-tuf's and the disk's errors into this house's.

    Raises:
        RefusedError: `directory-refused`: what came is not what the platform signed, or is an older state.
        TroubleError: `directory-expired`, `directory-missing` or `directory-disk`; and whatever `fetch` raised.
    """
    try:
        yield
    except DoorbellError:
        raise
    except ExpiredMetadataError as exc:
        raise TroubleError(
            "directory-expired",
            f"The platform's directory has run out ({exc}). Requests wait until the platform renews it.",
        ) from exc
    except RepositoryError as exc:
        raise RefusedError("directory-refused", f"the directory does not verify: {exc}") from exc
    except DownloadLengthMismatchError as exc:
        raise RefusedError("directory-refused", f"the directory is too large: {exc}") from exc
    except DownloadError as exc:
        raise TroubleError(
            "directory-missing",
            f"The platform's directory is not complete ({exc}). It is tried again by itself.",
        ) from exc
    except OSError as exc:
        raise TroubleError(
            "directory-disk", f"The directory can't be kept: {exc.strerror}. Free space in state_dir."
        ) from exc
