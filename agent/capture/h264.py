"""H.264 byte streams: Annex B and AVCC, parameter sets and the codec's name. Pure.

Annex B (ITU-T H.264, annex B) puts a start code before each NAL unit; AVCC (ISO/IEC 14496-15) puts its length
there and keeps SPS and PPS in a box. Only the head of an access unit is looked at, never its pictures, so the
cost does not grow with the bit rate.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from agent.core.errors import RefusedError

START_CODE = b"\x00\x00\x00\x01"
_SHORT_CODE = b"\x00\x00\x01"
_SPS, _PPS, _DELIMITER = 7, 8, 9
_LAST_SLICE = 5  # NAL unit types 1-5 carry pictures (table 7-1)
_LENGTH_BYTES = 4
_SPS_HEAD_BYTES = 4  # NAL header, profile, constraints, level


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a decoder needs before the first picture.

    Attributes:
        sets: SPS and PPS in Annex B, each with a four-byte start code.
        length_bytes: width of the lengths in the packets that come with them; 0 when those are Annex B already.
    """

    sets: bytes
    length_bytes: int


def parse_extradata(extradata: bytes) -> Parameters:
    """Return the parameter sets of a stream's `extradata`, in either form.

    Raises:
        RefusedError: "h264" when there is no SPS or the box is cut short.
    """
    if extradata[:1] == b"\x01":
        return _parse_avcc(extradata)
    sets, _ = split_head(memoryview(extradata))
    if not sets:
        raise RefusedError("h264", "the stream has no sequence parameter set")
    return Parameters(sets, 0)


def _parse_avcc(box: bytes) -> Parameters:
    sets = bytearray()
    try:
        length_bytes = (box[4] & 3) + 1
        at = 5
        for mask in (0x1F, 0xFF):  # the count of SPS has three reserved bits before it
            count = box[at] & mask
            at += 1
            for _ in range(count):
                size = int.from_bytes(box[at : at + 2], "big")
                unit = box[at + 2 : at + 2 + size]
                if len(unit) != size or size < 1:
                    raise RefusedError("h264", "a parameter set is cut short")
                sets += START_CODE + unit
                at += 2 + size
    except IndexError as exc:
        raise RefusedError("h264", "the parameter sets are cut short") from exc
    if not sets:
        raise RefusedError("h264", "the stream has no sequence parameter set")
    return Parameters(bytes(sets), length_bytes)


def avcc_to_annexb(unit: bytearray, length_bytes: int) -> memoryview:
    """Return an AVCC access unit as Annex B; in place where lengths have four bytes, as almost all do.

    Raises:
        RefusedError: "h264" when the lengths don't add up.
    """
    pieces: list[tuple[int, int]] = []
    at = 0
    while at < len(unit):
        size = int.from_bytes(unit[at : at + length_bytes], "big")
        at += length_bytes
        if at + size > len(unit):
            raise RefusedError("h264", "a NAL unit is longer than its packet")
        pieces.append((at, size))
        at += size
    if length_bytes == _LENGTH_BYTES:
        for start, _ in pieces:
            unit[start - _LENGTH_BYTES : start] = START_CODE
        return memoryview(unit)
    return memoryview(b"".join(START_CODE + unit[start : start + size] for start, size in pieces))


def split_head(unit: memoryview) -> tuple[bytes, int]:
    """Return the parameter sets before the first picture, and the offset of what follows the last of them.

    Delimiters and SEI before the last parameter set are left behind; a unit without any gives (b"", offset
    after a leading delimiter).
    """
    sets = bytearray()
    rest = 0
    for kind, code, start, end in _head(unit):
        if kind in (_SPS, _PPS):
            sets += START_CODE + bytes(unit[start:end])
            rest = end
        elif kind == _DELIMITER and code == rest:
            rest = end
    return bytes(sets), rest


def codec_name(sets: bytes) -> str:
    """Return the RFC 6381 name, "avc1." and profile, constraints and level of the first SPS in hex.

    Raises:
        RefusedError: "h264" when there is none.
    """
    for kind, _, start, end in _head(memoryview(sets)):
        if kind == _SPS and end - start >= _SPS_HEAD_BYTES:
            return "avc1." + sets[start + 1 : start + 4].hex()
    raise RefusedError("h264", "the stream has no sequence parameter set")


def _head(unit: memoryview) -> Iterator[tuple[int, int, int, int]]:
    """Yield (type, offset of the start code, start, end) of the NAL units up to the first picture.

    A parameter set has no three zero bytes inside, and its end may be followed by zeros that belong to the next
    start code: `end` leaves them out.
    """
    text = bytes(unit[:_HEAD_BYTES])
    code = text.find(_SHORT_CODE)
    while code >= 0:
        start = code + len(_SHORT_CODE)
        if start >= len(text):
            return
        kind = text[start] & 0x1F
        if 1 <= kind <= _LAST_SLICE:
            return
        following = text.find(_SHORT_CODE, start)
        end = len(unit) if following < 0 else following
        while following >= 0 and end > start and text[end - 1] == 0:
            end -= 1
        before = code - 1 if code > 0 and text[code - 1] == 0 else code
        yield kind, before, start, end
        code = following


_HEAD_BYTES = 4096  # SPS, PPS and SEI of all encoders known here fit; a longer head is taken as pictures
