"""The vault's end of uplink: what it is asked for, and what it says of the broker."""

import logging
from collections.abc import Callable
from typing import Final

from agent.consent import sqlite_ledger as ledger
from agent.core.errors import RefusedError, TroubleError
from agent.core.geo import geohash
from agent.core.ids import new_id
from agent.core.strict_json import Json
from agent.services.vault.house import House
from agent.services.wire import Args, Link, OnReply

log = logging.getLogger(__name__)

FETCH_TIMEOUT_S: Final = 30.0
RETRY_LOW_S: Final = 5.0  # section 13: attempts are 5 s to 15 min apart
RETRY_HIGH_S: Final = 900.0
#: Uplink speaks after every part that a server took, which is a matter of minutes, and has few workers, for which
#: a call may wait. One that is silent for so long about what it was asked for will never answer.
SILENT_S: Final = 1_800.0
NOTIFY_EVERY_NS: Final = 600 * 10**9  # the owner is disturbed at most once in 10 minutes
TOPICS: Final = ("req", "can", "alert")
BROKER_STATES: Final = frozenset({"up", "down", "refused"})


class UplinkDesk:
    """Holds the link to uplink, if there is one."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._link: Link | None = None
        self.broker = "down"
        self._notified_ns: int | None = None
        self._topics: Json = None
        self._on_arrival: Callable[[], None] = lambda: None
        house.set_faults("uplink", ["uplink-down"])

    def on_arrival(self, action: Callable[[], None]) -> None:
        """Call `action` when uplink has come (back)."""
        self._on_arrival = action

    def attach(self, link: Link) -> None:
        """Take a new link; the old one is ended."""
        old, self._link = self._link, link
        if old is not None:
            old.close()

    def arrived(self) -> None:
        """Uplink said hello."""
        self._house.set_faults("uplink", [])
        self._on_arrival()

    def detached(self, link: Link) -> None:
        """A link has ended."""
        if self._link is link:
            self._link = None
            self.broker = "down"
            self._house.set_faults("uplink", ["uplink-down"])
            self._house.set_faults("broker", [])

    def hang_up(self) -> None:
        """End the link to an uplink that hangs: it starts anew, and who waits for its answers gets trouble."""
        link = self._link
        if link is not None:
            log.warning("vault: uplink has not answered for %d minutes: its link is ended", SILENT_S // 60)
            link.close()
            self.detached(link)

    def subscription(self) -> Args:
        """Return client id and topics: the cell at the owner's precision, nothing else of where the house is."""
        precision = self._house.settings.cell_precision or self._house.config.requests.cell_precision
        cell = geohash(self._house.config.device.location, precision)
        self._topics = [f"db/1/{kind}/{cell}/+" for kind in TOPICS]
        return {"client_id": self._client_id(), "topics": self._topics}

    def settings_changed(self) -> None:
        """Subscribe to other topics, if the owner chose another precision.

        Nothing else that the owner changes may be seen on the line: one who mutes an agency has seen its request.
        """
        before = self._topics
        if self.subscription()["topics"] != before:
            self.subscribe_again()

    def _client_id(self) -> str:
        known = ledger.fact(self._house.db.tx, "client_id")
        if isinstance(known, str):
            return known
        fresh = new_id()
        with self._house.db.transaction() as tx:
            ledger.set_fact(tx, "client_id", fresh)
        return fresh

    def subscribe_again(self) -> None:
        """Have retained messages sent again: the directory changed, or the clock became trusted."""
        if self._link is not None:
            try:
                self._link.call_async("subscribe", self.subscription(), lambda _: None)
            except TroubleError:
                return  # it went just now; it subscribes when it is back

    def broker_said(self, state: object, why: object) -> None:
        """Take what uplink says of the broker."""
        if not isinstance(state, str) or state not in BROKER_STATES:
            raise RefusedError("E_SCHEMA", "no such state of the broker")
        self.broker = state
        self._house.set_faults("broker", {"up": [], "down": ["broker-down"]}.get(state, ["broker-refused"]))
        self._house.publish("status", {})
        del why  # uplink has logged it

    def notify(self) -> None:
        """Have the owner told by `[notify]` that something waits; at most once in ten minutes."""
        now_ns = self._house.now().boot_ns
        if not self._house.config.notify.urls or self._house.is_quiet_time():
            return
        if self._notified_ns is not None and now_ns - self._notified_ns < NOTIFY_EVERY_NS:
            return
        if self._link is None:
            return  # the lamp and the page still say it
        try:
            self._link.tell("notify")
        except TroubleError:
            return  # it went just now
        self._notified_ns = now_ns

    def fetch(self, path: str, max_bytes: int) -> bytes:
        """Ask uplink for directory bytes; runs in the directory's thread.

        Raises:
            RefusedError: not-found, or what uplink refused.
            TroubleError: link, when it is not there; directory-late; else uplink's.
        """
        link = self._link
        if link is None:
            raise TroubleError("link", "uplink is not running")
        try:
            reply = link.call("fetch", {"path": path, "max_bytes": max_bytes}, timeout_s=FETCH_TIMEOUT_S)
        except TroubleError as exc:
            if exc.code != "late":
                raise
            raise TroubleError("directory-late", "The directory did not answer in time.") from exc
        reply.close()
        if reply.blob is None or len(reply.blob) > max_bytes:
            raise RefusedError("directory-refused", f"{path}: not of the promised size")
        return reply.blob

    def call(
        self, verb: str, args: Args, on_reply: OnReply, *, blob: bytes | None = None, fds: tuple[int, ...] = ()
    ) -> None:
        """Call uplink; `on_reply` runs in the loop.

        Raises:
            TroubleError: link, when it is not there.
        """
        if self._link is None:
            raise TroubleError("link", "uplink is not running")
        loop = self._house.loop
        self._link.call_async(verb, args, lambda reply: loop.put(lambda: on_reply(reply)), blob=blob, fds=fds)
