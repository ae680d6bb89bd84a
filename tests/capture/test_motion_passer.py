"""Something large that passes where every block is restless, and what must not be taken for it."""

import numpy as np
import numpy.typing as npt
import pytest

from agent.capture.motion import MotionKernel
from agent.capture.motion_background import Background
from agent.capture.motion_passer import Passer
from agent.capture.motion_texture import Texture
from tests.capture import scenes

SHAPE = (30, 40)
Picture = npt.NDArray[np.float32]


class Street:
    """A textured place in which every threshold is as high as it can be, looked at ten times a second."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(5)
        self.empty = self.rng.uniform(90, 150, SHAPE).astype(np.float32)
        self.seen = Background(SHAPE, scale=1.0, zone=np.ones(SHAPE, np.float32))
        self.seen.restart(self.empty.astype(np.uint8))
        self.seen.restless.fill(255)
        self.seen.learn(first=False)
        self.passer = Passer(SHAPE, Texture(SHAPE))
        self.now_s = 10.0

    def look(self, picture: Picture) -> bool:
        self.now_s += 0.1
        small = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        self.seen.compare(small, 0.1, np.full(SHAPE, 255, np.uint8))
        return self.passer.passes(self.seen, small, self.now_s)

    def with_car(self, left: int, *, tone: float = 10.0, long: int = 12) -> Picture:
        picture = self.empty.copy()
        part = picture[12:20, max(0, left) : max(0, left + long)]
        part[:] = tone + self.rng.uniform(-8, 8, part.shape)
        return picture


def test_a_car_that_passes_within_a_second_is_believed_and_its_place_is_known() -> None:
    street = Street()
    assert not street.look(street.empty)
    looks = [street.look(street.with_car(left)) for left in range(-6, 40, 5)]
    assert not any(looks[:3]), "shorter than insects near the lens"
    assert all(looks[4:8])
    street.look(street.with_car(20))
    rows, columns = np.nonzero(street.passer.region)
    assert (rows.min(), rows.max()) == (12, 19)
    assert columns.min() >= 20
    assert columns.max() <= 31
    assert 10.1 < street.passer.since_s <= 10.4


def test_what_stands_does_not_pass() -> None:
    street = Street()
    assert not any(street.look(street.with_car(10)) for _ in range(40))


def test_who_stopped_no_longer_passes() -> None:
    street = Street()
    assert any(street.look(street.with_car(left)) for left in range(0, 25, 4))
    stands = [street.look(street.with_car(24)) for _ in range(20)]
    assert not any(stands[12:])


def test_another_one_must_be_believed_anew() -> None:
    street = Street()
    assert any(street.look(street.with_car(left)) for left in range(0, 25, 5))
    for _ in range(5):
        street.look(street.empty)
    assert not street.look(street.with_car(0))
    assert not street.look(street.with_car(5))


@pytest.mark.parametrize("gain", [0.3, 2.0])
def test_light_that_sweeps_over_the_place_does_not_pass(gain: float) -> None:
    street, looks = Street(), []
    street.empty = np.asarray(street.empty * 0.6, np.float32)
    street.seen.restart(street.empty.astype(np.uint8))
    street.seen.per_threshold.fill(1 / 10)
    for left in range(0, 28, 5):
        picture = street.empty.copy()
        picture[8:22, left : left + 12] *= gain
        looks.append(street.look(picture))
        assert (street.seen.ratio[10:20, left + 1 : left + 11] > 1).all(), "it is strong enough"
    assert not any(looks)


def test_leaves_darker_and_brighter_in_turn_do_not_pass() -> None:
    street, looks = Street(), []
    for left in range(0, 28, 5):
        picture = street.with_car(left)
        picture[12:20, left : left + 3] = 225
        looks.append(street.look(picture))
    assert not any(looks)


def test_what_is_fainter_than_leaves_can_be_does_not_pass() -> None:
    street = Street()
    street.seen.per_threshold.fill(1 / 10)
    assert not any(street.look(street.with_car(left, tone=80)) for left in range(0, 40, 5))


def test_what_is_small_does_not_pass() -> None:
    street = Street()
    assert not any(street.look(street.with_car(left, long=4)) for left in range(0, 36, 4))


def test_what_is_smaller_than_the_owners_minimum_does_not_pass() -> None:
    street = Street()
    street.passer = Passer(SHAPE, Texture(SHAPE), minimum_blocks=0.1 * SHAPE[0] * SHAPE[1])
    assert not any(street.look(street.with_car(left)) for left in range(0, 40, 5))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clouds", "headlights", "insects", "tree_shadows"])
def test_nothing_passes_where_nobody_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    believed: list[float] = []
    passes = Passer.passes

    def noted(self: Passer, seen: Background, small: npt.NDArray[np.uint8], now_s: float) -> bool:
        if passed := passes(self, seen, small, now_s):
            believed.append(now_s)
        return passed

    monkeypatch.setattr(Passer, "passes", noted)
    kernel = MotionKernel((320, 240))
    for shot in scenes.play(name, 8):
        kernel.step(shot.luma, shot.t_ms)
    assert not believed
