"""What the vectors leave open in core: sizes, forms, geometry, trees, keys and jitter."""

import json
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agent.core import (
    checkpoint,
    encoding,
    envelope,
    geo,
    ids,
    jitter,
    keys,
    merkle,
    recovery,
    seal,
    segment_file,
    text,
)
from agent.core.errors import BugError, ConfigError, DoorbellError, RefusedError, TroubleError
from agent.core.strict_json import MAX_DEPTH, Json, closed, dump, is_integer, parse

# ---- strict JSON


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf{}",
        b"\xff",
        b"{",
        b'{"a":1,"a":2}',
        b"1.0",
        b"1e3",
        b"NaN",
        b"Infinity",
        b"-0",
        b"12345678901234567",
        b'"\\ud800"',
        b'{"\\udc00":1}',
        b'["\\ud800"]',
        b"[" * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"",
        b"1 2",
    ],
)
def test_what_is_not_strict_json_is_refused(raw: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        parse(raw, max_bytes=1_000_000)
    assert refused.value.code == "E_JSON"


def test_a_bug_of_ours_is_not_among_what_comes_from_outside() -> None:
    assert not issubclass(BugError, DoorbellError)
    assert all(issubclass(one, DoorbellError) for one in (RefusedError, TroubleError, ConfigError))


def test_strict_json_is_read() -> None:
    assert parse(b'{"a":[1,-2,true,null,"\\u00e9"]}', max_bytes=100) == {"a": [1, -2, True, None, "é"]}
    assert parse(b"9999999999999999", max_bytes=100) == 10**16 - 1
    nested = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert parse(nested, max_bytes=10_000) is not None
    brackets_in_text = json.dumps(["[" * (MAX_DEPTH + 1)]).encode()
    assert parse(brackets_in_text, max_bytes=10_000) == ["[" * (MAX_DEPTH + 1)]


def test_the_size_is_checked_before_anything_else() -> None:
    with pytest.raises(RefusedError) as refused:
        parse(b"[" * 11, max_bytes=10)
    assert refused.value.code == "E_SIZE"


@given(st.binary(max_size=200))
def test_parse_returns_json_or_refuses(raw: bytes) -> None:
    try:
        value = parse(raw, max_bytes=150)
    except RefusedError:
        return  # any other exception fails this test
    assert parse(dump(value), max_bytes=10_000) == value


def test_a_closed_object_has_exactly_its_keys() -> None:
    assert closed({"a": 1}, frozenset({"a"}), "E_X", "it") == {"a": 1}
    bad_ones: list[Json] = [[], {}, {"a": 1, "b": 2}]
    for bad in bad_ones:
        with pytest.raises(RefusedError, match="it"):
            closed(bad, frozenset({"a"}), "E_X", "it")


def test_a_boolean_is_no_integer() -> None:
    assert is_integer(1, low=0, high=1)
    assert not is_integer(True, low=0, high=1)
    assert not is_integer(2, low=0, high=1)


# ---- encodings


@pytest.mark.parametrize("bad", [None, "YQ", "YR==", "Y Q==", "YQ==\n", "é"])
def test_only_canonical_base64_is_read(bad: object) -> None:
    with pytest.raises(ValueError, match=r"base64|string"):
        encoding.unb64(bad)


def test_base64_of_another_length_is_refused() -> None:
    assert encoding.unb64("YQ==", length=1) == b"a"
    with pytest.raises(ValueError, match="not 2 bytes"):
        encoding.unb64("YQ==", length=2)


@pytest.mark.parametrize("bad", ["YQ==", "YR", "Y+", "é", "YQQ"])
def test_only_canonical_base64url_is_read(bad: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        encoding.unb64url(bad, length=1)


@given(st.binary(max_size=64))
def test_base64url_is_read_back(raw: bytes) -> None:
    assert encoding.unb64url(encoding.b64url(raw), length=len(raw)) == raw


# ---- ids


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


# ---- text


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("plain", True),
        ("two\nlines", False),
        (" leading", False),
        ("trailing ", False),
        ("", False),
        ("x" * 21, False),
        ("zero\u200bwidth", False),
        ("right\u202eleft", False),
        ("no\u00a0break", False),
        ("line\u2028separator", False),
        ("e\u0301", False),  # not NFC
        ("\u1160", False),
        ("\u2800x", False),
        ("heart\ufe0f", False),
        ("q\u0300\u0301\u0302", False),  # a pile of marks
        ("q\u0300\u0301", True),
        (7, False),
    ],
)
def test_text_that_may_be_shown(value: object, good: bool) -> None:
    assert text.is_text(value, limit=20) is good


def test_lines_are_counted() -> None:
    assert text.is_text("a\nb", limit=20, lines=2)
    assert not text.is_text("a\nb\nc", limit=20, lines=2)


@pytest.mark.parametrize(
    ("value", "one"),
    [
        ("Rivera", True),
        ("R\u0456vera", False),  # a Cyrillic i
        ("東京タワーひらがな", True),
        ("한국 漢字", True),
        ("ひらがな 한국", False),
        ("J. Rivera 3", True),
    ],
)
def test_one_script_is_asked_for_where_letters_could_deceive(value: str, one: bool) -> None:
    assert text.is_text(value, limit=40, one_script=True) is one


# ---- keys and envelopes

SMALL = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]


@pytest.mark.parametrize("encoded", SMALL)
def test_each_of_the_14_weak_encodings_is_refused(encoded: str) -> None:
    with pytest.raises(RefusedError) as refused:
        keys.load_verify_key(bytes.fromhex(encoded))
    assert refused.value.code == "E_KEY"


def test_keys_of_another_length_are_refused() -> None:
    for load in (keys.load_verify_key, keys.load_open_key):
        with pytest.raises(RefusedError):
            load(b"short")
    with pytest.raises(RefusedError):
        keys.load_open_key(bytes(32))


def test_raw_public_is_the_same_from_either_half() -> None:
    for key in (Ed25519PrivateKey.generate(), X25519PrivateKey.generate()):
        assert keys.raw_public(key) == keys.raw_public(key.public_key())


def _signed() -> tuple[Ed25519PrivateKey, envelope.Envelope]:
    key = Ed25519PrivateKey.generate()
    return key, envelope.parse_envelope(envelope.sign("alert", b"{}", [key]), counts=(1,))


def test_a_signature_holds_for_its_key_type_and_payload_only() -> None:
    key, good = _signed()
    envelope.check_signature(good, good.signatures[0], keys.raw_public(key))
    for other in (
        envelope.Envelope("application/x", good.payload, good.signatures, good.raw),
        envelope.Envelope(good.payload_type, b"[]", good.signatures, good.raw),
    ):
        with pytest.raises(RefusedError) as refused:
            envelope.check_signature(other, good.signatures[0], keys.raw_public(key))
        assert refused.value.code == "E_SIG"
    with pytest.raises(RefusedError) as misnamed:
        envelope.check_signature(good, good.signatures[0], keys.raw_public(Ed25519PrivateKey.generate()))
    assert misnamed.value.code == "E_KEY"


def test_the_signed_bytes_count_bytes_not_characters() -> None:
    assert envelope.pae("é", b"x") == b"DSSEv1 2 \xc3\xa9 1 x"


@pytest.mark.parametrize(
    "change",
    [
        {"payloadType": 7},
        {"payload": "!"},
        {"payload": None},
        {"signatures": []},
        {"signatures": {}},
        {"signatures": [{"keyid": "x", "sig": ""}]},
        {"signatures": [{"keyid": "0" * 16, "sig": "YQ=="}]},
        {"signatures": [7]},
        {"extra": 1},
    ],
)
def test_a_malformed_envelope_is_refused(change: dict[str, object]) -> None:
    _, good = _signed()
    raw = json.dumps({**json.loads(good.raw), **change}).encode()
    with pytest.raises(RefusedError) as refused:
        envelope.parse_envelope(raw, counts=(1,))
    assert refused.value.code == "E_ENVELOPE"


def test_two_signatures_of_one_key_are_refused() -> None:
    key, _ = _signed()
    with pytest.raises(RefusedError, match="one key"):
        envelope.parse_envelope(envelope.sign("alert", b"{}", [key, key]), counts=(2,))


def test_a_payload_over_its_limit_is_refused() -> None:
    raw = envelope.sign("alert", b"x" * 101, [Ed25519PrivateKey.generate()])
    with pytest.raises(RefusedError) as refused:
        envelope.parse_envelope(raw, counts=(1,), max_payload=100)
    assert refused.value.code == "E_SIZE"


def test_a_signature_can_be_added_to_the_same_payload() -> None:
    key, good = _signed()
    second = Ed25519PrivateKey.generate()
    both = envelope.parse_envelope(envelope.add_signature(good, second), counts=(2,))
    for signature, one in zip(both.signatures, (key, second), strict=True):
        envelope.check_signature(both, signature, keys.raw_public(one))


# ---- sealing


def test_a_wrap_that_holds_no_segment_key_is_refused() -> None:
    key = X25519PrivateKey.generate()
    sealed = seal.hpke_seal(keys.raw_public(key), b"seventeen bytes..", b"info")
    with pytest.raises(RefusedError, match="not a segment key"):
        seal.open_cek(key, sealed, b"info")


def test_a_contact_opens_only_for_its_request() -> None:
    key = X25519PrivateKey.generate()
    one, other = ids.sha256_hex(b"1"), ids.sha256_hex(b"2")
    sealed = seal.hpke_seal(keys.raw_public(key), b"{}", seal.contact_info(one))
    assert seal.hpke_open(key, sealed, seal.contact_info(one)) == b"{}"
    with pytest.raises(RefusedError):
        seal.hpke_open(key, sealed, seal.contact_info(other))


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


# ---- trees


@given(st.integers(1, 40), st.data())
def test_every_leaf_has_a_proof_and_every_prefix_is_consistent(size: int, data: st.DataObject) -> None:
    entries = [bytes([n]) for n in range(size)]
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    root = merkle.tree_root(leaves)
    place = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proofs(leaves, [place])[place]
    assert merkle.verify_inclusion(entries[place], place, size, proof, root)
    assert not merkle.verify_inclusion(b"other", place, size, proof, root)
    assert not merkle.verify_inclusion(entries[place], place, size, [*proof, root], root)
    if proof:
        assert not merkle.verify_inclusion(entries[place], place, size, proof[:-1], root)
    old = data.draw(st.integers(1, size))
    old_root = merkle.tree_root(leaves[:old])
    path = merkle.consistency_proof(leaves, old)
    assert merkle.verify_consistency(old, old_root, size, root, path)
    assert not merkle.verify_consistency(old, merkle.leaf_hash(b"x"), size, root, path)
    assert not merkle.verify_consistency(old, old_root, size, root, [*path, root])
    if path:
        assert not merkle.verify_consistency(old, old_root, size, root, path[:-1])


def test_proofs_outside_the_tree_are_refused() -> None:
    leaves = [merkle.leaf_hash(b"a")]
    with pytest.raises(IndexError):
        merkle.inclusion_proofs(leaves, [1])[1]
    for size in (0, 2):
        with pytest.raises(IndexError):
            merkle.consistency_proof(leaves, size)
    assert not merkle.verify_inclusion(b"a", 1, 1, [], leaves[0])
    assert not merkle.verify_consistency(0, leaves[0], 1, leaves[0], [])
    assert not merkle.verify_consistency(2, leaves[0], 1, leaves[0], [])
    assert not merkle.verify_consistency(3, leaves[0], 4, leaves[0], [])
    with pytest.raises(ValueError, match="frontier"):
        merkle.Frontier(3, [b""])


def test_a_checkpoint_under_a_weak_key_is_refused() -> None:
    note = checkpoint.sign_checkpoint(1, bytes(32), Ed25519PrivateKey.generate())
    with pytest.raises(RefusedError):
        checkpoint.parse_checkpoint(note, bytes.fromhex(SMALL[0]))


def test_a_checkpoint_without_canonical_base64_is_refused() -> None:
    key = Ed25519PrivateKey.generate()
    note = checkpoint.sign_checkpoint(1, bytes(32), key)
    with pytest.raises(RefusedError, match="canonical"):
        checkpoint.parse_checkpoint(note.replace("AAA=", "AAB="), keys.raw_public(key))


def test_a_frontier_is_kept_and_taken_up() -> None:
    frontier = merkle.Frontier()
    for entry in (b"a", b"b", b"c"):
        frontier.append(merkle.leaf_hash(entry))
    assert merkle.Frontier(frontier.size, frontier.hashes).root() == frontier.root()


def test_a_recovery_key_whose_last_bits_are_set_is_refused() -> None:
    good = recovery.encode_recovery(bytes(32))
    with pytest.raises(RefusedError, match="last character"):
        recovery.decode_recovery(good[:-1] + "1")


def test_errors_carry_their_code() -> None:
    assert TroubleError("storage-full", "make room").code == "storage-full"
    assert str(RefusedError("E_SIG")) == "E_SIG"


# ---- geometry

SQUARE = [(0, 0), (0, 100), (100, 100), (100, 0)]


@pytest.mark.parametrize(
    "points",
    [
        [(0, 0), (0, 100)],
        [(n, n * n) for n in range(33)],
        [(0, 0), (100, 100), (0, 100), (100, 0)],  # a bow tie
        [(0, 0), (0, 100), (0, 50)],  # folds back
        [(0, 0), (0, 100), (0, 0), (100, 0)],  # a point twice
        [(850_000_001, 0), (850_000_001, 100), (849_999_999, 50)],
        [(0, 0), (0, 1_000_001), (100, 50)],
        [(0, 0), (0, 100), (100, 100), (0, 50), (100, 0)],  # a vertex on another edge
        [(0, 0), (0, 100), (50, 100), (0, 50), (-50, 20)],  # touches its own edge
    ],
)
def test_what_is_no_simple_polygon_is_refused(points: list[tuple[int, int]]) -> None:
    with pytest.raises(RefusedError) as refused:
        geo.check_polygon(points)
    assert refused.value.code == "E_AREA"


@pytest.mark.parametrize(
    "points",
    [
        SQUARE,
        [(0, 0), (0, 50), (0, 100), (100, 100), (100, 0)],  # three on a line
        [(0, 0), (0, 100), (100, 100), (50, 50), (100, 0)],  # concave
        [(0, 0), (0, 100), (50, 200)],
    ],
)
def test_a_simple_polygon_is_taken(points: list[tuple[int, int]]) -> None:
    geo.check_polygon(points)


def test_inside_is_exact_to_the_last_digit() -> None:
    assert geo.contains(SQUARE, (50, 50))
    assert not geo.contains(SQUARE, (50, 101))
    assert not geo.contains(SQUARE, (101, 50))
    on_edges = [geo.contains(SQUARE, point) for point in ((0, 50), (50, 0), (100, 50), (50, 100))]
    assert on_edges == [True, False, False, True] or on_edges.count(True) == 2


def test_the_area_is_in_square_metres() -> None:
    side_e7 = 100_000  # 0.01 degree: 1,113 m
    square = [(0, 0), (0, side_e7), (side_e7, side_e7), (side_e7, 0)]
    assert geo.area_m2(square) == pytest.approx(1_113.1949**2, rel=1e-6)
    north = [(lat + 600_000_000, lon) for lat, lon in square]
    assert geo.area_m2(north) == pytest.approx(1_113.1949**2 / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("point", "cell"),
    [
        ((377_749_000, -1_224_194_000), "9q8y"),
        ((515_033_000, -1_276_000), "gcpu"),
        ((-338_688_000, 1_512_093_000), "r3gx"),
    ],
)
def test_geohash_cells_are_the_worlds(point: tuple[int, int], cell: str) -> None:
    assert geo.geohash(point, 4) == cell
    assert geo.geohash(point, 3) == cell[:3]


def test_a_polygon_touches_the_cells_of_all_its_points() -> None:
    wide = [(377_000_000, -1_224_500_000), (377_000_000, -1_223_600_000), (377_900_000, -1_224_000_000)]
    cells = geo.cells_touched(wide, 4)
    assert {geo.geohash(point, 4) for point in wide} <= cells
    assert len(geo.cells_touched(wide, 3)) >= 1
    assert geo.cells_touched([(0, 0), (0, 0), (0, 0)], 4) == {geo.geohash((0, 0), 4)}


# ---- jitter


def test_delays_are_jittered_within_their_bounds() -> None:
    delays = [jitter.full_jitter_s(attempt, low_s=5, high_s=900) for attempt in range(40)]
    assert all(5 <= delay <= 900 for delay in delays)
    assert jitter.full_jitter_s(0, low_s=5, high_s=900) <= 10
    assert 1 <= jitter.uniform_s(1, 2) <= 2
