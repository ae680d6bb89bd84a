"""Deletes at the upload server what stopped requests have left there: protocol section 13.

What was created is kept in a table until the server has deleted it. It is tried again with delays, so many times,
and anew whenever uplink comes back.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from agent.consent import sqlite_ledger as ledger
from agent.consent import sqlite_uploads
from agent.consent.release import NotYetError
from agent.consent.sqlite_ledger import RequestRow
from agent.consent.states import State
from agent.core.errors import DoorbellError, TroubleError
from agent.core.ids import Id
from agent.core.jitter import full_jitter_s
from agent.services.vault.house import House
from agent.services.vault.loop import Timer
from agent.services.vault.uplink_desk import RETRY_HIGH_S, RETRY_LOW_S, SILENT_S, UplinkDesk
from agent.services.wire import Args, Message

log = logging.getLogger(__name__)

MAX_DISCARDS: Final = 600  # about 72 hours of these, as long as section 12 lets an upload wait
WITHDRAWN: Final = (State.WITHDRAWN, State.CANCELLED, State.FAILED)  # what was created for these is deleted


@dataclass(slots=True)
class _Job:
    """What one request left: `attempt` counts failures in a row, `timer` brings the next try, `said` is why."""

    attempt: int = 0
    timer: Timer | None = None
    said: str = ""


class DiscardsDesk:
    """Stops and deletes, one request at a time.

    Args:
        house: what the vault shares.
        uplink: does the deleting.
        endpoint: where a request's uploads are; raises NotYetError while the directory does not say.
    """

    def __init__(self, house: House, uplink: UplinkDesk, endpoint: Callable[[RequestRow], Args]) -> None:
        self._house = house
        self._tx = house.db.tx
        self._uplink = uplink
        self._endpoint = endpoint
        self._jobs: dict[Id, _Job] = {}

    def uplink_arrived(self) -> None:
        """Try again to delete what stopped requests left at the upload server."""
        for job in self._jobs.values():
            job.attempt = 0
        for row in ledger.requests_in(self._tx, WITHDRAWN):
            if sqlite_uploads.uploads(self._tx, row.id):
                self.begin(row.id)

    def begin(self, request_id: Id) -> None:
        """Have uplink stop what is under way for a request, and delete what was created for it."""
        row = ledger.request(self._tx, request_id)
        created = sqlite_uploads.uploads(self._tx, request_id).values()
        locations = [where for where, _ in created if where is not None]
        if row is None:
            return
        try:
            self._uplink.call("stop_upload", {"request": request_id}, lambda _: None)
            if locations:
                args: Args = {"endpoint": self._endpoint(row), "locations": list(locations)}
                self._uplink.call("discard", args, lambda reply: self._answered(request_id, locations, reply))
                self._set_timer(request_id, SILENT_S, self._uplink.hang_up)
        except NotYetError as wait:
            self._later(request_id, wait)
        except TroubleError:
            return  # uplink is not there; kept in the table: tried when it comes

    def _answered(self, request_id: Id, locations: list[str], reply: Message | DoorbellError) -> None:
        if isinstance(reply, DoorbellError):
            self._later(request_id, reply)
            return
        with self._house.db.transaction() as tx:
            sqlite_uploads.forget_locations(tx, request_id, locations)  # not one that came since
        job = self._jobs.pop(request_id, None)
        if job is not None and job.timer is not None:
            job.timer.cancel()

    def _later(self, request_id: Id, why: DoorbellError) -> None:
        job = self._set_timer(request_id, None, lambda: None)
        if str(why) != job.said:
            log.warning("request %s: what was uploaded before it ended is not deleted yet: %s", request_id, why)
        job.said = str(why)
        if job.attempt < MAX_DISCARDS:
            delay_s = full_jitter_s(job.attempt, low_s=RETRY_LOW_S, high_s=RETRY_HIGH_S)
            job.attempt += 1
            self._set_timer(request_id, delay_s, lambda: self.begin(request_id))

    def _set_timer(self, request_id: Id, delay_s: float | None, action: Callable[[], None]) -> _Job:
        """Let one timer, and only one, bring what comes next; without a delay none does."""
        job = self._jobs.setdefault(request_id, _Job())
        if job.timer is not None:
            job.timer.cancel()
        job.timer = None if delay_s is None else self._house.loop.after(delay_s, action)
        return job
