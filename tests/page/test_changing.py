"""Decisions, stops, actions and stanzas that are handed on (protocol section 10)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core import envelope, ids, strict_json
from agent.core.encoding import b64
from agent.core.errors import RefusedError
from tests.fakes.page_world import now_ms, request_payload
from tests.page.phone import NOTHING, PhoneClient, code

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from tests.page.serving import Served


def decline(served: Served, phone: PhoneClient, request: str, **changes: Any) -> BaseHTTPResponse:
    shown = phone.json(f"/api/requests/{request}")
    payload = served.vault.requests_by_id[request].payload
    consent = {
        "v": 1,
        "id": ids.new_id(),
        "decision": "decline",
        "request": {"id": request, "sha256": shown["sha256"]},
        **{key: payload[key] for key in ("agency", "enc_pub", "ep")},
        "segments": [],
        "contact": None,
        "approver": phone.kid,
        "channel": "phone",
        "nonce": shown["nonce"],
        "at": now_ms() // 1000,
        "prev": None,
    }
    raw = envelope.sign("consent", strict_json.dump(consent | changes), [phone.sign_key])
    body = b'{"envelope":' + raw + b"}"
    return phone.request("POST", f"/api/requests/{request}/decision", raw=body)


def test_a_decision_is_202_with_the_state(served: Served, phone: PhoneClient) -> None:
    request = served.vault.receive(request_payload(served.vault.agency)).payload["id"]
    response = decline(served, phone, request)
    assert (response.status, json.loads(response.data)) == (202, {"state": "DECLINED"})


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        ("C_APPROVER", 403),
        ("C_SIG", 403),
        ("C_STATE", 409),
        ("C_NONCE", 409),
        ("C_STALE", 409),
        ("C_CLOCK", 409),
        ("C_LOCKED", 409),
        ("C_WRAP", 400),
        ("C_RATE", 429),
        ("E_SCHEMA", 400),
        ("E_SIZE", 413),
        ("E_JSON", 400),
    ],
)
def test_each_refusal_of_a_decision_has_a_fitting_status(
    served: Served, phone: PhoneClient, monkeypatch: pytest.MonkeyPatch, refusal: str, status: int
) -> None:
    request = served.vault.receive(request_payload(served.vault.agency)).payload["id"]

    def refuse(*_: object) -> None:
        raise RefusedError(refusal)

    monkeypatch.setattr(served.vault, "decision", refuse)
    assert code(decline(served, phone, request)) == (status, refusal)


def test_stop_outside_its_states_is_409(served: Served, phone: PhoneClient) -> None:
    pending = served.vault.receive(request_payload(served.vault.agency))
    path = f"/api/requests/{pending.payload['id']}/stop"
    assert code(phone.request("POST", path, {})) == (409, "C_STATE")
    pending.state = "GRACE"
    assert json.loads(phone.request("POST", path, {}).data) == {"state": "PENDING"}


def test_an_action_needs_a_signature_and_a_fresh_nonce(served: Served, phone: PhoneClient) -> None:
    assert phone.act("settings", {"alerts": False}).status == 200
    assert served.vault.settings["alerts"] is False
    assert code(phone.act("settings", {"alerts": True}, nonce=NOTHING)) == (409, "C_NONCE")
    assert code(phone.act("settings", {"alerts": True}, key=Ed25519PrivateKey.generate()))[0] in {400, 403}
    assert served.vault.settings["alerts"] is False


def test_stanzas_are_handed_on_only_where_none_is_held(served: Served, phone: PhoneClient) -> None:
    stored = served.vault.record(now_ms() - 600_000, segments=1)[0]
    other = PhoneClient(served)
    other.pair()
    phone.act("admit", {"phone": other.kid})
    path = f"/api/phones/{other.kid}/stanzas"
    for filler in (1, 2):
        stanza = {"id": stored.meta.id, "stanza": b64(bytes([filler]) * 64)}
        assert phone.request("POST", path, [stanza]).status == 200
    assert stored.stanzas[other.open_kid] == b64(bytes([1]) * 64)
