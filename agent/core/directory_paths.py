"""The files of a directory: which paths below its URL there are, and how large each may be. Protocol section 4.

The vault asks for them and uplink fetches them, by the same table: nothing else is ever asked for.
"""

import re
from typing import Final

from agent.core.errors import RefusedError

MAX_ROOT_BYTES: Final = 32 * 1024  # section 4
MAX_TIMESTAMP_BYTES: Final = 16 * 1024  # python-tuf's own default; the protocol sets none
MAX_SNAPSHOT_BYTES: Final = 64 * 1024  # section 4
MAX_TARGETS_BYTES: Final = 256 * 1024  # section 4: the largest of all
MAX_TARGET_BYTES: Final = 32 * 1024  # section 4: target files

_VERSION: Final = r"[1-9][0-9]{0,9}\."
_HASH: Final = r"(?:(?:[0-9a-f]{64}|[0-9a-f]{128})\.)?"
_ROLE: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"  # delegated roles are named by the platform
_PATHS: Final = tuple(
    (re.compile(form), ceiling)
    for form, ceiling in (
        (rf"metadata/{_VERSION}root\.json", MAX_ROOT_BYTES),
        (r"metadata/timestamp\.json", MAX_TIMESTAMP_BYTES),
        (rf"metadata/(?:{_VERSION})?snapshot\.json", MAX_SNAPSHOT_BYTES),
        (rf"metadata/(?:{_VERSION})?{_ROLE}\.json", MAX_TARGETS_BYTES),
        (rf"targets/{_HASH}platform\.json", MAX_TARGET_BYTES),
        (rf"targets/agencies/{_HASH}[a-z0-9][a-z0-9-]{{1,62}}[a-z0-9]\.json", MAX_TARGET_BYTES),
        (rf"targets/regions/{_HASH}[0-9b-hjkmnp-z]{{3}}\.json", MAX_TARGET_BYTES),
    )
)


def ceiling_of(path: str) -> int:
    """Return the most bytes that the file at `path` may have.

    Raises:
        RefusedError: `directory-path`, when the path has none of the forms that a directory has.
    """
    for form, ceiling in _PATHS:
        if form.fullmatch(path):
            return ceiling
    raise RefusedError("directory-path", f"the directory asks for {path[:80]!r}, which has no form of section 4")
