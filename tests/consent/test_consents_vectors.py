"""Every case of tests/vectors/consents.json, with the exact code."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.consent.consent_form import RequestRef, SegmentRef
from agent.consent.consents import check_consent
from agent.consent.decision_facts import DecisionFacts, StandingDecline
from agent.consent.nonces import Nonce, Nonces
from agent.consent.phones import Phone, PhoneState
from agent.consent.states import State
from agent.core.encoding import unb64
from agent.core.errors import RefusedError
from agent.core.ids import kid_of
from agent.core.seal import contact_info, grant_info, hpke_open, open_cek

FILE = json.loads((Path(__file__).parent.parent / "vectors" / "consents.json").read_text())
BUTTON_PUB = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")  # RFC 8032, test 1


def facts_of(state: Mapping[str, Any]) -> DecisionFacts:
    nonces = Nonces()
    for name, item in state["nonces"].items():
        nonces.put(name, Nonce(item["phone"], item["request"], item["until"] * 10**9, used=item["used"]))
    asked = state["request"]
    declined = state["declined"]
    return DecisionFacts(
        state=State(state["state"]),
        request=RequestRef(
            id=asked["id"],
            sha256=asked["sha256"],
            agency=asked["agency"],
            enc_pub=unb64(asked["enc_pub"]),
            endpoint=asked["ep"],
        ),
        segments=[
            SegmentRef(
                id=item["id"],
                sha256=item["sha256"],
                size_bytes=item["bytes"],
                start_ms=item["start_ms"],
                end_ms=item["end_ms"],
            )
            for item in state["segments"]
        ],
        phones={
            kid: Phone(kid=kid, sign_pub=unb64(item["sign_pub"]), state=PhoneState(item["state"]))
            for kid, item in state["phones"].items()
        },
        button_pub=BUTTON_PUB,
        nonces=nonces,
        declined=None if declined is None else StandingDecline(declined["id"], declined["approver"]),
        now_ns=state["now"] * 10**9,
        now_s=state["now"],
        trusted=state["trusted"],
        timestamp_fresh=state["timestamp_fresh"],
        approvals_today=state["approvals_today"],
        daily_approvals=state["daily_approvals"],
    )


def raw_of(case: Mapping[str, Any]) -> bytes:
    raw = unb64(case["raw"])
    return raw.ljust(case.get("padded_to") or 0)


@pytest.mark.parametrize("case", FILE["cases"], ids=lambda case: case["name"])
def test_a_consent_gets_the_code_of_its_vector(case: dict[str, Any]) -> None:
    facts = facts_of(FILE["defaults"] | case["state"])
    try:
        check_consent(raw_of(case), facts)
        code = "OK"
    except RefusedError as refused:
        code = refused.code
    assert code in case["accept"]
    assert code == case["expect"]


def test_the_agency_opens_every_wrap_of_a_good_share() -> None:
    private = X25519PrivateKey.from_private_bytes(unb64(FILE["keys"]["agency_enc_private"]))
    for case in FILE["cases"]:
        if case["expect"] != "OK":
            continue
        consent = check_consent(raw_of(case), facts_of(FILE["defaults"] | case["state"]))
        asked = consent.form.request
        for grant in consent.form.grants:
            assert len(open_cek(private, grant.wrap, grant_info(asked.sha256, grant.segment.sha256))) == 16
        if consent.form.contact is not None:
            opened = json.loads(hpke_open(private, consent.form.contact, contact_info(asked.sha256)))
            assert set(opened) <= {"name", "phone", "email", "address"}


def test_there_are_vectors_and_the_kids_are_right() -> None:
    assert len(FILE["cases"]) == 149
    for kid, item in FILE["defaults"]["phones"].items():
        assert kid_of(unb64(item["sign_pub"])) == kid
