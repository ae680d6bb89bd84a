"""A flood of requests, well signed and not: bounded rows, bounded memory, and the good one gets through."""

import gc
import tracemalloc
from pathlib import Path

import pytest

from tests.fakes.platform import FakePlatform
from tests.fakes.vault_rig import Rig

FLOOD = 10_000


@pytest.fixture
def flood(rig: Rig) -> list[bytes]:
    """Requests of a stranger's keys and of a good agency's, all for footage that there is."""
    rig.record()
    stranger = FakePlatform(rig.platform.now_s)
    now_s = rig.clock.utc_ms() // 1_000
    times = {"from_s": now_s - 600, "to_s": now_s - 10, "iat_s": now_s - 5}
    forged = [stranger.request(**times)[1] for _ in range(20)]
    signed = [rig.platform.request(**times)[1] for _ in range(300)]
    broken = [raw[:-9] for raw in signed[:20]] + [b"[" * 20_000, b"x" * 30_000, b"{}"]
    few = forged + broken
    return [few[n % len(few)] for n in range(FLOOD - len(signed))] + signed


@pytest.mark.slow
def test_ten_thousand_requests_are_bounded_and_the_good_one_gets_through(rig: Rig, flood: list[bytes]) -> None:
    rig.deliver("req", flood[-1])  # the platform's key is known from here on
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    for raw in flood:
        rig.vault.arrivals.message("req", raw)
    rig.settle()
    gc.collect()
    grown = sum(row.size_diff for row in tracemalloc.take_snapshot().compare_to(before, "filename"))
    tracemalloc.stop()
    assert grown < 2_000_000, f"{grown} bytes stay"
    (rows,) = rig.vault.db.tx.execute("SELECT count(*) FROM requests").fetchone()
    assert rows <= 20 + 200
    pending = [row for row in rig.vault.answers.requests() if isinstance(row, dict) and row["state"] == "PENDING"]
    assert len(pending) == 5  # of one agency
    disturbed = [name for name, _ in rig.events if name == "request"]
    assert len(disturbed) == 5
    for row in pending[:3]:
        assert isinstance(row, dict)
        rig.decide(str(row["id"]), rig.phone.consent(rig, str(row["id"]), "decline"))
    good = rig.ask()
    assert rig.state(good) == "PENDING"


def test_the_owner_is_notified_at_most_once_in_ten_minutes(tmp_path: Path) -> None:
    rig = Rig(tmp_path, notify='urls = ["json://localhost/never"]')
    told: list[str] = []
    rig.uplink.tell = lambda verb, *_args, **_more: told.append(verb)  # type: ignore[method-assign]
    rig.record()
    for _ in range(4):
        rig.ask()
    assert told == ["notify"]
    rig.pass_s(590)
    rig.record()
    rig.ask()
    assert told == ["notify"]
    rig.pass_s(20)
    rig.deliver("alert", rig.platform.alert(rig.clock.utc_ms() // 1_000))
    assert told == ["notify", "notify"]
    rig.close()


def test_quiet_hours_silence_the_notice_but_not_the_page(tmp_path: Path) -> None:
    rig = Rig(tmp_path, notify='urls = ["json://localhost/never"]')
    told: list[str] = []
    rig.uplink.tell = lambda verb, *_args, **_more: told.append(verb)  # type: ignore[method-assign]
    minute = rig.clock.utc_ms() // 60_000 % 1_440
    hours = [(minute - 60) % 1_440, (minute + 60) % 1_440]
    rig.vault.phones.act(rig.phone.action(rig, "settings", {"quiet_hours": hours}))
    rig.record()
    request_id = rig.ask()
    assert rig.state(request_id) == "PENDING"
    assert told == []
    assert [name for name, _ in rig.events].count("request") == 1
    rig.close()
