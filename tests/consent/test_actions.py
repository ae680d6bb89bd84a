"""Actions: every vector, each step, and the closed list of settings."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consent import actions
from agent.consent.actions import (
    Action,
    ActionFacts,
    Admit,
    ChangeSettings,
    Delete,
    Keep,
    Unpair,
    check_action,
)
from agent.consent.nonces import Nonce, Nonces
from agent.consent.phones import Phone, PhoneState
from agent.core.encoding import unb64
from agent.core.errors import BugError, RefusedError
from tests.fakes.consent_house import ANNA, BEN, GUEST, LOST, NOW_NS, NOW_S, STRANGER, an_id, envelope

FILE = json.loads((Path(__file__).parent.parent / "vectors" / "actions.json").read_text())
CLIP = an_id("clip")


def vector_facts() -> ActionFacts:
    state = FILE["state"]
    nonces = Nonces()
    for name, item in state["nonces"].items():
        nonces.put(name, Nonce(item["phone"], None, item["until"] * 10**9, used=item["used"]))
    return ActionFacts(
        phones={
            kid: Phone(kid=kid, sign_pub=unb64(item["sign_pub"]), state=PhoneState(item["state"]))
            for kid, item in state["phones"].items()
        },
        nonces=nonces,
        now_ns=state["now"] * 10**9,
        has_clip=lambda clip: clip in state["clips"],
    )


@pytest.mark.parametrize("case", FILE["cases"], ids=lambda case: case["name"])
def test_exactly_the_actions_that_hold_are_taken(case: dict[str, Any]) -> None:
    try:
        check_action(unb64(case["raw"]), vector_facts())
        holds = True
    except RefusedError:
        holds = False
    assert holds == case["holds"]


def test_there_are_vectors() -> None:
    assert sum(case["holds"] for case in FILE["cases"]) == 7
    assert len(FILE["cases"]) == 24


class House:
    """Phones and nonces for actions."""

    def __init__(self) -> None:
        self.nonces = Nonces()

    def facts(self, now_ns: int = NOW_NS) -> ActionFacts:
        phones = {phone.kid: phone.known for phone in (ANNA, BEN, GUEST, LOST)}
        return ActionFacts(phones=phones, nonces=self.nonces, now_ns=now_ns, has_clip=lambda clip: clip == CLIP)

    def payload(self, verb: str, args: object, phone: Any = ANNA, **change: Any) -> dict[str, Any]:
        payload = {
            "v": 1,
            "id": an_id("action"),
            "verb": verb,
            "args": args,
            "phone": phone.kid,
            "nonce": self.nonces.issue(phone.kid, None, NOW_NS),
            "at": NOW_S,
        }
        return payload | change

    def code_of(self, verb: Any, args: object, phone: Any = ANNA, **change: Any) -> str:
        return code_of(envelope(self.payload(verb, args, phone, **change), phone.sign_key, "action"), self)


def code_of(raw: bytes, house: House) -> str:
    try:
        check_action(raw, house.facts())
    except RefusedError as refused:
        return refused.code
    return "OK"


@pytest.mark.parametrize(
    ("verb", "args", "wanted"),
    [
        ("admit", {"phone": GUEST.kid}, Admit(GUEST.kid)),
        ("unpair", {"phone": BEN.kid}, Unpair(BEN.kid)),
        ("unpair", {"phone": ANNA.kid}, Unpair(ANNA.kid)),
        ("delete", {"clip": CLIP}, Delete(CLIP)),
        ("keep", {"clip": CLIP}, Keep(CLIP)),
        ("settings", {"alerts": False}, ChangeSettings({"alerts": False})),
        ("settings", {"clock_at": NOW_S}, ChangeSettings({}, NOW_S)),
        ("settings", {"alerts": True, "clock_at": 0}, ChangeSettings({"alerts": True}, 0)),
    ],
)
def test_each_verb(verb: str, args: object, wanted: object) -> None:
    house = House()
    raw = envelope(house.payload(verb, args), ANNA.sign_key, "action")
    action = check_action(raw, house.facts())
    assert action.verb == wanted
    assert action.phone == ANNA.kid
    house.nonces.use(action.nonce)
    assert code_of(raw, house) == "C_NONCE"


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("approve", {"request": an_id("request")}),
        (["admit"], {"phone": GUEST.kid}),
        (None, {}),
        ("admit", {}),
        ("admit", {"phone": GUEST.kid, "clip": CLIP}),
        ("admit", {"phone": "x"}),
        ("admit", [GUEST.kid]),
        ("delete", {"clip": "x"}),
        ("delete", {"phone": GUEST.kid}),
        ("keep", {"clip": CLIP, "phone": GUEST.kid}),
        ("keep", {"clip": None}),
        ("settings", {}),
        ("settings", []),
        ("settings", None),
        ("settings", {"clock_at": True}),
        ("settings", {"clock_at": -1}),
        ("settings", {"clock_at": 0, "auto_approve": True}),
    ],
)
def test_2_a_verb_or_its_arguments_of_the_wrong_form(verb: Any, args: object) -> None:
    assert House().code_of(verb, args) == "E_SCHEMA"


@pytest.mark.parametrize(
    "change", [{"v": True}, {"v": 2}, {"id": "x"}, {"nonce": ""}, {"at": "now"}, {"phone": 1}, {"x": 1}]
)
def test_2_a_field_of_the_wrong_form(change: dict[str, Any]) -> None:
    house = House()
    payload = house.payload("keep", {"clip": CLIP}) | change
    assert code_of(envelope(payload, ANNA.sign_key, "action"), house) == "E_SCHEMA"


def test_1_size_and_json_and_2_the_envelope() -> None:
    house = House()
    good = envelope(house.payload("keep", {"clip": CLIP}), ANNA.sign_key, "action")
    assert code_of(good.ljust(24_576), house) == "OK"
    assert code_of(good.ljust(24_577), house) == "E_SIZE"
    assert code_of(b"{", house) == "E_JSON"
    assert code_of(b"{}", house) == "E_SCHEMA"
    assert code_of(envelope(house.payload("keep", {"clip": CLIP}), ANNA.sign_key), house) == "E_SCHEMA"


@pytest.mark.parametrize("phone", [GUEST, LOST, STRANGER])
def test_3_only_an_admitted_phone_acts(phone: Any) -> None:
    for verb, args in (("keep", {"clip": CLIP}), ("unpair", {"phone": phone.kid})):
        assert House().code_of(verb, args, phone) == "C_APPROVER"


def test_4_another_phones_signature() -> None:
    house = House()
    assert code_of(envelope(house.payload("keep", {"clip": CLIP}), BEN.sign_key, "action"), house) == "C_SIG"


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("admit", {"phone": BEN.kid}),
        ("admit", {"phone": LOST.kid}),
        ("admit", {"phone": STRANGER.kid}),
        ("unpair", {"phone": LOST.kid}),
        ("delete", {"clip": an_id("no clip")}),
        ("keep", {"clip": an_id("no clip")}),
    ],
)
def test_5_what_is_not_there_can_not_be_acted_on(verb: str, args: object) -> None:
    assert House().code_of(verb, args) == "C_STATE"


def test_6_a_nonce_for_a_decision_is_none_for_an_action() -> None:
    house = House()
    nonce = house.nonces.issue(ANNA.kid, an_id("request"), NOW_NS)
    assert house.code_of("keep", {"clip": CLIP}, nonce=nonce) == "C_NONCE"
    theirs = house.nonces.issue(BEN.kid, None, NOW_NS)
    assert house.code_of("keep", {"clip": CLIP}, nonce=theirs) == "C_NONCE"


def test_a_nonce_is_at_most_128_characters() -> None:
    house = House()
    for size, wanted in ((128, "C_NONCE"), (129, "E_SCHEMA")):
        assert house.code_of("keep", {"clip": CLIP}, nonce="n" * size) == wanted


def test_nobody_else_makes_an_action() -> None:
    with pytest.raises(BugError):
        Action(id=an_id("x"), verb=Keep(CLIP), phone=ANNA.kid, nonce="n", proof=None)


def test_no_verb_approves() -> None:
    assert set(actions._VERBS) == {"admit", "unpair", "settings", "delete", "keep"}


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_nothing(raw: bytes) -> None:
    assert code_of(raw, House()) in {"E_JSON", "E_SCHEMA"}


@given(st.data())
def test_one_changed_byte_of_a_good_action_is_never_taken(data: st.DataObject) -> None:
    house = House()
    raw = bytearray(envelope(house.payload("keep", {"clip": CLIP}), ANNA.sign_key, "action"))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    assert code_of(bytes(raw), house) != "OK"
