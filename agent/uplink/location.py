"""What is taken from a tus server's `Location`: the last path segment and nothing else (protocol section 13).

Scheme, host, port and folder are ignored, so that a hostile or a badly proxied server can't send footage
elsewhere: the next request goes to the endpoint that the directory names.
"""

import re

from agent.core.errors import RefusedError

_AUTHORITY = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/]*", re.ASCII)
_SEGMENT = re.compile(r"[A-Za-z0-9_-]{8,128}", re.ASCII)


def is_location(segment: object) -> bool:
    """Say whether `segment` can name an upload: 8 to 128 of `[A-Za-z0-9_-]`."""
    return isinstance(segment, str) and _SEGMENT.fullmatch(segment) is not None


def location_segment(location: str) -> str:
    """Return the last path segment of a `Location` header.

    Raises:
        RefusedError: location, when there is a query or a fragment, no path, or a segment of another form.
    """
    authority = _AUTHORITY.match(location)
    path = location[authority.end() :] if authority else location
    if authority and not path.startswith("/"):
        raise RefusedError("location", "the upload server's Location has no path")
    segment = path.rpartition("/")[2]
    if "?" in location or "#" in location or not is_location(segment):
        raise RefusedError("location", "the upload server's Location names no upload")
    return segment
