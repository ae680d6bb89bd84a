"""The recovery key opens the store on any machine: nothing but the folder is needed."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.buffer.open_clips import open_clips
from agent.buffer.segment_files import SegmentFolder
from agent.core.errors import TroubleError
from agent.core.ids import Id, new_id
from tests.buffer.test_mux_pyav import decoded_times, mux_clip
from tests.fakes.buffer_film import FRAME_NS
from tests.fakes.buffer_store import meta, sealed

RECOVERY, PHONE = X25519PrivateKey.generate(), X25519PrivateKey.generate()


def _store(
    folder: SegmentFolder, *, start_ms: int, keys: tuple[X25519PrivateKey, ...] = (RECOVERY, PHONE)
) -> list[Id]:
    clip, ids = new_id(), []
    for n, film in enumerate(mux_clip([n * FRAME_NS for n in range(30)], gop=10)):
        one = meta(clip=clip, n=n, start_ms=start_ms + 1000 * n, end_ms=start_ms + 1000 * n + 1000)
        folder.write(*sealed(one, film, *keys))
        ids.append(one.id)
    return ids


def test_every_clip_becomes_one_film_in_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with SegmentFolder(tmp_path / "s") as folder:
        _store(folder, start_ms=900_000)
        _store(folder, start_ms=100_000)
    opened = open_clips(tmp_path / "s", RECOVERY, tmp_path)
    assert [(one.start_ms, one.end_ms, one.segments, one.missing) for one in opened.clips] == [
        (100_000, 103_000, 3, 0),
        (900_000, 903_000, 3, 0),
    ]
    assert opened.unopened == {}
    for one in opened.clips:
        assert decoded_times(one.path.read_bytes()) == [n * 9_000 for n in range(30)]


def test_a_missing_and_a_damaged_segment_are_told_and_the_rest_is_opened(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with SegmentFolder(tmp_path / "s") as folder:
        ids = _store(folder, start_ms=0)
        folder.remove([ids[0]])
        raw = bytearray(folder.read(ids[1]))
    raw[-1] ^= 1
    (tmp_path / "s" / f"{ids[1]}.seg").write_bytes(raw)
    opened = open_clips(tmp_path / "s", RECOVERY, tmp_path)
    assert [(one.segments, one.missing) for one in opened.clips] == [(1, 2)]
    assert set(opened.unopened) == {ids[1]}


def test_a_segment_that_is_no_film_is_told_and_the_rest_is_opened(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with SegmentFolder(tmp_path / "s") as folder:
        bad = meta(n=3, start_ms=3_000)
        folder.write(*sealed(bad, b"no film", RECOVERY))
        ids = _store(folder, start_ms=100_000)
        odd = [meta(clip=new_id(), start_ms=5_000)]
        odd.append(meta(clip=odd[0].clip, n=1, start_ms=6_000))
        for one, film in zip(odd, (mux_clip([0], gop=1)[0], _other_init(mux_clip([0], gop=1)[0])), strict=True):
            folder.write(*sealed(one, film, RECOVERY))
    opened = open_clips(tmp_path / "s", RECOVERY, tmp_path)
    assert [(one.start_ms, one.segments) for one in opened.clips] == [(100_000, len(ids))]
    assert set(opened.unopened) == {bad.id, odd[0].id, odd[1].id}


def _other_init(film: bytes) -> bytes:
    return film[:8] + b"xxxx" + film[12:]


def test_a_segment_without_a_sidecar_is_told(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with SegmentFolder(tmp_path / "s") as folder:
        ids = _store(folder, start_ms=0)
    (tmp_path / "s" / f"{ids[0]}.json").unlink()
    opened = open_clips(tmp_path / "s", RECOVERY, tmp_path)
    assert [one.segments for one in opened.clips] == [2]
    assert "sidecar" in opened.unopened[ids[0]]


def test_what_was_sealed_to_others_stays_closed(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with SegmentFolder(tmp_path / "s") as folder:
        ids = _store(folder, start_ms=0, keys=(PHONE,))
    opened = open_clips(tmp_path / "s", RECOVERY, tmp_path)
    assert opened.clips == ()
    assert set(opened.unopened) == set(ids)
    assert "no recipient" in opened.unopened[ids[0]]


def test_films_that_can_not_be_written_are_the_worlds_trouble(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with SegmentFolder(tmp_path / "s") as folder:
        _store(folder, start_ms=0)
    with pytest.raises(TroubleError):
        open_clips(tmp_path / "s", RECOVERY, tmp_path / "none")
