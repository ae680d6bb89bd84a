"""Segment files: sealed, opened, refused, joined."""

import json
import os

import pytest

from agent.core import ids, seal, segment_file
from agent.core.errors import RefusedError
from agent.core.strict_json import dump


def _meta(**more: object) -> segment_file.SegmentMeta:
    fields: dict[str, object] = {
        "id": ids.new_id(),
        "clip": ids.new_id(),
        "n": 0,
        "start_ms": 1,
        "end_ms": 2,
        "clock": "synced",
        "boot": ids.new_id(),
        "mono_ms": 3,
        "device": "0" * 16,
        "codec": "avc1.42C01F",
        "width": 640,
        "height": 360,
        "trigger": "press",
        "masked": 0,
        "dropped": 0,
    }
    return segment_file.SegmentMeta(**{**fields, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 16_385, 100_000])
def test_what_is_sealed_opens_and_has_the_promised_length(size: int) -> None:
    meta, cek, mp4 = segment_file.encode_meta(_meta()), seal.new_cek(), os.urandom(size)
    sealer = segment_file.Sealer()
    file = bytes(sealer.seal(meta, mp4, cek))
    assert len(file) == segment_file.sealed_bytes(len(meta), size)
    assert segment_file.open_segment(file, cek)[1] == mp4
    again = bytes(sealer.seal(meta, b"short", cek))
    assert segment_file.open_segment(again, cek)[1] == b"short"


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"n": -1},
        {"n": 1.5},
        {"clock": "sundial"},
        {"trigger": "wish"},
        {"width": 0},
        {"device": "x"},
        {"codec": "avc1 "},
        {"codec": 7},
        {"end_ms": 0},
        {"boot": None},
        {"extra": 1},
    ],
)
def test_a_malformed_meta_is_refused(change: dict[str, object]) -> None:
    raw = dump({**json.loads(segment_file.encode_meta(_meta())), **change})
    with pytest.raises(RefusedError):
        segment_file.parse_meta(raw)


def test_a_meta_or_film_too_large_is_not_sealed() -> None:
    with pytest.raises(RefusedError):
        segment_file.Sealer().seal(b"x" * 5_000, b"", seal.new_cek())


def test_a_key_of_another_length_opens_nothing() -> None:
    file = bytes(segment_file.Sealer().seal(segment_file.encode_meta(_meta()), b"film", seal.new_cek()))
    with pytest.raises(RefusedError):
        segment_file.open_segment(file, b"short")


def _film(extra: bytes, init: bytes = b"a") -> bytes:
    return b"\0\0\0\x09ftyp" + init + b"\0\0\0\x08moov" + extra


def test_films_of_different_clips_do_not_join() -> None:
    assert segment_file.join_mp4([_film(b"1"), _film(b"2")]) == _film(b"12")
    with pytest.raises(RefusedError, match="one clip"):
        segment_file.join_mp4([_film(b"1"), _film(b"2", b"b")])
    for bad in (b"", b"\0\0\0\x08moov", b"\0\0\0\x04ftyp", _film(b"")[:9], b"\0\0\xff\0ftyp"):
        with pytest.raises(RefusedError, match="fragmented"):
            segment_file.join_mp4([bad])
