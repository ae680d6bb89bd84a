"""What follows when UTC arrives, jumps or is confirmed: protocol section 16."""

from collections.abc import Callable
from typing import Final

from agent.buffer import sqlite_store
from agent.consent import sqlite_ledger as ledger
from agent.consent.directory import DirectoryView
from agent.consent.timekeeping import DRIFT_MS, Arrived, Jumped, Trust
from agent.services.vault.house import House

LOOK_S: Final = 2.0


class TimeDesk:
    """Logs every mapping of boot time to UTC, and keeps the floor.

    Args:
        house: what the vault shares.
        held: the directory that is held now.
        on_doubt: called when UTC came into doubt or out of it: the recorder must know.
        on_arrival: called when UTC became trusted: what was put off can be looked at.
    """

    def __init__(
        self,
        house: House,
        held: Callable[[], DirectoryView | None],
        on_doubt: Callable[[], None],
        on_arrival: Callable[[], None],
    ) -> None:
        self._house = house
        self._held = held
        self._on_doubt = on_doubt
        self._on_arrival = on_arrival

    def start(self) -> None:
        """Begin to watch."""
        self._house.loop.every(LOOK_S, self._ask_held)
        self._house.on_time(self._news)
        self._look()
        self._house.loop.every(LOOK_S, self._look)

    def _look(self) -> None:
        try:
            self._house.look_at_clock()
        finally:  # that UTC is no longer known is no news, but a fault; and a full disk keeps it from nobody
            self._show()

    def _show(self) -> None:
        trust = self._house.keeper.trust
        self._house.set_faults("clock", [] if trust is Trust.TRUSTED else [f"clock-{trust.value}"])

    def _news(self, news: Arrived | Jumped) -> None:
        if isinstance(news, Jumped):
            self._log_clock(None)
            self._on_doubt()
        else:
            self._log_clock(news.offset_ms)
            self._on_arrival()
        self._show()

    def _log_clock(self, offset_ms: int | None) -> None:
        """Log what UTC is worth now; a trusted offset also maps what this boot recorded without one.

        A doubt is kept until `_cleared` ends it: a restart of the process in the same boot is no reason to trust.
        """
        boot = self._house.clock.boot_id()
        reading = self._house.now()
        state = self._house.keeper.trust.value
        known = offset_ms if offset_ms is not None else reading.utc_ms - reading.boot_ns // 1_000_000
        fact = f"offset_ms:{boot}"
        last = ledger.fact(self._house.db.tx, fact)
        if offset_ms is not None and isinstance(last, int) and abs(last - offset_ms) <= DRIFT_MS:
            return  # a restart of the process in the same boot: logged already
        with self._house.db.transaction() as tx:
            number = self._house.log(tx, "clock", {"boot": boot, "offset_ms": known, "state": state})
            if state == Trust.SUSPECT.value:
                ledger.set_fact(tx, f"suspect:{boot}", known)
            if offset_ms is not None:
                sqlite_store.put_mapping(tx, boot, offset_ms, number)
                for name in ("offset_ms", "anchor_ms", "suspect"):  # of earlier boots too
                    ledger.forget_facts(tx, name)
                ledger.set_fact(tx, fact, offset_ms)
                anchor_ms = self._house.keeper.anchor_ms
                ledger.set_fact(tx, f"anchor_ms:{boot}", offset_ms if anchor_ms is None else anchor_ms)

    def directory_verified(self, view: DirectoryView) -> None:
        """Let a verified directory end a suspicion, and raise the floor."""
        self._bracket(view)
        self.keep_floor(view)

    def _ask_held(self) -> None:
        self._house.look_at_clock()  # what may be confirmed is the clock as it is now
        self._bracket(self._held())

    def _bracket(self, view: DirectoryView | None) -> None:
        """Let a suspicion end as soon as a directory brackets now, fetched just now or held before."""
        utc_ms, keeper = self._house.now().utc_ms, self._house.keeper
        if view is None:
            return
        if keeper.bracket(utc_ms, issued_s=view.platform.issued_s, expires_s=view.timestamp_expires_s):
            self._house.loop.after(0.0, self._cleared)  # a timer: tried again when the disk is in trouble

    def confirmed(self) -> None:
        """Let an admitted phone's word end a suspicion."""
        if self._house.keeper.confirm():
            self._cleared()

    def _cleared(self) -> None:
        with self._house.db.transaction() as tx:  # the log's last word must be no doubt
            ledger.forget_facts(tx, "offset_ms")
        reading = self._house.now()
        self._log_clock(reading.utc_ms - reading.boot_ns // 1_000_000)
        self._show()
        self._on_doubt()
        self._on_arrival()

    def keep_floor(self, view: DirectoryView | None) -> None:
        """Raise the floor, durably: to what is signed always, to now only while that is trusted."""
        reading = self._house.now()
        if view is None:
            return
        rose = self._house.keeper.raise_floor(
            issued_s=view.platform.issued_s,
            last_trusted_s=reading.utc_s if reading.trusted else 0,
            expires_s=view.timestamp_expires_s,
        )
        if rose:
            with self._house.db.transaction() as tx:
                ledger.set_fact(tx, "floor_s", self._house.keeper.floor_s)
            self._on_doubt()
