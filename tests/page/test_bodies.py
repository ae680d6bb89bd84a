"""Bodies that phones send: their bounds and forms (protocol section 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.core.encoding import b64
from tests.page.phone import NOTHING, PhoneClient, code

if TYPE_CHECKING:
    from tests.page.serving import Served


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/api/actions", 65_536),
        ("/api/pair", 65_536),
        (f"/api/requests/{NOTHING}/stop", 65_536),
        (f"/api/requests/{NOTHING}/decision", 1_048_576),
        ("/api/phones/0000000000000000/stanzas", 524_288),
    ],
)
def test_a_body_over_its_bound_is_413(phone: PhoneClient, path: str, most: int) -> None:
    body = b'"' + b"x" * (most - 2) + b'"'
    assert code(phone.request("POST", path, raw=body))[0] == 400
    assert code(phone.request("POST", path, raw=body + b" ")) == (413, "E_SIZE")


def test_a_chunked_body_over_its_bound_is_413_too(phone: PhoneClient) -> None:
    chunks = iter([b'"' + b"x" * 40_000, b"x" * 40_000, b'"'])
    response = phone.request("POST", "/api/actions", raw=chunks)
    assert code(response) == (413, "E_SIZE")


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a":1.5}', b'{"envelope":{},"envelope":{}}', b"\xff", b"[" * 5000])
def test_a_body_that_is_no_strict_json_is_refused(phone: PhoneClient, raw: bytes) -> None:
    assert code(phone.request("POST", "/api/actions", raw=raw)) == (400, "E_JSON")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/actions", {}),
        ("/api/actions", {"envelope": "text"}),
        ("/api/actions", {"envelope": {}, "more": 1}),
        ("/api/actions", []),
        (f"/api/requests/{NOTHING}/stop", {"x": 1}),
        ("/api/session/challenge", {"phone": "nobody"}),
        ("/api/session", {"phone": "0" * 16, "sig": "AA=="}),
        ("/api/session", {"phone": "0" * 16}),
        ("/api/phones/0000000000000000/stanzas", {}),
        ("/api/phones/0000000000000000/stanzas", [{"id": NOTHING}]),
        ("/api/phones/0000000000000000/stanzas", [{"id": NOTHING, "stanza": b64(bytes(63))}]),
        ("/api/phones/0000000000000000/stanzas", [{"id": "x", "stanza": b64(bytes(64))}]),
    ],
)
def test_a_body_of_another_form_is_400(served: Served, phone: PhoneClient, path: str, body: object) -> None:
    before = len(served.vault.calls)
    assert code(phone.request("POST", path, body)) == (400, "E_SCHEMA")
    assert len(served.vault.calls) == before


def test_the_vault_gets_an_envelope_as_it_was_sent(
    served: Served, phone: PhoneClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    def action(_session: str, raw: bytes) -> dict[str, Any]:
        seen.append(raw)
        return {}

    monkeypatch.setattr(served.vault, "action", action)
    for raw in (b'{ "a:b": "}",\n"c"' + b" " * 25_000 + b": {} }", b'{"a":1}'):
        assert phone.request("POST", "/api/actions", raw=b' {\t"envelope" : ' + raw + b" }\r\n").status == 200
        assert seen.pop() == raw
    for bad in (
        b'{"envelope":[]}',
        b'{"envelope":{},"x":1}',
        b'{"envelope":{},"envelope":{}}',
        b'{"envelope":{}}}',
    ):
        assert phone.request("POST", "/api/actions", raw=bad).status == 400
    assert not seen


@pytest.mark.parametrize("count", [0, 513, 3_500])
def test_stanzas_are_handed_on_as_many_as_a_body_holds(
    served: Served, phone: PhoneClient, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    seen: list[Any] = []

    def hand_on(_session: str, _phone: str, given: Any) -> dict[str, Any]:
        seen.append(given)
        return {}

    monkeypatch.setattr(served.vault, "hand_on", hand_on)
    stanzas = [{"id": f"{n:032x}", "stanza": b64(bytes(64))} for n in range(count)]
    assert phone.request("POST", f"/api/phones/{phone.kid}/stanzas", stanzas).status == 200
    assert seen == [stanzas]


def test_more_stanzas_than_a_body_holds_are_413(phone: PhoneClient) -> None:
    stanzas = [{"id": NOTHING, "stanza": b64(bytes(64))}] * 3_700
    assert code(phone.request("POST", f"/api/phones/{phone.kid}/stanzas", stanzas)) == (413, "E_SIZE")
