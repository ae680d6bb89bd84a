"""Checks 1 to 8: the envelope, who signed it, and what the directory says of them."""

import inspect
from dataclasses import fields
from typing import Any

import pytest

from agent.consent import checks
from agent.consent.outcome import Outcome
from agent.consent.request import parse_request
from agent.core.encoding import b64
from agent.core.envelope import sign
from agent.core.ids import sha256_hex
from agent.core.keys import raw_public
from agent.core.strict_json import dump
from tests.consent.checking import bend_signature, check, ends
from tests.fakes.consent_requests import (
    DISPATCH,
    DISPATCH_2,
    ENC_2,
    EXP_S,
    NBF_S,
    NOW_S,
    OTHER_SIGN,
    SIGN,
    SIGN_2,
    STRANGER,
    agency_file,
    entry,
    open_key,
    platform_file,
    request,
    signed_request,
    view,
)

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
