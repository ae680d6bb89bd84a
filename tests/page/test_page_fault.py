"""A page that can't serve says so to the vault, and `doorbell status` says it to the owner."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest

from agent.core.errors import RefusedError
from agent.services.page_vault import WireVault
from agent.services.vault.verbs import read_faults
from tests.fakes.clock import FakeClock
from tests.services.test_console import Listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.core.strict_json import Json


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Listening]:
    made = Listening(tmp_path)
    made.listen()
    yield made
    made.silence()


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def said(house: Listening, capsys: pytest.CaptureFixture[str]) -> str:
    assert house.run("status") == 0
    return capsys.readouterr().out


def test_status_shows_it_until_the_page_listens_or_is_gone(
    house: Listening, capsys: pytest.CaptureFixture[str]
) -> None:
    page = WireVault(house.config.device.run_dir / "page.sock", FakeClock(), lambda: None)
    with contextlib.closing(page):
        page.tell_faults(["page-port"])
        eventually(lambda: "page-port" in said(house, capsys))
        assert "its port is taken: stop what holds it or set [page] port" in said(house, capsys)
        page.tell_faults([])
        eventually(lambda: "page-port" not in said(house, capsys))
        page.tell_faults(["page-port"])
        eventually(lambda: "page-port" in said(house, capsys))
    eventually(lambda: "page-port" not in said(house, capsys))


def test_what_a_page_says_while_the_vault_is_away_nobody_hears(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    house = Listening(tmp_path)
    page = WireVault(house.config.device.run_dir / "page.sock", FakeClock(), lambda: None)
    with contextlib.closing(page):
        page.tell_faults(["page-port"])
        house.listen()
        assert "page-port" not in said(house, capsys)
    house.silence()


@pytest.mark.parametrize(
    "codes",
    [
        *(None, "page-port", {"page-port": 1}, ["no-recipient"], ["page-port", 7], [None], [["page-port"]]),
        *(["page-port", "page-port"], ["page-port"] * 17, ["x" * 1000]),
    ],
)
def test_a_page_can_set_no_fault_but_its_own(codes: Any) -> None:
    args: dict[str, Json] = {"codes": codes}
    with pytest.raises(RefusedError) as refused:
        read_faults(args)
    assert refused.value.code == "E_SCHEMA"


def test_the_closed_set_and_nothing_are_taken() -> None:
    assert read_faults({"codes": ["page-port"]}) == {"page-port"}
    assert read_faults({"codes": []}) == frozenset()
