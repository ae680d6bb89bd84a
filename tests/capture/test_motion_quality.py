"""How well the kernel sees, with its one default, on made-up scenes with exact truth and on real clips."""

import pytest

from agent.capture.motion import MotionKernel, MotionSettings
from agent.capture.motion_report import watch
from tests.capture import scenes, scenes_list
from tests.capture.scenes_footage import footage, labels, opencv_clip
from tests.capture.scenes_score import Score, kernel_flags

CALM = ["quiet", "rain", "downpour", "drift", "hunting_exposure", "flicker", "night_noise"]
SOMEBODY = [
    "walker", "slow", "far", "runner", "approach", "stands", "night", "walker_in_rain", "walker_in_snow",
    "walker_by_trees", "close_by_trees", "walker_and_shake", "two_visitors", "exposure_car", "car_parks", "faint",
    "traffic",
]  # fmt: skip
SEED = 11


def scored(name: str, seed: int) -> Score:
    shots = list(scenes.play(name, seed))
    score = Score()
    times = [s.t_ms for s in shots]
    score.add(kernel_flags([s.luma for s in shots], times), times, [s.truth for s in shots])
    return score


def test_there_are_enough_nasty_scenes() -> None:
    assert scenes_list.SHAPE == (240, 320)
    assert len(scenes.SCENES) >= 30


@pytest.mark.slow
@pytest.mark.parametrize("name", CALM)
def test_weather_and_light_do_not_trigger(name: str) -> None:
    assert scored(name, SEED).false == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", SOMEBODY)
def test_whoever_comes_is_recorded(name: str) -> None:
    score = scored(name, SEED)
    assert score.found == score.events > 0
    assert score.recall > 0.8


def test_whoever_is_believed_without_evidence_has_a_score_all_the_same() -> None:
    kernel, before = MotionKernel((320, 240)), False
    for shot in scenes.play("traffic", SEED):
        answer = kernel.step(shot.luma, shot.t_ms)
        if answer.motion and not before:
            assert answer.score >= 1
        before = answer.motion


@pytest.mark.slow
@pytest.mark.parametrize("seed", [307, 333])
def test_whoever_is_faint_is_followed_past_strong_edges_and_over_texture(seed: int) -> None:
    assert scored("faint", seed).recall > 0.95


@pytest.mark.slow
def test_all_scenes_together_stay_within_the_target() -> None:
    total = Score()
    for name in scenes.SCENES:
        shots = list(scenes.play(name, SEED))
        times = [s.t_ms for s in shots]
        total.add(kernel_flags([s.luma for s in shots], times), times, [s.truth for s in shots])
    assert total.found == total.events
    assert total.false_rate <= 0.05
    assert total.recall >= 0.95


@pytest.mark.footage
@pytest.mark.parametrize("name", ["one-by-one-person-detection.mp4", "car-detection.mp4"])
def test_every_event_of_the_real_clips_is_found_and_no_other(name: str) -> None:
    report = watch(footage(name), (320, 240), None, MotionSettings())
    truth = labels(name)
    assert len(report.events) == len(truth)
    for (first, last), (real_first, real_last) in zip(report.events, truth, strict=True):
        assert abs(first - real_first) <= 8
        assert abs(last - real_last) <= 12


@pytest.mark.footage
def test_a_swaying_tree_is_no_visitor_but_the_hand_before_it_is() -> None:
    report = watch(opencv_clip("tree.avi"), (320, 240), 15.0, MotionSettings())
    assert len(report.events) == 1
    first, last = report.events[0]
    assert first >= 44
    assert last >= 60


@pytest.mark.footage
def test_a_street_full_of_people_is_one_long_event() -> None:
    report = watch(opencv_clip("vtest.avi"), (320, 240), None, MotionSettings())
    assert sum(report.marked) > 0.97 * len(report.marked)


def test_a_camera_that_starts_on_a_busy_scene_settles() -> None:
    shots = list(scenes.play("car_leaves", SEED))
    kernel = MotionKernel((320, 240))
    assert not kernel.step(shots[0].luma, 0.0).motion
