"""Clips that the owner keeps or deletes, and what is left of one that went, in the real vault."""

from typing import Any

import pytest

from agent.buffer import sqlite_eviction
from agent.core.encoding import b64, unb64
from agent.core.errors import RefusedError
from agent.core.ids import new_id
from agent.core.merkle import consistency_proof, tree_root, verify_consistency
from tests.fakes.vault_rig import FakePhone, Rig
from tests.services.page_calls import ask_page, session_of


def test_a_clip_can_be_kept_and_deleted_by_a_signed_action(rig: Rig) -> None:
    clip = new_id()
    segment = rig.record(clip=clip)
    rig.vault.phones.act(rig.phone.action(rig, "keep", {"clip": clip}))
    rig.vault.phones.act(rig.phone.action(rig, "delete", {"clip": clip}))
    assert not (rig.config.device.state_dir / "segments" / f"{segment}.seg").exists()
    assert ask_page(rig, "clips", {"session": session_of(rig, rig.phone)}).args["body"] == []


def test_an_approved_clip_cannot_be_deleted_before_it_is_delivered(rig: Rig) -> None:
    clip = new_id()
    rig.record(clip=clip)
    request_id = rig.ask()
    rig.share(request_id)
    with pytest.raises(RefusedError) as refused:
        rig.vault.phones.act(rig.phone.action(rig, "delete", {"clip": clip}))
    assert refused.value.code == "C_STATE"
    rig.pass_s(70)
    rig.vault.phones.act(rig.phone.action(rig, "delete", {"clip": clip}))


def test_a_delete_that_is_refused_takes_nothing_from_what_the_owner_keeps(rig: Rig) -> None:
    clip = new_id()
    segment = rig.record(clip=clip)
    rig.vault.phones.act(rig.phone.action(rig, "keep", {"clip": clip}))
    request_id = rig.ask()
    rig.share(request_id)
    with pytest.raises(RefusedError):
        rig.vault.phones.act(rig.phone.action(rig, "delete", {"clip": clip}))
    rig.pass_s(70)
    assert rig.state(request_id) == "DELIVERED"
    assert sqlite_eviction.is_pinned(rig.vault.db.tx, segment)


def test_an_evicted_segment_leaves_its_leaf_and_no_bytes(rig: Rig) -> None:
    clip = new_id()
    segment = rig.record(clip=clip)
    rig.record()
    before = rig.vault.answers.log(None, 512)
    rig.vault.store.delete_clip(clip)
    after = rig.vault.answers.log(None, 512)
    leaves = [leaf for (leaf,) in rig.vault.db.tx.execute("SELECT leaf FROM log ORDER BY n")]
    assert b64(tree_root(leaves)) == after["root"]
    old_size = int(str(before["size"]))
    assert verify_consistency(
        old_size, unb64(before["root"]), len(leaves), tree_root(leaves), consistency_proof(leaves, old_size)
    )
    assert not any(
        entry is not None and segment in str(entry) and '"segment"' in str(entry) for entry in _list(after)
    )


def test_after_the_hour_the_bytes_of_an_evicted_entry_are_nowhere_on_the_card(rig: Rig) -> None:
    clip = new_id()
    segment = rig.record(clip=clip)
    digest = next(entry["sha256"] for entry in rig.log() if entry["t"] == "segment")
    rig.vault.store.delete_clip(clip)
    rig.vault.hourly()
    files = [path for path in (rig.config.device.state_dir / "vault").glob("vault.db*") if path.is_file()]
    raw = b"".join(path.read_bytes() for path in files)
    assert digest.encode() not in raw
    assert bytes.fromhex(digest) not in raw
    assert segment.encode() in raw  # the `evicted` entry names it


def _list(body: dict[str, Any]) -> list[Any]:
    return list(body["entries"])


def test_after_the_hour_the_stanzas_of_a_phone_put_out_are_nowhere_on_the_card(rig: Rig) -> None:
    other = FakePhone()
    rig.pair(other)
    rig.vault.phones.admit(other.kid)
    rig.record()
    stanza = rig.vault.answers.stanzas(other.open_kid, -1, 1)[0]
    rig.vault.hourly()
    rig.vault.phones.unpair(other.kid)
    rig.vault.hourly()
    files = [path for path in (rig.config.device.state_dir / "vault").glob("vault.db*") if path.is_file()]
    assert isinstance(stanza, dict)
    assert unb64(stanza["stanza"]) not in b"".join(path.read_bytes() for path in files)
