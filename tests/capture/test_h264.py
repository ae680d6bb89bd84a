"""H.264 byte streams, against FFmpeg's own encoder and against every cut of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.capture import h264
from agent.core.errors import RefusedError

SPS = bytes.fromhex("6742c01e95a0503fe6c044000003000400000300f23c58b920")
PPS = bytes.fromhex("68cb83cb20")
AVCC = (
    b"\x01\x42\xc0\x1e\xff\xe1" + len(SPS).to_bytes(2, "big") + SPS + b"\x01" + len(PPS).to_bytes(2, "big") + PPS
)
SETS = h264.START_CODE + SPS + h264.START_CODE + PPS
SEI, IDR, DELIMITER = b"\x06\x05\x04abcd\x80", b"\x65\x88\x80\x40\x00\x01\x02", b"\x09\x10"


def unit(*nals: bytes, short: bool = False) -> memoryview:
    code = h264.START_CODE[1:] if short else h264.START_CODE
    return memoryview(b"".join(code + nal for nal in nals))


def test_both_forms_of_extradata_give_the_same_sets() -> None:
    assert h264.parse_extradata(AVCC) == h264.Parameters(SETS, 4)
    assert h264.parse_extradata(SETS) == h264.Parameters(SETS, 0)
    assert h264.parse_extradata(bytes(unit(DELIMITER, SPS, SEI, PPS, short=True))) == h264.Parameters(SETS, 0)


def test_zeros_after_a_parameter_set_are_not_part_of_it() -> None:
    padded = h264.START_CODE + SPS + b"\0\0" + h264.START_CODE + PPS
    assert h264.parse_extradata(padded).sets == SETS


@pytest.mark.parametrize("length", range(len(AVCC)))
def test_an_avcc_box_that_is_cut_short_is_refused(length: int) -> None:
    with pytest.raises(RefusedError):
        h264.parse_extradata(AVCC[:length])


@given(st.binary(max_size=80))
def test_no_extradata_breaks_the_parser(raw: bytes) -> None:
    try:
        parameters = h264.parse_extradata(raw)
    except RefusedError:
        return
    assert parameters.sets.startswith(h264.START_CODE)


@pytest.mark.parametrize("short", [False, True])
def test_the_head_is_cut_after_the_last_parameter_set(short: bool) -> None:
    whole = unit(DELIMITER, SPS, PPS, SEI, IDR, short=short)
    sets, rest = h264.split_head(whole)
    assert sets == SETS
    assert bytes(whole[rest:]) == bytes(unit(SEI, IDR, short=short))


def test_a_unit_without_parameter_sets_loses_only_its_delimiter() -> None:
    whole = unit(DELIMITER, SEI, IDR)
    assert h264.split_head(whole) == (b"", len(unit(DELIMITER)))
    plain = unit(IDR)
    assert h264.split_head(plain) == (b"", 0)


@given(st.binary(max_size=200))
def test_a_head_never_reaches_beyond_its_unit(raw: bytes) -> None:
    sets, rest = h264.split_head(memoryview(raw))
    assert 0 <= rest <= len(raw)
    assert bool(sets) <= (rest > 0)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_lengths_of_any_width_become_start_codes(size: int) -> None:
    raw = bytearray(b"".join(len(nal).to_bytes(size, "big") + nal for nal in (SEI, IDR)))
    assert bytes(h264.avcc_to_annexb(raw, size)) == bytes(unit(SEI, IDR))


def test_lengths_of_four_bytes_are_replaced_in_place() -> None:
    raw = bytearray(len(IDR).to_bytes(4, "big") + IDR)
    assert h264.avcc_to_annexb(raw, 4).obj is raw


@given(raw=st.binary(max_size=60), size=st.sampled_from([1, 2, 4]))
def test_lengths_that_do_not_add_up_are_refused(raw: bytes, size: int) -> None:
    try:
        out = h264.avcc_to_annexb(bytearray(raw), size)
    except RefusedError:
        return
    assert (len(out) == 0) == (len(raw) == 0)


def test_the_codec_is_named_by_the_first_sps() -> None:
    assert h264.codec_name(SETS) == "avc1.42c01e"
    with pytest.raises(RefusedError):
        h264.codec_name(h264.START_CODE + PPS)
