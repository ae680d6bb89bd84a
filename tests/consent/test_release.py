"""Nothing leaves but by a `Release`, and only a live, matching, signed consent makes one."""

import copy
import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consent.consents import Consent, add_press, check_consent
from agent.consent.phones import Phone, PhoneState
from agent.consent.release import NotYetError, Release, Standing, event_for, release
from agent.consent.states import TABLE, Event, State
from agent.core.errors import BugError, RefusedError
from tests.fakes.consent_house import ANNA, BUTTON, NOW_NS, REQUEST, SEGMENTS, House, a_segment, named

MINUTE_NS = 60 * 10**9


def shared(house: House, **change: Any) -> Consent:
    return check_consent(house.consent(**change), house.facts())


def code_of(consent: Consent, standing: Standing) -> str:
    try:
        release(consent, standing)
    except NotYetError as wait:
        return f"wait {wait.code}"
    except RefusedError as refused:
        return refused.code
    return "OK"


def test_after_the_grace_time_exactly_the_named_segments_may_leave() -> None:
    house = House()
    consent = shared(house, segments=[named(SEGMENTS[1]), named(SEGMENTS[0])])
    permission = release(consent, house.standing())
    assert permission.segments == (SEGMENTS[1], SEGMENTS[0])
    assert permission.request == REQUEST
    assert permission.consent_sha256 == consent.payload_sha256


@pytest.mark.parametrize(
    "state", [state for state in State if state not in {State.GRACE, State.UPLOADING}], ids=str
)
def test_r1_nothing_leaves_in_any_other_state(state: State) -> None:
    house = House()
    with pytest.raises(BugError, match=state.value):
        release(shared(house), house.standing(state=state))


@pytest.mark.parametrize("state", [PhoneState.UNPAIRED, PhoneState.WAITING])
def test_r2_an_approver_that_is_none_any_more_stops_it(state: PhoneState) -> None:
    house = House()
    phones = {ANNA.kid: Phone(kid=ANNA.kid, sign_pub=ANNA.sign_pub, state=state)}
    for where in (State.GRACE, State.UPLOADING):
        assert code_of(shared(house), house.standing(state=where, phones=phones)) == "C_APPROVER"


def test_r2_the_signature_is_verified_again_and_not_remembered() -> None:
    house = House()
    other = Phone(kid=ANNA.kid, sign_pub=b"\5" * 32, state=PhoneState.ADMITTED)
    assert code_of(shared(house), house.standing(phones={ANNA.kid: other})) == "C_SIG"


def test_r3_a_decline_releases_nothing() -> None:
    house = House()
    no = check_consent(house.consent(decision="decline"), house.facts())
    assert code_of(no, house.standing()) == "C_STATE"


def test_r3_where_the_button_is_required_its_signature_is() -> None:
    house = House()
    consent = shared(house)
    assert code_of(consent, house.standing(button_required=True)) == "C_STATE"
    assert code_of(add_press(consent, BUTTON.sign_key), house.standing(button_required=True)) == "OK"


@pytest.mark.parametrize(
    ("recheck", "wanted"),
    [
        ("E_AGENCY", "E_AGENCY"),
        ("E_EXPIRED", "E_EXPIRED"),
        ("D_DIRECTORY", "wait D_DIRECTORY"),
        ("D_CLOCK", "wait D_CLOCK"),
        ("I_MUTED", "wait I_MUTED"),
    ],
)
def test_r4_an_e_result_ends_it_and_anything_else_waits(recheck: str, wanted: str) -> None:
    house = House()
    for state in (State.GRACE, State.UPLOADING):
        assert code_of(shared(house), house.standing(state=state, recheck=recheck)) == wanted


@pytest.mark.parametrize("field", ["id", "sha256", "agency", "enc_pub", "endpoint"])
def test_r5_what_the_request_says_must_be_what_was_consented_to(field: str) -> None:
    house = House()
    value: Any = b"\1" * 32 if field == "enc_pub" else "0" * 64
    request = dataclasses.replace(REQUEST, **{field: value})
    assert code_of(shared(house), house.standing(request=request)) == "C_STALE"


@pytest.mark.parametrize("field", ["id", "sha256", "size_bytes", "start_ms", "end_ms"])
@pytest.mark.parametrize("state", [State.GRACE, State.UPLOADING])
def test_r5_a_named_segment_that_changed_stops_it(field: str, state: State) -> None:
    house = House()
    value: Any = 5
    changed = dataclasses.replace(SEGMENTS[2], **{field: value})
    standing = house.standing(state=state, segments=[*SEGMENTS[:2], changed])
    assert code_of(shared(house), standing) == "C_STALE"


def test_r5_other_segments_may_come_and_go() -> None:
    house = House()
    one = shared(house, segments=[named(SEGMENTS[1])])
    assert code_of(one, house.standing(segments=[SEGMENTS[1]])) == "OK"
    assert code_of(one, house.standing(segments=[*SEGMENTS, a_segment(9)])) == "OK"


@pytest.mark.parametrize(
    "change",
    [
        {"now_ns": NOW_NS + MINUTE_NS - 1},
        {"grace_since_ns": NOW_NS + 1},
        {"grace_since_ns": None},
        {"grace_ns": MINUTE_NS + 1},
        {"now_ns": NOW_NS - MINUTE_NS},
    ],
)
def test_r6_before_the_grace_time_is_over_it_waits(change: dict[str, Any]) -> None:
    house = House()
    assert code_of(shared(house), house.standing(**change)) == "wait C_GRACE"


def test_r6_an_upload_goes_on_after_a_restart_without_a_second_grace_time() -> None:
    house = House()
    assert code_of(shared(house), house.standing(state=State.UPLOADING, grace_since_ns=None)) == "OK"


def test_only_a_released_segment_is_handed_over_and_only_the_file_that_was_consented_to() -> None:
    house = House()
    one = SEGMENTS[1]
    permission = release(shared(house, segments=[named(one)]), house.standing())
    assert permission.take(one.id, one.sha256, one.size_bytes) == one
    for wrong in (
        (SEGMENTS[0].id, one.sha256, one.size_bytes),
        (one.id, SEGMENTS[0].sha256, one.size_bytes),
        (one.id, one.sha256, one.size_bytes + 1),
        (SEGMENTS[0].id, SEGMENTS[0].sha256, SEGMENTS[0].size_bytes),
    ):
        with pytest.raises(RefusedError) as refused:
            permission.take(*wrong)
        assert refused.value.code == "C_STALE"


def test_nobody_else_makes_a_release_and_nobody_widens_one() -> None:
    house = House()
    permission = release(shared(house, segments=[named(SEGMENTS[0])]), house.standing())
    for proof in (None, object(), True, permission):
        with pytest.raises(BugError):
            Release(request=REQUEST, segments=SEGMENTS, consent_sha256=permission.consent_sha256, proof=proof)
    with pytest.raises((ValueError, TypeError)):
        dataclasses.replace(permission, segments=SEGMENTS)  # type: ignore[call-arg]
    with pytest.raises(dataclasses.FrozenInstanceError):
        permission.segments = SEGMENTS  # type: ignore[misc]
    assert copy.copy(permission).segments == permission.segments


def test_what_a_refusal_means_for_the_request() -> None:
    assert event_for(RefusedError("E_AGENCY")) is Event.CANCELLED
    for code in ("C_STALE", "C_APPROVER", "C_SIG", "C_STATE"):
        assert event_for(RefusedError(code)) is Event.STOPPED
    with pytest.raises(BugError):
        event_for(NotYetError("D_CLOCK"))
    for state in (State.GRACE, State.UPLOADING):
        for event in (Event.CANCELLED, Event.STOPPED):
            assert (state, event) in TABLE


@given(
    phone=st.sampled_from(PhoneState),
    button_required=st.booleans(),
    pressed=st.booleans(),
    recheck=st.sampled_from([None, "E_KEY", "D_CLOCK"]),
    since=st.one_of(st.none(), st.integers(0, 2 * MINUTE_NS)),
    state=st.sampled_from([State.GRACE, State.UPLOADING]),
    held=st.sets(st.sampled_from(SEGMENTS)),
    decision=st.sampled_from(["share", "decline"]),
)
def test_whatever_the_facts_a_release_needs_all_of_them(
    *,
    phone: PhoneState,
    button_required: bool,
    pressed: bool,
    recheck: str | None,
    since: int | None,
    state: State,
    held: set[Any],
    decision: str,
) -> None:
    house = House()
    consent = check_consent(house.consent(decision=decision), house.facts())
    if pressed and decision == "share":
        consent = add_press(consent, BUTTON.sign_key)
    standing = house.standing(
        phones={ANNA.kid: Phone(kid=ANNA.kid, sign_pub=ANNA.sign_pub, state=phone)},
        button_required=button_required,
        recheck=recheck,
        grace_since_ns=since,
        now_ns=2 * MINUTE_NS,
        state=state,
        segments=list(held),
    )
    wanted = (
        decision == "share"
        and phone is PhoneState.ADMITTED
        and (pressed or not button_required)
        and recheck is None
        and held == set(SEGMENTS)
        and (state is State.UPLOADING or (since is not None and since <= MINUTE_NS))
    )
    assert (code_of(consent, standing) == "OK") == wanted
