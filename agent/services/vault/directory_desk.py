"""When the directory is fetched: protocol section 4. The verifying is python-tuf's, in a thread of its own.

Nothing that a message says makes a fetch at once but a look-up of an agency's file: the others wait for a random
delay, so that what the network sees does not tell which message came. A fetch that hangs holds nobody up for
more than `DEADLINE_S`: who waited is answered, and the late result is taken when it comes.
"""

import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Final, Protocol

from agent.consent.directory import DirectoryView, Region
from agent.core.errors import DoorbellError, RefusedError, TroubleError
from agent.core.jitter import uniform_s
from agent.core.strict_json import Json
from agent.services.reasons import bug_met
from agent.services.vault.house import House

log = logging.getLogger(__name__)

DEADLINE_S: Final = 60.0  # section 7: how long a request waits for its agency's file
FRESH_S: Final = 3_600  # section 4: older is refreshed before a share and before an upload
DAILY_S: Final = (20 * 3_600.0, 28 * 3_600.0)
#: What the owner is told by name; whatever else is wrong with the directory is just "directory".
FAULTS: Final = frozenset(
    {"directory-late", "directory-missing", "directory-refused", "directory-expired", "directory-disk"}
)
RETRY_S: Final = (30.0, 300.0)  # after a refresh that failed
HOURLY_NS: Final = 3_600 * 10**9
MAX_WAITING: Final = 64  # section 7
_NS: Final = 10**9

Fetch = Callable[[str, int], bytes]
Done = Callable[[DoorbellError | None], None]


class Verifier(Protocol):
    """What verifies a directory: `TufDirectory`, and nothing else in what ships."""

    @property
    def view(self) -> DirectoryView | None:
        """What is held now."""
        ...

    def load(self) -> DirectoryView | None:
        """Take up what the card holds."""
        ...

    def refresh(self, fetch: Fetch) -> DirectoryView:
        """Fetch and verify the newest state."""
        ...

    def look_up_agency(self, fetch: Fetch, agency: str) -> DirectoryView:
        """Look an agency's file up under what is held."""
        ...

    def region(self, fetch: Fetch, cell: str) -> Region | None:
        """Return the list of a cell's agencies."""
        ...

    def evidence_files(self, agency: str) -> dict[str, bytes]:
        """Return what a submission shows."""
        ...


class DirectoryDesk:
    """Holds the directory for the loop's thread.

    Args:
        house: what the vault shares.
        directory: the verifier.
        fetch: asks uplink for bytes; called in the directory's thread.
        pool: that thread, if it is not to be a new one.
    """

    def __init__(self, house: House, directory: Verifier, fetch: Fetch, pool: Executor | None = None) -> None:
        self._house = house
        self._directory = directory
        self._fetch = fetch
        self._pool: Executor = pool or ThreadPoolExecutor(1, thread_name_prefix="directory")
        self._fetched_ns: int | None = None
        self._failed: dict[int, int] = {}  # dirv that a fetch did not reach → boot time
        self._no_dispatch_ns: int | None = None
        self._planned = False
        self._said: dict[bool, str] = {}  # why the last refresh (True) or look-up (False) failed: told on change
        self._wanted: set[int] = set()  # `dirv` of messages that the planned fetch is for
        self._retrying = False
        self._has_failed = False  # the last refresh
        self._missed = True  # none was made since it was last due, for uplink was not there
        self._waiting = 0
        self._on_change: Callable[[], None] = lambda: None
        self._on_verified: Callable[[DirectoryView], None] = lambda _: None
        self._live_agencies: Callable[[], set[str]] = set
        self.regions: list[dict[str, Json]] = []

    def on_change(self, action: Callable[[], None], live_agencies: Callable[[], set[str]]) -> None:
        """Call `action` after the verified directory changed; `live_agencies` are looked up with each refresh."""
        self._on_change = action
        self._live_agencies = live_agencies

    def on_verified(self, action: Callable[[DirectoryView], None]) -> None:
        """Call `action` after each refresh that verified, changed or not."""
        self._on_verified = action

    @property
    def view(self) -> DirectoryView | None:
        """What is held now."""
        return self._directory.view

    def start(self) -> None:
        """Take up what the card holds, and fetch as soon as uplink is there."""
        self._directory.load()
        self._plan_daily()

    def is_fresh(self) -> bool:
        """Say whether the held directory was fetched within the hour."""
        return self._fetched_ns is not None and self._house.now().boot_ns - self._fetched_ns < FRESH_S * _NS

    def timestamp_fresh(self, now_s: int) -> bool:
        """Say whether the directory's timestamp has not run out."""
        return self.view is not None and now_s < self.view.timestamp_expires_s

    def evidence_files(self, agency: str) -> dict[str, bytes]:
        """Return what a submission's `directory` needs; raises TroubleError when that is not held."""
        return self._directory.evidence_files(agency)

    # ---- what makes a fetch

    def uplink_arrived(self) -> None:
        """Uplink is there (again): fetch now what was not fetched because it was not."""
        if self._missed:
            self.refresh(lambda _: None)

    def needs_version(self, version: int) -> None:
        """Plan a fetch because a message names a higher version; not for one that a fetch did not reach."""
        failed_ns = self._failed.get(version)
        if failed_ns is None or self._house.now().boot_ns - failed_ns >= HOURLY_NS:
            self._plan(version)

    def needs_dispatch(self) -> None:
        """Plan a fetch because no known dispatch key fits; at most hourly."""
        now_ns = self._house.now().boot_ns
        if self._no_dispatch_ns is None or now_ns - self._no_dispatch_ns >= HOURLY_NS:
            self._no_dispatch_ns = now_ns
            self._plan(None)

    def _plan(self, version: int | None) -> None:
        if version is not None and len(self._wanted) < MAX_WAITING:
            self._wanted.add(version)
        if self._planned:
            return
        self._planned = True

        def go() -> None:
            self._planned = False
            wanted, self._wanted = self._wanted, set()
            self.refresh(lambda _: self._note(wanted))

        self._house.loop.after(uniform_s(0.0, self._house.config.platform.directory_delay_s), go)

    def _note(self, wanted: set[int]) -> None:
        held = self.view.platform.version if self.view is not None else -1
        now_ns = self._house.now().boot_ns
        self._failed = {
            known: at for known, at in self._failed.items() if now_ns - at < HOURLY_NS and known > held
        }
        for version in sorted(wanted)[: MAX_WAITING - len(self._failed)]:
            if version > held:
                self._failed[version] = now_ns

    def _plan_daily(self) -> None:
        def go() -> None:
            self._plan_daily()
            self.refresh(lambda _: None)

        self._house.loop.after(uniform_s(*DAILY_S), go)

    # ---- fetching

    def refresh(self, done: Done) -> None:
        """Fetch and verify the newest directory, with the agencies of live requests; `done` runs in the loop."""
        live = sorted(self._live_agencies())

        def work() -> None:
            view = self._directory.refresh(self._fetch)
            for agency in live:
                if agency not in view.agencies:
                    with contextlib.suppress(DoorbellError):  # it stays "not looked up": put off, not refused
                        self._directory.look_up_agency(self._fetch, agency)

        self._submit(work, done, is_refresh=True)

    def look_up(self, agency: str, done: Done) -> None:
        """Look an agency's file up; `done` runs in the loop, at the latest after a minute.

        Raises:
            TroubleError: busy, when 64 look-ups wait already.
        """
        if self._waiting >= MAX_WAITING:
            raise TroubleError("busy", "too many look-ups wait")
        self._submit(lambda: self._directory.look_up_agency(self._fetch, agency), done, is_refresh=False)

    def when_ready(self, agency: str, action: Callable[[], None]) -> None:
        """Run `action` once the directory is at most an hour old and the agency looked up, or that failed."""

        def look_up(_: DoorbellError | None) -> None:
            if self.view is not None and agency in self.view.agencies:
                action()
                return
            try:
                self.look_up(agency, lambda _: action())
            except TroubleError:
                action()

        if self.is_fresh():
            look_up(None)
        else:
            self.refresh(look_up)

    def fetch_region(self, cell: str) -> None:
        """Fetch the list of a 3-cell's agencies, for the owner's page; a failure changes nothing."""

        def work() -> None:
            region = self._directory.region(self._fetch, cell)
            rows: list[dict[str, Json]] = [
                {"id": one.id, "name": one.name, "centre": list(one.centre)}
                for one in (region.agencies if region is not None else ())
            ]
            self._house.loop.post(lambda: self._set_regions(rows))

        self._submit(work, lambda _: None, is_refresh=False)

    def _set_regions(self, rows: list[dict[str, Json]]) -> None:
        self.regions = rows

    def _submit(self, work: Callable[[], object], done: Done, *, is_refresh: bool) -> None:
        self._waiting += 1
        pending: list[Done] = [done]

        def answer(error: DoorbellError | None) -> None:
            if pending:
                pending.pop()(error)

        def finished(error: DoorbellError | None) -> None:
            timer.cancel()
            self._waiting -= 1
            self._tell(error, is_refresh=is_refresh)
            try:
                self._taken(error, is_refresh=is_refresh)
            finally:  # a full disk is no reason to let anybody wait
                answer(error)

        def run() -> None:
            # Whatever happens in here, who waits is answered: nothing else would ever end their wait.
            error: DoorbellError | None = TroubleError("directory", "The directory could not be read.")
            before = self.view
            try:
                work()
                error = None
            except DoorbellError as exc:
                error = exc
            except Exception as bug:  # noqa: BLE001 - what was fetched may have met it, and a pool keeps it to itself
                bug_met("the directory", bug)
            finally:
                first = is_refresh and self._fetched_ns is None  # what the card held, nobody was told of
                changed = first or _differ(before, self.view)
                self._house.loop.put(lambda: self._finish(finished, error, changed=changed))

        late = TroubleError("directory-late", "The directory did not answer in time. It is tried again by itself.")
        timer = self._house.loop.after(DEADLINE_S, lambda: answer(late))
        self._pool.submit(run)

    def _finish(self, finished: Done, error: DoorbellError | None, *, changed: bool) -> None:
        if changed and error is None:
            self._house.loop.after(0.0, self._on_change)  # a timer: tried again when the disk is in trouble
        finished(error)

    def _tell(self, error: DoorbellError | None, *, is_refresh: bool) -> None:
        """Log why the directory can't be had, once: the fault's code alone tells nobody what to mend."""
        said = "" if error is None else str(error)
        if said and said != self._said.get(is_refresh):
            log.warning("directory: %s", said)
        self._said[is_refresh] = said

    def _taken(self, error: DoorbellError | None, *, is_refresh: bool) -> None:
        if not is_refresh:
            return
        if error is None:
            self._fetched_ns = self._house.now().boot_ns
            self._has_failed = self._missed = False
            self._house.set_faults("directory", [])
            view = self.view
            if view is not None:
                self._on_verified(view)
            return
        code = error.code if isinstance(error, RefusedError | TroubleError) else ""
        if code == "link":  # uplink is not there: that is its own fault to show, and it says when it is back
            self._missed = True
        else:
            self._house.set_faults("directory", [code if code in FAULTS else "directory"])
            self._has_failed = True
            if not self._retrying:
                self._retrying = True
                self._house.loop.after(uniform_s(*RETRY_S), self._retry)

    def _retry(self) -> None:
        self._retrying = False
        if self._has_failed:
            self.refresh(lambda _: None)

    def close(self) -> None:
        """End the thread; what it waits for ends with uplink's link."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _differ(before: DirectoryView | None, after: DirectoryView | None) -> bool:
    """Say whether another directory is held; one more look-up under the same `platform.json` is no change."""
    if before is None or after is None:
        return after is not None
    return before.platform is not after.platform or before.timestamp_expires_s != after.timestamp_expires_s
