"""What the report says, as plain facts: made once from a verdict, written as JSON and as HTML.

A report states what was judged and what it can't show. Only verified parts of a bundle are in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from agent.core.geo import area_m2
from agent.core.ids import Id, Sha256, kid_of
from agent.evidence.claims import Asked
from agent.evidence.findings import Claim
from agent.evidence.segments import Shown, by_clip
from agent.evidence.share import Share
from agent.evidence.verify import Verdict

E7: Final = 10_000_000

CANNOT_SHOW: Final = (
    "That the scene was real: a camera records a screen or a staged scene as it records a street.",
    "That the device's keys belong to a real camera, or that it stood in the area that was asked about.",
    "What was cut: gaps in a recording are told, what they showed is not known. The owner chose what to share.",
    "What was not recorded: the camera records while something moves, and the oldest footage is deleted.",
    "Who pressed yes: a signature shows which phone or button it was, not whose hand.",
)
UNSYNCED: Final = (
    "The absolute time of the segments marked “unsynced”: they were recorded before the device's clock was set. "
    "The time shown was worked out from a setting of the clock in the same run."
)
SUSPECT: Final = (
    "The absolute time of the segments marked “suspect”: they were recorded while the device's clock had jumped "
    "by more than a day."
)


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment, as a number and as a person reads it: in the report's time zone and in UTC."""

    unix_ms: int
    local: str
    utc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPart:
    """What was asked for, and by whom."""

    id: Id
    sha256: Sha256
    agency: str
    agency_id: str
    agency_contact: tuple[str, ...]
    officer: str
    badge: str
    case: str
    incident: str
    text: str
    first: Moment
    last: Moment
    issued: Moment
    expires: Moment
    area_m2: int
    area: tuple[tuple[float, float], ...]
    platform: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentPart:
    """One yes of the owner."""

    id: Id
    sha256: Sha256
    by: str
    at: Moment
    segments: int
    contact: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPart:
    """One segment that opened."""

    id: Id
    file: str
    n: int
    start: Moment
    end: Moment
    clock: str
    device_start_ms: int
    sha256_sealed: Sha256
    sha256_film: Sha256
    size_bytes: int
    dropped_frames: int
    masked_zones: int
    log_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPart:
    """One recording: its joined film and the segments that it is made of; `missing` are the gaps in `n`."""

    clip: Id
    file: str | None
    sha256: Sha256 | None
    size_bytes: int
    trigger: str
    size_px: tuple[int, int]
    missing: tuple[int, ...]
    segments: tuple[SegmentPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a report says."""

    holds: bool
    problems: tuple[str, ...]
    claims: tuple[Claim, ...]
    not_judged: tuple[str, ...]
    cannot_show: tuple[str, ...]
    time_zone: str
    device: str | None
    submission_sha256: Sha256 | None
    received: Moment | None
    request: RequestPart | None
    consents: tuple[ConsentPart, ...]
    clips: tuple[ClipPart, ...]


@dataclass(frozen=True, slots=True)
class Film:
    """A joined film on disk; `name` is None where the clip could not be joined."""

    name: str | None
    sha256: Sha256 | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Zone:
    """The time zone in which a report shows times, beside UTC."""

    name: str
    zone: tzinfo

    def moment(self, unix_ms: int) -> Moment:
        """Write a moment to the millisecond."""
        seconds, rest = divmod(unix_ms, 1000)
        at = datetime.fromtimestamp(seconds, UTC)
        here = at.astimezone(self.zone)
        tail = f".{rest:03d}" if rest else ""
        return Moment(
            unix_ms,
            f"{here:%Y-%m-%d %H:%M:%S}{tail} {here:%Z} ({here:%z})",
            f"{at:%Y-%m-%d %H:%M:%S}{tail} UTC",
        )

    def second(self, unix_s: int) -> Moment:
        """Write a moment to the second."""
        return self.moment(unix_s * 1000)


def _request(asked: Asked, platform: str, zone: Zone) -> RequestPart:
    request, agency = asked.request, asked.agency
    return RequestPart(
        id=request.id,
        sha256=request.sha256,
        agency=agency.name,
        agency_id=agency.id,
        agency_contact=agency.contact,
        officer=request.officer,
        badge=request.badge,
        case=request.case,
        incident=request.incident,
        text=request.text,
        first=zone.second(request.from_s),
        last=zone.second(request.to_s),
        issued=zone.second(request.issued_s),
        expires=zone.second(request.expires_s),
        area_m2=round(area_m2(request.area)),
        area=tuple((lat / E7, lon / E7) for lat, lon in request.area),
        platform=platform,
    )


def _consent(share: Share, contact: Mapping[str, str] | None, zone: Zone) -> ConsentPart:
    by = {
        "phone": f"the owner's phone {share.approver}",
        "button": f"the button indoors ({share.approver})",
        "console": f"the device's own console ({share.approver})",
    }[share.channel]
    return ConsentPart(
        id=share.id,
        sha256=share.sha256,
        by=f"{by}, confirmed by the button indoors" if share.pressed else by,
        at=zone.second(share.at_s),
        segments=len(share.granted),
        contact=contact,
    )


def _segment(shown: Shown, zone: Zone) -> SegmentPart:
    meta = shown.meta
    return SegmentPart(
        id=meta.id,
        file=f"segments/{meta.id}.mp4",
        n=meta.n,
        start=zone.moment(shown.start_ms),
        end=zone.moment(shown.end_ms),
        clock=meta.clock,
        device_start_ms=meta.start_ms,
        sha256_sealed=shown.entry.sha256,
        sha256_film=shown.entry.sha256_plain,
        size_bytes=shown.entry.size_bytes,
        dropped_frames=meta.dropped,
        masked_zones=meta.masked,
        log_index=shown.entry.n,
    )


def missing_numbers(present: Sequence[int], most: int = 1_000) -> tuple[int, ...]:
    """Return the places below the last one that are not there, at most `most` of them."""
    found: list[int] = []
    expected = 0
    for n in sorted(present):
        found += range(expected, min(n, expected + most - len(found)))
        expected = n + 1
        if len(found) >= most:
            break
    return tuple(found)


def _clip(clip: Id, items: Sequence[Shown], film: Film, zone: Zone) -> ClipPart:
    meta = items[0].meta
    return ClipPart(
        clip=clip,
        file=film.name,
        sha256=film.sha256,
        size_bytes=film.size_bytes,
        trigger=meta.trigger,
        size_px=(meta.width, meta.height),
        missing=missing_numbers([item.meta.n for item in items]),
        segments=tuple(_segment(item, zone) for item in items),
    )


def cannot_show(segments: Sequence[Shown]) -> tuple[str, ...]:
    """Return what a bundle with these segments can't show, a sentence each (section 15)."""
    clocks = {shown.meta.clock for shown in segments}
    return (
        *CANNOT_SHOW,
        *([UNSYNCED] if "unsynced" in clocks else []),
        *([SUSPECT] if "suspect" in clocks else []),
    )


def make_report(
    verdict: Verdict,
    films: Mapping[Id, Film],
    contacts: Mapping[Id, Mapping[str, str]],
    problems: Sequence[str],
    zone: Zone,
) -> Report:
    """Make the report of a verdict.

    Args:
        verdict: what was judged.
        films: the joined film of each clip of `verdict.segments`.
        contacts: consent id → the contact that the owner gave, where one opened.
        problems: what went wrong beside the claims, a line each.
        zone: the time zone to show times in.
    """
    submission, receipt, listed = verdict.submission, verdict.receipt, verdict.directory
    return Report(
        holds=verdict.holds and not problems,
        problems=tuple(problems),
        claims=verdict.claims,
        not_judged=verdict.unjudged,
        cannot_show=cannot_show(verdict.segments),
        time_zone=zone.name,
        device=None if submission is None else kid_of(submission.device),
        submission_sha256=None if submission is None else submission.sha256,
        received=None if receipt is None else zone.second(receipt.received_s),
        request=None
        if verdict.asked is None or listed is None
        else _request(verdict.asked, listed.platform.name, zone),
        consents=tuple(_consent(share, contacts.get(share.id), zone) for share in verdict.shares),
        clips=tuple(
            _clip(clip, items, films[clip], zone)
            for clip, items in by_clip(verdict.segments).items()
            if clip in films
        ),
    )
