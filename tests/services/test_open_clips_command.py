"""`doorbell open-clips`: what it says of the films it wrote, to people and to programs."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.__main__ import main
from agent.buffer.segment_files import SegmentFolder
from agent.core.ids import new_id
from agent.core.recovery import encode_recovery
from tests.buffer.test_mux_pyav import mux_clip
from tests.fakes.buffer_film import FRAME_NS
from tests.fakes.buffer_store import meta, sealed

RECOVERY, PHONE = X25519PrivateKey.generate(), X25519PrivateKey.generate()


def opening(folder: Path, *words: str) -> int:
    (folder / "key.txt").write_text(encode_recovery(RECOVERY.private_bytes_raw()))
    store, out = folder / "segments", folder / "films"
    return main(
        ["open-clips", "--recovery", str(folder / "key.txt"), "--store", str(store), "--out", str(out), *words]
    )


def record(folder: Path, *keys: X25519PrivateKey) -> str:
    (folder / "segments").mkdir(exist_ok=True)
    (film,) = mux_clip([n * FRAME_NS for n in range(10)], gop=10)
    one = meta(clip=new_id())
    SegmentFolder(folder / "segments").write(*sealed(one, film, *keys))
    return one.id


def test_films_are_told_to_people_and_to_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path, RECOVERY, PHONE)
    assert opening(tmp_path) == 0
    said = capsys.readouterr().out
    assert "(1 segments)" in said
    assert opening(tmp_path, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [Path(clip["path"]).is_file() for clip in told["clips"]] == [True]
    assert told["unopened"] == {}


def test_what_does_not_open_is_told_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missed = record(tmp_path, PHONE)
    assert opening(tmp_path) == 1
    assert f"{missed} does not open" in capsys.readouterr().err
    assert opening(tmp_path, "--json") == 1
    assert json.loads(capsys.readouterr().out)["unopened"].keys() == {missed}
