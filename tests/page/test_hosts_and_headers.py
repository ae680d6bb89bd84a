"""Who may speak to the page, and the headers of every answer (protocol section 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.page import rules
from tests.page.phone import PhoneClient, code, plain

if TYPE_CHECKING:
    from tests.page.serving import Served

SOME_POST = "/api/session/challenge"


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


def test_scripts_and_pictures_come_from_the_doorbell_alone_and_films_from_memory(served: Served) -> None:
    policy = plain(served, "GET", "/").headers["content-security-policy"]
    directives = dict(part.strip().split(" ", maxsplit=1) for part in policy.split(";"))
    own = {name for name, sources in directives.items() if sources == "'self'"}
    assert own == {"script-src", "style-src", "connect-src", "img-src"}
    assert directives["media-src"] == "blob:"
    assert {sources for name, sources in directives.items() if name not in {*own, "media-src"}} == {"'none'"}


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
