"""The 15 checks, one by one: each refuses what it is there for, at its number, and nothing earlier does."""

import inspect
from dataclasses import fields, replace
from typing import Any

import pytest

from agent.consent import checks
from agent.consent.checks import check_again, check_arrival, check_match, check_request
from agent.consent.limits_of_owner import OwnerLimits
from agent.consent.outcome import FloodCounts, Outcome
from agent.consent.request import parse_request
from agent.core.encoding import b64, unb64
from agent.core.envelope import sign
from agent.core.ids import sha256_hex
from agent.core.keys import raw_public
from agent.core.strict_json import dump, parse
from tests.fakes.consent_requests import (
    AGENCY,
    CAMERA,
    DISPATCH,
    DISPATCH_2,
    ENC_2,
    EXP_S,
    NBF_S,
    NOW_S,
    OTHER_AGENCY,
    OTHER_SIGN,
    SIGN,
    SIGN_2,
    SQUARE,
    STRANGER,
    agency_file,
    entry,
    open_key,
    platform_file,
    request,
    signed_request,
    view,
)

CALM = FloodCounts(0, 0, 0, 0)
WILLING = OwnerLimits(enabled=True)


def check(raw: bytes, **known: Any) -> Outcome:
    """Run all checks with a house in which a good request passes, but for what `known` says."""
    usual: dict[str, Any] = {
        "view": view(),
        "now_s": NOW_S,
        "trusted": True,
        "seen": {}.get,
        "owner": WILLING,
        "camera": CAMERA,
        "overlaps": lambda _from_ms, _to_ms: True,
        "counts": lambda _request: CALM,
    }
    return check_request(raw, **(usual | known))


def ends(outcome: Outcome) -> tuple[str, int]:
    return outcome.code, outcome.check


def bend_signature(raw: bytes, index: int) -> bytes:
    value: Any = parse(raw, max_bytes=len(raw))
    sig = bytearray(unb64(value["signatures"][index]["sig"]))
    sig[0] ^= 1
    value["signatures"][index]["sig"] = b64(bytes(sig))
    return dump(value)


# The list.


def test_the_list_has_15_checks_named_after_their_numbers() -> None:
    assert list(checks.CHECKS) == list(range(1, 16))
    for number, function in checks.CHECKS.items():
        assert function.__name__.startswith(f"check_{number}_")
        assert inspect.getdoc(function)


def test_the_four_uses_run_the_checks_that_section_7_names() -> None:
    assert checks.ON_ARRIVAL == (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
    assert checks.ON_MATCH == (12, 13, 14, 15)
    assert checks.AT_SHARE == (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    assert checks.BEFORE_UPLOAD == (1, 2, 3, 4, 5, 6, 7, 8)


def test_a_good_request_passes_and_is_remembered_by_its_payload() -> None:
    raw = signed_request()
    outcome = check(raw)
    assert ends(outcome) == ("OK", 0)
    assert outcome.request == parse_request(dump(request()))
    assert outcome.payload_sha256 == sha256_hex(dump(request()))
    assert outcome.remember
    assert not outcome.needs_dispatch
    assert outcome.needs_agency is None
    assert outcome.needs_version is None


def test_an_outcome_has_no_field_that_approves() -> None:
    assert {field.name for field in fields(Outcome)} == {
        *("code", "check", "why", "request", "payload_sha256", "remember"),
        *("needs_agency", "needs_version", "needs_dispatch"),
    }


def test_nothing_is_parsed_or_remembered_before_its_check() -> None:
    outcome = check(signed_request(keys=(STRANGER, SIGN)))
    assert outcome.request is None
    assert outcome.payload_sha256 is None
    assert not outcome.remember


# 1-3: the envelope.


def test_1_an_envelope_over_24576_bytes_is_refused_and_one_of_24576_is_not() -> None:
    raw = signed_request()
    assert check(raw.ljust(24_576)).code == "OK"
    assert ends(check(raw.ljust(24_577))) == ("E_SIZE", 1)


def test_2_a_payload_over_16384_bytes_is_refused_and_one_of_16384_is_not() -> None:
    payload = dump(request())
    assert check(signed_request(payload=payload.ljust(16_384))).code == "OK"
    assert ends(check(signed_request(payload=payload.ljust(16_385)))) == ("E_SIZE", 2)


@pytest.mark.parametrize(("raw", "code"), [(b"", "E_JSON"), (b"{", "E_JSON"), (b"{}", "E_ENVELOPE")])
def test_2_what_is_no_envelope_is_refused(raw: bytes, code: str) -> None:
    assert ends(check(raw)) == (code, 2)


@pytest.mark.parametrize("keys", [(DISPATCH,), (DISPATCH, SIGN, SIGN_2), (DISPATCH, DISPATCH)])
def test_2_other_than_two_signatures_by_two_keys_is_refused(keys: Any) -> None:
    assert ends(check(signed_request(keys=keys))) == ("E_ENVELOPE", 2)


def test_3_another_type_is_refused_before_any_key_is_looked_at() -> None:
    raw = sign("cancel", dump(request()), (DISPATCH, SIGN))
    assert ends(check(raw, view=None)) == ("E_TYPE", 3)


# 4: dispatch.


def test_4_without_a_directory_it_is_put_off() -> None:
    outcome = check(signed_request(), view=None)
    assert ends(outcome) == ("D_DIRECTORY", 4)
    assert outcome.needs_dispatch


def test_4_an_unknown_dispatch_key_is_put_off_and_asks_for_a_newer_directory() -> None:
    outcome = check(signed_request(keys=(STRANGER, SIGN)))
    assert ends(outcome) == ("D_DIRECTORY", 4)
    assert outcome.needs_dispatch


def test_4_two_dispatch_keys_are_refused() -> None:
    assert ends(check(signed_request(keys=(DISPATCH, DISPATCH_2)))) == ("E_SIG", 4)


@pytest.mark.parametrize("keys", [(DISPATCH, SIGN), (SIGN, DISPATCH)])
def test_4_the_order_of_the_signatures_does_not_matter(keys: Any) -> None:
    assert check(signed_request(keys=keys)).code == "OK"


@pytest.mark.parametrize(("keys", "index"), [((DISPATCH, SIGN), 0), ((SIGN, DISPATCH), 1)])
def test_4_a_forged_dispatch_signature_is_refused_before_the_payload_is_parsed(keys: Any, index: int) -> None:
    raw = bend_signature(signed_request(keys=keys, payload=b"no JSON"), index)
    assert ends(check(raw)) == ("E_SIG", 4)


def test_4_a_misnamed_dispatch_key_verifies_nothing() -> None:
    lies = entry(DISPATCH) | {"pub": entry(DISPATCH_2)["pub"]}
    outcome = check(signed_request(), view=view(platform_file(dispatch=[lies])))
    assert ends(outcome) == ("E_KEY", 4)


def test_4_a_good_key_is_found_behind_a_misnamed_one_of_the_same_name() -> None:
    lies = entry(DISPATCH) | {"pub": entry(DISPATCH_2)["pub"]}
    for listed in ([lies, entry(DISPATCH)], [entry(DISPATCH), lies]):
        assert check(signed_request(), view=view(platform_file(dispatch=listed))).code == "OK"


def test_4_the_payload_is_not_parsed_before_the_dispatch_signature_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_payload: bytes) -> None:
        pytest.fail("the payload was parsed")

    monkeypatch.setattr(checks, "parse_request", never)
    assert check(signed_request(keys=(STRANGER, SIGN))).check == 4
    assert check(bend_signature(signed_request(), 0)).check == 4


# 5: the payload.


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"v": 2}, "E_SCHEMA"),
        ({"text": " x"}, "E_TEXT"),
        ({"area": []}, "E_AREA"),
        ({"v": 2, "text": " x", "area": []}, "E_SCHEMA"),
        ({"text": " x", "area": []}, "E_TEXT"),
    ],
)
def test_5_a_fault_of_the_payload_is_named_in_the_order_of_the_protocol(changes: Any, code: str) -> None:
    outcome = check(signed_request(**changes))
    assert ends(outcome) == (code, 5)
    assert outcome.request is None


# 6 and 7: the directory.


def test_6_a_request_that_needs_a_newer_directory_is_put_off_and_names_it() -> None:
    outcome = check(signed_request(dirv=8))
    assert ends(outcome) == ("D_DIRECTORY", 6)
    assert outcome.needs_version == 8
    assert not outcome.needs_dispatch
    assert check(signed_request(dirv=7)).code == "OK"
    assert check(signed_request(dirv=6)).code == "OK"


def test_7_an_agency_that_was_not_looked_up_is_put_off_and_asked_for() -> None:
    outcome = check(signed_request(agency="us-ca-unasked"))
    assert ends(outcome) == ("D_DIRECTORY", 7)
    assert outcome.needs_agency == "us-ca-unasked"
    assert outcome.needs_version is None


def test_7_an_absent_agency_is_refused() -> None:
    assert ends(check(signed_request(agency="us-ca-nobody"))) == ("E_AGENCY", 7)


def test_7_a_suspended_agency_is_refused() -> None:
    suspended = view(agencies=[agency_file(status="suspended")])
    assert ends(check(signed_request(), view=suspended)) == ("E_AGENCY", 7)


@pytest.mark.parametrize("key", [STRANGER, OTHER_SIGN])
def test_7_a_key_that_is_not_the_agencys_is_refused(key: Any) -> None:
    assert ends(check(signed_request(keys=(DISPATCH, key)))) == ("E_SIG", 7)


# 8: keys, reply key, endpoint, incident.


def test_8_a_forged_agency_signature_is_refused() -> None:
    assert ends(check(bend_signature(signed_request(), 1))) == ("E_SIG", 8)


def test_8_a_misnamed_agency_key_verifies_nothing() -> None:
    lies = entry(SIGN) | {"pub": entry(SIGN_2)["pub"]}
    assert ends(check(signed_request(), view=view(agencies=[agency_file(sign=[lies])]))) == ("E_KEY", 8)


@pytest.mark.parametrize(
    ("nbf", "exp", "code"),
    [
        (NOW_S - 60, NOW_S - 59, "OK"),
        (NOW_S - 59, EXP_S, "E_KEY"),
        (NBF_S, NOW_S - 60, "E_KEY"),
    ],
)
@pytest.mark.parametrize("which", ["dispatch", "sign"])
def test_8_a_key_counts_from_its_nbf_until_before_its_exp(which: str, nbf: int, exp: int, code: str) -> None:
    platform = platform_file(dispatch=[entry(DISPATCH, nbf, exp)]) if which == "dispatch" else platform_file()
    agency = agency_file(sign=[entry(SIGN, nbf, exp)]) if which == "sign" else agency_file()
    assert check(signed_request(), view=view(platform, [agency])).code == code


def test_8_every_valid_enc_key_may_be_sealed_to() -> None:
    assert check(signed_request(enc_pub=b64(raw_public(ENC_2)))).code == "OK"


@pytest.mark.parametrize(
    ("enc", "code"),
    [
        (entry(ENC_2, NOW_S - 60, NOW_S - 59), "OK"),
        (entry(ENC_2, NOW_S - 59, EXP_S), "E_REPLY"),
        (entry(ENC_2, NBF_S, NOW_S - 60), "E_REPLY"),
        (entry(open_key("never listed")), "E_REPLY"),
        (entry(ENC_2) | {"kid": "0" * 16}, "E_REPLY"),
    ],
)
def test_8_an_enc_key_must_be_listed_under_its_name_and_valid(enc: Any, code: str) -> None:
    listed = view(agencies=[agency_file(enc=[enc])])
    assert check(signed_request(enc_pub=b64(raw_public(ENC_2))), view=listed).code == code


def test_8_a_weak_enc_key_is_nothing_to_seal_to() -> None:
    weak = b64(bytes(32))
    listed = view(agencies=[agency_file(enc=[entry(ENC_2) | {"pub": weak, "kid": "66687aadf862bd77"}])])
    assert ends(check(signed_request(enc_pub=weak), view=listed)) == ("E_REPLY", 8)


def test_8_an_endpoint_must_be_known_and_allowed() -> None:
    known = platform_file(endpoints=platform_file()["endpoints"] | {"ep3": platform_file()["endpoints"]["ep1"]})
    assert ends(check(signed_request(ep="ep3"), view=view(known))) == ("E_REPLY", 8)
    allowed = agency_file(endpoints=["ep1", "ep2"])
    assert ends(check(signed_request(ep="ep2"), view=view(agencies=[allowed]))) == ("E_REPLY", 8)
    assert ends(check(signed_request(ep="https://evil.example/"))) == ("E_REPLY", 8)


def test_8_an_incident_must_be_in_the_directory() -> None:
    assert ends(check(signed_request(incident="protest"))) == ("E_SCHEMA", 8)


# 9: order and limits.


@pytest.mark.parametrize(
    "changes",
    [
        {"from": NOW_S - 3_600},
        {"from": NOW_S - 3_599},
        {"to": NOW_S - 59},
        {"exp": NOW_S - 60},
        {"exp": NOW_S - 61},
    ],
)
def test_9_times_out_of_order_are_refused(changes: Any) -> None:
    assert ends(check(signed_request(**changes))) == ("E_ORDER", 9)


def test_9_the_window_may_end_when_the_request_is_issued() -> None:
    assert check(signed_request(to=NOW_S - 60)).code == "OK"


def shrunk(factor: float) -> list[list[int]]:
    return [
        [CAMERA[0] + round((lat - CAMERA[0]) * factor), CAMERA[1] + round((lon - CAMERA[1]) * factor)]
        for lat, lon in SQUARE
    ]


@pytest.mark.parametrize(
    ("changes", "directory", "owner", "code"),
    [
        ({"from": NOW_S - 43_260, "to": NOW_S - 60}, {}, {}, "OK"),
        ({"from": NOW_S - 43_261, "to": NOW_S - 60}, {}, {}, "E_LIMIT"),
        ({}, {"window_s": 3_600}, {}, "OK"),
        ({}, {"window_s": 3_599}, {}, "E_LIMIT"),
        ({}, {}, {"window_s": 3_600}, "OK"),
        ({}, {}, {"window_s": 3_599}, "E_LIMIT"),
        ({}, {"window_s": 3_599}, {"window_s": 3_600}, "E_LIMIT"),
        ({"from": NOW_S - 43_261, "to": NOW_S - 60}, {"window_s": 99_999}, {"window_s": 99_999}, "E_LIMIT"),
        ({"from": NOW_S - 60 - 2_592_000, "to": NOW_S - 2_580_000}, {}, {}, "OK"),
        ({"from": NOW_S - 61 - 2_592_000, "to": NOW_S - 2_580_000}, {}, {}, "E_LIMIT"),
        ({}, {"lookback_s": 7_140}, {}, "OK"),
        ({}, {"lookback_s": 7_139}, {}, "E_LIMIT"),
        ({}, {}, {"lookback_s": 7_140}, "OK"),
        ({}, {}, {"lookback_s": 7_139}, "E_LIMIT"),
        ({"exp": NOW_S - 60 + 604_800}, {}, {}, "OK"),
        ({"exp": NOW_S - 59 + 604_800}, {}, {}, "E_LIMIT"),
        ({"exp": NOW_S - 59 + 604_800}, {"ttl_s": 9_999_999}, {}, "E_LIMIT"),
        ({}, {"ttl_s": 86_460}, {}, "OK"),
        ({}, {"ttl_s": 86_459}, {}, "E_LIMIT"),
        ({}, {"area_m2": 90_000}, {}, "OK"),
        ({}, {"area_m2": 89_000}, {}, "E_LIMIT"),
        ({}, {}, {"area_m2": 90_000}, "OK"),
        ({}, {}, {"area_m2": 89_000}, "E_LIMIT"),
        ({"area": shrunk(0.86)}, {}, {}, "OK"),
        ({"area": shrunk(0.84)}, {}, {}, "E_LIMIT"),
        ({"area": shrunk(3.79)}, {}, {}, "OK"),
        ({"area": shrunk(3.82)}, {}, {}, "E_LIMIT"),
        ({"area": shrunk(3.82)}, {"area_m2": 9_999_999}, {"area_m2": 9_999_999}, "E_LIMIT"),
    ],
)
def test_9_the_lowest_of_ceiling_directory_and_owner_holds(
    changes: Any, directory: Any, owner: Any, code: str
) -> None:
    limits = agency_file()["limits"] | directory
    outcome = check(
        signed_request(**changes),
        view=view(agencies=[agency_file(limits=limits)]),
        owner=replace(WILLING, **owner),
    )
    assert ends(outcome) == (code, 9 if code != "OK" else 0)


def test_9_an_area_of_exactly_the_floor_and_of_exactly_the_ceiling_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    for size, code in ((64_999.9, "E_LIMIT"), (65_000.0, "OK"), (1_300_000.0, "OK"), (1_300_000.1, "E_LIMIT")):
        monkeypatch.setattr(checks, "area_m2", lambda _points, size=size: size)
        assert check(signed_request()).code == code


# 10: the clock.


@pytest.mark.parametrize("trusted_wrongly", [{}, {"exp": NOW_S}, {"iat": NOW_S + 301}])
def test_10_without_a_trusted_clock_it_is_put_off(trusted_wrongly: Any) -> None:
    assert ends(check(signed_request(**trusted_wrongly), trusted=False)) == ("D_CLOCK", 10)


def test_10_a_request_expires_at_exp() -> None:
    assert check(signed_request(exp=NOW_S + 1)).code == "OK"
    assert ends(check(signed_request(exp=NOW_S))) == ("E_EXPIRED", 10)


def test_10_iat_may_be_300_s_ahead() -> None:
    assert check(signed_request(iat=NOW_S + 300)).code == "OK"
    assert ends(check(signed_request(iat=NOW_S + 301))) == ("E_FUTURE", 10)


# 11: replay.


def test_11_the_same_bytes_again_are_a_silent_duplicate() -> None:
    outcome = check(signed_request(), seen={request()["id"]: sha256_hex(dump(request()))}.get)
    assert ends(outcome) == ("I_DUPLICATE", 11)
    assert not outcome.remember


def test_11_other_bytes_under_a_known_id_are_refused() -> None:
    outcome = check(signed_request(), seen={request()["id"]: "0" * 64}.get)
    assert ends(outcome) == ("E_REPLAY", 11)
    assert not outcome.remember


def test_11_an_id_is_remembered_even_when_a_later_check_ends_it() -> None:
    assert check(signed_request(), owner=OwnerLimits(enabled=False)).remember
    assert check(signed_request(), overlaps=lambda _a, _b: False).remember
    assert not check(signed_request(exp=NOW_S)).remember


# 12-15: owner, area, footage, flood.


def test_12_requests_that_are_off_or_muted_are_silent() -> None:
    assert ends(check(signed_request(), owner=OwnerLimits(enabled=False))) == ("I_MUTED", 12)
    assert ends(check(signed_request(), owner=OwnerLimits(True, frozenset({AGENCY})))) == ("I_MUTED", 12)
    assert check(signed_request(), owner=OwnerLimits(True, frozenset({OTHER_AGENCY}))).code == "OK"


def test_13_a_camera_outside_is_silent() -> None:
    assert ends(check(signed_request(), camera=(CAMERA[0] + 20_000, CAMERA[1]))) == ("I_NO_AREA", 13)


def test_14_the_index_is_asked_for_the_window_in_milliseconds() -> None:
    asked = []

    def overlaps(from_ms: int, to_ms: int) -> bool:
        asked.append((from_ms, to_ms))
        return False

    assert ends(check(signed_request(), overlaps=overlaps)) == ("I_NO_FOOTAGE", 14)
    assert asked == [((NOW_S - 7_200) * 1_000, (NOW_S - 3_600) * 1_000)]


def test_14_the_index_is_not_asked_when_an_earlier_check_ends_it() -> None:
    def overlaps(_from_ms: int, _to_ms: int) -> bool:
        pytest.fail("the index was asked")

    check(signed_request(), overlaps=overlaps, owner=OwnerLimits(enabled=False))
    check(signed_request(), overlaps=overlaps, camera=(0, 0))


@pytest.mark.parametrize(
    ("figure", "most"), [("open_agency", 5), ("agency_case_30d", 2), ("pending", 20), ("passed_24h", 50)]
)
def test_15_a_flood_is_withheld_from_each_limit_on(figure: str, most: int) -> None:
    assert check(signed_request(), counts=lambda _: replace(CALM, **{figure: most - 1})).code == "OK"
    outcome = check(signed_request(), counts=lambda _: replace(CALM, **{figure: most}))
    assert ends(outcome) == ("E_FLOOD", 15)
    assert outcome.request is not None


def test_15_the_figures_are_asked_for_this_request_and_only_when_it_matches() -> None:
    asked = []

    def counts(known: Any) -> FloodCounts:
        asked.append(known.case)
        return CALM

    check(signed_request(), counts=counts, camera=(0, 0))
    assert asked == []
    check(signed_request(case="24-000077"), counts=counts)
    assert asked == ["24-000077"]


# The parts of the list.


def test_arrival_runs_1_to_11_only() -> None:
    known: dict[str, Any] = {"view": view(), "now_s": NOW_S, "trusted": True, "seen": {}.get}
    outcome = check_arrival(signed_request(), owner=OwnerLimits(enabled=False), **known)
    assert ends(outcome) == ("OK", 0)
    assert outcome.remember
    late = check_arrival(signed_request(exp=NOW_S), owner=WILLING, **known)
    assert ends(late) == ("E_EXPIRED", 10)


def test_arrival_knows_the_owners_limits() -> None:
    narrow = replace(WILLING, window_s=3_599)
    known: dict[str, Any] = {"view": view(), "now_s": NOW_S, "trusted": True, "seen": {}.get}
    assert check_arrival(signed_request(), owner=narrow, **known).code == "E_LIMIT"


def test_a_match_can_be_asked_again_when_settings_changed() -> None:
    known = check(signed_request(), owner=OwnerLimits(enabled=False)).request
    assert known is not None
    again: dict[str, Any] = {"camera": CAMERA, "overlaps": lambda _a, _b: True, "counts": lambda _: CALM}
    assert ends(check_match(known, owner=OwnerLimits(enabled=False), **again)) == ("I_MUTED", 12)
    outcome = check_match(known, owner=WILLING, **again)
    assert ends(outcome) == ("OK", 0)
    assert outcome.request == known
    assert not outcome.remember


def again(raw: bytes, **known: Any) -> Outcome:
    usual: dict[str, Any] = {"view": view(), "now_s": NOW_S, "trusted": True, "owner": WILLING}
    return check_again(raw, **(usual | known))


def test_checked_again_a_request_that_is_still_good_passes_whatever_the_owner_receives() -> None:
    assert ends(again(signed_request())) == ("OK", 0)
    assert ends(again(signed_request(), owner=OwnerLimits(enabled=False))) == ("OK", 0)


@pytest.mark.parametrize("uploading", [False, True])
def test_checked_again_a_revoked_dispatch_key_cancels(uploading: bool) -> None:
    outcome = again(signed_request(), view=view(platform_file(dispatch=[entry(DISPATCH_2)])), uploading=uploading)
    assert ends(outcome) == ("E_KEY", 4)
    assert not outcome.needs_dispatch


@pytest.mark.parametrize("uploading", [False, True])
def test_checked_again_without_a_directory_it_waits(uploading: bool) -> None:
    assert ends(again(signed_request(), view=None, uploading=uploading)) == ("D_DIRECTORY", 4)


@pytest.mark.parametrize("uploading", [False, True])
def test_checked_again_an_agency_that_is_not_looked_up_under_the_new_directory_waits(uploading: bool) -> None:
    outcome = again(signed_request(), view=view(agencies=[]), uploading=uploading)
    assert ends(outcome) == ("D_DIRECTORY", 7)
    assert outcome.needs_agency == AGENCY


@pytest.mark.parametrize(
    ("agency", "code"),
    [
        ({"status": "suspended"}, "E_AGENCY"),
        ({"sign": [entry(SIGN_2)]}, "E_SIG"),
        ({"enc": [entry(ENC_2)]}, "E_REPLY"),
        ({"endpoints": []}, "E_REPLY"),
    ],
)
@pytest.mark.parametrize("uploading", [False, True])
def test_checked_again_what_the_directory_took_back_cancels(agency: Any, code: str, uploading: bool) -> None:
    assert again(signed_request(), view=view(agencies=[agency_file(**agency)]), uploading=uploading).code == code


def test_checked_again_order_limits_and_clock_hold_at_a_share_but_not_during_an_upload() -> None:
    raw = signed_request()
    for known, code in (
        ({"owner": replace(WILLING, window_s=1)}, "E_LIMIT"),
        ({"now_s": NOW_S + 86_400}, "E_EXPIRED"),
        ({"trusted": False}, "D_CLOCK"),
    ):
        assert again(raw, **known).code == code
        assert again(raw, **known, uploading=True).code == "OK"


def test_checked_again_the_signatures_are_verified_anew() -> None:
    assert again(bend_signature(signed_request(), 0)).code == "E_SIG"
    assert again(bend_signature(signed_request(), 1)).code == "E_SIG"
