"""The motion kernel's promises, one by one; how well it sees is in test_motion_quality."""

import itertools
import sys
import tracemalloc

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from agent.capture import motion_numbers as numbers
from agent.capture.motion import MotionKernel, MotionResult, MotionSettings, Why
from agent.capture.motion_background import Background
from agent.capture.motion_events import events_of, mark
from agent.capture.motion_light import LightFit
from agent.capture.motion_texture import Texture
from agent.capture.pyav_planes import plane_view
from agent.capture.scene import Scene
from agent.capture.scene_footage import SceneFootage
from tests.capture import scenes

Frame = npt.NDArray[np.uint8]
SIZE = (320, 240)


def yard(seed: int = 0) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(60, 190, (30, 40)).astype(np.float32)
    return np.kron(coarse, np.ones((8, 8), np.float32))


def film(
    seconds: float, *, fps: float = 10, seed: int = 0, walker: bool = True, area: tuple[int, int] = (60, 24)
) -> list[tuple[Frame, float]]:
    """A yard; from 3 s on someone crosses at 40 px/s."""
    rng, base, shots = np.random.default_rng(seed + 1), yard(seed), []
    for n in range(int(seconds * fps)):
        t, picture = n / fps, base.copy()
        x = int((t - 3) * 40)
        if walker and x > 0:
            picture[140 : 140 + area[0], max(0, x - area[1]) : x] = 20
        picture += rng.normal(0, 2, picture.shape)
        shots.append((np.clip(picture, 0, 255).astype(np.uint8), t * 1000))
    return shots


def answers(shots: list[tuple[Frame, float]], settings: MotionSettings | None = None) -> list[MotionResult]:
    kernel = MotionKernel(SIZE, settings)
    return [kernel.step(frame, t_ms) for frame, t_ms in shots]


def test_someone_who_walks_in_is_seen_until_he_has_left() -> None:
    seen = [a.motion for a in answers(film(14))]
    assert not any(seen[:31])
    assert all(seen[38:100])
    assert not any(seen[125:])


def test_nothing_is_seen_where_nothing_is() -> None:
    assert not any(a.motion for a in answers(film(12, walker=False)))


def test_the_answer_says_when_the_motion_began() -> None:
    believed = next(a for a in answers(film(8)) if a.motion)
    assert 3000 <= believed.began_ms <= 3500


def test_the_box_covers_the_walker() -> None:
    at = answers(film(8))[70]
    assert at.box is not None
    x, y, width, height = at.box
    assert x <= 140 <= x + width
    assert y <= 150
    assert y + height >= 190
    assert height <= 110


@pytest.mark.parametrize("fps", [5, 8, 15, 25, 30])
def test_the_frame_rate_does_not_matter(fps: float) -> None:
    shots = film(14, fps=fps)
    events = events_of(mark([t for _, t in shots], answers(shots)))
    assert len(events) == 1
    first, last = events[0]
    assert shots[first][1] == pytest.approx(3050, abs=350)
    assert shots[last][1] == pytest.approx(11600, abs=700)


@pytest.mark.parametrize("size", [(160, 120), (320, 240), (640, 360), (321, 243), (1280, 720), (64, 64)])
def test_any_size_of_luma_will_do(size: tuple[int, int]) -> None:
    kernel = MotionKernel(size)
    rng = np.random.default_rng(0)
    base = rng.uniform(80, 160, (size[1] // 8 + 1, size[0] // 8 + 1))
    still = np.kron(base, np.ones((8, 8)))[: size[1], : size[0]].astype(np.uint8)
    for n in range(40):
        frame = still.copy()
        if n > 20:
            left = size[0] * (n - 20) // 40
            frame[size[1] // 3 : size[1] * 2 // 3, left : left + size[0] // 6] = 250
        answer = kernel.step(frame, n * 100)
        assert n > 20 or not answer.motion
    assert answer.motion


def test_a_step_of_the_light_is_no_motion() -> None:
    shots = film(16, walker=False)
    changed = [(np.clip(f * (0.6 if 6000 < t < 11000 else 1.0), 0, 255).astype(np.uint8), t) for f, t in shots]
    assert not any(a.motion for a in answers(changed))


def test_what_moves_outside_the_zones_does_not_count() -> None:
    top = MotionSettings(zones=(((0.0, 0.0), (1.0, 0.0), (1.0, 0.4), (0.0, 0.4)),))
    bottom = MotionSettings(zones=(((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)),))
    assert not any(a.motion for a in answers(film(12), top))
    assert any(a.motion for a in answers(film(12), bottom))


def test_what_is_smaller_than_the_minimum_area_is_called_small() -> None:
    wide = MotionSettings(minimum_area=0.2)
    seen = answers(film(12), wide)
    assert not any(a.motion for a in seen)
    assert Why.SMALL in {a.why for a in seen}


def test_a_higher_sensitivity_sees_fainter_things() -> None:
    rng, shots = np.random.default_rng(5), []
    for n in range(120):
        wall = np.full((240, 320), 120.0)
        x = (n - 30) * 3
        if x > 0:
            wall[100:180, max(0, x - 40) : x] += 5
        shots.append(((wall + rng.normal(0, 2, wall.shape)).astype(np.uint8), n * 100.0))
    assert any(a.motion for a in answers(shots, MotionSettings(sensitivity=10)))
    assert not any(a.motion for a in answers(shots, MotionSettings(sensitivity=1)))


def test_the_frame_is_not_changed_and_may_be_a_view() -> None:
    wide = np.zeros((240, 384), np.uint8)
    kernel = MotionKernel(SIZE)
    for frame, t_ms in film(5):
        wide[:, :320] = frame
        kernel.step(wide[:, :320], t_ms)
        assert np.array_equal(wide[:, :320], frame)


def test_the_same_frames_give_the_same_answers() -> None:
    assert answers(film(8)) == answers(film(8))


def test_a_step_leaves_no_bytes_behind() -> None:
    shots = film(16, fps=15)
    kernel = MotionKernel(SIZE)
    for frame, t_ms in shots[:120]:
        kernel.step(frame, t_ms)
    again = [(frame, t_ms) for frame, t_ms in shots[120:]]
    tracer = sys.gettrace()
    sys.settrace(None)  # a measurement of coverage remembers lines, and its memory is not the kernel's
    tracemalloc.start(25)
    try:
        kernel.step(*again[0])
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for frame, t_ms in again[1:]:
            kernel.step(frame, t_ms)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        sys.settrace(tracer)
    assert after - before < 600  # the last answer and the numbers that the kernel remembers, not one plane
    assert peak - before < 4800  # and never as much as one plane of blocks on the way


@pytest.mark.parametrize("zoned", [False, True])
def test_a_picture_holds_just_when_no_block_exceeds_its_threshold(*, zoned: bool) -> None:
    """Against the slow, obvious oracle: the comparison itself, on a picture whose light has not changed."""
    rng, shape = np.random.default_rng(8), (30, 40)
    zone = np.asarray(rng.random(shape) < 0.8 if zoned else np.ones(shape), np.float32)
    still = np.asarray(rng.integers(0, 220, shape), np.uint8)  # at its white end it looks closely instead
    said = set()
    for sensitivity in (0.4, 1.0, 2.3):
        seen = Background(shape, scale=sensitivity, zone=zone)
        seen.restart(still)
        for _ in range(300):
            other = still.copy()
            row, column = rng.integers(30), rng.integers(40)
            other[row, column] = np.clip(int(other[row, column]) + rng.integers(-9, 10), 0, 255)
            holds = seen.holds(other)
            assert holds == (not seen.compare(other, 0.1, None))
            said.add(holds)
    assert said == {True, False}


def test_at_rest_the_answer_is_one_and_the_same_object() -> None:
    seen = answers(film(8, walker=False))
    assert len({id(answer) for answer in seen[20:]}) == 1


def test_a_frame_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="size"):
        MotionKernel(SIZE).step(np.zeros((120, 160), np.uint8), 0.0)


@pytest.mark.parametrize(
    "settings", [MotionSettings(sensitivity=0), MotionSettings(sensitivity=11), MotionSettings(minimum_area=1.0)]
)
def test_settings_out_of_range_are_refused(settings: MotionSettings) -> None:
    with pytest.raises(ValueError, match="sensitivity"):
        MotionKernel(SIZE, settings)


def test_too_small_a_plane_is_refused() -> None:
    with pytest.raises(ValueError, match="16 px"):
        MotionKernel((8, 8))


def test_the_fit_of_light_is_ridge_regression() -> None:
    """Against the slow, obvious oracle: normal equations in double precision."""
    rng = np.random.default_rng(3)
    shape = (30, 40)
    background = rng.uniform(50, 200, shape).astype(np.float32)
    fit = LightFit(shape)
    fit.rebase(background)
    difference = (background * 0.03 + rng.normal(0, 0.5, shape)).astype(np.float32)
    left = difference.copy()
    fit.remove(left, None, 0.1)
    basis = fit._basis.astype(np.float64)
    target = np.clip(difference, -numbers.CLIP, numbers.CLIP).astype(np.float64).ravel()
    theta = np.linalg.solve(basis @ basis.T + np.diag(fit._ridge.astype(np.float64)), basis @ target)
    assert np.allclose(left.ravel(), difference.ravel() - theta @ basis, atol=0.02)


def test_a_shift_of_the_whole_picture_is_taken_out() -> None:
    y, x = np.mgrid[0:30, 0:40].astype(np.float32)
    background = np.asarray(128 + 20 * np.sin(x / 3) * np.cos(y / 4), np.float32)
    moved = np.asarray(128 + 20 * np.sin((x + 0.3) / 3) * np.cos(y / 4), np.float32)
    fit = LightFit((30, 40))
    fit.rebase(background)
    left = moved - background
    before = float(np.abs(left).mean())
    fit.remove(left, None, 0.1)
    inside = np.abs(left)[2:-2, 2:-2]  # what comes in at the border cannot be known
    assert float(inside.mean()) < 0.35 * before


def test_something_large_does_not_pass_for_light() -> None:
    """A third of the picture is covered by something dark: the rest must stay what it was."""
    rng = np.random.default_rng(4)
    background = rng.uniform(60, 200, (30, 40)).astype(np.float32)
    fit = LightFit((30, 40))
    fit.rebase(background)
    difference = np.zeros((30, 40), np.float32)
    difference[:, 12:32] = 15 - background[:, 12:32]
    left = difference.copy()
    fit.remove(left, None, 0.1)
    assert float(np.abs(left[:, :12]).max()) < 2
    assert float(np.abs(left[:, 32:]).max()) < 2


def test_a_jump_of_the_light_is_still_taken_out_with_somebody_in_the_picture() -> None:
    rng = np.random.default_rng(5)
    background = rng.uniform(60, 200, (30, 40)).astype(np.float32)
    fit = LightFit((30, 40))
    fit.rebase(background)
    difference = np.asarray(-0.4 * background, np.float32)
    difference[8:24, 10:16] = 15 - background[8:24, 10:16]
    for _ in range(3):
        left = difference.copy()
        fit.remove(left, None, 0.1)
    rest = left.copy()
    rest[8:24, 10:16] = 0
    assert float(np.abs(rest).mean()) < 2.5


@pytest.mark.parametrize("seed", [308, 312, 316])
def test_the_smooth_edge_of_a_cloud_is_nobody_not_even_at_the_border(seed: int) -> None:
    kernel = MotionKernel(SIZE)
    for shot in itertools.takewhile(lambda s: s.t_ms < 6000, scenes.play("clouds", seed)):
        assert not kernel.step(shot.luma, shot.t_ms).motion


def test_texture_that_light_has_changed_is_not_covered_and_texture_that_is_gone_is() -> None:
    rng = np.random.default_rng(6)
    mean = rng.uniform(60, 200, (30, 40)).astype(np.float32)
    where = np.zeros((30, 40), np.uint8)
    where[5:25, 5:25] = 255
    texture = Texture((30, 40))
    darker, coat = (mean * 0.7).astype(np.uint8), mean.astype(np.uint8)
    coat[3:27, 3:27] = 30
    assert texture.is_light(darker, mean, where)
    assert not texture.is_covered(darker, mean, where)
    assert texture.is_covered(coat, mean, where)
    assert not texture.is_light(coat, mean, where)


@pytest.mark.parametrize("seed", [0, 4])
def test_insects_that_follow_each_other_in_different_places_are_nobody(seed: int) -> None:
    kernel = MotionKernel(SIZE)
    for shot in itertools.takewhile(lambda s: s.t_ms < 8000, scenes.play("insects", seed)):
        assert not kernel.step(shot.luma, shot.t_ms).motion


def test_at_one_frame_a_second_who_hurries_is_seen_in_the_one_frame_that_has_him() -> None:
    base = yard(4)
    kernel = MotionKernel(SIZE)
    seen = []
    for n in range(40):
        picture = base.copy()
        if n == 30:
            picture[100:180, 140:180] = 10
        seen.append(kernel.step(picture.astype(np.uint8), n * 1000.0).motion)
    assert [n for n, motion in enumerate(seen) if motion] in ([30], [30, 31])


@pytest.mark.parametrize("seed", [0, 1])
def test_a_tree_that_sways_while_the_kernel_learns_is_nobody(seed: int) -> None:
    footage = SceneFootage(Scene("porch", 640, 360, seed=seed), 15.0)
    kernel = MotionKernel(SIZE)
    for n in range(120):
        unit = footage.next()
        assert unit is not None
        luma = cv2.resize(plane_view(unit.frame, 0), SIZE, interpolation=cv2.INTER_AREA)
        assert not kernel.step(np.asarray(luma, np.uint8), n * 1000 / 15).motion


def test_traffic_at_the_start_does_not_hide_a_small_dark_car_for_ever() -> None:
    seen = Background((30, 40), scale=1.0, zone=np.ones((30, 40), np.float32))
    road = np.full((30, 40), 120, np.uint8)
    seen.restart(road)
    for car in (240, 10) * 5:
        road[:6, 20:26] = car
        seen.compare(road, 0.1, None)
        seen.learn(first=True)
    assert seen.threshold.max() == numbers.THRESHOLD_CEILING


def test_a_scene_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    one, same, other = (next(iter(scenes.play("walker", seed))).luma for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
