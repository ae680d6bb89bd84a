"""Hands released segments to uplink and ends with the receipt: protocol section 13.

Before each attempt the standing consent is verified and re-checked anew, and the attempt gets a `Release` of its
own. One segment after the other: its file is opened read-only, its length and hash are compared with what was
consented to, and only that descriptor is handed over. Where uploads stand is durable, so that an attempt after
a power cut goes on where the last one was.
"""

import hashlib
import os
from dataclasses import dataclass
from typing import Final

from agent.buffer import sqlite_store
from agent.consent import sqlite_ledger as ledger
from agent.consent import sqlite_log
from agent.consent.consent_form import Channel, ConsentForm, SegmentRef, parse_consent
from agent.consent.consents import MAX_STORED_BYTES
from agent.consent.receipts import check_receipt
from agent.consent.release import NotYetError, Release
from agent.consent.sqlite_ledger import ConsentRow, RequestRow
from agent.consent.states import State
from agent.consent.submission import ShownApprover, ShownLeaf, build_submission
from agent.core.envelope import MAX_SUBMISSION_BYTES, parse_envelope, sign
from agent.core.errors import BugError, DoorbellError, RefusedError, TroubleError
from agent.core.ids import Id, Sha256, is_id, sha256_hex
from agent.core.jitter import full_jitter_s
from agent.services.vault.decisions_desk import DecisionsDesk
from agent.services.vault.directory_desk import DirectoryDesk
from agent.services.vault.house import House
from agent.services.vault.requests_desk import RequestsDesk
from agent.services.vault.store_desk import StoreDesk
from agent.services.vault.uplink_desk import UplinkDesk
from agent.services.wire import Args, Message

RETRY_LOW_S: Final = 5.0  # section 13: attempts are 5 s to 15 min apart
RETRY_HIGH_S: Final = 900.0
MAX_LOCATION: Final = 128  # section 13: the longest name of an upload
_READ_BYTES: Final = 1 << 20


@dataclass(slots=True)
class _Job:
    """One request on its way. `attempt` counts failures in a row; `running` keeps attempts apart."""

    attempt: int = 0
    running: bool = False


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
        self._jobs: dict[Id, _Job] = {}

    # ---- attempts

    def begin(self, request_id: Id) -> None:
        """Start, or go on after a restart, with a request in UPLOADING or HANDED_OVER."""
        self._jobs.setdefault(request_id, _Job())
        self._attempt(request_id)

    def uplink_arrived(self) -> None:
        """Try again at once what waited for uplink."""
        for request_id, job in list(self._jobs.items()):
            if not job.running:
                self._attempt(request_id)

    def _attempt(self, request_id: Id) -> None:
        job, row = self._jobs.get(request_id), ledger.request(self._tx, request_id)
        if job is None or job.running:
            return
        if row is None or row.state not in {State.UPLOADING, State.HANDED_OVER}:
            del self._jobs[request_id]
            return
        job.running = True
        self._directory.when_ready(row.agency, lambda: self._go_on(request_id))

    def _go_on(self, request_id: Id) -> None:
        row = ledger.request(self._tx, request_id)
        if row is None or row.state not in {State.UPLOADING, State.HANDED_OVER}:
            self._jobs.pop(request_id, None)
            return
        try:
            if row.state is State.HANDED_OVER:
                self._submit(row)
            else:
                self._upload_next(row, self._decisions.release(row))
        except NotYetError as wait:
            self._later(request_id, wait)
        except RefusedError as refused:
            self._jobs.pop(request_id, None)
            self._decisions.give_up(row, refused)
        except TroubleError as trouble:
            self._later(request_id, trouble)

    def _later(self, request_id: Id, why: DoorbellError) -> None:
        job = self._jobs.get(request_id)
        if job is None:
            return
        job.running = False
        delay_s = full_jitter_s(job.attempt, low_s=RETRY_LOW_S, high_s=RETRY_HIGH_S)
        job.attempt += 1
        code = why.code if isinstance(why, RefusedError | TroubleError) else "upload"
        self._house.set_faults("upload", [] if code == "link" else ["upload-waits"])
        self._house.loop.after(delay_s, lambda: self._attempt(request_id))

    # ---- segments

    def _endpoint(self, row: RequestRow) -> Args:
        view = self._directory.view
        endpoint = None if view is None else view.platform.endpoints.get(self._requests.parsed(row).ep)
        if endpoint is None:
            raise NotYetError("D_DIRECTORY", "the endpoint is not in the directory that is held")
        return {"host": endpoint.host, "port": endpoint.port, "base": endpoint.base}

    def _upload_next(self, row: RequestRow, release: Release) -> None:
        """Hand over the first segment that is not complete; with none left, hand over the submission."""
        done = ledger.uploads(self._tx, row.id)
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
            self._uplink.call("upload", args, lambda reply: self._uploaded(row.id, segment.id, reply), fds=(fd,))
        except BugError as exc:
            raise RefusedError("C_STALE", "a segment's file is not the one that was consented to") from exc
        finally:
            os.close(fd)

    def _uploaded(self, request_id: Id, segment: Id, reply: Message | DoorbellError) -> None:
        if isinstance(reply, DoorbellError):
            self._later(request_id, reply)
            return
        reply.close()
        location = reply.args.get("location")
        row = ledger.request(self._tx, request_id)
        if row is None or row.state is not State.UPLOADING:
            self.withdraw(request_id)  # stopped while it was under way: what came of it is deleted too
            return
        with self._house.db.transaction() as tx:
            ledger.put_upload(tx, request_id, segment, str(location), complete=True)
        self._made_progress(request_id)
        self._go_on(request_id)

    def _made_progress(self, request_id: Id) -> None:
        job = self._jobs.get(request_id)
        if job is not None:
            job.attempt = 0
        self._house.set_faults("upload", [])

    def created(self, request_id: object, segment: object, location: object) -> None:
        """Keep where a segment's upload was created, so that it can be resumed or deleted.

        Only of segments that the consent names, so that uplink can't fill the card with what it makes up.
        """
        row = ledger.request(self._tx, str(request_id))
        if row is None or row.consent is None or not isinstance(location, str) or len(location) > MAX_LOCATION:
            return
        named = {grant.segment.id for grant in self._given(row)[1].grants}
        if not is_id(segment) or segment not in named:
            return
        with self._house.db.transaction() as tx:
            ledger.put_upload(tx, row.id, segment, location, complete=False)

    def progress(self, request_id: object, segment: object, sent: object) -> None:
        """Tell the pages how far an upload is: bytes of the whole request."""
        row = ledger.request(self._tx, str(request_id))
        if row is None or row.state is not State.UPLOADING or type(sent) is not int:
            return
        complete = {one for one, (_, whole) in ledger.uploads(self._tx, row.id).items() if whole}
        try:
            grants = self._decisions.standing_consent(row).form.grants
        except RefusedError:
            return
        sizes = {grant.segment.id: grant.segment.size_bytes for grant in grants}
        done = sum(size for one, size in sizes.items() if one in complete and one != segment)
        total = sum(sizes.values())
        self._house.publish("progress", {"id": row.id, "sent": min(total, done + sent), "total": total})

    # ---- withdrawal

    def withdraw(self, request_id: Id) -> None:
        """Delete at the upload server what was created; tried once, then once more after uplink's next hello."""
        row = ledger.request(self._tx, request_id)
        locations = [where for where, _ in ledger.uploads(self._tx, request_id).values() if where is not None]
        self._jobs.pop(request_id, None)
        if row is None:
            return
        try:
            self._uplink.call("stop_upload", {"request": request_id}, lambda _: None)
            if locations:
                args: Args = {"endpoint": self._endpoint(row), "locations": list(locations)}
                self._uplink.call("discard", args, lambda reply: self._discarded(request_id, reply))
        except (TroubleError, NotYetError):
            return  # kept in the table: `discard_left` tries again

    def _discarded(self, request_id: Id, reply: Message | DoorbellError) -> None:
        if not isinstance(reply, DoorbellError):
            reply.close()
            with self._house.db.transaction() as tx:
                ledger.forget_uploads(tx, request_id)

    def discard_left(self) -> None:
        """Try again to delete what stopped requests left at the upload server."""
        over = [State.WITHDRAWN, State.CANCELLED, State.FAILED]
        for row in ledger.requests_in(self._tx, over):
            if ledger.uploads(self._tx, row.id):
                self.withdraw(row.id)

    # ---- the submission

    def _hand_over(self, row: RequestRow, release: Release) -> None:
        """Log HANDED_OVER and keep the submission, durably, before its first byte leaves."""
        del release  # it was checked a moment ago, in this very call of the loop
        with self._house.db.transaction() as tx:
            self._requests.uploaded(tx, row)
            envelope, expires_s = self._build(row)
            ledger.put_submission(tx, row.id, envelope, expires_s)
        fresh = self._requests.row(row.id)
        self._requests.moved(row, fresh.state)
        self._submit(fresh)

    def _given(self, row: RequestRow) -> tuple[ConsentRow, ConsentForm, bool]:
        """Return the consent under which all was handed over, and whether the button signed it.

        It was verified before every byte that left. From here on it is history: a phone that is unpaired later
        changes nothing about it.
        """
        kept = None if row.consent is None else ledger.consent(self._tx, row.consent)
        if kept is None:
            raise BugError("handed over without a consent")
        limit = MAX_STORED_BYTES
        envelope = parse_envelope(kept.envelope, counts=(1, 2), max_bytes=limit, max_payload=limit)
        form = parse_consent(envelope.payload)
        return kept, form, form.channel is not Channel.PHONE or len(envelope.signatures) > 1

    def _build(self, row: RequestRow) -> tuple[bytes, int]:
        """Return the submission's envelope and when the directory in it runs out."""
        view = self._directory.view
        if view is None:
            raise TroubleError("directory-missing", "The directory is not held. It is tried again by itself.")
        kept, form, button_signed = self._given(row)
        stored = [sqlite_store.segment(self._tx, grant.segment.id) for grant in form.grants]
        numbers = {one.i for one in stored if one is not None} | {kept.log_n}
        numbers |= {one.mapped_by for one in stored if one is not None and one.mapped_by is not None}
        approver = self._house.phones.get(form.approver)
        shown = []
        if approver is not None:
            shown.append(ShownApprover(approver.kid, approver.sign_pub, approver.paired_n))
            numbers |= {approver.paired_n} | ({approver.admitted_n} if approver.admitted_n is not None else set())
        if button_signed:
            button_n = ledger.fact(self._tx, "log_n:key:button")
            numbers |= {button_n} if isinstance(button_n, int) else set()
        checkpoint, size = sqlite_log.latest_checkpoint(self._tx)
        proofs = sqlite_log.proofs(self._tx, size, numbers)
        leaves = []
        for number in sorted(numbers):
            entry = sqlite_log.entry(self._tx, number)
            if entry is None:
                raise BugError(f"log entry {number} of a pinned segment is gone")
            leaves.append(ShownLeaf(number, entry, proofs[number]))
        payload = build_submission(
            request=row.envelope,
            consents=[kept.envelope],
            device_pub=self._house.keys.device_pub,
            button_pub=self._house.keys.button_pub if button_signed else None,
            approvers=shown,
            leaves=leaves,
            checkpoint=checkpoint,
            directory=self._directory.evidence_files(row.agency),
        )
        return sign("submission", payload, [self._house.keys.device]), view.timestamp_expires_s

    def _submit(self, row: RequestRow) -> None:
        kept = ledger.submission(self._tx, row.id)
        if kept is None:
            raise BugError("handed over without a submission")
        envelope, expires_s, _ = kept
        if self._house.now().utc_s >= expires_s:  # section 13: its directory ran out before a receipt came
            envelope, expires_s = self._build(row)
            with self._house.db.transaction() as tx:
                ledger.put_submission(tx, row.id, envelope, expires_s)
        args: Args = {"request": row.id, "endpoint": self._endpoint(row)}
        self._uplink.call("submit", args, lambda reply: self._receipt(row.id, envelope, reply), blob=envelope)

    def _receipt(self, request_id: Id, envelope: bytes, reply: Message | DoorbellError) -> None:
        row = ledger.request(self._tx, request_id)
        if row is None or row.state is not State.HANDED_OVER:
            return
        if isinstance(reply, DoorbellError):
            self._later(request_id, reply)
            return
        reply.close()
        view = self._directory.view
        if view is None or reply.blob is None:
            self._later(request_id, RefusedError("E_RECEIPT", "no receipt came"))
            return
        try:
            receipt = check_receipt(
                reply.blob,
                platform=view.platform,
                request=row.id,
                submission_sha256=sha256_hex(_payload(envelope)),
                segments=[grant.segment.sha256 for grant in self._given(row)[1].grants],
            )
        except RefusedError as refused:
            self._later(request_id, refused)
            return
        self._jobs.pop(request_id, None)
        self._made_progress(request_id)
        self._requests.delivered(row, sha256_hex(receipt.payload), reply.blob)


def _payload(envelope: bytes) -> bytes:
    parsed = parse_envelope(
        envelope, counts=(1,), max_bytes=MAX_SUBMISSION_BYTES, max_payload=MAX_SUBMISSION_BYTES
    )
    return parsed.payload


def _hash(fd: int) -> str:
    """Return the SHA-256 of an open file, read by position so that the descriptor's offset stays 0."""
    digest, place = hashlib.sha256(), 0
    while chunk := os.pread(fd, _READ_BYTES, place):
        digest.update(chunk)
        place += len(chunk)
    return digest.hexdigest()
