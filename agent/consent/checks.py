"""The 15 checks of a request: protocol section 7, as one numbered list.

Pure: a message and what is known come in, an outcome goes out. The payload is not parsed before the dispatch
signature holds (check 4), and what is cheap stands before what costs a signature wherever the order allows.
No outcome approves anything: OK means that the owner may be asked.

    1-11   on arrival             `check_arrival`
    12-15  on arrival, and again when settings, location or the mapping of time change    `check_match`
    1-15   both                   `check_request`
    4, 6-10  at approval and at the end of grace; without 9 and 10 before each upload     `check_again`
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from agent.consent.directory import Agency, DirectoryView
from agent.consent.directory_keys import SignKey, find_key
from agent.consent.limits_of_owner import FLOOR_AREA_M2, OwnerLimits
from agent.consent.outcome import Counts, Outcome, Overlaps, Seen
from agent.consent.request import Request, parse_request
from agent.core.envelope import MAX_ENVELOPE_BYTES, Envelope, Signature, pae, parse_envelope, payload_type
from agent.core.errors import RefusedError
from agent.core.geo import Point, area_m2, contains
from agent.core.ids import Sha256, sha256_hex

REQUEST_TYPE: Final = payload_type("request")
MAX_AHEAD_S: Final = 300  # check 10: how far iat may be ahead of our clock
MAX_OPEN_OF_AGENCY: Final = 5  # check 15
MAX_OF_CASE_IN_30_DAYS: Final = 2  # check 15
MAX_PENDING: Final = 20  # check 15
MAX_PASSED_IN_24_H: Final = 50  # check 15

MS: Final = 1_000  # milliseconds in a second


@dataclass(slots=True)
class _Message:
    """One message on its way through the checks.

    First what is known, of which each use sets what its checks ask for; then what each check found out.
    """

    raw: bytes = field(init=False)
    view: DirectoryView | None = field(init=False)
    now_s: int = field(init=False)
    trusted: bool = field(init=False)
    owner: OwnerLimits = field(init=False)
    seen: Seen = field(init=False)
    camera: Point = field(init=False)
    overlaps: Overlaps = field(init=False)
    counts: Counts = field(init=False)

    envelope: Envelope = field(init=False)  # by 2
    signed: bytes = field(init=False)  # by 4
    held: DirectoryView = field(init=False)  # by 4
    dispatch: SignKey = field(init=False)  # by 4
    other: Signature = field(init=False)  # by 4: the signature that must be the agency's
    request: Request = field(init=False)  # by 5
    payload_sha256: Sha256 = field(init=False)  # by 5
    agency: Agency = field(init=False)  # by 7
    agency_key: SignKey = field(init=False)  # by 7
    remember: bool = False  # by 11

    needs_agency: str | None = None
    needs_version: int | None = None
    needs_dispatch: bool = False


def check_1_size(message: _Message) -> None:
    """Refuse an envelope of more than 24,576 bytes; the payload's size is seen when it is decoded."""
    if len(message.raw) > MAX_ENVELOPE_BYTES:
        raise RefusedError("E_SIZE", f"the envelope is longer than {MAX_ENVELOPE_BYTES} bytes")


def check_2_envelope(message: _Message) -> None:
    """Take strict JSON of an envelope's form with exactly 2 signatures by 2 distinct keyids."""
    message.envelope = parse_envelope(message.raw, counts=(2,))


def check_3_type(message: _Message) -> None:
    """Take only the payload type that belongs on this topic."""
    if message.envelope.payload_type != REQUEST_TYPE:
        raise RefusedError("E_TYPE", "the payload is not a request")


def check_4_dispatch(message: _Message) -> None:
    """Find the one dispatch key, and verify its signature."""
    view, envelope = message.view, message.envelope
    if view is None:
        message.needs_dispatch = True
        raise RefusedError("D_DIRECTORY", "no directory is held")
    first, second = envelope.signatures
    key = find_key(view.platform.dispatch, first.keyid)
    other_key = find_key(view.platform.dispatch, second.keyid)
    if key is not None and other_key is not None:
        raise RefusedError("E_SIG", "both keyids are dispatch keys")
    if key is None:
        first, second, key = second, first, other_key
    if key is None:
        message.needs_dispatch = True
        raise RefusedError("D_DIRECTORY", "no keyid is a dispatch key that is known")
    message.signed = pae(envelope.payload_type, envelope.payload)
    key.verify(message.signed, first.sig)
    message.held, message.dispatch, message.other = view, key, second


def check_5_payload(message: _Message) -> None:
    """Parse the payload, now that a dispatch key answers for it."""
    message.request = parse_request(message.envelope.payload)
    message.payload_sha256 = sha256_hex(message.envelope.payload)


def check_6_version(message: _Message) -> None:
    """Put off what needs a newer directory than the one that is held."""
    if message.held.platform.version < message.request.dirv:
        message.needs_version = message.request.dirv
        raise RefusedError("D_DIRECTORY", "the request needs a newer directory")


def check_7_agency(message: _Message) -> None:
    """Take only an active agency, looked up under this `platform.json`, that lists the other keyid."""
    name = message.request.agency
    if name not in message.held.agencies:
        message.needs_agency = name
        raise RefusedError("D_DIRECTORY", "the agency's file was not looked up yet")
    agency = message.held.agencies[name]
    if agency is None or agency.status != "active":
        raise RefusedError("E_AGENCY", "the agency is not known or not active")
    key = find_key(agency.sign, message.other.keyid)
    if key is None:
        raise RefusedError("E_SIG", "the other keyid is no sign key of the agency")
    message.agency, message.agency_key = agency, key


def check_8_scope_of_keys(message: _Message) -> None:
    """Verify the agency's signature and that keys, reply key, endpoint and incident belong together."""
    request, agency = message.request, message.agency
    message.agency_key.verify(message.signed, message.other.sig)
    if not (message.dispatch.valid_at(request.iat_s) and message.agency_key.valid_at(request.iat_s)):
        raise RefusedError("E_KEY", "a key was not valid when the request was issued")
    if not any(key.pub == request.enc_pub and key.valid_at(request.iat_s) for key in agency.enc):
        raise RefusedError("E_REPLY", "enc_pub is no valid key of the agency")
    if request.ep not in agency.endpoints or request.ep not in message.held.platform.endpoints:
        raise RefusedError("E_REPLY", "the endpoint is not allowed or not known")
    if request.incident not in message.held.platform.incidents:
        raise RefusedError("E_SCHEMA", "the incident is not in the directory")


def check_9_limits(message: _Message) -> None:
    """Hold the order of times, the area's floor, and ceilings ∩ directory ∩ owner."""
    request = message.request
    if not request.from_s < request.to_s <= request.iat_s < request.exp_s:
        raise RefusedError("E_ORDER", "the times are out of order")
    limits, area = message.owner.narrow(message.agency.limits), area_m2(request.area)
    if not FLOOR_AREA_M2 <= area <= limits.area_m2:
        raise RefusedError("E_LIMIT", "the area is too small or too large")
    if request.to_s - request.from_s > limits.window_s:
        raise RefusedError("E_LIMIT", "the window is too long")
    if request.iat_s - request.from_s > limits.lookback_s:
        raise RefusedError("E_LIMIT", "the window is too long ago")
    if request.exp_s - request.iat_s > limits.ttl_s:
        raise RefusedError("E_LIMIT", "the request lives too long")


def check_10_clock(message: _Message) -> None:
    """Judge the request by a clock that is trusted."""
    check_times(message.request.iat_s, message.request.exp_s, now_s=message.now_s, trusted=message.trusted)


def check_11_replay(message: _Message) -> None:
    """Tell a duplicate from another request under a known id; a new id is one to remember."""
    known = message.seen(message.request.id)
    if known is None:
        message.remember = True
    elif known == message.payload_sha256:
        raise RefusedError("I_DUPLICATE", "the request is known")
    else:
        raise RefusedError("E_REPLAY", "another request had this id")


def check_12_owner(message: _Message) -> None:
    """Ask whether the owner receives requests at all and has not muted the agency."""
    if not message.owner.receives_from(message.request.agency):
        raise RefusedError("I_MUTED", "the owner does not receive this")


def check_13_area(message: _Message) -> None:
    """Ask whether the camera's point is inside the polygon."""
    if not contains(message.request.area, message.camera):
        raise RefusedError("I_NO_AREA", "the camera is not inside the area")


def check_14_footage(message: _Message) -> None:
    """Ask whether at least one segment overlaps [from, to)."""
    if not message.overlaps(message.request.from_s * MS, message.request.to_s * MS):
        raise RefusedError("I_NO_FOOTAGE", "no segment is in the window")


def check_15_flood(message: _Message) -> None:
    """Withhold what is too much for the owner."""
    counts = message.counts(message.request)
    if (
        counts.open_agency >= MAX_OPEN_OF_AGENCY
        or counts.agency_case_30d >= MAX_OF_CASE_IN_30_DAYS
        or counts.pending >= MAX_PENDING
        or counts.passed_24h >= MAX_PASSED_IN_24_H
    ):
        raise RefusedError("E_FLOOD", "more than the owner is asked at once")


CHECKS: Final[Mapping[int, Callable[[_Message], None]]] = {
    1: check_1_size,
    2: check_2_envelope,
    3: check_3_type,
    4: check_4_dispatch,
    5: check_5_payload,
    6: check_6_version,
    7: check_7_agency,
    8: check_8_scope_of_keys,
    9: check_9_limits,
    10: check_10_clock,
    11: check_11_replay,
    12: check_12_owner,
    13: check_13_area,
    14: check_14_footage,
    15: check_15_flood,
}
ON_ARRIVAL: Final = tuple(range(1, 12))
ON_MATCH: Final = tuple(range(12, 16))
AT_SHARE: Final = tuple(range(1, 11))
BEFORE_UPLOAD: Final = tuple(range(1, 9))


def check_request(
    raw: bytes,
    *,
    view: DirectoryView | None,
    now_s: int,
    trusted: bool,
    seen: Seen,
    owner: OwnerLimits,
    camera: Point,
    overlaps: Overlaps,
    counts: Counts,
) -> Outcome:
    """Run all 15 checks on a message from a request topic.

    Args:
        raw: the message as it came.
        view: what is held of the directory, None where nothing is.
        now_s: UTC, unix seconds, taken once for this decision.
        trusted: whether that clock may be trusted (section 16).
        seen: gives the SHA-256 of the payload that is remembered under an id, or None; a dict's `get` does.
        owner: the owner's settings.
        camera: the camera's point, 1e-7 degree.
        overlaps: says whether a segment overlaps [from_ms, to_ms), by mapped UTC.
        counts: gives the figures of check 15 for a request, without it; asked only after 12-14 passed.
    """
    message = _arrived(raw, view=view, now_s=now_s, trusted=trusted, owner=owner)
    message.seen, message.camera, message.overlaps, message.counts = seen, camera, overlaps, counts
    return _run(message, ON_ARRIVAL + ON_MATCH)


def check_arrival(
    raw: bytes,
    *,
    view: DirectoryView | None,
    now_s: int,
    trusted: bool,
    seen: Seen,
    owner: OwnerLimits,
) -> Outcome:
    """Run checks 1-11, all that don't depend on what the camera has; arguments as of `check_request`."""
    message = _arrived(raw, view=view, now_s=now_s, trusted=trusted, owner=owner)
    message.seen = seen
    return _run(message, ON_ARRIVAL)


def check_match(
    request: Request, *, owner: OwnerLimits, camera: Point, overlaps: Overlaps, counts: Counts
) -> Outcome:
    """Run checks 12-15 on a request that passed 1-11, then or earlier; arguments as of `check_request`."""
    message = _Message()
    message.request, message.owner = request, owner
    message.camera, message.overlaps, message.counts = camera, overlaps, counts
    return _run(message, ON_MATCH)


def check_again(
    raw: bytes,
    *,
    view: DirectoryView | None,
    now_s: int,
    trusted: bool,
    owner: OwnerLimits,
    uploading: bool = False,
) -> Outcome:
    """Check a request again: its dispatch key is still listed, then 6-10, without 9 and 10 while uploading.

    The envelope is the one that was stored on arrival; its signatures are verified anew under the directory of
    now. A dispatch key that is no longer listed was revoked: E_KEY. E cancels the request, D waits.
    """
    message = _arrived(raw, view=view, now_s=now_s, trusted=trusted, owner=owner)
    outcome = _run(message, BEFORE_UPLOAD if uploading else AT_SHARE)
    if outcome.needs_dispatch and view is not None:
        return replace(outcome, code="E_KEY", why="the dispatch key is no longer listed", needs_dispatch=False)
    return outcome


def check_times(iat_s: int, exp_s: int, *, now_s: int, trusted: bool) -> None:
    """Hold check 10, which an alert's times must pass too.

    Raises:
        RefusedError: D_CLOCK, E_EXPIRED, E_FUTURE, in this order.
    """
    if not trusted:
        raise RefusedError("D_CLOCK", "the clock is not trusted yet")
    if now_s >= exp_s:
        raise RefusedError("E_EXPIRED", "it has expired")
    if iat_s > now_s + MAX_AHEAD_S:
        raise RefusedError("E_FUTURE", "it was issued in the future")


def _arrived(raw: bytes, *, view: DirectoryView | None, now_s: int, trusted: bool, owner: OwnerLimits) -> _Message:
    message = _Message()
    message.raw, message.view, message.owner = raw, view, owner
    message.now_s, message.trusted = now_s, trusted
    return message


def _run(message: _Message, numbers: Iterable[int]) -> Outcome:
    code, failed, why = "OK", 0, ""
    for number in numbers:
        try:
            CHECKS[number](message)
        except RefusedError as refusal:
            code, failed, why = refusal.code, number, str(refusal)
            break
    return Outcome(
        code=code,
        check=failed,
        why=why,
        request=getattr(message, "request", None),
        payload_sha256=getattr(message, "payload_sha256", None),
        remember=message.remember,
        needs_agency=message.needs_agency,
        needs_version=message.needs_version,
        needs_dispatch=message.needs_dispatch,
    )
