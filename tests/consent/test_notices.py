"""Cancels and alerts (section 8): who may stop a request, and what may be shown on the owner's screen."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consent.notices import EARLY_CANCEL_S, Alert, Cancel, check_alert, check_cancel
from agent.core.envelope import sign
from agent.core.errors import RefusedError
from agent.core.strict_json import dump
from tests.fakes.consent_requests import (
    AGENCY,
    CAMERA,
    DISPATCH,
    DISPATCH_2,
    NBF_S,
    NOW_S,
    OTHER_AGENCY,
    OTHER_SIGN,
    SIGN,
    STRANGER,
    agency_file,
    alert,
    cancel,
    entry,
    platform_file,
    signed_alert,
    signed_cancel,
    view,
)


def cancel_code(raw: bytes, **known: Any) -> str:
    try:
        check_cancel(raw, **({"view": view()} | known))
    except RefusedError as refusal:
        return refusal.code
    return "OK"


def alert_code(raw: bytes, **known: Any) -> str:
    usual: dict[str, Any] = {"view": view(), "now_s": NOW_S, "trusted": True, "camera": CAMERA}
    usual |= {"seen": (), "muted": False, "shown_24h": 0}
    try:
        check_alert(raw, **(usual | known))
    except RefusedError as refusal:
        return refusal.code
    return "OK"


def test_a_cancel_waits_seven_days_for_its_request() -> None:
    assert EARLY_CANCEL_S == 7 * 24 * 60 * 60


# Cancels.


def test_a_cancel_says_which_request_of_which_agency_and_why() -> None:
    got = check_cancel(signed_cancel(), view=view())
    assert got == Cancel(cancel()["id"], AGENCY, NOW_S - 10, "resolved")


@pytest.mark.parametrize("reason", ["resolved", "error", "superseded"])
def test_a_cancel_has_one_of_three_reasons(reason: str) -> None:
    assert cancel_code(signed_cancel(reason=reason)) == "OK"
    assert cancel_code(signed_cancel(reason=reason + "s")) == "E_SCHEMA"


@pytest.mark.parametrize("key", [SIGN, DISPATCH, DISPATCH_2])
def test_the_agency_and_dispatch_may_cancel(key: Any) -> None:
    assert cancel_code(signed_cancel(keys=(key,))) == "OK"


def test_a_suspended_agency_may_still_cancel() -> None:
    assert cancel_code(signed_cancel(), view=view(agencies=[agency_file(status="suspended")])) == "OK"


def test_dispatch_may_cancel_for_an_agency_that_was_never_looked_up() -> None:
    assert cancel_code(signed_cancel(keys=(DISPATCH,)), view=view(agencies=[])) == "OK"


def test_another_agencys_key_does_not_cancel_in_this_ones_name() -> None:
    assert cancel_code(signed_cancel(keys=(OTHER_SIGN,))) == "E_SIG"
    assert cancel_code(signed_cancel(keys=(OTHER_SIGN,), agency=OTHER_AGENCY)) == "OK"
    assert cancel_code(signed_cancel(keys=(OTHER_SIGN,), agency="us-ca-nobody")) == "E_SIG"
    assert cancel_code(signed_cancel(keys=(OTHER_SIGN,), agency="us-ca-unasked")) == "E_SIG"


def test_a_keyid_that_fits_nothing_that_is_held_is_put_off() -> None:
    assert cancel_code(signed_cancel(keys=(STRANGER,))) == "D_DIRECTORY"
    assert cancel_code(signed_cancel(), view=view(agencies=[])) == "D_DIRECTORY"
    assert cancel_code(signed_cancel(), view=None) == "D_DIRECTORY"


def test_a_misnamed_key_cancels_nothing_but_a_good_one_of_another_file_does() -> None:
    lies = entry(SIGN) | {"pub": entry(STRANGER)["pub"]}
    bad, good = agency_file(sign=[lies]), agency_file(id=OTHER_AGENCY, sign=[entry(SIGN)])
    assert cancel_code(signed_cancel(), view=view(agencies=[bad])) == "E_KEY"
    assert cancel_code(signed_cancel(agency=OTHER_AGENCY), view=view(agencies=[bad, good])) == "OK"


def test_a_misnamed_key_owns_nothing() -> None:
    lies = entry(SIGN) | {"pub": entry(STRANGER)["pub"]}
    bad, good = agency_file(sign=[lies]), agency_file(id=OTHER_AGENCY, sign=[entry(SIGN)])
    assert cancel_code(signed_cancel(), view=view(agencies=[bad, good])) == "E_SIG"


def test_a_cancel_of_another_form_type_or_signature_is_refused() -> None:
    assert cancel_code(b"") == "E_JSON"
    assert cancel_code(signed_cancel(keys=(SIGN, DISPATCH))) == "E_ENVELOPE"
    assert cancel_code(sign("alert", dump(cancel()), (SIGN,))) == "E_TYPE"
    assert cancel_code(signed_cancel(), view=view(agencies=[agency_file(sign=[])])) == "D_DIRECTORY"
    raw = sign("cancel", dump(cancel()), (SIGN,)).replace(b"cancel", b"cancel")
    assert cancel_code(raw.ljust(24_577)) == "E_SIZE"


def test_a_forged_cancel_is_refused_before_it_is_parsed() -> None:
    good = signed_cancel()
    other = sign("cancel", b"no JSON", (SIGN,))
    head, sig = good.split(b'"sig":"')[0], other.split(b'"sig":"')[1]
    assert cancel_code(head + b'"sig":"' + sig) == "E_SIG"
    assert cancel_code(other) == "E_JSON"


@pytest.mark.parametrize(
    "changes",
    [{"v": 2}, {"id": "x"}, {"agency": "X"}, {"at": -1}, {"at": True}, {"reason": 7}, {"reason": None}, {"x": 1}],
)
def test_a_cancel_has_exactly_its_form(changes: Any) -> None:
    assert cancel_code(signed_cancel(**changes)) == "E_SCHEMA"


# Alerts.


def test_an_alert_is_read_whole() -> None:
    got = check_alert(
        signed_alert(), view=view(), now_s=NOW_S, trusted=True, camera=CAMERA, seen=(), muted=False, shown_24h=0
    )
    value = alert()
    assert got == Alert(
        id=value["id"],
        agency=AGENCY,
        category="burglary",
        title="Break-ins",
        text=value["text"],
        area=tuple((lat, lon) for lat, lon in value["area"]),
        iat_s=value["iat"],
        exp_s=value["exp"],
    )


def test_an_alert_of_a_neighbour_has_no_agency() -> None:
    raw = signed_alert(source={"kind": "neighbour", "agency": None})
    assert (
        check_alert(
            raw, view=view(), now_s=NOW_S, trusted=True, camera=CAMERA, seen=(), muted=False, shown_24h=0
        ).agency
        is None
    )


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "neighbour", "agency": AGENCY},
        {"kind": "agency", "agency": None},
        {"kind": "agency", "agency": "X"},
        {"kind": "police", "agency": AGENCY},
        {"kind": "police", "agency": None},
        {"kind": "agency"},
        {"kind": "agency", "agency": AGENCY, "x": 1},
        None,
        "agency",
    ],
)
def test_an_alert_comes_from_an_agency_or_a_neighbour(source: Any) -> None:
    assert alert_code(signed_alert(source=source)) == "E_SCHEMA"


@pytest.mark.parametrize(("key", "code"), [(DISPATCH_2, "OK"), (SIGN, "D_DIRECTORY"), (STRANGER, "D_DIRECTORY")])
def test_only_dispatch_may_alert(key: Any, code: str) -> None:
    assert alert_code(signed_alert(keys=(key,))) == code


def test_a_dispatch_key_must_be_valid_when_the_alert_is_issued() -> None:
    for nbf, exp, code in (
        (NOW_S - 60, NOW_S - 59, "OK"),
        (NOW_S - 59, NOW_S + 9, "E_KEY"),
        (NBF_S, NOW_S - 60, "E_KEY"),
    ):
        assert alert_code(signed_alert(), view=view(platform_file(dispatch=[entry(DISPATCH, nbf, exp)]))) == code


def test_an_alert_of_another_form_type_or_signature_is_refused() -> None:
    assert alert_code(signed_alert(), view=None) == "D_DIRECTORY"
    assert alert_code(signed_alert(keys=(DISPATCH, SIGN))) == "E_ENVELOPE"
    assert alert_code(sign("request", dump(alert()), (DISPATCH,))) == "E_TYPE"
    assert alert_code(sign("alert", b"no JSON", (DISPATCH,))) == "E_JSON"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"v": 2}, "E_SCHEMA"),
        ({"id": "x"}, "E_SCHEMA"),
        ({"category": "protest"}, "E_SCHEMA"),
        ({"category": "X"}, "E_SCHEMA"),
        ({"iat": -1}, "E_SCHEMA"),
        ({"exp": None}, "E_SCHEMA"),
        ({"title": 7}, "E_SCHEMA"),
        ({"text": 7}, "E_SCHEMA"),
        ({"x": 1}, "E_SCHEMA"),
        ({"title": "x" * 80}, "OK"),
        ({"title": "x" * 81}, "E_TEXT"),
        ({"title": "a\nb"}, "E_TEXT"),
        ({"text": "x" * 1_000}, "OK"),
        ({"text": "x" * 1_001}, "E_TEXT"),
        ({"text": "\n".join("x" * 12)}, "OK"),
        ({"text": "\n".join("x" * 13)}, "E_TEXT"),
        ({"area": []}, "E_AREA"),
        ({"area": None}, "E_AREA"),
        ({"v": 2, "title": "", "area": []}, "E_SCHEMA"),
        ({"title": "", "area": []}, "E_TEXT"),
        ({"exp": NOW_S - 60}, "E_ORDER"),
        ({"exp": NOW_S - 61}, "E_ORDER"),
        ({"exp": NOW_S - 59}, "E_EXPIRED"),
        ({"exp": NOW_S}, "E_EXPIRED"),
        ({"exp": NOW_S + 1}, "OK"),
        ({"exp": NOW_S - 60 + 604_800}, "OK"),
        ({"exp": NOW_S - 59 + 604_800}, "E_LIMIT"),
        ({"iat": NOW_S + 300}, "OK"),
        ({"iat": NOW_S + 301}, "E_FUTURE"),
    ],
)
def test_an_alert_has_its_form_its_texts_and_its_times(changes: Any, code: str) -> None:
    assert alert_code(signed_alert(**changes)) == code


def test_an_alert_of_any_size_is_shown_where_the_camera_is() -> None:
    lat, lon = CAMERA
    house = [[lat - 50, lon - 50], [lat - 50, lon + 50], [lat + 50, lon + 50]]
    assert alert_code(signed_alert(area=house), camera=(lat - 40, lon)) == "OK"
    assert alert_code(signed_alert(area=house), camera=(lat - 60, lon)) == "I_NO_AREA"


def test_an_alert_waits_for_the_clock_and_is_nothing_twice_or_muted_or_too_many() -> None:
    raw = signed_alert()
    assert alert_code(raw, trusted=False) == "D_CLOCK"
    assert alert_code(raw, seen={alert()["id"]}) == "I_DUPLICATE"
    assert alert_code(raw, muted=True) == "I_MUTED"
    assert alert_code(raw, shown_24h=19) == "OK"
    assert alert_code(raw, shown_24h=20) == "E_FLOOD"


@given(st.binary(max_size=200))
def test_any_payload_from_dispatch_is_a_notice_or_refused(payload: bytes) -> None:
    assert cancel_code(sign("cancel", payload, (DISPATCH,))) != "OK"
    assert alert_code(sign("alert", payload, (DISPATCH,))) != "OK"
