"""The log of the real vault: what it says, and what is signed of it."""

from typing import Any

from agent.consent import sqlite_log
from agent.core.checkpoint import parse_checkpoint
from agent.core.ids import sha256_hex
from agent.core.merkle import leaf_hash, tree_root
from agent.core.segment_file import split
from tests.fakes.vault_rig import Rig


def test_every_state_entry_is_under_a_checkpoint_of_the_device(rig: Rig) -> None:
    rig.record()
    rig.ask()
    body: Any = rig.vault.answers.log(None, 512)
    checkpoint = parse_checkpoint(body["checkpoint"], rig.vault.house.keys.device_pub)
    leaves = [leaf_hash(entry.encode()) for entry in body["entries"][: checkpoint.size]]
    assert tree_root(leaves) == checkpoint.root
    assert '"PENDING"' in body["entries"][checkpoint.size - 1]


def test_refusals_are_logged_as_counts_only(rig: Rig) -> None:
    rig.deliver("req", b"nonsense")
    rig.deliver("req", b"{}")
    rig.vault.arrivals.log_rejected()
    entry = rig.log()[-1]
    assert entry["t"] == "rejected"
    assert entry["counts"] == {"E_ENVELOPE": 1, "E_JSON": 1}


def test_each_start_is_logged_and_the_configuration_when_it_changed(rig: Rig) -> None:
    rig.restart()
    started = [entry for entry in rig.log() if entry["t"] in {"boot", "config"}]
    assert [entry["t"] for entry in started] == ["boot", "config", "boot"]


def test_the_log_is_signed_by_itself_every_hour(rig: Rig) -> None:
    rig.pass_s(3_700, step_s=60)
    size, _ = sqlite_log.size_and_root(rig.vault.db.tx)
    assert sqlite_log.latest_checkpoint(rig.vault.db.tx)[1] == size


def test_segments_in_the_log_are_those_in_the_store(rig: Rig) -> None:
    segment = rig.record()
    file = (rig.config.device.state_dir / "segments" / f"{segment}.seg").read_bytes()
    entry = next(one for one in rig.log() if one["t"] == "segment")
    assert entry["sha256"] == sha256_hex(file)
    assert entry["id"] == split(file)[0].id
