"""Hands released segments to uplink and ends with the receipt: protocol section 13.

Before each attempt the standing consent is verified and re-checked anew, and the attempt gets a `Release` of its
own. One segment after the other: its file is opened read-only, its length and hash are compared with what was
consented to, and only that descriptor is handed over. Where uploads stand is durable, so that an attempt after
a power cut goes on where the last one was. On an uplink that hangs the vault hangs up: it starts anew, and what it
was asked for is tried again.
"""

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeGuard

from agent.consent import sqlite_ledger as ledger
from agent.consent import sqlite_uploads
from agent.consent.consent_form import SegmentRef
from agent.consent.receipts import check_receipt
from agent.consent.release import NotYetError, Release
from agent.consent.sqlite_ledger import RequestRow
from agent.consent.states import State
from agent.core.errors import BugError, DoorbellError, RefusedError, TroubleError
from agent.core.ids import Id, Sha256, is_id, sha256_hex
from agent.core.jitter import full_jitter_s
from agent.services.reasons import bug_met
from agent.services.vault.database import translated
from agent.services.vault.decisions_desk import DecisionsDesk
from agent.services.vault.directory_desk import DirectoryDesk
from agent.services.vault.discards_desk import WITHDRAWN, DiscardsDesk
from agent.services.vault.house import House
from agent.services.vault.loop import Timer
from agent.services.vault.requests_desk import RequestsDesk
from agent.services.vault.store_desk import StoreDesk
from agent.services.vault.submissions import Submissions, payload_of
from agent.services.vault.uplink_desk import RETRY_HIGH_S, RETRY_LOW_S, SILENT_S, UplinkDesk
from agent.services.wire import Args, Message

log = logging.getLogger(__name__)

MAX_LOCATION: Final = 128  # section 13: the longest name of an upload
_READ_BYTES: Final = 1 << 20


@dataclass(slots=True)
class _Job:
    """One request on its way.

    `attempt` counts failures in a row, `running` keeps attempts apart, `timer` brings the next one or hangs up on
    an uplink that is silent, `waits` shows as a fault, `said` is why, `tried_ns` is when uplink was last asked,
    `sizes` are the bytes of each segment that the last attempt might hand over.
    """

    attempt: int = 0
    running: bool = False
    timer: Timer | None = None
    waits: bool = False
    said: str = ""
    tried_ns: int | None = None
    sizes: dict[Id, int] = field(default_factory=dict)


class UploadsDesk:
    """Drives uploads, one request at a time.

    Args:
        house: what the vault shares.
        store: opens segments.
        directory: is refreshed before an attempt.
        requests: holds the states.
        decisions: releases what may leave.
        uplink: does the sending.
    """

    def __init__(
        self,
        house: House,
        store: StoreDesk,
        directory: DirectoryDesk,
        requests: RequestsDesk,
        decisions: DecisionsDesk,
        uplink: UplinkDesk,
    ) -> None:
        self._house = house
        self._tx = house.db.tx
        self._store = store
        self._directory = directory
        self._requests = requests
        self._decisions = decisions
        self._uplink = uplink
        self._submissions = Submissions(house, directory)
        self._jobs: dict[Id, _Job] = {}
        self._discards = DiscardsDesk(house, uplink, self._endpoint)

    # ---- attempts

    def begin(self, request_id: Id) -> None:
        """Start, or go on after a restart, with a request in UPLOADING or HANDED_OVER."""
        self._jobs.setdefault(request_id, _Job())
        self._attempt(request_id)

    def uplink_arrived(self) -> None:
        """Try again what waited for uplink: at once, but never sooner after an attempt than section 13 says."""
        now_ns = self._house.now().boot_ns
        for request_id, job in list(self._jobs.items()):
            if not job.running:
                since_s = RETRY_LOW_S if job.tried_ns is None else (now_ns - job.tried_ns) / 10**9
                self._plan(request_id, job, max(0.0, RETRY_LOW_S - since_s))
        self._discards.uplink_arrived()

    def _plan(self, request_id: Id, job: _Job, delay_s: float) -> None:
        self._set_timer(job, delay_s, lambda: self._attempt(request_id))

    def _set_timer(self, job: _Job, delay_s: float, action: Callable[[], None]) -> None:
        """Let one timer, and only one, bring what comes next."""
        if job.timer is not None:
            job.timer.cancel()
        job.timer = self._house.loop.after(delay_s, action)

    def _end(self, request_id: Id) -> None:
        job = self._jobs.pop(request_id, None)
        if job is not None and job.timer is not None:
            job.timer.cancel()
        self._show()

    def _show(self) -> None:
        waits = any(job.waits for job in self._jobs.values())
        self._house.set_faults("upload", ["upload-waits"] if waits else [])

    def _or_later(self, request_id: Id, action: Callable[[], None]) -> None:
        """Do a step of an attempt; a disk in trouble undid it, and it is tried again."""
        try:
            with translated("the vault's database"):
                action()
        except TroubleError as trouble:
            self._later(request_id, trouble)
        except Exception as bug:  # noqa: BLE001 - a server's answer may have met it, and comes at each start
            self._later(request_id, bug_met("an upload", bug))

    def _attempt(self, request_id: Id) -> None:
        job, row = self._jobs.get(request_id), ledger.request(self._tx, request_id)
        if job is None or job.running:
            return
        if row is None or row.state not in {State.UPLOADING, State.HANDED_OVER}:
            self._end(request_id)
            return
        job.running = True
        self._when_ready(row)

    def _when_ready(self, row: RequestRow) -> None:
        self._directory.when_ready(row.agency, lambda: self._or_later(row.id, lambda: self._go_on(row.id)))

    def _go_on(self, request_id: Id) -> None:
        row = ledger.request(self._tx, request_id)
        if row is None or row.state not in {State.UPLOADING, State.HANDED_OVER}:
            self._end(request_id)
            return
        try:
            if row.state is State.HANDED_OVER:
                self._submit(row)
            else:
                self._upload_next(row, self._decisions.release(row))
        except NotYetError as wait:
            self._later(request_id, wait)
        except RefusedError as refused:
            self._decisions.give_up(row, refused)
            self._end(request_id)

    def _later(self, request_id: Id, why: DoorbellError | BugError) -> None:
        job = self._jobs.get(request_id)
        if job is None:
            return
        job.running = False
        if str(why) != job.said:
            log.warning("request %s: its upload waits: %s", request_id, why)
        job.said = str(why)
        delay_s = full_jitter_s(job.attempt, low_s=RETRY_LOW_S, high_s=RETRY_HIGH_S)
        job.attempt += 1
        code = why.code if isinstance(why, RefusedError | TroubleError) else "upload"
        job.waits = code != "link"  # that uplink is not there is a fault of its own
        self._plan(request_id, job, delay_s)
        self._show()

    def _tried(self, request_id: Id) -> None:
        job = self._jobs.get(request_id)
        if job is not None:
            job.tried_ns = self._house.now().boot_ns
            self._heard(request_id)

    def _heard(self, request_id: Id) -> None:
        """Wait for uplink's answer, but only as long as it says something of this request meanwhile."""
        job = self._jobs.get(request_id)
        if job is not None and job.running:
            self._set_timer(job, SILENT_S, self._uplink.hang_up)

    # ---- segments

    def _endpoint(self, row: RequestRow) -> Args:
        view = self._directory.view
        endpoint = None if view is None else view.platform.endpoints.get(self._requests.parsed(row).ep)
        if endpoint is None:
            raise NotYetError("D_DIRECTORY", "the endpoint is not in the directory that is held")
        return {"host": endpoint.host, "port": endpoint.port, "base": endpoint.base}

    def _upload_next(self, row: RequestRow, release: Release) -> None:
        """Hand over the first segment that is not complete; with none left, hand over the submission."""
        done = sqlite_uploads.uploads(self._tx, row.id)
        job = self._jobs.get(row.id)
        if job is not None:
            job.sizes = {segment.id: segment.size_bytes for segment in release.segments}
        for segment in release.segments:
            location, complete = done.get(segment.id, (None, False))
            if not complete:
                self._upload(row, release, segment, location)
                return
        self._hand_over(row, release)

    def _upload(self, row: RequestRow, release: Release, segment: SegmentRef, location: str | None) -> None:
        fd = self._store.folder.open_readonly(segment.id)
        try:
            released = release.take(segment.id, Sha256(_hash(fd)), os.fstat(fd).st_size)
            args: Args = {
                "request": row.id,
                "endpoint": self._endpoint(row),
                "segment": released.id,
                "sha256": released.sha256,
                "bytes": released.size_bytes,
                "location": location,
            }
            self._uplink.call(
                "upload",
                args,
                lambda reply: self._or_later(row.id, lambda: self._uploaded(row.id, segment.id, reply)),
                fds=(fd,),
            )
            self._tried(row.id)
        except OSError as exc:
            raise TroubleError(
                "storage-failed", f"a segment can't be read: {exc.strerror}; check the card"
            ) from exc
        finally:
            os.close(fd)

    def _uploaded(self, request_id: Id, segment: Id, reply: Message | DoorbellError) -> None:
        location = None if isinstance(reply, DoorbellError) else reply.args.get("location")
        row = ledger.request(self._tx, request_id)
        if row is not None and row.state in WITHDRAWN:
            self.withdraw(request_id)  # stopped while it was under way: what came of it is deleted too
        if row is None or row.state is not State.UPLOADING:
            return
        if isinstance(reply, DoorbellError) or not _is_location(location):
            no_location = RefusedError("location", "uplink names no upload")
            self._later(request_id, reply if isinstance(reply, DoorbellError) else no_location)
            return
        with self._house.db.transaction() as tx:
            sqlite_uploads.put_upload(tx, request_id, segment, location, complete=True)
        self._made_progress(request_id)
        self._when_ready(row)  # the next one is an attempt of its own: the directory may have aged meanwhile

    def _made_progress(self, request_id: Id) -> None:
        job = self._jobs.get(request_id)
        if job is not None:
            job.attempt, job.waits, job.said = 0, False, ""
        self._show()

    def created(self, request_id: object, segment: object, location: object) -> None:
        """Keep where a segment's upload was created, so that it can be resumed or deleted.

        Only of segments that the consent names, so that uplink can't fill the card with what it makes up.
        """
        row = ledger.request(self._tx, str(request_id))
        if row is None or row.consent is None or not _is_location(location):
            return
        named = {grant.segment.id for grant in self._submissions.given(row)[1].grants}
        if not is_id(segment) or segment not in named:
            return
        self._heard(row.id)
        with self._house.db.transaction() as tx:
            sqlite_uploads.put_upload(tx, row.id, segment, location, complete=False)

    def progress(self, request_id: object, segment: object, sent: object) -> None:
        """Tell the pages how far an upload is: bytes of the whole request."""
        row = ledger.request(self._tx, str(request_id))
        job = None if row is None else self._jobs.get(row.id)
        if row is None or job is None or row.state is not State.UPLOADING:
            return
        if type(sent) is not int or sent < 0:
            return
        self._heard(row.id)
        complete = {one for one, (_, whole) in sqlite_uploads.uploads(self._tx, row.id).items() if whole}
        done = sum(size for one, size in job.sizes.items() if one in complete and one != segment)
        total = sum(job.sizes.values())
        self._house.publish("progress", {"id": row.id, "sent": min(total, done + sent), "total": total})

    def withdraw(self, request_id: Id) -> None:
        """End a request's upload, and delete at the upload server what was created for it."""
        self._end(request_id)
        self._discards.begin(request_id)

    # ---- the submission

    def _hand_over(self, row: RequestRow, release: Release) -> None:
        """Log HANDED_OVER and keep the submission, durably, before its first byte leaves."""
        del release  # it was checked a moment ago, in this very call of the loop
        with self._house.db.transaction() as tx:
            self._requests.uploaded(tx, row)
            envelope, expires_s = self._submissions.build(row)
            sqlite_uploads.put_submission(tx, row.id, envelope, expires_s)
        fresh = self._requests.row(row.id)
        self._requests.moved(row, fresh.state)
        self._submit(fresh)

    def _submit(self, row: RequestRow) -> None:
        kept = sqlite_uploads.submission(self._tx, row.id)
        if kept is None:
            raise BugError("handed over without a submission")
        envelope, expires_s, _ = kept
        if self._house.now().utc_s >= expires_s:  # section 13: its directory ran out before a receipt came
            envelope, expires_s = self._submissions.build(row)
            with self._house.db.transaction() as tx:
                sqlite_uploads.put_submission(tx, row.id, envelope, expires_s)
        args: Args = {"request": row.id, "endpoint": self._endpoint(row)}
        self._uplink.call(
            "submit",
            args,
            lambda reply: self._or_later(row.id, lambda: self._receipt(row.id, envelope, reply)),
            blob=envelope,
        )
        self._tried(row.id)

    def _receipt(self, request_id: Id, envelope: bytes, reply: Message | DoorbellError) -> None:
        row = ledger.request(self._tx, request_id)
        if row is None or row.state is not State.HANDED_OVER:
            return
        if isinstance(reply, DoorbellError):
            self._later(request_id, reply)
            return
        view = self._directory.view
        if view is None or reply.blob is None:
            self._later(request_id, RefusedError("E_RECEIPT", "no receipt came"))
            return
        try:
            payload = check_receipt(
                reply.blob,
                platform=view.platform,
                request=row.id,
                submission_sha256=sha256_hex(payload_of(envelope)),
                segments=[grant.segment.sha256 for grant in self._submissions.given(row)[1].grants],
            )
        except RefusedError as refused:
            self._later(request_id, refused)
            return
        self._requests.delivered(row, sha256_hex(payload), reply.blob)
        self._end(request_id)


def _is_location(value: object) -> TypeGuard[str]:
    """Say whether uplink names an upload; only its length matters here, since uplink reads it again."""
    return isinstance(value, str) and len(value) <= MAX_LOCATION


def _hash(fd: int) -> str:
    """Return the SHA-256 of an open file, read by position so that the descriptor's offset stays 0."""
    digest, place = hashlib.sha256(), 0
    while chunk := os.pread(fd, _READ_BYTES, place):
        digest.update(chunk)
        place += len(chunk)
    return digest.hexdigest()
