"""Nonces: each belongs to one phone and one purpose, lives 30 minutes of boot time, and is used once.

Protocol section 11. A nonce for a decision belongs to one request; one for an action to none. While a nonce
lives and is not used, the segments that were listed under it are pinned, so that what a phone is choosing
from can't be evicted under its hands. Everything lives in RAM: a restart ends every nonce, and the page asks
for another. N1: of one phone at most `MAX_PER_HOLDER` nonces under which nothing was listed, and `MAX_CHOICES`
under which something was: a phone can push out only its own, and what it is choosing from not by looking.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from agent.core.ids import Id, Kid, new_id

NONCE_LIFE_NS: Final = 30 * 60 * 10**9  # section 11
#: One each 1.7 s for half an hour: more than a page that is open asks for.
MAX_PER_HOLDER: Final = 1_024
#: One each 14 s: a choice may be of 12 hours, so these are what takes room.
MAX_CHOICES: Final = 128


@dataclass(slots=True)
class Nonce:
    """One nonce: whose, for which request (None: for an action), until when by boot time.

    `until_ns` is the first moment at which it no longer holds.
    """

    holder: Kid
    request: Id | None
    until_ns: int
    used: bool = False
    listed: set[Id] = field(default_factory=set)

    def lives(self, now_ns: int) -> bool:
        """Say whether it may still be used."""
        return not self.used and now_ns < self.until_ns


class Nonces:
    """All nonces of this run of the vault."""

    def __init__(self) -> None:
        self._nonces: dict[str, Nonce] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._nonces)

    def issue(self, holder: Kid, request: Id | None, now_ns: int) -> Id:
        """Return a fresh nonce of `holder` (a phone's kid, or the button's for the console)."""
        self._forget(now_ns)
        own = [name for name, nonce in self._nonces.items() if nonce.holder == holder and not nonce.listed]
        self._keep_newest(own, MAX_PER_HOLDER - 1)
        name = new_id()
        self.put(name, Nonce(holder, request, now_ns + NONCE_LIFE_NS))
        return name

    def put(self, name: str, nonce: Nonce) -> None:
        """Take a nonce that was made elsewhere."""
        self._nonces[name] = nonce

    def holds(self, name: str, holder: Kid, request: Id | None, now_ns: int) -> bool:
        """Say whether `name` is a live nonce of this holder for this request."""
        nonce = self._nonces.get(name)
        return nonce is not None and nonce.holder == holder and nonce.request == request and nonce.lives(now_ns)

    def use(self, name: str) -> None:
        """Spend a nonce; call it in the transaction that takes the decision."""
        self._nonces[name].used = True

    def list_under(self, holder: Kid, request: Id, segments: Iterable[Id], now_ns: int) -> bool:
        """Pin `segments` under the newest live nonce of this phone for this request.

        Returns:
            Whether there is such a nonce; without one nothing is pinned.
        """
        for nonce in reversed(self._nonces.values()):
            if nonce.holder == holder and nonce.request == request and nonce.lives(now_ns):
                nonce.listed.update(Id(sys.intern(one)) for one in segments)  # each id is held once
                own = [name for name, one in self._nonces.items() if one.holder == holder and one.listed]
                self._keep_newest(own, MAX_CHOICES)
                return True
        return False

    def _keep_newest(self, names: list[str], most: int) -> None:
        for name in names[: max(0, len(names) - most)]:
            del self._nonces[name]

    def pinned(self, now_ns: int) -> set[Id]:
        """Return the segments that a phone is choosing from right now."""
        live = [nonce.listed for nonce in self._nonces.values() if nonce.lives(now_ns)]
        return set().union(*live)

    def end_holder(self, holder: Kid) -> None:
        """Forget every nonce of a phone that was unpaired."""
        self._nonces = {name: nonce for name, nonce in self._nonces.items() if nonce.holder != holder}

    def _forget(self, now_ns: int) -> None:
        self._nonces = {name: nonce for name, nonce in self._nonces.items() if nonce.lives(now_ns)}
