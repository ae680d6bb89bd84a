"""Puts the submission together from what the vault holds: protocol section 13."""

from agent.buffer import sqlite_store
from agent.consent import sqlite_ledger as ledger
from agent.consent import sqlite_log
from agent.consent.consent_form import Channel, ConsentForm, parse_consent
from agent.consent.consents import MAX_STORED_BYTES
from agent.consent.sqlite_ledger import ConsentRow, RequestRow
from agent.consent.submission import ShownApprover, ShownLeaf, build_submission
from agent.core.envelope import MAX_SUBMISSION_BYTES, parse_envelope, sign
from agent.core.errors import BugError, TroubleError
from agent.services.vault.directory_desk import DirectoryDesk
from agent.services.vault.house import House


class Submissions:
    """Shows under which consent, by whom and under which directory segments were handed over.

    Args:
        house: what the vault shares.
        directory: whose files are shown.
    """

    def __init__(self, house: House, directory: DirectoryDesk) -> None:
        self._house = house
        self._tx = house.db.tx
        self._directory = directory

    def given(self, row: RequestRow) -> tuple[ConsentRow, ConsentForm, bool]:
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

    def build(self, row: RequestRow) -> tuple[bytes, int]:
        """Return the submission's envelope and when the directory in it runs out.

        Raises:
            TroubleError: directory-missing: what it must show of the directory is not held now.
        """
        view = self._directory.view
        if view is None:
            raise TroubleError("directory-missing", "The directory is not held. It is tried again by itself.")
        kept, form, button_signed = self.given(row)
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


def payload_of(envelope: bytes) -> bytes:
    """Return the payload of a submission that this vault signed."""
    parsed = parse_envelope(
        envelope, counts=(1,), max_bytes=MAX_SUBMISSION_BYTES, max_payload=MAX_SUBMISSION_BYTES
    )
    return parsed.payload
