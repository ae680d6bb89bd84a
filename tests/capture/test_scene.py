"""Drawn scenes: the same for the same seed, with somebody in them when they say so."""

import cv2
import numpy as np
import pytest

from agent.capture.open_source import open_source
from agent.capture.scene import NAMES, PERIOD_S, Scene
from agent.capture.scene_figures import ARRIVES, COMES, GONE, LEAVES
from agent.capture.source import Moment
from tests.fakes.capture_camera import NS, Camera, HandClock, decode


def changed_share(scene: Scene, first_s: float, second_s: float) -> float:
    before = scene.draw(first_s).copy()
    after = scene.draw(second_s)
    return float((cv2.absdiff(before, after).max(axis=2) > 40).mean())


@pytest.mark.parametrize("name", NAMES)
def test_a_scene_is_the_same_for_the_same_seed_and_time(name: str) -> None:
    one, other = (Scene(name, 320, 180, seed=5) for _ in range(2))
    other.draw(3.0)
    assert (one.draw(7.7) == other.draw(7.7)).all()
    luma, again = np.full((180, 320), 100, np.uint8), np.full((180, 320), 100, np.uint8)
    one.add_noise(luma, 12)
    other.add_noise(again, 12)
    assert (luma == again).all()
    assert luma.std() > 0.5


@pytest.mark.parametrize("name", ["porch", "night", "rain"])
def test_a_visitor_stands_at_the_door_once_in_each_period_and_is_gone_between(name: str) -> None:
    scene = Scene(name, 640, 360, seed=2)
    scene._script = type(scene._script)(
        scene._script.backdrop, tuple(a for a in scene._script.actors if "visitor" in a.__name__)
    )
    at_door = (ARRIVES + LEAVES) / 2
    for visit in range(3):
        empty = (visit + 0.5 * COMES) * PERIOD_S
        assert changed_share(scene, empty, (visit + at_door) * PERIOD_S) > 0.02
        assert changed_share(scene, empty, (visit + GONE + 0.01) * PERIOD_S) == 0.0


def test_visits_leave_a_pause_longer_than_pre_roll_and_post_roll_so_that_each_is_a_clip() -> None:
    assert (1 - GONE + COMES) * PERIOD_S > 15


def test_the_first_visitor_comes_late_enough_to_pair_a_phone_before() -> None:
    assert COMES * PERIOD_S > 10


def test_nobody_comes_to_the_still_scene() -> None:
    scene = Scene("still", 320, 180, seed=1)
    first = scene.draw(0).copy()
    assert all((scene.draw(t) == first).all() for t in np.arange(0, 40, 1.7))


def test_the_street_has_cars_and_a_walker() -> None:
    scene = Scene("street", 640, 360, seed=1)
    scene._script = type(scene._script)(scene._script.backdrop, scene._script.actors)
    shares = [changed_share(scene, 0, PERIOD_S * phase) for phase in (0.27, 0.41, 0.68)]
    assert shares[0] > 0.01
    assert shares[1] > 0.01
    assert shares[2] > 0.002


def test_noise_does_not_move_the_picture() -> None:
    scene = Scene("night", 320, 180, seed=1)
    mean = np.zeros((180, 320))
    for number in range(40):
        luma = np.full((180, 320), 100, np.uint8)
        scene.add_noise(luma, number)
        mean += luma / 40
    assert abs(mean.mean() - 100) < 0.5


def test_a_scene_is_a_camera_with_two_second_key_frames() -> None:
    source = open_source(Camera(source="scene:porch?realtime=0&seed=9&period_s=6"), HandClock())
    info = source.open()
    moments: list[Moment] = [source.read(1) for _ in range(45)]
    source.close()
    packets = [packet for moment in moments for packet in moment.packets]
    assert (info.width, info.height, info.fps, info.motion_size) == (320, 180, 10.0, (160, 90))
    assert [n for n, packet in enumerate(packets) if packet.is_keyframe] == [0, 20, 40]
    assert np.diff([moment.capture_ns for moment in moments]).tolist() == [NS // 10] * 44
    assert len(decode(info.extradata, [packet.data for packet in packets])) == 45


def test_the_encoded_porch_looks_like_the_drawn_one() -> None:
    source = open_source(Camera(source="scene:porch?realtime=0", bitrate=2_000_000), HandClock())
    info = source.open()
    packets = [packet for _ in range(3) for packet in source.read(1).packets]
    source.close()
    shown = decode(info.extradata, [packet.data for packet in packets])[2].to_ndarray(format="bgr24")
    drawn = Scene("porch", 320, 180, seed=1).draw(0.2)
    assert np.abs(shown.astype(int) - drawn).mean() < 8
