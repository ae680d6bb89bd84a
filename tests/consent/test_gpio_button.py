"""The pins, through gpiozero's own mock of a board."""

import builtins
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from gpiozero.pins.mock import MockFactory

from agent.consent import gpio_button
from agent.consent.button import BELL, INDOOR, Gesture, Pattern, Timing
from agent.consent.gpio_button import MAX_WAITING, GpioContact, GpioLamp
from agent.core.errors import TroubleError

PIN = 17
MS = 10**6


class Heard:
    """Gestures as they come, and a way to wait for them."""

    def __init__(self) -> None:
        self.gestures: list[Gesture] = []
        self.came = threading.Condition()

    def __call__(self, gesture: Gesture) -> None:
        with self.came:
            self.gestures.append(gesture)
            self.came.notify_all()

    def wait(self, count: int) -> bool:
        with self.came:
            return self.came.wait_for(lambda: len(self.gestures) >= count, timeout=20)


@pytest.fixture
def board() -> Iterator[MockFactory]:
    factory = MockFactory()
    yield factory
    factory.reset()


def contact(board: MockFactory, timing: Timing, heard: Callable[[Gesture], None]) -> GpioContact:
    return GpioContact(PIN, timing, boot_ns=time.monotonic_ns, on_gesture=heard, factory=board)


def test_a_press_on_the_pin_is_reported_once(board: MockFactory) -> None:
    heard = Heard()
    with contact(board, INDOOR, heard):
        board.pin(PIN).drive_low()
        time.sleep(0.12)
        board.pin(PIN).drive_high()
        assert heard.wait(1)
        time.sleep(0.05)
    assert heard.gestures == [Gesture.PRESS]


def test_a_bounce_on_the_pin_is_nothing(board: MockFactory) -> None:
    heard = Heard()
    now_ns = [10**9]
    with GpioContact(PIN, INDOOR, boot_ns=lambda: now_ns[0], on_gesture=heard, factory=board):
        for _ in range(20):
            board.pin(PIN).drive_low()
            now_ns[0] += MS
            board.pin(PIN).drive_high()
            now_ns[0] += MS
        now_ns[0] += 1000 * MS
        board.pin(PIN).drive_low()
        board.pin(PIN).drive_high()
    assert heard.gestures == []


def test_a_hold_is_reported_while_the_button_is_down(board: MockFactory) -> None:
    heard = Heard()
    quick = Timing(debounce_ns=5 * MS, press_ns=10 * MS, hold_ns=50 * MS)
    with contact(board, quick, heard):
        board.pin(PIN).drive_low()
        assert heard.wait(1)
        board.pin(PIN).drive_high()
        time.sleep(0.05)
    assert heard.gestures == [Gesture.HOLD]


def test_the_bell_rings_while_the_visitor_still_pushes(board: MockFactory) -> None:
    heard = Heard()
    with contact(board, BELL, heard):
        board.pin(PIN).drive_low()
        assert heard.wait(1)
    assert heard.gestures == [Gesture.PRESS]


def test_a_contact_that_is_stuck_at_the_start_opens_no_pairing_window(board: MockFactory) -> None:
    heard = Heard()
    quick = Timing(debounce_ns=5 * MS, press_ns=10 * MS, hold_ns=20 * MS)
    board.pin(PIN).drive_low()
    with contact(board, quick, heard):
        time.sleep(0.06)
        board.pin(PIN).drive_high()
        time.sleep(0.02)
        assert heard.gestures == []
        board.pin(PIN).drive_low()
        assert heard.wait(1)


def test_gestures_that_nobody_takes_are_dropped_and_counted(board: MockFactory) -> None:
    go = threading.Event()
    instant = Timing(debounce_ns=0, press_ns=0, hold_ns=None, on_closing=True)

    def slow(_gesture: Gesture) -> None:
        go.wait(20)

    with contact(board, instant, slow) as held:
        for _ in range(MAX_WAITING + 4):
            board.pin(PIN).drive_low()
            time.sleep(0.002)
            board.pin(PIN).drive_high()
            time.sleep(0.002)
        assert 1 <= held.dropped <= 4
        go.set()


def test_a_gesture_that_nobody_could_take_costs_only_itself(
    board: MockFactory, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()

    def full_once(gesture: Gesture) -> None:
        heard(gesture)
        if len(heard.gestures) == 1:
            raise TroubleError("busy", "the vault has too much to do")

    with contact(board, BELL, full_once):
        for count in (1, 2):
            board.pin(PIN).drive_low()
            assert heard.wait(count)
            board.pin(PIN).drive_high()
            time.sleep(0.12)
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_a_contact_may_be_closed_by_what_it_reports_to(board: MockFactory) -> None:
    closed = threading.Event()

    def close(_gesture: Gesture) -> None:
        held.close()
        closed.set()

    held = contact(board, BELL, close)
    board.pin(PIN).drive_low()
    assert closed.wait(20)


def test_a_pin_that_is_in_use_is_trouble_in_plain_words(board: MockFactory) -> None:
    with contact(board, INDOOR, Heard()), pytest.raises(TroubleError, match="pin 17 can't be used") as trouble:
        contact(board, INDOOR, Heard())
    assert trouble.value.code == "button"


def test_a_board_without_gpiozero_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name == "gpiozero":
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TroubleError, match="apt install python3-gpiozero"):
        gpio_button.GpioLamp(PIN)


def test_the_lamp_shows_each_pattern(board: MockFactory) -> None:
    lamp = GpioLamp(PIN, factory=board)
    pin = board.pin(PIN)
    assert not pin.state
    lamp.show(Pattern.GLOW)
    assert pin.state
    lamp.show(Pattern.DARK)
    assert not pin.state
    lamp.show(Pattern.FLASH)
    seen: set[bool] = set()
    end = time.monotonic() + 1
    while time.monotonic() < end and len(seen) < 2:
        seen.add(bool(pin.state))
        time.sleep(0.01)
    assert seen == {True, False}
    lamp.show(Pattern.FLASH)  # nothing starts anew
    lamp.show(Pattern.DARK)
    assert not pin.state
    lamp.close()
