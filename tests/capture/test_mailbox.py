"""The mailbox: newest frame, all packets, a bound, one wake-up."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.capture.mailbox import MOST_PACKETS, Mailbox
from agent.capture.source import Packet
from agent.core.errors import TroubleError


def packet(number: int, *, key: bool = False) -> Packet:
    return Packet(memoryview(b"x"), number, key)


def box() -> tuple[Mailbox[int], list[int]]:
    given_back: list[int] = []
    return Mailbox(given_back.append), given_back


def test_one_letter_has_the_newest_frame_and_all_packets() -> None:
    mailbox, given_back = box()
    for number in range(3):
        mailbox.put_packet(packet(number, key=number == 0))
        mailbox.put_frame(number, number)
    letter = mailbox.take(0)
    assert letter is not None
    assert letter.frame == 2
    assert [one.capture_ns for one in letter.packets] == [0, 1, 2]
    assert (letter.frames, letter.dropped) == (3, 0)
    assert given_back == [0, 1]
    assert mailbox.take(0) is None


def test_packets_alone_wake_nobody() -> None:
    mailbox, _ = box()
    mailbox.put_packet(packet(0, key=True))
    assert mailbox.take(0.01) is None
    mailbox.put_frame(7, 7)
    letter = mailbox.take(0)
    assert letter is not None
    assert len(letter.packets) == 1


def test_packets_before_the_first_key_frame_are_left_out_and_later_ones_kept_over_letters() -> None:
    mailbox, _ = box()
    mailbox.put_packet(packet(0))
    mailbox.put_packet(packet(1, key=True))
    mailbox.put_frame(0, 0)
    first = mailbox.take(0)
    mailbox.put_packet(packet(2))
    mailbox.put_frame(1, 1)
    second = mailbox.take(0)
    assert first is not None
    assert second is not None
    assert [one.capture_ns for one in first.packets + second.packets] == [1, 2]
    assert first.dropped + second.dropped == 0


@given(keys=st.lists(st.booleans(), min_size=1, max_size=3 * MOST_PACKETS))
def test_an_overflow_keeps_what_can_be_decoded_and_counts_the_rest(keys: list[bool]) -> None:
    mailbox, _ = box()
    keys[0] = True
    for number, key in enumerate(keys):
        mailbox.put_packet(packet(number, key=key))
    mailbox.put_frame(0, 0)
    letter = mailbox.take(0)
    assert letter is not None
    assert len(letter.packets) <= MOST_PACKETS
    assert len(letter.packets) + letter.dropped == len(keys)
    if letter.packets:
        assert letter.packets[0].is_keyframe
        numbers = [one.capture_ns for one in letter.packets]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_reader_is_woken_by_a_frame() -> None:
    mailbox, _ = box()
    threading.Timer(0.05, mailbox.put_frame, (1, 1)).start()
    began = time.monotonic()
    assert mailbox.take(5) is not None
    assert time.monotonic() - began < 2


def test_trouble_comes_after_what_is_there_and_the_first_one_stays() -> None:
    mailbox, given_back = box()
    mailbox.put_packet(packet(1, key=True))
    mailbox.put_frame(1, 1)
    mailbox.fail(TroubleError("zones", "first"))
    mailbox.fail(TroubleError("camera-failed", "second"))
    mailbox.put_packet(packet(2))
    mailbox.put_frame(2, 2)
    assert given_back == [2]
    letter = mailbox.take(0)
    assert letter is not None
    assert [one.capture_ns for one in letter.packets] == [1]
    for _ in range(2):
        with pytest.raises(TroubleError, match="first"):
            mailbox.take(0)


def test_trouble_wakes_the_reader() -> None:
    mailbox, _ = box()
    threading.Timer(0.05, mailbox.fail, (TroubleError("camera-failed", "it broke"),)).start()
    began = time.monotonic()
    with pytest.raises(TroubleError):
        mailbox.take(5)
    assert time.monotonic() - began < 2


def test_after_closing_every_frame_goes_straight_back() -> None:
    mailbox, given_back = box()
    mailbox.put_frame(1, 1)
    mailbox.close()
    mailbox.put_frame(2, 2)
    assert given_back == [1, 2]
