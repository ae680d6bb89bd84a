"""Fetches directory bytes over HTTPS: a closed set of paths below one URL (protocol section 4).

The vault asks, verifies and decides; here nothing is parsed or kept.
"""

import ssl
from typing import Final

from agent.core.directory_paths import ceiling_of
from agent.core.errors import RefusedError
from agent.uplink.addresses import directory_address
from agent.uplink.https import HttpsSession, Peer

_OK: Final = 200
_NOT_FOUND: Final = (403, 404, 410)  # object stores answer 403 for what is not there
FETCH_S: Final = 25.0  # the vault waits 30 s: it is told what went wrong before it gives up
PEER: Final = Peer("directory", "the directory")


class DirectoryFetcher:
    """Gets files of the directory at `url`.

    Args:
        url: `[platform] directory`.
        context: TLS as `agent.uplink.tls` makes it.

    Raises:
        ConfigError: `url` is not one.
    """

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self._address = directory_address(url)
        self._context = context

    def fetch(self, path: str, max_bytes: int) -> bytes:
        """Return the file's bytes.

        Raises:
            RefusedError: directory-path, when it is none of the directory's; not-found; too-large.
            TroubleError: directory, for everything else.
        """
        limit = max(0, min(max_bytes, ceiling_of(path)))
        # The directory's URL is the installer's, not a message's: it may well be a private address.
        with HttpsSession(self._address, self._context, PEER, private_addresses=True) as session:
            answer = session.exchange(
                "GET", f"/{path}", headers={"Connection": "close"}, max_answer_bytes=limit, deadline_s=FETCH_S
            )
        if answer.status in _NOT_FOUND:
            raise RefusedError("not-found", "the directory has no such file")
        if answer.status != _OK:
            raise PEER.trouble(f"answers {answer.status}")
        return answer.body
