"""A request's payload (check 5): every form at its edge, and for any bytes a request or a refusal."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consent.request import Request, parse_request
from agent.core.encoding import b64
from agent.core.errors import RefusedError
from agent.core.geo import check_polygon
from agent.core.strict_json import dump
from tests.fakes.consent_requests import request


def code_of(**changes: Any) -> str:
    try:
        parse_request(dump(request(**changes)))
    except RefusedError as refusal:
        return refusal.code
    return "OK"


def test_a_good_payload_becomes_a_request() -> None:
    value = request()
    parsed = parse_request(dump(value))
    assert parsed == Request(
        id=value["id"],
        agency=value["agency"],
        case=value["case"],
        incident=value["incident"],
        officer_name="J. Rivera",
        officer_badge="4711",
        text=value["text"],
        area=tuple((lat, lon) for lat, lon in value["area"]),
        from_s=value["from"],
        to_s=value["to"],
        iat_s=value["iat"],
        exp_s=value["exp"],
        enc_pub=parsed.enc_pub,
        ep="ep1",
        dirv=7,
    )
    assert b64(parsed.enc_pub) == value["enc_pub"]


@pytest.mark.parametrize("name", list(request()))
def test_every_key_is_needed(name: str) -> None:
    value = request()
    del value[name]
    with pytest.raises(RefusedError) as refusal:
        parse_request(dump(value))
    assert refusal.value.code == "E_SCHEMA"


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("v", [1], [0, 2, True, "1", None, [1]]),
        ("id", ["0" * 32], ["0" * 31, "0" * 33, "A" * 32, "0" * 32 + "\n", 0, None]),
        ("agency", ["abc", "a-c", "0" * 64], ["ab", "0" * 65, "-ab", "ab-", "aBc", "a.c", "abc\n", 1]),
        ("case", ["A0Z", "A ./_-9", "0" * 40], ["A0", "0" * 41, " AB", "AB ", "AbC", "A\nB", "ABC\n", 1]),
        ("incident", ["abc", "a--", "a" * 32], ["ab", "a" * 33, "-bc", "a1c", "Abc", "abc\n", 1]),
        ("ep", ["x", "https://evil.example"], ["", None, 1, ["ep1"]]),
        ("dirv", [0, 10**16 - 1], [-1, "7", True, None]),
        ("from", [0, 1, 10**16 - 1], [-1, "0", None, False]),
        ("to", [0], [-1, "0", None, True]),
        ("iat", [0], [-1, "0", None, True]),
        ("exp", [0], [-1, "0", None, True]),
        ("enc_pub", [b64(bytes(32))], [b64(bytes(31)), b64(bytes(33)), "", "AA", None, 7]),
        ("officer", [], [None, "J. Rivera", {}, {"name": "x"}, {"name": "x", "badge": "1", "rank": "y"}]),
        ("text", [], [None, 7, ["x"]]),
    ],
)
def test_a_field_has_its_form_or_is_refused(field: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert code_of(**{field: value}) == "OK", value
    for value in bad:
        assert code_of(**{field: value}) == "E_SCHEMA", value


@pytest.mark.parametrize("badge", ["", "0" * 17, "a b", "a_b", "4711\n", 4711, None])
def test_a_badge_has_its_form_or_is_refused(badge: Any) -> None:
    assert code_of(officer={"name": "x", "badge": badge}) == "E_SCHEMA"
    assert code_of(officer={"name": "x", "badge": "aZ-9" * 4}) == "OK"


def test_texts_are_held_to_their_lengths_lines_and_scripts() -> None:
    def officer(name: object) -> dict[str, object]:
        return {"name": name, "badge": "1"}

    assert code_of(text="x" * 1_000) == "OK"
    assert code_of(text="x" * 1_001) == "E_TEXT"
    assert code_of(text="\n".join("x" * 12)) == "OK"
    assert code_of(text="\n".join("x" * 13)) == "E_TEXT"
    assert code_of(text="Ivan \u0418\u0432\u0430\u043d") == "OK"
    assert code_of(officer=officer("x" * 80)) == "OK"
    assert code_of(officer=officer("x" * 81)) == "E_TEXT"
    assert code_of(officer=officer("a\nb")) == "E_TEXT"
    assert code_of(officer=officer("Ivan \u0418\u0432\u0430\u043d")) == "E_TEXT"
    assert code_of(officer=officer(7)) == "E_SCHEMA"


@pytest.mark.parametrize("area", [None, "x", {}, [], [[0, 0]] * 3, [[0, 0], [0, 5], "x"], [[0, 0, 0]] * 3])
def test_every_fault_of_an_area_is_e_area(area: Any) -> None:
    assert code_of(area=area) == "E_AREA"


@pytest.mark.parametrize("bad", [True, "1", None, [1]])
def test_a_coordinate_is_an_integer(bad: Any) -> None:
    assert code_of(area=[[bad, 0], [0, 10_000], [10_000, 0]]) == "E_AREA"
    assert code_of(area=[[0, bad], [0, 10_000], [10_000, 0]]) == "E_AREA"
    assert code_of(area=[[0, 0], [0, 10_000], [10_000, 0]]) == "OK"


def test_form_goes_before_text_and_text_before_area_wherever_the_fault_is() -> None:
    assert code_of(dirv=-1, text=" x", area=[]) == "E_SCHEMA"
    assert code_of(officer={"name": " x", "badge": "1"}, enc_pub="", area=[]) == "E_SCHEMA"
    assert code_of(officer={"name": " x", "badge": "1"}, area=[]) == "E_TEXT"
    assert code_of(text=" x", area=[]) == "E_TEXT"


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_and_nothing_else_is_raised(payload: bytes) -> None:
    with pytest.raises(RefusedError):
        parse_request(payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(list(request())), JSON, min_size=1, max_size=4))
def test_any_values_give_a_request_of_the_protocols_forms_or_a_refusal(changes: dict[str, Any]) -> None:
    code = code_of(**changes)
    assert code in {"OK", "E_SIZE", "E_JSON", "E_SCHEMA", "E_TEXT", "E_AREA"}
    if code != "OK":
        return
    parsed = parse_request(dump(request(**changes)))
    check_polygon(parsed.area)
    assert len(parsed.enc_pub) == 32
    assert min(parsed.from_s, parsed.to_s, parsed.iat_s, parsed.exp_s, parsed.dirv) >= 0


def slow_is_simple(points: list[tuple[int, int]]) -> bool:
    """Say whether no two edges meet but neighbours at their vertex, by trying every pair with fractions."""

    def side(o: tuple[int, int], a: tuple[int, int], b: tuple[int, int]) -> int:
        cross = (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])
        return (cross > 0) - (cross < 0)

    def on(a: tuple[int, int], b: tuple[int, int], p: tuple[int, int]) -> bool:
        box = all(min(a[k], b[k]) <= p[k] <= max(a[k], b[k]) for k in (0, 1))
        return side(a, b, p) == 0 and box

    edges = list(zip(points, points[1:] + points[:1], strict=True))
    for i, (a, b) in enumerate(edges):
        for j, (c, d) in enumerate(edges):
            if i == j:
                continue
            touching = [p for p in (c, d) if on(a, b, p)] + [p for p in (a, b) if on(c, d, p)]
            crossing = side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
            shared = {a, b} & {c, d} if (i - j) % len(edges) in {1, len(edges) - 1} else set()
            if crossing or set(touching) - shared:
                return False
    return True


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=9, unique=True))
def test_an_outline_is_simple_exactly_when_no_two_edges_meet(points: list[tuple[int, int]]) -> None:
    try:
        check_polygon(points)
        simple = True
    except RefusedError:
        simple = False
    assert simple is slow_is_simple(points)
