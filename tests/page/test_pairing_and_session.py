"""How a phone becomes one of the house and proves that it is (protocol section 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.core import strict_json
from agent.core.encoding import b64, unb64url
from tests.page.phone import NOTHING, PhoneClient, code, plain

if TYPE_CHECKING:
    from tests.page.serving import Served

READS = [
    "/api/status",
    "/api/requests",
    f"/api/requests/{NOTHING}",
    f"/api/requests/{NOTHING}/segments",
    f"/api/segments/{NOTHING}",
    "/api/clips",
    "/api/alerts",
    "/api/agencies",
    "/api/log",
    "/api/phones",
    "/api/stanzas",
    "/api/nonce",
    "/api/events",
]
CHANGES = [
    f"/api/requests/{NOTHING}/decision",
    f"/api/requests/{NOTHING}/stop",
    "/api/phones/0000000000000000/stanzas",
    "/api/actions",
]


@pytest.mark.parametrize("cookie", [None, "__Host-s=", "__Host-s=wrong", "s=right", "__Host-s=" + "x" * 200])
def test_without_a_session_everything_is_401(served: Served, cookie: str | None) -> None:
    headers = {"X-Doorbell": "1", "Content-Type": "application/json"} | ({"Cookie": cookie} if cookie else {})
    for path in READS:
        assert code(plain(served, "GET", path, headers=headers)) == (401, "NO_SESSION"), path
    bodies = [
        b'{"envelope":{}}',
        b"{}",
        strict_json.dump([{"id": NOTHING, "stanza": b64(bytes(64))}]),
        b'{"envelope":{}}',
    ]
    for path, body in zip(CHANGES, bodies, strict=True):
        assert code(plain(served, "POST", path, body=body, headers=headers)) == (401, "NO_SESSION"), path


def test_the_cookie_is_bound_to_this_host_and_hidden_from_scripts(served: Served) -> None:
    client = PhoneClient(served)
    client.pair()
    response = client.log_in()
    assert response.status == 204
    name, _, rest = response.headers["set-cookie"].partition("=")
    assert name == "__Host-s"
    flags = {part.strip().lower() for part in rest.split(";")[1:]}
    assert flags == {"path=/", "secure", "httponly", "samesite=strict"}


def test_a_challenge_is_good_once_and_only_for_its_phone(served: Served) -> None:
    client = PhoneClient(served)
    client.pair()
    assert client.log_in(spki=bytes(32)).status == 403
    challenge = client.challenge()
    assert client.answer(challenge).status == 204
    assert code(client.answer(challenge)) == (403, "C_SIG")


def test_an_unpaired_phone_loses_its_session(served: Served, phone: PhoneClient) -> None:
    other = PhoneClient(served)
    other.pair()
    other.log_in()
    assert phone.act("unpair", {"phone": other.kid}).status == 200
    assert code(other.get("/api/status")) == (401, "NO_SESSION")


def test_pairing_answers_with_the_devices_mac_and_the_first_phone_is_admitted(served: Served) -> None:
    first, second = PhoneClient(served), PhoneClient(served)
    assert first.pair()["state"] == "admitted"
    assert second.pair()["state"] == "waiting"


def test_pairing_outside_a_window_is_p_closed(served: Served) -> None:
    client = PhoneClient(served)
    assert code(client.send_pair(unb64url("A" * 22, length=16))) == (403, "P_CLOSED")


def test_a_wrong_mac_is_p_mac(served: Served) -> None:
    served.vault.open_window()
    assert code(PhoneClient(served).send_pair(bytes(16))) == (403, "P_MAC")


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"name": "x" * 41}, "E_TEXT"),
        ({"name": " x"}, "E_TEXT"),
        ({"name": "\u202ex"}, "E_TEXT"),
        ({"name": 1}, "E_TEXT"),
        ({"sign_pub": b64(bytes(31))}, "E_SCHEMA"),
        ({"open_pub": "nothing"}, "E_SCHEMA"),
        ({"mac": None}, "E_SCHEMA"),
        ({"more": 1}, "E_SCHEMA"),
    ],
)
def test_a_malformed_pairing_is_no_try(served: Served, changes: dict[str, Any], wanted: str) -> None:
    served.vault.open_window()
    assert code(PhoneClient(served).send_pair(bytes(16), **changes)) == (400, wanted)
    assert served.vault.calls == []
