"""The inbox between broker and vault is bounded and starves nobody."""

import threading

from agent.uplink.inbox import Arrived, Inbox


def message(number: int, size: int = 10) -> Arrived:
    return Arrived("req", str(number).encode().ljust(size))


def test_messages_come_out_in_the_order_they_came_in() -> None:
    inbox = Inbox()
    for number in range(5):
        inbox.put(message(number))
    assert [inbox.get() for _ in range(5)] == [message(number) for number in range(5)]
    assert not inbox.take_overflow()


def test_it_holds_no_more_messages_than_its_bound() -> None:
    inbox = Inbox(max_messages=8)
    for number in range(100):
        inbox.put(message(number))
    assert inbox.dropped == 92


def test_it_holds_no_more_bytes_than_its_bound() -> None:
    inbox = Inbox(max_bytes=1000)
    for number in range(100):
        inbox.put(message(number, 100))
    assert inbox.dropped == 90


def test_an_overflow_is_told_once_and_only_when_there_is_room_again() -> None:
    inbox = Inbox(max_messages=2)
    for number in range(3):
        inbox.put(message(number))
    assert not inbox.take_overflow()
    inbox.get()
    inbox.get()
    assert inbox.take_overflow()
    assert not inbox.take_overflow()


def test_a_message_that_did_not_reach_the_vault_counts_as_an_overflow() -> None:
    inbox = Inbox()
    inbox.lost()
    assert inbox.dropped == 1
    assert inbox.take_overflow()


def test_no_message_of_a_repeated_flood_is_starved() -> None:
    """A broker repeats the same order each time; the last one must get through some time."""
    for _ in range(200):
        inbox = Inbox(max_messages=10)
        for number in range(40):
            inbox.put(message(number))
        if message(0) in [inbox.get() for _ in range(10)]:
            break
    else:
        raise AssertionError("the first message never survived 200 floods")


def test_close_lets_a_waiting_reader_go() -> None:
    inbox = Inbox()
    got: list[Arrived | None] = []
    reader = threading.Thread(target=lambda: got.append(inbox.get()))
    reader.start()
    inbox.close()
    reader.join(5)
    assert got == [None]
