"""What a phone reads in a pairing link, for tests; the page's own reader is JavaScript."""

import re
from typing import Final

from agent.consent.pairing import SECRET_BYTES, SPKI_BYTES, Link
from agent.core.encoding import unb64url
from agent.core.errors import RefusedError

_LINK: Final = re.compile(
    r"https://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r":(?P<port>[1-9][0-9]{0,4})/pair#1\.(?P<secret>[A-Za-z0-9_-]{22})\.(?P<spki>[A-Za-z0-9_-]{43})",
    re.ASCII,
)


def parse_link(text: str) -> Link:
    """Read a pairing link.

    Raises:
        RefusedError: E_LINK, when it is none.
    """
    match = _LINK.fullmatch(text)
    if match is None or int(match["port"]) > 65_535:
        raise RefusedError("E_LINK", "not a pairing link of version 1")
    try:
        secret = unb64url(match["secret"], length=SECRET_BYTES)
        spki = unb64url(match["spki"], length=SPKI_BYTES)
    except ValueError as exc:
        raise RefusedError("E_LINK", "the link's secret or key is not canonical") from exc
    return Link(match["host"], int(match["port"]), secret, spki)
