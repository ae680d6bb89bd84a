"""One function for each claim about a bundle: what it proves and the line that says so, or why it doesn't hold.

Pure: each takes what earlier claims proved. The numbered list and the order are in `verify`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from agent.core.checkpoint import Checkpoint, parse_checkpoint
from agent.core.envelope import check_signature
from agent.core.errors import RefusedError
from agent.core.ids import Id, kid_of
from agent.core.merkle import verify_inclusion
from agent.evidence.directory_files import Agency, Platform, find_key, parse_agency, parse_platform
from agent.evidence.log_leaves import Log
from agent.evidence.request_scope import Request, verify_agency, verify_dispatch
from agent.evidence.share import CLOCK_SLACK_S, Granted, Share, verify_share
from agent.evidence.submission import Approver, Receipt, Submission
from agent.evidence.tuf_chain import DirectoryChain

_ROOT_PATH: Final = re.compile(r"metadata/([1-9][0-9]{0,8})\.root\.json", re.ASCII)


class TargetFiles(Protocol):
    """Where target files come from."""

    def target(self, path: str) -> bytes:
        """Return a target file; raises RefusedError when it is not there or not the listed one."""
        ...


@dataclass(frozen=True, slots=True)
class CarriedDirectory:
    """Target files taken at the bundle's word, where there is no root to judge them by."""

    files: dict[str, bytes]

    def target(self, path: str) -> bytes:
        """Return a target file."""
        try:
            return self.files[f"targets/{path}"]
        except KeyError as exc:
            raise RefusedError("E_DIRECTORY", f"targets/{path} is missing") from exc


@dataclass(frozen=True, slots=True)
class Directory:
    """The directory that the rest is judged under."""

    files: TargetFiles
    platform: Platform


@dataclass(frozen=True, slots=True)
class Asked:
    """A verified request and the agency that made it."""

    request: Request
    agency: Agency


def utc(seconds: int) -> str:
    """Write a time for a person."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def count(number: int, thing: str) -> str:
    """Write a number of things."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def carried_root(submission: Submission) -> bytes | None:
    """Return the oldest root that the bundle itself carries, if any."""
    versions = [int(match[1]) for path in submission.directory if (match := _ROOT_PATH.fullmatch(path))]
    return submission.directory[f"metadata/{min(versions)}.root.json"] if versions else None


def directory(submission: Submission, receipt: Receipt, root: bytes | None) -> tuple[Directory, str]:
    """Claim 2. Without any root the files are taken as they come: the caller must not call that a claim."""
    if root is None:
        files = CarriedDirectory(submission.directory)
        return Directory(files, parse_platform(files.target("platform.json"))), "taken at the bundle's word"
    at = datetime.fromtimestamp(receipt.received_s, UTC)
    chain = DirectoryChain(root, submission.directory, at)
    platform = parse_platform(chain.target("platform.json"))
    text = (
        f"the directory of {platform.name} (version {platform.version}) chains to the root, now version "
        f"{chain.root_version}, and was in force on {utc(receipt.received_s)}"
    )
    return Directory(chain, platform), text


def request(submission: Submission, listed: Directory) -> tuple[Asked, str]:
    """Claim 3."""
    asked = verify_dispatch(submission.request, listed.platform)
    agency = parse_agency(listed.files.target(f"agencies/{asked.agency}.json"), asked.agency)
    verify_agency(submission.request, asked, listed.platform, agency)
    text = (
        f"{agency.name} asked in case {asked.case}, countersigned by {listed.platform.name}, within its limits: "
        f"{utc(asked.from_s)} to {utc(asked.to_s)}"
    )
    return Asked(asked, agency), text


def consents(submission: Submission, asked: Request) -> tuple[tuple[Share, ...], str]:
    """Claim 4."""
    if not submission.consents:
        raise RefusedError("C_STATE", "there is no consent")
    phones = {kid_of(approver.public): approver.public for approver in submission.approvers}
    shares = tuple(verify_share(item, phones, submission.button, asked) for item in submission.consents)
    told = "; ".join(
        f"by {share.channel} {share.approver}{' and the button' if share.pressed else ''} on {utc(share.at_s)}"
        for share in shares
    )
    return shares, f"the owner said yes to this request, {told}"


def approvers(
    submission: Submission, shares: Sequence[Share], asked: Id, log: Log
) -> tuple[tuple[Approver, ...], str]:
    """Claim 5."""
    consented_n = [_consent_n(share, asked, log) for share in shares]
    for approver in submission.approvers:
        _check_pairing(approver, log)
    for share, n in zip(shares, consented_n, strict=True):
        if share.channel == "phone":
            paired = log.paired[share.approver].n
            admitted = log.admitted.get(share.approver)
            if not paired < n or (admitted is not None and not paired < admitted.n < n):
                raise RefusedError("E_LOG", f"phone {share.approver} consented before it was paired and admitted")
        button = None if submission.button is None else log.buttons.get(submission.button)
        if button is not None and not button < n and (share.pressed or share.channel != "phone"):
            raise RefusedError("E_LOG", "the button signed before its key was in the log")
    return submission.approvers, _told(submission, shares, log)


def _consent_n(share: Share, asked: Id, log: Log) -> int:
    entry = log.consents.get(share.sha256)
    if entry is None:
        raise RefusedError("E_LOG", f"the log entry of consent {share.id} is not shown")
    n, logged = entry
    if logged != asked:
        raise RefusedError("E_LOG", f"consent {share.id} stands in the log for another request")
    if any(log.segments[granted.id].n > n for granted in share.granted if granted.id in log.segments):
        raise RefusedError("E_LOG", f"consent {share.id} is older than a segment that it grants")
    return n


def _check_pairing(approver: Approver, log: Log) -> None:
    if kid_of(approver.public) != approver.phone:
        raise RefusedError("E_KEY", f"approver {approver.phone} is not named after its key")
    entry = log.paired.get(approver.phone)
    if entry is None or entry.n != approver.n:
        raise RefusedError("E_LOG", f"the pairing of approver {approver.phone} is not shown")
    if entry.sign_public != approver.public:
        raise RefusedError("E_LOG", f"approver {approver.phone} was paired with another key")


def _told(submission: Submission, shares: Sequence[Share], log: Log) -> str:
    told = [
        f"phone {approver.phone} was paired on {utc(log.paired[approver.phone].at_s)}"
        for approver in submission.approvers
    ]
    if submission.button is not None and any(share.pressed or share.channel != "phone" for share in shares):
        shown = (
            "is in the log" if submission.button in log.buttons else "is named by the device, its entry not shown"
        )
        told.append(f"the button's key {kid_of(submission.button)} {shown}")
    return f"{'; '.join(told)}; each yes is in the log"


def granted_by(shares: Sequence[Share]) -> tuple[Granted, ...]:
    """Return the segments that the consents grant together, each once.

    Raises:
        RefusedError: C_STALE, when two consents grant one segment in different words.
    """
    found: dict[Id, Granted] = {}
    for item in (item for share in shares for item in share.granted):
        known = found.setdefault(item.id, item)
        if (known.sha256, known.size_bytes) != (item.sha256, item.size_bytes):
            raise RefusedError("C_STALE", f"two consents grant segment {item.id} as different files")
    return tuple(found.values())


def checkpoint(submission: Submission) -> tuple[Checkpoint, str]:
    """Claim 11."""
    found = parse_checkpoint(submission.checkpoint, submission.device)
    return found, f"device {kid_of(submission.device)} signed the state of its log with {found.size} entries"


def inclusion(submission: Submission, log: Log, found: Checkpoint) -> tuple[Log, str]:
    """Claim 10."""
    if not submission.leaves:
        raise RefusedError("E_LOG", "no entry of the log is shown")
    for leaf in submission.leaves:
        if not verify_inclusion(leaf.entry, leaf.n, found.size, leaf.proof, found.root):
            raise RefusedError("E_LOG", f"the entry at place {leaf.n} is not in the signed log")
    return log, f"all {len(submission.leaves)} entries shown are in the signed log at their places"


def receipt(
    submission: Submission, given: Receipt, platform: Platform, asked: Id, granted: Sequence[Granted]
) -> tuple[Receipt, str]:
    """Claim 12."""
    signature = given.envelope.signatures[0]
    key = find_key(platform.receipt, signature.keyid)
    if key is None:
        raise RefusedError("E_SIG", "the receipt is signed by no receipt key of the directory")
    check_signature(given.envelope, signature, key.public)
    if not key.valid_at(given.received_s):
        raise RefusedError("E_KEY", "the receipt key was not valid when the receipt was made")
    if given.submission_sha256 != submission.sha256:
        raise RefusedError("E_RECEIPT", "the receipt names another submission")
    if given.request != asked:
        raise RefusedError("E_RECEIPT", "the receipt names another request")
    if sorted(given.segments) != sorted(item.sha256 for item in granted):
        raise RefusedError("E_RECEIPT", "the receipt lists other segments than were granted")
    number = count(len(granted), "segment")
    text = f"{platform.name} received exactly what was granted, {number}, on {utc(given.received_s)}"
    return given, text


def in_time(shares: Sequence[Share], given: Receipt) -> None:
    """Refuse a receipt that is older than a consent.

    Raises:
        RefusedError: E_RECEIPT.
    """
    if any(share.at_s > given.received_s + CLOCK_SLACK_S for share in shares):
        raise RefusedError("E_RECEIPT", "the receipt is older than the owner's yes")
