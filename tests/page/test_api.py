"""Every rule of protocol section 10, one fault at a time, over real HTTPS."""

from __future__ import annotations

import json
import os
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core import envelope, ids, strict_json
from agent.core.encoding import b64, unb64url
from agent.core.errors import RefusedError, TroubleError
from agent.page import rules
from agent.page.port import Event
from tests.fakes.page_world import now_ms, request_payload
from tests.page.phone import PhoneClient

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from tests.page.serving import Served

ID = "0" * 32
SOME_POST = "/api/session/challenge"


@pytest.fixture
def phone(served: Served) -> PhoneClient:
    """A paired, admitted phone with a session."""
    client = PhoneClient(served)
    client.pair()
    client.log_in()
    return client


def code(response: BaseHTTPResponse) -> tuple[int, str]:
    return response.status, json.loads(response.data)["error"]


def plain(served: Served, method: str, path: str, **options: Any) -> BaseHTTPResponse:
    return served.client.request(method, served.origin + path, **options)


# -- host ---------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost",
        "localhost:1",
        "evil.localhost:{port}",
        "LOCALHOST:{port}",
        "localhost:{port}.",
        "",
    ],
)
def test_another_host_is_refused_everywhere(served: Served, host: str) -> None:
    for path in ("/", "/api/status", "/static/app.js"):
        response = plain(served, "GET", path, headers={"Host": host.format(port=served.port)})
        assert code(response) == (400, "E_HOST")


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1:{port}"])
def test_each_own_name_with_the_port_is_served(served: Served, host: str) -> None:
    assert plain(served, "GET", "/", headers={"Host": host.format(port=served.port)}).status == 200


def test_a_wildcard_host_is_no_name() -> None:
    assert rules.allowed_hosts(["bell.local"], "0.0.0.0", 8443) == {"bell.local:8443"}
    assert rules.allowed_hosts(["bell.local"], "::", 8443) == {"bell.local:8443"}
    assert rules.allowed_hosts([], "fd00::1", 8443) == {"[fd00::1]:8443"}
    assert rules.allowed_hosts(["bell.local"], "", 443) == {"bell.local:443", "bell.local"}


def test_a_name_with_capitals_is_answered_to_as_written_and_as_browsers_send_it() -> None:
    assert rules.allowed_hosts(["Bell.local"], "::", 8443) == {"Bell.local:8443", "bell.local:8443"}


# -- headers ---------------------------------------


@pytest.mark.parametrize("path", ["/", "/pair", "/static/app.js", "/static/none", "/api/status", "/api/none"])
def test_every_answer_carries_the_security_headers(served: Served, path: str) -> None:
    headers = plain(served, "GET", path).headers
    for name, value in rules.SECURITY_HEADERS:
        assert headers[name] == value
    assert "server" not in headers


def test_api_answers_are_never_stored(served: Served, phone: PhoneClient) -> None:
    assert phone.get("/api/status").headers["cache-control"] == "no-store"


def test_the_page_has_no_inline_script_and_nothing_from_elsewhere(served: Served) -> None:
    page = plain(served, "GET", "/").data.decode()
    assert "//" not in page.replace("</", "")
    assert "style=" not in page
    assert page.count("<script") == page.count('<script type="module" src="/static/') == 1


def test_static_files_are_a_closed_table(served: Served) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/", "/static/index.py", "/static//app.js"):
        assert plain(served, "GET", path).status == 404
    first = plain(served, "GET", "/static/app.js")
    assert plain(served, "GET", "/static/app.js", headers={"If-None-Match": first.headers["etag"]}).status == 304


# -- rules of POST ---------------------------------------


def post_with(served: Served, **changes: str | None) -> tuple[int, str]:
    headers: dict[str, str] = {"Content-Type": "application/json", "X-Doorbell": "1"}
    for name, value in changes.items():
        key = name.replace("_", "-")
        headers = {k: v for k, v in headers.items() if k.lower() != key.lower()}
        if value is not None:
            headers[key] = value
    return code(plain(served, "POST", SOME_POST, body=b'{"phone":"0000000000000000"}', headers=headers))


def test_a_post_in_order_reaches_the_vault(served: Served) -> None:
    assert post_with(served) == (403, "C_APPROVER")
    assert post_with(served, Origin=served.origin, Sec_Fetch_Site="same-origin") == (403, "C_APPROVER")
    assert post_with(served, Content_Type="application/json; charset=utf-8") == (403, "C_APPROVER")


@pytest.mark.parametrize("value", [None, "text/plain", "multipart/form-data", "application/jsonp", ""])
def test_another_content_type_is_415(served: Served, value: str | None) -> None:
    assert post_with(served, Content_Type=value) == (415, "E_CONTENT")


@pytest.mark.parametrize("value", [None, "0", "", "true"])
def test_a_post_without_the_doorbell_header_is_403(served: Served, value: str | None) -> None:
    assert post_with(served, X_Doorbell=value) == (403, "E_ORIGIN")


@pytest.mark.parametrize("value", ["null", "https://evil.tld", "http://localhost:{port}", "https://localhost", ""])
def test_a_post_of_another_origin_is_403(served: Served, value: str) -> None:
    assert post_with(served, Origin=value.format(port=served.port)) == (403, "E_ORIGIN")


@pytest.mark.parametrize("value", ["cross-site", "same-site", "none"])
def test_a_post_from_another_site_is_403(served: Served, value: str) -> None:
    assert post_with(served, Sec_Fetch_Site=value) == (403, "E_ORIGIN")


def test_nothing_reaches_the_vault_when_the_headers_are_wrong(served: Served) -> None:
    post_with(served, X_Doorbell=None)
    post_with(served, Content_Type="text/plain")
    post_with(served, Origin="null")
    assert served.vault.calls == []


def test_wrong_methods_are_405(served: Served, phone: PhoneClient) -> None:
    assert code(plain(served, "GET", "/api/pair")) == (405, "E_METHOD")
    assert code(phone.request("POST", "/api/status", {})) == (405, "E_METHOD")
    assert plain(served, "OPTIONS", "/api/actions").status == 405
    assert "access-control-allow-origin" not in plain(served, "OPTIONS", "/api/actions").headers


# -- bodies ---------------------------------------


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/api/actions", 65_536),
        ("/api/pair", 65_536),
        (f"/api/requests/{ID}/stop", 65_536),
        (f"/api/requests/{ID}/decision", 1_048_576),
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
        (f"/api/requests/{ID}/stop", {"x": 1}),
        (SOME_POST, {"phone": "nobody"}),
        ("/api/session", {"phone": "0" * 16, "sig": "AA=="}),
        ("/api/session", {"phone": "0" * 16}),
        ("/api/phones/0000000000000000/stanzas", {}),
        ("/api/phones/0000000000000000/stanzas", [{"id": ID}]),
        ("/api/phones/0000000000000000/stanzas", [{"id": ID, "stanza": b64(bytes(63))}]),
        ("/api/phones/0000000000000000/stanzas", [{"id": "x", "stanza": b64(bytes(64))}]),
    ],
)
def test_a_body_of_another_form_is_400(served: Served, phone: PhoneClient, path: str, body: object) -> None:
    before = len(served.vault.calls)
    assert code(phone.request("POST", path, body)) == (400, "E_SCHEMA")
    assert len(served.vault.calls) == before


# -- session ---------------------------------------

READS = [
    "/api/status",
    "/api/requests",
    f"/api/requests/{ID}",
    f"/api/requests/{ID}/segments",
    f"/api/segments/{ID}",
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
    f"/api/requests/{ID}/decision",
    f"/api/requests/{ID}/stop",
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
        strict_json.dump([{"id": ID, "stanza": b64(bytes(64))}]),
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


# -- pairing ---------------------------------------


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


# -- reading ---------------------------------------


def test_unknown_ids_and_paths_are_404(phone: PhoneClient) -> None:
    for path in (f"/api/requests/{ID}", f"/api/requests/{ID}/segments", f"/api/segments/{ID}"):
        assert code(phone.get(path)) == (404, "NOT_FOUND")
    for path in ("/api/requests/x", "/api/segments/..", "/api/none", "/nothing", "/api"):
        assert phone.get(path).status == 404
    assert code(phone.request("POST", f"/api/requests/{ID}/stop", {})) == (404, "NOT_FOUND")
    stanzas = [{"id": ID, "stanza": b64(bytes(64))}]
    assert phone.request("POST", "/api/phones/0000000000000000/stanzas", stanzas).status == 404


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=x", "limit=", "after=-1", "after=1e3", "limit=\u0661", f"after={10**16}"],
)
def test_bad_queries_are_400(phone: PhoneClient, query: str) -> None:
    for path in (f"/api/requests/{ID}/segments", "/api/log", "/api/stanzas"):
        assert code(phone.get(f"{path}?{query}")) == (400, "E_SCHEMA")


def test_a_page_is_not_larger_than_the_protocol_says_and_the_logs_is_cut(phone: PhoneClient) -> None:
    for path in (f"/api/requests/{ID}/segments", "/api/stanzas"):
        assert code(phone.get(f"{path}?limit=513")) == (400, "E_SCHEMA")
    assert phone.json("/api/log?limit=513") == phone.json("/api/log?limit=512")


def test_any_integer_of_16_digits_is_a_place_or_a_time(served: Served, phone: PhoneClient) -> None:
    served.vault.record(now_ms() - 600_000)
    far = 10**16 - 1
    assert len(phone.json(f"/api/clips?before={far}")) == 1
    assert phone.json(f"/api/stanzas?after={far}") == []
    assert phone.json(f"/api/log?after={far}")["entries"] == []


def test_pages_of_segments_follow_each_other(served: Served, phone: PhoneClient) -> None:
    served.vault.record(now_ms() - 600_000, segments=3)
    request = served.vault.receive(request_payload(served.vault.agency)).payload["id"]
    first = phone.json(f"/api/requests/{request}/segments?limit=2")
    rest = phone.json(f"/api/requests/{request}/segments?limit=2&after={first[-1]['i']}")
    assert [row["n"] for row in [*first, *rest]] == [0, 1, 2]
    assert set(first[0]) == {"i", "id", "clip", "n", "start_ms", "end_ms", "clock", "bytes", "sha256", "stanza"}


def test_clips_are_newest_first_and_before_is_a_bound(served: Served, phone: PhoneClient) -> None:
    old, new = now_ms() - 600_000, now_ms() - 300_000
    served.vault.record(old)
    served.vault.record(new)
    assert [row["start_ms"] for row in phone.json("/api/clips")] == [new, old]
    assert [row["start_ms"] for row in phone.json(f"/api/clips?before={new}&limit=1")] == [old]
    assert code(phone.get("/api/clips?limit=101")) == (400, "E_SCHEMA")


def test_a_segment_arrives_byte_for_byte_and_its_descriptor_is_closed(served: Served, phone: PhoneClient) -> None:
    stored = served.vault.record(now_ms() - 600_000, segments=1, width=1280, height=720)[0]
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(5):
        response = phone.get(f"/api/segments/{stored.meta.id}")
        assert response.data == stored.file
        assert response.headers["content-type"] == "application/octet-stream"
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # noqa: PTH208


def test_a_waiting_phone_gets_no_footage(served: Served, phone: PhoneClient) -> None:
    stored = served.vault.record(now_ms() - 600_000, segments=1)[0]
    request = served.vault.receive(request_payload(served.vault.agency)).payload["id"]
    waiting = PhoneClient(served)
    waiting.pair()
    waiting.log_in()
    assert code(waiting.get(f"/api/segments/{stored.meta.id}")) == (403, "C_APPROVER")
    assert waiting.json("/api/clips") == []
    assert [row["stanza"] for row in waiting.json(f"/api/requests/{request}/segments")] == [None]


def test_when_the_vault_is_away_the_answer_is_503(served: Served, phone: PhoneClient) -> None:
    served.vault.is_down = True
    assert code(phone.get("/api/status")) == (503, "E_VAULT")
    served.vault.is_down = False
    assert phone.get("/api/status").status == 200


def test_our_own_bug_is_a_plain_500(served: Served, phone: PhoneClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served.vault, "is_recording", {1, 2})  # a set is no JSON
    assert code(phone.get("/api/status")) == (500, "E_BUG")
    served.client.clear()  # the server closes a connection on which it failed


# -- changing ---------------------------------------


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
    assert code(phone.act("settings", {"alerts": True}, nonce=ID)) == (409, "C_NONCE")
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


# -- events ---------------------------------------


def test_events_reach_their_phone_and_no_other(served: Served, phone: PhoneClient) -> None:
    other = PhoneClient(served)
    other.pair()
    other.log_in()
    streams = [client.listen() for client in (phone, other)]
    served.vault.tell(Event("alert", {"id": ID}, phone.kid))
    served.vault.tell(Event("progress", {"id": ID, "sent": 1, "total": 2}))
    assert streams[0].take() == ("alert", {"id": ID})
    assert streams[0].take() == ("progress", {"id": ID, "sent": 1, "total": 2})
    assert streams[1].take() == ("progress", {"id": ID, "sent": 1, "total": 2})
    for stream in streams:
        stream.close()


def test_a_listener_that_falls_behind_is_cut_off_and_others_are_not_held_up(
    served: Served, phone: PhoneClient
) -> None:
    stuck = phone.listen()
    for _ in range(3000):
        served.vault.tell(Event("status", {"filler": "x" * 2000}))
    fresh = phone.listen()
    served.vault.tell(Event("alert", {"id": ID}))
    assert fresh.take() == ("alert", {"id": ID})
    stuck.close()
    fresh.close()


def test_a_listener_that_leaves_is_forgotten(served: Served, phone: PhoneClient) -> None:
    stream = phone.listen()
    assert len(served.hub._streams) == 1
    stream.close()
    phone.eventually(lambda: len(served.hub._streams) == 0)


def test_listeners_are_bounded(served: Served, phone: PhoneClient) -> None:
    streams = [phone.listen() for _ in range(32)]
    assert code(phone.get("/api/events")) == (503, "E_BUSY")
    for stream in streams:
        stream.close()


# -- the wire ---------------------------------------


def test_old_tls_is_refused(served: Served) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", served.port)) as raw, pytest.raises(ssl.SSLError):
        context.wrap_socket(raw)


def test_plain_http_gets_nothing(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP" not in raw.recv(4096)


def test_the_vaults_trouble_never_shows_its_words(served: Served, phone: PhoneClient, monkeypatch: Any) -> None:
    def fail(*_: object) -> None:
        raise TroubleError("link", "secret detail")

    monkeypatch.setattr(served.vault, "status", fail)
    assert b"secret" not in phone.get("/api/status").data


def test_a_pinned_key_is_that_of_the_certificate(served: Served) -> None:
    pem = ssl.get_server_certificate(("127.0.0.1", served.port))
    public = x509.load_pem_x509_certificate(pem.encode()).public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert ids.sha256_hex(der) == served.vault.spki.hex()


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
    stanzas = [{"id": ID, "stanza": b64(bytes(64))}] * 3_700
    assert code(phone.request("POST", f"/api/phones/{phone.kid}/stanzas", stanzas)) == (413, "E_SIZE")
