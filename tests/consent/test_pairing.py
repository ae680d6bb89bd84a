"""Pairing: every vector, and the window as a machine."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consent.pairing import (
    MAX_TRIES,
    WINDOW_NS,
    Link,
    PairBody,
    PairingWindow,
    build_link,
    device_mac,
    parse_pair_body,
    phone_mac,
    six_digits,
)
from agent.consent.phones import Phone, PhoneState, state_when_paired
from agent.consent.sessions import session_signature_holds
from agent.core.encoding import b64, unb64
from agent.core.errors import RefusedError
from agent.core.ids import kid_of
from tests.fakes.consent_house import ANNA, GUEST, LOST
from tests.fakes.pairing_link import parse_link

FILE = json.loads((Path(__file__).parent.parent / "vectors" / "pairing.json").read_text())
IN = {name: unb64(value) for name, value in FILE["inputs"].items() if name not in {"device", "phone", "code"}}
SPKI = b"\3" * 32
SECRET, CARD = b"s" * 16, b"c" * 16


def holds(call: Any, *args: Any) -> bool:
    try:
        call(*args)
    except RefusedError:
        return False
    return True


def case_name(case: dict[str, Any]) -> str:
    return str(case["name"])


# Vectors


@pytest.mark.parametrize("case", FILE["links"], ids=case_name)
def test_exactly_the_links_that_hold_are_read(case: dict[str, Any]) -> None:
    assert holds(parse_link, case["link"]) == case["holds"]
    if case["holds"]:
        link = parse_link(case["link"])
        assert (link.host, link.port) == ("doorbell.local", 8443)
        assert (link.secret, link.spki) == (IN["secret"], IN["spki"])
        assert build_link(link) == case["link"]


@pytest.mark.parametrize("case", FILE["pair"], ids=case_name)
def test_exactly_the_phones_that_read_the_link_are_let_in(case: dict[str, Any]) -> None:
    window = PairingWindow()
    window.open([IN["secret"]], 0)
    value = {
        "name": "Anna",
        "sign_pub": FILE["inputs"]["sign_pub"],
        "open_pub": FILE["inputs"]["open_pub"],
        "mac": case["mac"],
    }

    def pair() -> None:
        window.attempt(parse_pair_body(value), IN["spki"], 1)

    assert holds(pair) == case["holds"]
    assert parse_pair_body(value | {"mac": b64(bytes(32))}).phone == FILE["inputs"]["phone"]


@pytest.mark.parametrize("case", FILE["answer"], ids=case_name)
def test_the_device_answers_for_itself(case: dict[str, Any]) -> None:
    device = FILE["inputs"]["device"]
    assert kid_of(IN["device_pub"]) == device
    mac = device_mac(IN["secret"], IN["spki"], IN["sign_pub"], IN["open_pub"], device)
    assert (b64(mac) == case["mac"]) == case["holds"]


@pytest.mark.parametrize("case", FILE["session"], ids=case_name)
def test_exactly_the_session_signatures_that_hold(case: dict[str, Any]) -> None:
    sig = unb64(case["sig"])
    assert session_signature_holds(IN["sign_pub"], IN["spki"], IN["challenge"], sig) == case["holds"]


@pytest.mark.parametrize("case", FILE.get("codes", []) or [FILE["inputs"]])
def test_both_screens_show_the_same_six_digits(case: dict[str, Any]) -> None:
    keys = {name: unb64(case.get(name, FILE["inputs"][name])) for name in ("sign_pub", "open_pub")}
    assert six_digits(**keys) == case["code"]


# The link


@pytest.mark.parametrize("host", ["192.168.1.7", "[fe80::1]", "a", "door-bell.local"])
def test_a_link_to_each_kind_of_host(host: str) -> None:
    link = Link(host, 8443, SECRET, SPKI)
    assert parse_link(build_link(link)) == link
    assert "s" * 16 not in repr(link)


def test_the_highest_port_is_one() -> None:
    link = Link("a.local", 65_535, SECRET, SPKI)
    assert parse_link(build_link(link)) == link


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32), st.integers(1, 65_535))
def test_every_link_is_read_as_it_was_built(secret: bytes, spki: bytes, port: int) -> None:
    link = Link("doorbell.local", port, secret, spki)
    assert parse_link(build_link(link)) == link


# The body


def body_json(phone: Any = ANNA, secret: bytes = SECRET, **change: Any) -> dict[str, Any]:
    open_pub = phone.open_key.public_key().public_bytes_raw()
    value = {
        "name": "Anna's phone",
        "sign_pub": b64(phone.sign_pub),
        "open_pub": b64(open_pub),
        "mac": b64(phone_mac(secret, SPKI, phone.sign_pub, open_pub)),
    }
    return value | change


def body(phone: Any = ANNA, secret: bytes = SECRET) -> PairBody:
    return parse_pair_body(body_json(phone, secret))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"x": 1}, "E_SCHEMA"),
        ({"name": ""}, "E_TEXT"),
        ({"name": 5}, "E_TEXT"),
        ({"name": "a" * 41}, "E_TEXT"),
        ({"name": "a\nb"}, "E_TEXT"),
        ({"name": "a\u202eb"}, "E_TEXT"),
        ({"name": " a"}, "E_TEXT"),
        ({"sign_pub": b64(bytes(31))}, "E_SCHEMA"),
        ({"open_pub": "not base64!"}, "E_SCHEMA"),
        ({"mac": None}, "E_SCHEMA"),
        ({"mac": b64(bytes(31))}, "E_SCHEMA"),
        ({"mac": b64(bytes(33))}, "E_SCHEMA"),
        ({"sign_pub": b64(bytes(32))}, "E_KEY"),
        ({"sign_pub": b64(b"\1" + bytes(31))}, "E_KEY"),
        ({"open_pub": b64(bytes(32))}, "E_KEY"),
    ],
    ids=str,
)
def test_a_malformed_body_is_refused_before_it_is_a_try(change: dict[str, Any], code: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_pair_body(body_json(**change))
    assert refused.value.code == code


def test_a_name_of_forty_characters_is_fine() -> None:
    assert parse_pair_body(body_json(name="a" * 40)).name == "a" * 40
    others: tuple[Any, ...] = ([], None, "x", {})
    for value in others:
        assert not holds(parse_pair_body, value)


# The window


def code_of(window: PairingWindow, what: PairBody, now_ns: int, spki: bytes = SPKI) -> str:
    try:
        window.attempt(what, spki, now_ns)
    except RefusedError as refused:
        return refused.code
    return "OK"


def opened(*secrets: bytes) -> PairingWindow:
    window = PairingWindow()
    window.open(secrets or [SECRET], 0)
    return window


def test_a_window_that_was_never_opened_is_closed() -> None:
    window = PairingWindow()
    assert not window.is_open(0)
    assert window.left_ns(0) == 0
    assert code_of(window, body(), 0) == "P_CLOSED"


def test_a_window_lasts_120_seconds_of_boot_time() -> None:
    assert WINDOW_NS == 120 * 10**9
    assert opened().left_ns(10**9) == 119 * 10**9
    assert code_of(opened(), body(), WINDOW_NS - 1) == "OK"
    window = opened()
    assert code_of(window, body(), WINDOW_NS) == "P_CLOSED"
    assert code_of(window, body(), 1) == "P_CLOSED"  # its secret was forgotten


def test_one_window_lets_in_one_phone() -> None:
    window = opened()
    assert window.attempt(body(), SPKI, 1) == SECRET
    assert not window.is_open(1)
    assert code_of(window, body(GUEST), 2) == "P_CLOSED"


def test_the_third_wrong_try_closes_the_window() -> None:
    window = opened()
    for _ in range(MAX_TRIES):
        assert window.is_open(1)
        assert code_of(window, body(secret=b"w" * 16), 1) == "P_MAC"
    assert MAX_TRIES == 3
    assert not window.is_open(1)
    assert code_of(window, body(), 1) == "P_CLOSED"


def test_the_third_try_may_be_the_right_one() -> None:
    window = opened()
    assert code_of(window, body(secret=b"w" * 16), 1) == "P_MAC"
    assert code_of(window, body(), 1, spki=b"\4" * 32) == "P_MAC"
    assert code_of(window, body(), 1) == "OK"


def test_the_cards_secret_is_good_only_while_a_window_is_open() -> None:
    assert code_of(PairingWindow(), body(secret=CARD), 0) == "P_CLOSED"
    window = opened(SECRET, CARD)
    assert window.attempt(body(secret=CARD), SPKI, 1) == CARD
    assert code_of(opened(SECRET), body(secret=CARD), 1) == "P_MAC"


def test_a_window_with_no_secret_is_not_open() -> None:
    window = PairingWindow()
    window.open([], 0)
    assert code_of(window, body(), 1) == "P_CLOSED"


def test_opening_again_starts_anew_with_the_new_secret_only() -> None:
    window = opened()
    assert code_of(window, body(secret=b"w" * 16), 1) == "P_MAC"
    window.open([CARD], 10)
    assert code_of(window, body(), 11) == "P_MAC"
    assert code_of(window, body(), 11) == "P_MAC"
    assert code_of(window, body(secret=CARD), 11) == "OK"


def test_closing_forgets_the_secret() -> None:
    window = opened()
    window.close()
    assert code_of(window, body(), 1) == "P_CLOSED"
    assert vars(window) == vars(PairingWindow())


def test_an_open_window_does_not_print_its_secret() -> None:
    assert "ssss" not in repr(vars(opened()))


# Phones


def test_only_the_first_phone_ever_is_admitted_by_pairing() -> None:
    assert state_when_paired([]) is PhoneState.ADMITTED
    for known in ([ANNA.known], [GUEST.known], [LOST.known], [LOST.known, ANNA.known]):
        assert state_when_paired(known) is PhoneState.WAITING


@pytest.mark.parametrize(
    ("state", "admitted", "paired"),
    [
        (PhoneState.ADMITTED, True, True),
        (PhoneState.WAITING, False, True),
        (PhoneState.UNPAIRED, False, False),
    ],
)
def test_what_each_state_of_a_phone_means(state: PhoneState, admitted: bool, paired: bool) -> None:
    phone = Phone(kid=ANNA.kid, sign_pub=ANNA.sign_pub, state=state)
    assert (phone.is_admitted, phone.is_paired) == (admitted, paired)
