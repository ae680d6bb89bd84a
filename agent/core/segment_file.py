"""The segment file: protocol section 9. Meta in the clear, the film sealed under a key of its own.

The meta is bound to the film through the sealing context, so neither can be exchanged alone. A segment opens
as a whole or not at all: a cut, longer or changed file is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal, TypeAlias, cast, get_args

from cryptography.cobblestone import Cobblestone128Decryptor, Cobblestone128Encryptor
from cryptography.exceptions import InvalidTag

from agent.core.errors import RefusedError
from agent.core.ids import Id, Kid, is_id, is_kid, sha256_hex
from agent.core.strict_json import MAX_INTEGER, Json, closed, dump, is_integer, parse

MAGIC: Final = b"DBSEG1\0\0"
MAX_META_BYTES: Final = 4_096  # section 9
# Bounds a forged length, far above what is recorded. Section 9: segments of 1-10 s; this is 43 s at twice the
# highest bit rate that [camera] takes (25 Mbit/s), for cameras whose key frames are rare.
MAX_FILE_BYTES: Final = 256 * 1024 * 1024
_HEADER_BYTES: Final = len(MAGIC) + 2
_CHUNK_BYTES: Final = 16_384  # Cobblestone-128: 16 kB chunks, each with a 16-byte tag
_TAG_BYTES: Final = 16
_SEALED_HEADER_BYTES: Final = 56
_MAX_SIDE_PX: Final = 65_535
_CODEC: Final = re.compile(r"[a-z0-9]{2,8}(?:\.[A-Za-z0-9]{1,16}){0,8}", re.ASCII)

SegmentClock: TypeAlias = Literal["synced", "unsynced", "suspect"]
TriggerKind: TypeAlias = Literal["motion", "press", "manual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentMeta:
    """What a segment says of itself, in the order in which it is written.

    Attributes:
        id: the segment; clip: the recording that it belongs to; n: its place in it, from 0.
        start_ms, end_ms: UTC as the device knew it; `end_ms` is the next segment's `start_ms`.
        clock: how far UTC could be trusted.
        boot: the boot in which it was recorded; mono_ms: CLOCK_BOOTTIME of the first frame.
        device: kid of the device.
        codec: RFC 6381; width, height: in px.
        trigger: what started the clip.
        masked: privacy zones burnt in; dropped: frames lost in it.
    """

    id: Id
    clip: Id
    n: int
    start_ms: int
    end_ms: int
    clock: SegmentClock
    boot: Id
    mono_ms: int
    device: Kid
    codec: str
    width: int
    height: int
    trigger: TriggerKind
    masked: int
    dropped: int


_META_KEYS: Final = frozenset({"v", *SegmentMeta.__dataclass_fields__})
_COUNTS: Final = ("n", "start_ms", "end_ms", "mono_ms", "masked", "dropped")


def encode_meta(meta: SegmentMeta) -> bytes:
    """Write the meta as the bytes that are bound to the film."""
    return dump({"v": 1, **asdict(meta)})


def _holds(value: dict[str, Json]) -> bool:
    codec = value["codec"]
    return (
        is_integer(value["v"], low=1, high=1)
        and all(is_integer(value[name], low=0, high=MAX_INTEGER) for name in _COUNTS)
        and all(is_integer(value[name], low=1, high=_MAX_SIDE_PX) for name in ("width", "height"))
        and all(is_id(value[name]) for name in ("id", "clip", "boot"))
        and is_kid(value["device"])
        and value["clock"] in get_args(SegmentClock)
        and value["trigger"] in get_args(TriggerKind)
        and isinstance(codec, str)
        and _CODEC.fullmatch(codec) is not None
        and cast("int", value["start_ms"]) <= cast("int", value["end_ms"])
    )


def parse_meta(raw: bytes) -> SegmentMeta:
    """Parse a meta.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_SEGMENT.
    """
    value = closed(parse(raw, max_bytes=MAX_META_BYTES), _META_KEYS, "E_SEGMENT", "the meta")
    if not _holds(value):
        raise RefusedError("E_SEGMENT", "a field of the meta has the wrong form")
    del value["v"]
    return SegmentMeta(**value)  # type: ignore[arg-type]  # every field was just checked


def split(file: bytes | bytearray | memoryview) -> tuple[SegmentMeta, bytes, memoryview]:
    """Split a segment file into its meta, the meta's bytes and the sealed film.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_SEGMENT.
    """
    view = memoryview(file)
    if not _HEADER_BYTES <= len(view) <= MAX_FILE_BYTES or bytes(view[: len(MAGIC)]) != MAGIC:
        raise RefusedError("E_SEGMENT", "no segment file")
    end = _HEADER_BYTES + int.from_bytes(view[len(MAGIC) : _HEADER_BYTES], "big")
    if end > len(view):
        raise RefusedError("E_SEGMENT", "the file ends inside its meta")
    meta_raw = bytes(view[_HEADER_BYTES:end])
    return parse_meta(meta_raw), meta_raw, view[end:]


def segment_context(meta_raw: bytes) -> bytes:
    """Return the context that binds a film to the bytes of its meta: section 9."""
    return b"doorbell/segment/v1\0" + bytes.fromhex(sha256_hex(meta_raw))


def open_segment(file: bytes | bytearray | memoryview, cek: bytes) -> tuple[SegmentMeta, bytes]:
    """Open a segment with its key; returns its meta and the MP4.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_SEGMENT.
    """
    meta, meta_raw, sealed = split(file)
    try:
        decryptor = Cobblestone128Decryptor(cek, segment_context(meta_raw))
        return meta, decryptor.update(sealed) + decryptor.finalize()
    except (InvalidTag, ValueError) as exc:
        raise RefusedError("E_SEGMENT", "the segment does not open: cut, changed or another key") from exc


def sealed_bytes(meta_bytes: int, mp4_bytes: int) -> int:
    """Return the length of the segment file of an MP4 of that length."""
    chunks = mp4_bytes // _CHUNK_BYTES + 1  # the last one is never full: it may be empty
    return _HEADER_BYTES + meta_bytes + _SEALED_HEADER_BYTES + mp4_bytes + chunks * _TAG_BYTES


class Sealer:
    """Seals one MP4 after the other through one reused buffer.

    The answer of `seal` is a view of that buffer: it holds until the next call.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def seal(self, meta_raw: bytes, mp4: bytes | bytearray | memoryview, cek: bytes) -> memoryview:
        """Return the whole segment file.

        Args:
            meta_raw: what `encode_meta` wrote, at most 4,096 bytes.
            mp4: the film.
            cek: a fresh 16-byte key, used for nothing else.

        Raises:
            RefusedError: E_SIZE when meta or file are too long.
        """
        size = sealed_bytes(len(meta_raw), len(mp4))
        if len(meta_raw) > MAX_META_BYTES or size > MAX_FILE_BYTES:
            raise RefusedError("E_SIZE", "the segment is too large")
        if len(self._buffer) < size:
            self._buffer = bytearray(size)
        view = memoryview(self._buffer)
        start = _HEADER_BYTES + len(meta_raw)
        view[:start] = MAGIC + len(meta_raw).to_bytes(2, "big") + meta_raw
        encryptor = Cobblestone128Encryptor(cek, segment_context(meta_raw))
        start += encryptor.update_into(mp4, view[start:])
        tail = encryptor.finalize()
        view[start : start + len(tail)] = tail
        return view[: start + len(tail)]


def join_mp4(segments: Sequence[bytes]) -> bytes:
    """Join the MP4s of one clip, in order: the first as it is, of the others what follows `ftyp moov`.

    Raises:
        RefusedError: E_SEGMENT, when one of them does not start with the first one's `ftyp moov`.
    """
    init = split_init(segments[0])
    if any(not bytes(segment[: len(init)]) == init for segment in segments[1:]):
        raise RefusedError("E_SEGMENT", "the segments are not of one clip")
    return b"".join([segments[0], *(segment[len(init) :] for segment in segments[1:])])


def split_init(mp4: bytes) -> bytes:
    """Return the `ftyp moov` with which a fragmented MP4 starts.

    Raises:
        RefusedError: E_SEGMENT, when it starts with something else.
    """
    end = 0
    for name in (b"ftyp", b"moov"):
        size = int.from_bytes(mp4[end : end + 4], "big")
        if mp4[end + 4 : end + 8] != name or size < 8 or end + size > len(mp4):  # noqa: PLR2004 - a box header
            raise RefusedError("E_SEGMENT", "not a fragmented MP4")
        end += size
    return mp4[:end]
