"""What may leave the house exists only as a `Release`, and only a live, matching, signed consent makes one.

`release` is asked twice: when the grace time is over, before the request becomes UPLOADING, and again before
each attempt to upload. It verifies the stored envelope anew, signatures included, against what is true now:
who is an approver now, what is held now, what the directory says now. A `Release` is for one attempt: don't
keep it. The vault opens descriptors of exactly `Release.segments`, and `Release.take` refuses any other.

The rules, in this order:

    R1 the request is in GRACE or UPLOADING
    R2 the stored consent verifies, and its approver is one today            C_APPROVER, C_SIG
    R3 it is a share, and where the button is required, the button signed    C_STATE
    R4 the request's re-check passes                                         its E code; a D code waits
    R5 the consent names this request, this key, this endpoint, and every named segment is held unchanged  C_STALE
    R6 in GRACE: the whole grace time went by since the last approval, by boot time; else wait
"""

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass
from typing import Final, final

from agent.consent.consent_form import RequestRef, SegmentRef
from agent.consent.consents import Consent, check_binding, recall_consent
from agent.consent.phones import Phone
from agent.consent.states import Event, State
from agent.core.errors import BugError, RefusedError
from agent.core.ids import Id, Kid, Sha256

_PROOF: Final = object()


class NotYetError(RefusedError):
    """Nothing is wrong, but not now: try again later. `code` is the D code, or C_GRACE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is true at the moment of a release; everything is read once.

    Attributes:
        state: where the request is.
        request: what is held of it now.
        segments: what is held now of the segments that match it, or of those that it pinned.
        phones: by kid, unpaired ones included.
        button_pub: the button's sign key, 32 raw bytes.
        button_required: whether a share needs the button's signature.
        recheck: None, or the code that section 7 gives now (without 9 and 10 in UPLOADING).
        grace_since_ns: boot time at which the grace time began in this boot; None if that is not known.
        grace_ns: how long it is.
        now_ns: boot time.
    """

    state: State
    request: RequestRef
    segments: Sequence[SegmentRef]
    phones: Mapping[Kid, Phone]
    button_pub: bytes
    button_required: bool
    recheck: str | None
    grace_since_ns: int | None
    grace_ns: int
    now_ns: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Permission to hand exactly these segments to uplink, for this request, to this endpoint, once."""

    request: RequestRef
    segments: tuple[SegmentRef, ...]
    consent_sha256: Sha256
    proof: InitVar[object]

    def __post_init__(self, proof: object) -> None:
        """Refuse whoever is not `release`."""
        if proof is not _PROOF:
            raise BugError("a Release comes only from release()")

    def take(self, segment_id: Id, sha256: Sha256, size_bytes: int) -> SegmentRef:
        """Return the segment of this id, if the file at hand is the one that was consented to.

        Raises:
            RefusedError: C_STALE: another segment, or another file under its id.
        """
        for segment in self.segments:
            if segment.id == segment_id and segment.sha256 == sha256 and segment.size_bytes == size_bytes:
                return segment
        raise RefusedError("C_STALE", "a segment's file is not the one that was consented to")


def release(consent: Consent, standing: Standing) -> Release:
    """Return the permission that `consent` makes now.

    Raises:
        NotYetError: the grace time is not over, or a re-check gave a D result.
        RefusedError: it does not hold any more; `event_for` says what becomes of the request.
        BugError: the request is in a state in which nothing leaves.
    """
    if standing.state not in {State.GRACE, State.UPLOADING}:  # R1
        raise BugError(f"nothing leaves in {standing.state.value}")
    now = recall_consent(consent.raw, phones=standing.phones, button_pub=standing.button_pub)  # R2
    if not now.form.shares:  # R3
        raise RefusedError("C_STATE", "a decline releases nothing")
    if standing.button_required and not now.button_signed:
        raise RefusedError("C_STATE", "the button did not confirm this")
    if standing.recheck is not None:  # R4
        kind = RefusedError if standing.recheck.startswith("E_") else NotYetError
        raise kind(standing.recheck, "the request was checked again")
    check_binding(now.form, standing.request, standing.segments)  # R5
    if standing.state is State.GRACE:  # R6
        since = standing.grace_since_ns
        if since is None or standing.now_ns - since < standing.grace_ns:
            raise NotYetError("C_GRACE", "the grace time is not over")
    return Release(
        request=standing.request,
        segments=tuple(grant.segment for grant in now.form.grants),
        consent_sha256=now.payload_sha256,
        proof=_PROOF,
    )


def event_for(refused: RefusedError) -> Event:
    """Return what a refusal of `release` means for the request.

    An E result means that the request itself is over. Anything else means that this consent is: the owner may
    choose again, or in UPLOADING it is withdrawn.

    Raises:
        BugError: it was a `NotYetError`, which means waiting.
    """
    if isinstance(refused, NotYetError):
        raise BugError("waiting is no event")
    return Event.CANCELLED if refused.code.startswith("E_") else Event.STOPPED
