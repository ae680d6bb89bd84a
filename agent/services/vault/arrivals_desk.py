"""What comes from the broker: requests, cancels and alerts, through their checks (sections 5, 7, 8).

Nothing in here is ever answered to anyone. What is put off stores nothing: it comes again with the next
subscription, for which the desk asks by itself where a look-up failed. What waits for its agency's file waits in
memory, bounded, for a minute at most.
"""

from typing import Final

from agent.consent import sqlite_ledger as ledger
from agent.consent import sqlite_seen
from agent.consent.checks import check_arrival, check_match
from agent.consent.notices import EARLY_CANCEL_S, check_alert, check_cancel
from agent.consent.outcome import FloodCounts, Outcome
from agent.consent.request import Request
from agent.consent.states import State
from agent.core.envelope import parse_envelope
from agent.core.errors import DoorbellError, RefusedError, TroubleError
from agent.core.ids import Id
from agent.core.jitter import full_jitter_s
from agent.services.reasons import bug_met
from agent.services.vault.directory_desk import DirectoryDesk
from agent.services.vault.house import House
from agent.services.vault.loop import Timer
from agent.services.vault.requests_desk import RequestsDesk
from agent.services.vault.store_desk import StoreDesk
from agent.services.vault.uplink_desk import UplinkDesk

MAX_WAITING: Final = 64  # section 7
HOUR_S: Final = 3_600.0
AGAIN_LOW_S: Final = 30.0  # after look-ups that failed; growing, since a directory that is down is down for all
AGAIN_HIGH_S: Final = 900.0


class ArrivalsDesk:
    """Runs the checks on what uplink hands over.

    Args:
        house: what the vault shares.
        store: what is recorded.
        directory: who is who.
        requests: holds what passes.
        uplink: subscribes again when something had to be dropped.
    """

    def __init__(
        self, house: House, store: StoreDesk, directory: DirectoryDesk, requests: RequestsDesk, uplink: UplinkDesk
    ) -> None:
        self._house = house
        self._tx = house.db.tx
        self._store = store
        self._directory = directory
        self._requests = requests
        self._uplink = uplink
        self._waiting: dict[str, list[bytes]] = {}  # agency → requests
        self._cancels: list[bytes] = []  # of agencies that may be among those
        self._dropped = False
        self._failures = 0  # of look-ups, in a row
        self._again: Timer | None = None
        self.withheld = 0
        self._withheld: set[Id] = set()  # of what waits quietly: each counts once

    def start(self) -> None:
        """Begin the hourly count of what was refused."""
        self._house.loop.every(HOUR_S, self.log_rejected)

    def log_rejected(self) -> None:
        """Log the hour's refusals as counts, and forget what has expired."""
        counts = dict(sorted(self._house.rejected.items()))
        reading = self._house.now()
        with self._house.db.transaction() as tx:
            if counts:
                self._house.log(tx, "rejected", {"counts": counts})
            if reading.trusted:
                ledger.forget_expired(tx, reading.utc_s)
                ledger.forget_old_requests(tx, reading.utc_ms)
        self._house.rejected.clear()

    def message(self, kind: object, raw: bytes) -> None:
        """Take one message from the broker; an empty one is nothing."""
        if not raw:
            return
        self._house.look_at_clock()
        if kind == "req":
            self._request(raw)
        elif kind == "can":
            self._cancel(raw)
        elif kind == "alert":
            self._alert(raw)
        else:
            raise RefusedError("E_SCHEMA", "no such kind of message")

    # ---- requests

    def _request(self, raw: bytes) -> None:
        reading = self._house.now()
        outcome = check_arrival(
            raw,
            view=self._directory.view,
            now_s=reading.utc_s,
            trusted=reading.trusted,
            seen=lambda request_id: sqlite_seen.seen(self._tx, request_id),
            owner=self._house.owner_limits(),
        )
        if outcome.code != "OK" or outcome.request is None or outcome.payload_sha256 is None:
            self._not_passed(outcome, raw)
            return
        request = outcome.request
        match = self._match(request)
        held, passed = match.code == "OK" or match.code.startswith("I_"), match.code == "OK"
        with self._house.db.transaction() as tx:
            known = sqlite_seen.Seen(request.id, outcome.payload_sha256, request.exp_s, request.agency)
            if not sqlite_seen.remember(tx, known):
                self._house.rejected["E_FLOOD"] += 1
                return
            if ledger.take_cancel(tx, request.id, request.agency):
                return  # it was cancelled before it came
            if held:
                name = self._agency_name(request.agency)
                row = self._requests.admit(tx, raw, request, agency_name=name, passed=passed)
        if held:
            self._requests.admitted(row, passed=passed)
        else:
            self._house.rejected[match.code] += 1
            self.withheld += match.code == "E_FLOOD"

    def _agency_name(self, agency_id: str) -> str:
        view = self._directory.view
        agency = None if view is None else view.agencies.get(agency_id)
        return agency_id if agency is None else agency.name

    def _match(self, request: Request) -> Outcome:
        return check_match(
            request,
            owner=self._house.owner_limits(),
            camera=self._house.config.device.location,
            overlaps=self._store.overlaps,
            counts=self._counts,
        )

    def _counts(self, request: Request) -> FloodCounts:
        return FloodCounts(*ledger.open_counts(self._tx, request.agency, request.case, self._house.now().utc_ms))

    def _not_passed(self, outcome: Outcome, raw: bytes) -> None:
        if outcome.needs_agency is not None:
            self._wait_for(outcome.needs_agency, raw)
        elif outcome.needs_version is not None:
            self._directory.needs_version(outcome.needs_version)
        elif outcome.needs_dispatch:
            self._directory.needs_dispatch()
        elif outcome.code.startswith("E_"):
            self._house.rejected[outcome.code] += 1

    def _has_room(self) -> bool:
        """Say whether one message more may wait; if not, it is dropped and comes with the next subscription."""
        waiting = sum(len(messages) for messages in self._waiting.values()) + len(self._cancels)
        self._dropped = self._dropped or waiting >= MAX_WAITING
        return waiting < MAX_WAITING

    def _wait_for(self, agency: str, raw: bytes) -> None:
        if not self._has_room():
            return
        asked = agency in self._waiting
        self._waiting.setdefault(agency, []).append(raw)
        if asked:
            return
        try:
            self._directory.look_up(agency, lambda error: self._looked_up(agency, error))
        except TroubleError:
            self._waiting.pop(agency)
            self._dropped = True
            self._come_again_later()

    def _looked_up(self, agency: str, error: DoorbellError | None) -> None:
        messages = [("req", raw) for raw in self._waiting.pop(agency, [])]
        view = self._directory.view
        if error is not None or view is None or agency not in view.agencies:
            messages, self._dropped = [], True
        cancels, self._cancels = self._cancels, []
        for kind, raw in [*messages, *(("can", raw) for raw in cancels)]:
            try:
                self.message(kind, raw)
            except TroubleError:  # the disk: nothing of it is stored, so it has to come again
                self._dropped = True
            except Exception as bug:  # noqa: BLE001 - the late part of `verbs.run`: the others are heard too
                bug_met("a message", bug)
        self._failures = 0 if error is None else self._failures + 1
        if not self._waiting and self._dropped:
            if error is None:
                self._come_again()
            else:
                self._come_again_later()

    def _come_again(self) -> None:
        self._uplink.subscribe_again()
        self._dropped = False
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def _come_again_later(self) -> None:
        """Subscribe again after a while: once for all that was dropped, of which nothing was matched yet."""
        if self._again is None:
            delay_s = full_jitter_s(self._failures, low_s=AGAIN_LOW_S, high_s=AGAIN_HIGH_S)
            self._again = self._house.loop.after(delay_s, self._come_again)

    def match_again(self) -> None:
        """Run 12-15 again on what waits quietly: settings, location or the mapping of time changed.

        Only with trusted time, which comes with another call: what has expired must not reach the owner.
        """
        reading = self._house.now()
        if not reading.trusted:
            return
        flooded: set[Id] = set()
        quiet = [row for row in ledger.requests_in(self._tx, [State.QUIET]) if reading.utc_s < row.exp_s]
        for row in quiet:
            code = self._match(self._requests.parsed(row)).code
            if code == "OK":
                self._requests.pass_quiet(row)
            elif code == "E_FLOOD":
                flooded.add(row.id)
        self.withheld += len(flooded - self._withheld)
        self._withheld = flooded | self._withheld & {row.id for row in quiet}

    # ---- cancels and alerts

    def _cancel(self, raw: bytes) -> None:
        try:
            cancel = check_cancel(raw, view=self._directory.view)
        except RefusedError as refused:
            if refused.code.startswith("E_"):
                self._house.rejected[refused.code] += 1
            elif self._waiting and self._has_room():  # its agency may be one that is being looked up
                self._cancels.append(raw)
            return
        row = ledger.request(self._tx, cancel.id)
        if row is not None:
            if row.agency == cancel.agency:
                self._requests.cancel(cancel.id)
        elif sqlite_seen.seen(self._tx, cancel.id) is None:
            with self._house.db.transaction() as tx:
                now_s = max(self._house.now().utc_s, self._house.keeper.floor_s)  # UTC may not be known yet
                ledger.keep_cancel(tx, cancel.id, cancel.agency, now_s + EARLY_CANCEL_S)

    def _alert(self, raw: bytes) -> None:
        reading = self._house.now()
        try:
            alert = check_alert(
                raw,
                view=self._directory.view,
                now_s=reading.utc_s,
                trusted=reading.trusted,
                camera=self._house.config.device.location,
                seen=ledger.alert_ids(self._tx),
                muted=not self._house.settings.alerts,
                shown_24h=ledger.alerts_since(self._tx, reading.utc_ms - ledger.DAY_MS),
            )
        except RefusedError as refused:
            if refused.code.startswith("E_"):
                self._house.rejected[refused.code] += 1
            elif refused.code == "D_DIRECTORY":  # no directory, or no known dispatch key fits
                self._directory.needs_dispatch()
            return
        payload = parse_envelope(raw, counts=(1,)).payload
        with self._house.db.transaction() as tx:
            if ledger.put_alert(tx, alert.id, payload, alert.exp_s, reading.utc_ms):
                self._house.log(tx, "alert", {"id": alert.id})
        self._house.publish("alert", {"id": alert.id})
