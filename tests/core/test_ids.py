"""Ids, kids and hashes have their forms."""

from agent.core import ids


def test_ids_have_their_form() -> None:
    assert ids.is_id(ids.new_id())
    assert not ids.is_id("A" * 32)
    assert not ids.is_id(("0" * 32) + "\n")
    assert not ids.is_id(7)
    assert ids.is_kid("0" * 16)
    assert not ids.is_kid("0" * 15)
    assert ids.is_sha256(ids.sha256_hex(b""))
    assert not ids.is_sha256("g" * 64)
    assert len(ids.new_bytes(16)) == 16
