"""The directory's files: strict forms, keys that verify nothing, and nothing that a person may not be shown."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consent.directory import (
    Endpoint,
    parse_agency,
    parse_platform,
    parse_region,
)
from agent.consent.directory_keys import find_key
from agent.consent.forms import CELL
from agent.consent.limits_of_owner import CEILINGS, Limits, OwnerLimits
from agent.core.encoding import b64
from agent.core.errors import RefusedError
from agent.core.ids import kid_of
from agent.core.strict_json import dump
from tests.consent.request_vectors import document, named_view
from tests.fakes.consent_requests import (
    AGENCY,
    CAMERA,
    DISPATCH,
    DISPATCH_2,
    ENC,
    SIGN,
    agency_file,
    entry,
    platform_file,
    region_file,
)


def code_of(what: str, value: Any) -> str:
    raw = value if isinstance(value, bytes) else dump(value)
    try:
        if what == "platform":
            parse_platform(raw)
        elif what == "agency":
            parse_agency(raw, AGENCY)
        else:
            parse_region(raw, "9q8")
    except RefusedError as refusal:
        return refusal.code
    return "OK"


FILES = {"platform": platform_file, "agency": agency_file, "region": region_file}


def test_a_platform_file_is_read_whole() -> None:
    raw = dump(platform_file())
    platform = parse_platform(raw)
    assert (platform.name, platform.version, platform.issued_s) == ("Example platform", 7, 1_799_996_400)
    assert [key.kid for key in platform.dispatch] == [entry(DISPATCH)["kid"], entry(DISPATCH_2)["kid"]]
    assert len(platform.receipt) == 1
    assert platform.endpoints == {"ep1": Endpoint("up1.example", 443, "/up")}
    assert platform.incidents == {"burglary", "missing-person"}
    assert platform.raw == raw


def test_an_agencys_file_is_read_whole() -> None:
    raw = dump(agency_file())
    agency = parse_agency(raw, AGENCY)
    assert (agency.id, agency.name, agency.country, agency.region) == (
        AGENCY,
        "Example Police Department",
        "US",
        "CA",
    )
    assert agency.status == "active"
    assert agency.sign[0].kid == entry(SIGN)["kid"]
    assert agency.enc[0].kid == entry(ENC)["kid"]
    assert agency.enc[0].usable
    assert agency.endpoints == {"ep1"}
    assert agency.limits == Limits(43_200, 1_300_000, 2_592_000, 604_800)
    assert (agency.contact_phone, agency.contact_web) == ("+1 555 0100", "examplepd.example")
    assert agency.centre == CAMERA
    assert agency.raw == raw
    assert parse_agency(dump(agency_file(status="suspended")), AGENCY).status == "suspended"


def test_a_regions_file_is_read_whole() -> None:
    region = parse_region(dump(region_file()), "9q8")
    assert region.cell == "9q8"
    assert [(item.id, item.name, item.centre) for item in region.agencies] == [
        (AGENCY, "Example Police Department", CAMERA)
    ]
    assert region.raw == dump(region_file())


@pytest.mark.parametrize("what", FILES)
def test_an_unknown_or_missing_key_refuses_the_file(what: str) -> None:
    good = FILES[what]()
    assert code_of(what, good) == "OK"
    assert code_of(what, good | {"x": 1}) == "E_SCHEMA"
    for name in good:
        assert code_of(what, {key: value for key, value in good.items() if key != name}) == "E_SCHEMA"


@pytest.mark.parametrize("what", FILES)
def test_a_file_of_more_than_32_kb_or_no_json_is_refused(what: str) -> None:
    raw = dump(FILES[what]())
    assert code_of(what, raw.ljust(32_768)) == "OK"
    assert code_of(what, raw.ljust(32_769)) == "E_SIZE"
    assert code_of(what, raw + b"x") == "E_JSON"


@pytest.mark.parametrize(
    ("what", "name", "bad"),
    [
        ("platform", "v", [0, 2, True, "1"]),
        ("platform", "name", [7, None]),
        ("platform", "version", [-1, "7", True, None]),
        ("platform", "issued", [-1, "7", True, None]),
        ("platform", "dispatch", [{}, None, [{}], [7], [entry(SIGN) | {"x": 1}]]),
        ("platform", "receipt", [{}, None, [entry(SIGN) | {"nbf": -1}], [entry(SIGN) | {"exp": "9"}]]),
        ("platform", "endpoints", [[], None, {"": {}}, {"a b": {"host": "h", "port": 1, "base": ""}}, {"e": 7}]),
        ("platform", "incidents", [{}, None, [7], ["Ab"], ["ab"], ["abc\n"]]),
        ("agency", "v", [0, 2, True, "1"]),
        ("agency", "id", ["us-ca-otherpd", "x", None]),
        ("agency", "name", [None]),
        ("agency", "country", [None]),
        ("agency", "region", [None]),
        ("agency", "status", ["Active", None, True]),
        ("agency", "sign", [{}, [entry(SIGN) | {"kid": "x"}], [entry(SIGN) | {"pub": ""}]]),
        ("agency", "enc", [{}, [entry(ENC) | {"kid": 7}], [entry(ENC) | {"pub": b64(bytes(31))}]]),
        ("agency", "endpoints", [{}, ["a b"], [7]]),
        ("agency", "limits", [{}, [], agency_file()["limits"] | {"x": 1}]),
        ("agency", "contact", [{}, None, {"phone": None, "web": "x"}, {"phone": "x", "web": 7}]),
        (
            "agency",
            "centre",
            [None, [], [1], [1, 2, 3], [True, 0], ["1", 0], [900_000_001, 0], [0, 1_800_000_001]],
        ),
        ("agency", "centre", [[-900_000_001, 0], [0, -1_800_000_001], [0, None]]),
        ("region", "v", [0, 2, True]),
        ("region", "agencies", [None, {}, [7], [{}], [{"id": "x", "name": "y", "centre": [0, 0]}]]),
        (
            "region",
            "agencies",
            [[{"id": AGENCY, "name": "y", "centre": [0]}], [{"id": AGENCY, "name": 7, "centre": [0, 0]}]],
        ),
    ],
)
def test_a_wrong_form_refuses_the_file(what: str, name: str, bad: list[Any]) -> None:
    for value in bad:
        assert code_of(what, FILES[what](**{name: value})) == "E_SCHEMA", value


def test_a_centre_may_be_anywhere_on_the_globe() -> None:
    for centre in ([900_000_000, 1_800_000_000], [-900_000_000, -1_800_000_000]):
        assert parse_agency(dump(agency_file(centre=centre)), AGENCY).centre == tuple(centre)


@pytest.mark.parametrize("name", ["area_m2", "window_s", "lookback_s", "ttl_s"])
def test_a_limit_is_a_number_of_its_own(name: str) -> None:
    limits = {"area_m2": 1, "window_s": 2, "lookback_s": 3, "ttl_s": 4}
    parsed = parse_agency(dump(agency_file(limits=limits)), AGENCY).limits
    assert getattr(parsed, name) == limits[name]
    for bad in (-1, None, "1", True):
        assert code_of("agency", agency_file(limits=limits | {name: bad})) == "E_SCHEMA"


@pytest.mark.parametrize("what", FILES)
def test_a_text_that_may_not_be_shown_refuses_the_file(what: str) -> None:
    for bad in ("", " x", "a\u202eb", "a\nb", "x" * 201):
        named = {"agencies": [region_file()["agencies"][0] | {"name": bad}]} if what == "region" else {"name": bad}
        assert code_of(what, FILES[what](**named)) == "E_TEXT"
    if what == "agency":
        assert code_of(what, agency_file(name="x" * 200)) == "OK"
        assert code_of(what, agency_file(country="\u200b")) == "E_TEXT"
        assert code_of(what, agency_file(region="\u200b")) == "E_TEXT"
        assert code_of(what, agency_file(contact={"phone": "x\u200b", "web": "x"})) == "E_TEXT"
        assert code_of(what, agency_file(contact={"phone": "x", "web": "x\u200b"})) == "E_TEXT"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "OK"),
        ({"host": "127.0.0.1"}, "OK"),
        ({"host": "::1"}, "OK"),
        ({"host": "[::1]"}, "E_SCHEMA"),
        ({"host": "localhost"}, "OK"),
        ({"host": "x"}, "OK"),
        ({"host": ""}, "E_SCHEMA"),
        ({"host": "a/b"}, "E_SCHEMA"),
        ({"host": "a@b"}, "E_SCHEMA"),
        ({"host": "a:1"}, "E_SCHEMA"),
        ({"host": "a.example:443"}, "E_SCHEMA"),
        ({"host": "g::1"}, "E_SCHEMA"),
        ({"host": "a" * 253}, "OK"),
        ({"host": "a" * 254}, "E_SCHEMA"),
        ({"host": "-a"}, "E_SCHEMA"),
        ({"host": "a."}, "E_SCHEMA"),
        ({"host": "ex\u0430mple"}, "E_SCHEMA"),
        ({"host": "a\n"}, "E_SCHEMA"),
        ({"port": 1}, "OK"),
        ({"port": 65_535}, "OK"),
        ({"port": 0}, "E_SCHEMA"),
        ({"port": 65_536}, "E_SCHEMA"),
        ({"port": "443"}, "E_SCHEMA"),
        ({"base": ""}, "OK"),
        ({"base": "/a/b.c/~d"}, "OK"),
        ({"base": "/.hidden"}, "E_SCHEMA"),
        ({"base": "/a" * 8}, "OK"),
        ({"base": "/a" * 9}, "E_SCHEMA"),
        ({"base": "/" + "a" * 64}, "OK"),
        ({"base": "/" + "a" * 65}, "E_SCHEMA"),
        ({"base": "up"}, "E_SCHEMA"),
        ({"base": "/up/"}, "E_SCHEMA"),
        ({"base": "/../up"}, "E_SCHEMA"),
        ({"base": "/."}, "E_SCHEMA"),
        ({"base": "/up?x"}, "E_SCHEMA"),
        ({"base": "/%2e%2e"}, "E_SCHEMA"),
        ({"x": 1}, "E_SCHEMA"),
    ],
)
def test_an_endpoint_is_a_host_a_port_and_a_plain_path(changes: Any, code: str) -> None:
    endpoint = {"host": "up1.example", "port": 443, "base": "/up"} | changes
    assert code_of("platform", platform_file(endpoints={"ep1": endpoint})) == code


# Keys.


def test_a_key_is_valid_from_nbf_until_before_exp() -> None:
    agency = parse_agency(dump(agency_file(sign=[entry(SIGN, 10, 20)], enc=[entry(ENC, 10, 20)])), AGENCY)
    for key in (agency.sign[0], agency.enc[0]):
        assert [key.valid_at(at) for at in (9, 10, 19, 20)] == [False, True, True, False]


def test_a_weak_or_misnamed_key_verifies_nothing_and_the_rest_of_the_file_stays_valid() -> None:
    weak = bytes(32)
    listed = [
        entry(DISPATCH) | {"kid": kid_of(weak), "pub": b64(weak)},
        entry(DISPATCH) | {"pub": entry(SIGN)["pub"]},
        entry(DISPATCH_2),
    ]
    keys = parse_platform(dump(platform_file(dispatch=listed))).dispatch
    assert [key.verifier is None for key in keys] == [True, True, False]
    for key in keys[:2]:
        with pytest.raises(RefusedError) as refusal:
            key.verify(b"anything", bytes(64))
        assert refusal.value.code == "E_KEY"
    keys[2].verify(b"signed", DISPATCH_2.sign(b"signed"))
    with pytest.raises(RefusedError) as refusal:
        keys[2].verify(b"other", DISPATCH_2.sign(b"signed"))
    assert refusal.value.code == "E_SIG"


def test_a_weak_or_misnamed_enc_key_is_never_valid() -> None:
    weak = bytes(32)
    listed = [entry(ENC) | {"kid": kid_of(weak), "pub": b64(weak)}, entry(ENC) | {"kid": "0" * 16}, entry(ENC)]
    keys = parse_agency(dump(agency_file(enc=listed)), AGENCY).enc
    assert [key.valid_at(1_800_000_000) for key in keys] == [False, False, True]


def test_a_key_that_is_not_listed_is_not_found() -> None:
    keys = parse_platform(dump(platform_file())).dispatch
    assert find_key(keys, entry(SIGN)["kid"]) is None
    assert find_key(keys, entry(DISPATCH_2)["kid"]) == keys[1]
    assert find_key((), entry(SIGN)["kid"]) is None


# The view and the owner's limits.


def test_a_regions_cell_is_a_geohash_of_three_characters() -> None:
    assert all(CELL.fullmatch(cell) for cell in ("9q8", "bcd", "zzz", "000"))
    assert not any(CELL.fullmatch(cell) for cell in ("9q", "9q8y", "9qa", "9qi", "9ql", "9qo", "9Q8", "9q\n"))


def test_every_directory_of_the_vectors_parses() -> None:
    names = document("requests.json")["directories"]
    assert all(named_view(name) is not None for name in names)
    assert len(names) == 9


LIMIT = st.integers(0, 10**9)


@given(LIMIT, LIMIT, LIMIT, LIMIT, *(st.none() | LIMIT for _ in range(3)))
def test_directory_and_owner_only_ever_lower_the_ceilings(
    window: int,
    area: int,
    lookback: int,
    ttl: int,
    own_window: int | None,
    own_area: int | None,
    own_back: int | None,
) -> None:
    owner = OwnerLimits(True, frozenset(), own_window, own_area, own_back)
    got = owner.narrow(Limits(window, area, lookback, ttl))
    assert got.window_s == min(x for x in (CEILINGS.window_s, window, own_window) if x is not None)
    assert got.area_m2 == min(x for x in (CEILINGS.area_m2, area, own_area) if x is not None)
    assert got.lookback_s == min(x for x in (CEILINGS.lookback_s, lookback, own_back) if x is not None)
    assert got.ttl_s == min(CEILINGS.ttl_s, ttl)


def test_the_ceilings_are_those_of_section_6() -> None:
    assert Limits(43_200, 1_300_000, 2_592_000, 604_800) == CEILINGS


def test_an_owner_receives_nothing_until_requests_are_on() -> None:
    assert not OwnerLimits(enabled=False).receives_from(AGENCY)
    assert OwnerLimits(enabled=True).receives_from(AGENCY)
    assert not OwnerLimits(enabled=True, muted=frozenset({AGENCY})).receives_from(AGENCY)


@given(st.sampled_from(list(FILES)), st.binary(max_size=200))
def test_any_bytes_are_refused_and_nothing_else_is_raised(what: str, raw: bytes) -> None:
    assert code_of(what, raw) in {"E_SIZE", "E_JSON", "E_SCHEMA", "E_TEXT"}
