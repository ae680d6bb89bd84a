"""Server-sent events: each to its phone, bounded, and nobody held up (protocol section 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.page.port import Event
from tests.page.phone import NOTHING, PhoneClient, code

if TYPE_CHECKING:
    import pytest

    from tests.page.serving import Served


def test_events_reach_their_phone_and_no_other(served: Served, phone: PhoneClient) -> None:
    other = PhoneClient(served)
    other.pair()
    other.log_in()
    streams = [client.listen() for client in (phone, other)]
    served.vault.tell(Event("alert", {"id": NOTHING}, phone.kid))
    served.vault.tell(Event("progress", {"id": NOTHING, "sent": 1, "total": 2}))
    assert streams[0].take() == ("alert", {"id": NOTHING})
    assert streams[0].take() == ("progress", {"id": NOTHING, "sent": 1, "total": 2})
    assert streams[1].take() == ("progress", {"id": NOTHING, "sent": 1, "total": 2})
    for stream in streams:
        stream.close()


def test_a_listener_that_falls_behind_is_cut_off_and_others_are_not_held_up(
    served: Served, phone: PhoneClient
) -> None:
    stuck = phone.listen()
    for _ in range(3000):
        served.vault.tell(Event("status", {"filler": "x" * 2000}))
    fresh = phone.listen()
    served.vault.tell(Event("alert", {"id": NOTHING}))
    assert fresh.take() == ("alert", {"id": NOTHING})
    assert stuck.events_until_the_end() < 3000
    stuck.close()
    fresh.close()


def test_a_listener_that_leaves_is_forgotten(served: Served, phone: PhoneClient) -> None:
    stream = phone.listen()
    assert len(served.hub._streams) == 1
    stream.close()
    phone.eventually(lambda: len(served.hub._streams) == 0)


def test_a_listener_that_does_not_come_about_leaves_its_place(
    served: Served, phone: PhoneClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_session: str) -> None:
        raise KeyError("phone")

    monkeypatch.setattr(served.vault, "subscribe", fail)
    assert code(phone.get("/api/events")) == (500, "E_BUG")
    served.client.clear()  # the server closes a connection on which it failed
    phone.eventually(lambda: not served.hub._streams)


def test_listeners_are_bounded(served: Served, phone: PhoneClient) -> None:
    streams = [phone.listen() for _ in range(32)]
    assert code(phone.get("/api/events")) == (503, "E_BUSY")
    for stream in streams:
        stream.close()
