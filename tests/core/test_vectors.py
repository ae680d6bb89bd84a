"""Walks the known answers that concern core: segments, clips, wraps, recovery keys, the log."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core.checkpoint import parse_checkpoint
from agent.core.errors import RefusedError
from agent.core.ids import sha256_hex
from agent.core.merkle import Frontier, inclusion_proofs, leaf_hash, tree_root, verify_inclusion
from agent.core.recovery import decode_recovery, encode_recovery
from agent.core.seal import hpke_open
from agent.core.segment_file import join_mp4, open_segment

VECTORS = Path(__file__).parent.parent / "vectors"


def _load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def _cases(name: str) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in _load(name)["cases"]]


def _raw(text: str) -> bytes:
    return base64.b64decode(text)


@pytest.mark.parametrize("case", _cases("segments.json"))
def test_a_segment_opens_to_these_bytes_or_is_refused(case: Any) -> None:
    if not case["opens"]:
        with pytest.raises(RefusedError):
            open_segment(_raw(case["file"]), _raw(case["cek"]))
        return
    _, mp4 = open_segment(_raw(case["file"]), _raw(case["cek"]))
    assert sha256_hex(mp4) == case["sha256_plain"]
    assert sha256_hex(_raw(case["file"])) == case["sha256"]


@pytest.mark.parametrize("case", _cases("clips.json"))
def test_a_clip_opens_and_joins_to_that_film(case: Any) -> None:
    films = []
    for segment in case["segments"]:
        meta, mp4 = open_segment(_raw(segment["file"]), _raw(segment["cek"]))
        log = segment["log"]
        assert (meta.id, meta.clip, meta.n, meta.start_ms, meta.end_ms) == (
            log["id"],
            log["clip"],
            log["i"],
            log["start_ms"],
            log["end_ms"],
        )
        assert sha256_hex(mp4) == log["sha256_plain"]
        films.append(mp4)
    joined = join_mp4(films)
    assert sha256_hex(joined) == case["joined_sha256"]
    assert len(joined) == case["joined_bytes"]


@pytest.mark.parametrize("case", _cases("wraps.json"))
def test_a_wrap_opens_or_is_refused(case: Any) -> None:
    private = X25519PrivateKey.from_private_bytes(_raw(case["private"]))
    if case["opens"]:
        assert hpke_open(private, _raw(case["wrap"]), _raw(case["info"])) == _raw(case["plaintext"])
    else:
        with pytest.raises(RefusedError):
            hpke_open(private, _raw(case["wrap"]), _raw(case["info"]))


@pytest.mark.parametrize("case", _cases("recovery.json"))
def test_a_recovery_key_is_read_from_exactly_these_texts(case: Any) -> None:
    private = _raw(_load("recovery.json")["private"])
    if case["holds"]:
        assert decode_recovery(case["text"]) == private
    else:
        with pytest.raises(RefusedError) as refused:
            decode_recovery(case["text"])
        assert refused.value.code == "E_RECOVERY"


def test_the_recovery_key_is_written_as_on_the_card() -> None:
    vector = _load("recovery.json")
    assert encode_recovery(_raw(vector["private"])) == vector["text"]


def test_the_log_has_these_roots() -> None:
    vector = _load("log.json")
    frontier = Frontier()
    roots = [frontier.root()]
    for entry in vector["entries"]:
        frontier.append(leaf_hash(_raw(entry)))
        roots.append(frontier.root())
    assert {row["size"]: row["root"] for row in vector["roots"]} == {
        size: base64.b64encode(root).decode() for size, root in enumerate(roots) if size <= len(vector["roots"])
    }


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in _load("log.json")["proofs"]])
def test_an_inclusion_proof_holds_or_not(case: Any) -> None:
    held = verify_inclusion(
        _raw(case["entry"]), case["n"], case["size"], [_raw(step) for step in case["proof"]], _raw(case["root"])
    )
    assert held is case["holds"]
    if case["holds"]:
        leaves = [leaf_hash(_raw(entry)) for entry in _load("log.json")["entries"]]
        assert inclusion_proofs(leaves[: case["size"]], [case["n"]])[case["n"]] == [
            _raw(step) for step in case["proof"]
        ]


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["name"]) for case in _load("log.json")["checkpoints"]]
)
def test_a_checkpoint_holds_or_not(case: Any) -> None:
    vector = _load("log.json")
    if case["holds"]:
        checkpoint = parse_checkpoint(case["note"], _raw(vector["device_pub"]))
        assert checkpoint.origin == vector["origin"]
    else:
        with pytest.raises(RefusedError):
            parse_checkpoint(case["note"], _raw(vector["device_pub"]))


def test_after_eviction_leaf_hashes_stay_and_the_root_holds() -> None:
    after = _load("log.json")["after_eviction"]
    leaves = [_raw(leaf) for leaf in after["leaves"]]
    assert [n for n, entry in enumerate(after["entries"]) if entry is None] == after["deleted"]
    for n, entry in enumerate(after["entries"]):
        assert entry is None or leaf_hash(entry.encode()) == leaves[n]
    assert base64.b64encode(tree_root(leaves)).decode() == after["root"]
    device_pub = _raw(_load("log.json")["device_pub"])
    assert parse_checkpoint(after["checkpoint"], device_pub).size == after["size"]
