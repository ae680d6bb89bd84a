"""What a bundle proves, claim by claim, in the order of protocol section 15. Offline, without a device.

 1 submission   it is well formed and signed by the device that it names
 2 directory    chains to the given root; expiry is judged at the receipt's `received_at`
 3 request      dispatch and agency signed it under that directory, within its scope
 4 consent      the owner's consents: signatures, and that they answer this request
 5 approver     each approver was paired in the log before it consented; the consents are in the log
 6 grant        each grant belongs to this request and to a segment inside its window
 7 sealed       each sealed file is the granted one and the logged one
 8 opens        with the key: the grants open under the binding to request and segment
 9 plain        with the key: the films are those whose hashes are in the log
10 inclusion    every entry shown is in the log at its place
11 checkpoint   the device signed the state of its log
12 receipt      the platform's receipt names this submission and exactly these segments

A claim that rests on one that doesn't hold says so and doesn't hold either.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core.checkpoint import Checkpoint
from agent.core.envelope import MAX_SUBMISSION_BYTES
from agent.core.ids import kid_of
from agent.evidence import claims
from agent.evidence.claims import Asked, Directory
from agent.evidence.findings import Claim, Finding, find
from agent.evidence.log_leaves import Log, read_log
from agent.evidence.segments import GRANT, OPENS, PLAIN, SEALED, Keep, SegmentFiles, SegmentJudge, Shown, Tally
from agent.evidence.share import Share
from agent.evidence.submission import MAX_RECEIPT_BYTES, Receipt, Submission, parse_receipt, parse_submission

SUBMISSION: Final = "submission"
DIRECTORY: Final = "directory"
REQUEST: Final = "request"
CONSENT: Final = "consent"
APPROVER: Final = "approver"
INCLUSION: Final = "inclusion"
CHECKPOINT: Final = "checkpoint"
RECEIPT: Final = "receipt"

NO_KEY: Final = "opens, plain: without --key the films were not opened"
NO_ROOT: Final = "directory: without --root the keys of the platform and the agency are taken at the bundle's word"


class BundleFiles(SegmentFiles, Protocol):
    """Where a bundle comes from; each read raises TroubleError or RefusedError."""

    def submission(self, max_bytes: int) -> bytes:
        """Return the bytes of `submission.json`."""
        ...

    def receipt(self, max_bytes: int) -> bytes:
        """Return the bytes of `receipt.json`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All claims in order, what could not be judged, and what held of the bundle for those who want to show it."""

    claims: tuple[Claim, ...]
    unjudged: tuple[str, ...]
    submission: Submission | None
    directory: Directory | None
    asked: Asked | None
    shares: tuple[Share, ...]
    log: Log | None
    segments: tuple[Shown, ...]
    checkpoint: Checkpoint | None
    receipt: Receipt | None

    @property
    def holds(self) -> bool:
        """Whether every claim holds."""
        return all(claim.holds for claim in self.claims)


def judge(
    bundle: BundleFiles, root: bytes | None, key: X25519PrivateKey | None, keep: Keep | None = None
) -> Verdict:
    """Judge every claim.

    Args:
        bundle: the bundle.
        root: TUF root metadata that the caller trusts; without it `directory` is only a claim when it fails.
        key: the agency's private enc key, or None.
        keep: is handed each film that is the granted, logged and opened one.
    """
    submission = find(SUBMISSION, lambda: _submission(bundle))
    written = find(RECEIPT, lambda: _receipt_form(bundle))
    log = find(INCLUSION, lambda: (read_log(submission.need().leaves), ""))
    checkpoint = find(CHECKPOINT, lambda: claims.checkpoint(submission.need()))
    inclusion = find(INCLUSION, lambda: claims.inclusion(submission.need(), log.need(), checkpoint.need()))
    directory = find(DIRECTORY, lambda: _directory(submission.need(), written.need(), root))
    asked = find(REQUEST, lambda: claims.request(submission.need(), directory.need()))
    consent = find(CONSENT, lambda: claims.consents(submission.need(), asked.need().request))
    approver = find(
        APPROVER, lambda: claims.approvers(submission.need(), consent.need(), asked.need().request.id, log.need())
    )
    tally = find(
        GRANT,
        lambda: _tally(bundle, submission.need(), asked.need(), consent.need(), log.need(), key, keep),
    )
    receipt = find(
        RECEIPT,
        lambda: _receipt(submission.need(), written.need(), directory.need(), asked.need(), consent.need()),
    )
    judged = [
        submission.claim,
        *([directory.claim] if root is not None or directory.value is None else []),
        *(asked.claim, consent.claim, approver.claim),
        *(_about(tally, name) for name in (GRANT, SEALED)),
        *(_about(tally, name) for name in (OPENS, PLAIN) if key is not None),
        *(inclusion.claim if log.value is not None else log.claim, checkpoint.claim),
        receipt.claim if written.value is not None else written.claim,  # why its form is wrong, not that it is
    ]
    return Verdict(
        claims=tuple(judged),
        unjudged=(*([NO_ROOT] if root is None else []), *([NO_KEY] if key is None else [])),
        submission=submission.value,
        directory=directory.value,
        asked=asked.value,
        shares=consent.value or (),
        log=log.value,
        segments=() if tally.value is None else tuple(tally.value.shown),
        checkpoint=checkpoint.value,
        receipt=receipt.value,
    )


def _submission(bundle: BundleFiles) -> tuple[Submission, str]:
    submission = parse_submission(bundle.submission(MAX_SUBMISSION_BYTES))
    return submission, f"the submission is well formed and signed by device {kid_of(submission.device)}"


def _receipt_form(bundle: BundleFiles) -> tuple[Receipt, str]:
    return parse_receipt(bundle.receipt(MAX_RECEIPT_BYTES)), ""


def _directory(submission: Submission, written: Receipt, root: bytes | None) -> tuple[Directory, str]:
    return claims.directory(submission, written, claims.carried_root(submission) if root is None else root)


def _tally(
    bundle: BundleFiles,
    submission: Submission,
    asked: Asked,
    shares: tuple[Share, ...],
    log: Log,
    key: X25519PrivateKey | None,
    keep: Keep | None,
) -> tuple[Tally, str]:
    judged = SegmentJudge(
        files=bundle, request=asked.request, log=log, device=kid_of(submission.device), key=key, keep=keep
    )
    return judged.judge(claims.granted_by(shares)), ""


def _about(tally: Finding[Tally], name: str) -> Claim:
    """Make one of the four claims about segments out of the tally."""
    if tally.value is None:
        return Claim(name, holds=False, text=tally.claim.text)
    if name in tally.value.faults:
        return Claim(name, holds=False, text=tally.value.faults[name])
    earlier = next((fault for fault in (SEALED, GRANT, OPENS) if fault in tally.value.faults), None)
    if earlier is not None and name in {OPENS, PLAIN} | ({GRANT} if earlier == SEALED else set()):
        return Claim(name, holds=False, text=f"not judged, because the claim {earlier} does not hold")
    number = claims.count(tally.value.granted, "segment")
    texts = {
        GRANT: f"{number}: each grant names this request and a segment inside the time that was asked for",
        SEALED: f"{number}: each sealed file is the one that was granted and logged, by this device",
        OPENS: f"{number}: each grant opens under the binding to this request and to its segment",
        PLAIN: f"{number}: each film is the one whose hash the log holds",
    }
    return Claim(name, holds=True, text=texts[name])


def _receipt(
    submission: Submission, written: Receipt, directory: Directory, asked: Asked, shares: tuple[Share, ...]
) -> tuple[Receipt, str]:
    claims.in_time(shares, written)
    granted = claims.granted_by(shares)
    return claims.receipt(submission, written, directory.platform, asked.request.id, granted)
