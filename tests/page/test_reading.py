"""What a phone with a session may read, page by page, and what it is told instead (protocol section 10)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from agent.core.encoding import b64
from agent.core.errors import TroubleError
from tests.fakes.page_world import now_ms, request_payload
from tests.page.phone import NOTHING, PhoneClient, code

if TYPE_CHECKING:
    from tests.page.serving import Served


def test_unknown_ids_and_paths_are_404(phone: PhoneClient) -> None:
    for path in (f"/api/requests/{NOTHING}", f"/api/requests/{NOTHING}/segments", f"/api/segments/{NOTHING}"):
        assert code(phone.get(path)) == (404, "NOT_FOUND")
    for path in ("/api/requests/x", "/api/segments/..", "/api/none", "/nothing", "/api"):
        assert phone.get(path).status == 404
    assert code(phone.request("POST", f"/api/requests/{NOTHING}/stop", {})) == (404, "NOT_FOUND")
    stanzas = [{"id": NOTHING, "stanza": b64(bytes(64))}]
    assert phone.request("POST", "/api/phones/0000000000000000/stanzas", stanzas).status == 404


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=x", "limit=", "after=-1", "after=1e3", "limit=\u0661", f"after={10**16}"],
)
def test_bad_queries_are_400(phone: PhoneClient, query: str) -> None:
    for path in (f"/api/requests/{NOTHING}/segments", "/api/log", "/api/stanzas"):
        assert code(phone.get(f"{path}?{query}")) == (400, "E_SCHEMA")


def test_a_page_is_not_larger_than_the_protocol_says_and_the_logs_is_cut(
    served: Served, phone: PhoneClient
) -> None:
    for path in (f"/api/requests/{NOTHING}/segments", "/api/stanzas"):
        assert code(phone.get(f"{path}?limit=513")) == (400, "E_SCHEMA")
    for _ in range(513):
        served.vault.note("boot")
    assert len(phone.json("/api/log?limit=513")["entries"]) == 512
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


def test_the_vaults_trouble_never_shows_its_words(
    served: Served, phone: PhoneClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TroubleError("link", "secret detail")

    monkeypatch.setattr(served.vault, "status", fail)
    assert b"secret" not in phone.get("/api/status").data
