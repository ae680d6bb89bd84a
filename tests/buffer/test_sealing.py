"""Sealing and the sidecar: opened again before it is trusted, closed to anything odd."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agent.buffer.sidecar import MAX_SIDECAR_BYTES, encode_sidecar, parse_sidecar
from agent.core.errors import BugError, RefusedError
from agent.core.ids import sha256_hex
from agent.core.seal import open_cek, stanza_info
from agent.core.segment_file import Sealer, encode_meta, open_segment
from tests.fakes.buffer_store import meta, recipient, seal_segment, sealed, sidecar

FILM = b"film" * 10_000


def test_every_recipient_opens_the_segment_with_its_own_stanza() -> None:
    privates = [X25519PrivateKey.generate() for _ in range(3)]
    one = meta()
    beside, file = sealed(one, FILM, *privates)
    assert (beside.bytes, beside.sha256, beside.sha256_plain) == (len(file), sha256_hex(file), sha256_hex(FILM))
    for private, stanza in zip(privates, beside.stanzas, strict=True):
        cek = open_cek(private, stanza.stanza, stanza_info(one.id, stanza.kid))
        assert open_segment(file, cek) == (one, FILM)


def test_no_two_segments_share_a_key() -> None:
    private = X25519PrivateKey.generate()
    one = meta()
    keys = set()
    for _ in range(4):
        beside, _ = sealed(one, FILM, private)
        keys.add(open_cek(private, beside.stanzas[0].stanza, stanza_info(one.id, beside.stanzas[0].kid)))
    assert len(keys) == 4


def test_without_a_recipient_nothing_is_sealed() -> None:
    with pytest.raises(BugError):
        seal_segment(Sealer(), meta(), FILM, [])


class _BrokenSealer(Sealer):
    """Memory that flips a bit, or a sealer that seals something else."""

    def __init__(self, *, swap: bool) -> None:
        super().__init__()
        self._swap = swap

    def seal(self, meta_raw: bytes, mp4: bytes | bytearray | memoryview, cek: bytes) -> memoryview:
        if self._swap:
            return super().seal(meta_raw, b"another film", cek)
        file = super().seal(meta_raw, mp4, cek)
        file[-1] ^= 1
        return file


@pytest.mark.parametrize("size", [0, 1, 16_384, 262_144, 1_000_003])
def test_films_of_any_length_are_proved_and_hashed(size: int) -> None:
    one, film = meta(), bytes(range(256)) * (size // 256) + bytes(size % 256)
    beside, file = sealed(one, film, X25519PrivateKey.generate())
    assert (beside.sha256, beside.sha256_plain) == (sha256_hex(file), sha256_hex(film))


@pytest.mark.parametrize("swap", [True, False])
def test_what_does_not_open_to_what_went_in_is_never_handed_on(*, swap: bool) -> None:
    with pytest.raises(BugError):
        seal_segment(_BrokenSealer(swap=swap), meta(), FILM, [recipient(X25519PrivateKey.generate())])


def test_a_sidecar_is_read_back_as_it_was_written() -> None:
    one = sidecar(meta())
    assert parse_sidecar(encode_sidecar(one)) == one


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"id": "x"},
        {"sha256": "0" * 63},
        {"sha256_plain": None},
        {"bytes": 0},
        {"bytes": True},
        {"bytes": 10**15},
        {"stanzas": {}},
        {"stanzas": [{"kid": "a" * 16, "stanza": "AAAA"}]},
        {"stanzas": [{"kid": "a" * 15, "stanza": "A" * 86 + "=="}]},
        {"stanzas": [{"kid": "a" * 16}]},
        {"stanzas": [{"kid": "a" * 16, "stanza": "A" * 86 + "=="}] * 2},
        {"more": 1},
    ],
    ids=str,
)
def test_an_odd_sidecar_is_refused(change: dict[str, object]) -> None:
    value = json.loads(encode_sidecar(sidecar(meta()))) | change
    with pytest.raises(RefusedError):
        parse_sidecar(json.dumps(value).encode())


def test_a_sidecar_that_is_too_long_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(RefusedError) as caught:
        parse_sidecar(b" " * (MAX_SIDECAR_BYTES + 1))
    assert caught.value.code == "E_SIZE"


@given(st.binary(max_size=300))
def test_no_bytes_make_the_sidecar_parser_do_anything_but_parse_or_refuse(raw: bytes) -> None:
    try:
        parse_sidecar(raw)
    except RefusedError:
        return
    raise AssertionError("random bytes are no sidecar")


def test_the_meta_is_bound_to_the_film() -> None:
    private = X25519PrivateKey.generate()
    one = meta()
    beside, file = sealed(one, FILM, private)
    cek = open_cek(private, beside.stanzas[0].stanza, stanza_info(one.id, beside.stanzas[0].kid))
    other = file.replace(encode_meta(one), encode_meta(replace(one, trigger="manual")))
    with pytest.raises(RefusedError):
        open_segment(other, cek)
