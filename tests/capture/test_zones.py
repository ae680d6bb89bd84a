"""Privacy zones: every pixel that a polygon touches is hidden, or nothing is given."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.capture.zones import BLACK_LUMA, GREY_CHROMA, Plane, Zones
from agent.core.errors import TroubleError

TRIANGLE = ((0.2, 0.2), (0.8, 0.3), (0.4, 0.9))


def planes(width: int, height: int) -> tuple[Plane, Plane, Plane]:
    half = ((height + 1) // 2, (width + 1) // 2)
    return np.full((height, width), 200, np.uint8), np.full(half, 90, np.uint8), np.full(half, 30, np.uint8)


@st.composite
def polygons(draw: st.DrawFn) -> list[tuple[float, float]]:
    """A star-shaped polygon: corners around a middle, by rising angle."""
    middle = draw(st.floats(0.2, 0.8)), draw(st.floats(0.2, 0.8))
    angles = sorted(draw(st.lists(st.floats(0, 6.28), min_size=3, max_size=8, unique=True)))
    far = [draw(st.floats(0.02, 0.2)) for _ in angles]
    return [
        (middle[0] + r * float(np.cos(a)), middle[1] + r * float(np.sin(a)))
        for a, r in zip(angles, far, strict=True)
    ]


@settings(max_examples=60, deadline=None)
@given(polygon=polygons(), width=st.integers(8, 60), height=st.integers(8, 60))
def test_every_pixel_whose_middle_lies_inside_is_hidden(
    polygon: list[tuple[float, float]], width: int, height: int
) -> None:
    luma, blue, red = planes(width, height)
    Zones([polygon], width, height).burn_yuv420(luma, blue, red)
    corners = np.asarray(polygon, np.float32)
    for y in range(height):
        for x in range(width):
            middle = ((x + 0.5) / width, (y + 0.5) / height)
            if cv2.pointPolygonTest(corners, middle, measureDist=False) > 0:
                assert luma[y, x] == BLACK_LUMA
                assert blue[y // 2, x // 2] == red[y // 2, x // 2] == GREY_CHROMA


def test_far_from_the_zones_nothing_changes() -> None:
    luma, blue, red = planes(320, 180)
    Zones([TRIANGLE], 320, 180).burn_yuv420(luma, blue, red)
    assert (luma[:30] == 200).all()
    assert (luma[:, :58] == 200).all()
    assert (blue[:15] == 90).all()
    assert (red[:15] == 30).all()


def test_hidden_chroma_covers_all_hidden_luma() -> None:
    luma, blue, red = planes(101, 77)
    zones = Zones([TRIANGLE, ((0.9, 0.9), (1.0, 0.9), (1.0, 1.0))], 101, 77)
    zones.burn_yuv420(luma, blue, red)
    rows, columns = np.nonzero(luma == BLACK_LUMA)
    assert (blue[rows // 2, columns // 2] == GREY_CHROMA).all()
    assert zones.count == 2


def test_nv12_is_hidden_like_three_planes() -> None:
    zones = Zones([TRIANGLE], 64, 48)
    luma, chroma = np.full((48, 64), 200, np.uint8), np.full((24, 32, 2), 90, np.uint8)
    zones.burn_nv12(luma, chroma)
    planar, blue, red = planes(64, 48)
    zones.burn_yuv420(planar, blue, red)
    assert (planar == luma).all()
    for one, index in ((blue, 0), (red, 1)):
        assert ((chroma[..., index] == GREY_CHROMA) == (one == GREY_CHROMA)).all()
    assert (chroma == GREY_CHROMA).any()


def test_padded_rows_are_burnt_through_a_view() -> None:
    wide = np.full((48, 80), 200, np.uint8)
    Zones([((0, 0), (1, 0), (1, 1), (0, 1))], 64, 48).luma.burn(wide[:, :64], BLACK_LUMA)
    assert (wide[:, :64] == BLACK_LUMA).all()
    assert (wide[:, 64:] == 200).all()


def test_a_sliver_thinner_than_a_pixel_still_hides() -> None:
    zones = Zones([((0.5, 0.1), (0.5005, 0.1), (0.5005, 0.9))], 64, 48)
    luma = np.full((48, 64), 200, np.uint8)
    zones.luma.burn(luma, BLACK_LUMA)
    assert (luma == BLACK_LUMA).any(axis=1).sum() >= 36


@pytest.mark.parametrize(
    "polygon",
    [
        [(0.1, 0.1), (0.2, 0.2)],
        [],
        [(0.1, 0.1), (0.2, 0.2), (0.3, 1.2)],
        [(0.1, 0.1), (0.2, 0.2), (float("nan"), 0.2)],
        [(-0.1, 0.1), (0.2, 0.2), (0.3, 0.2)],
    ],
)
def test_a_zone_that_makes_no_sense_is_no_zone_at_all(polygon: list[tuple[float, float]]) -> None:
    with pytest.raises(TroubleError, match="nothing is recorded") as caught:
        Zones([polygon], 64, 48)
    assert caught.value.code == "zones"


def test_a_picture_of_another_size_or_that_can_not_be_written_is_refused() -> None:
    zones = Zones([TRIANGLE], 64, 48)
    luma, blue, red = planes(66, 48)
    with pytest.raises(TroubleError) as caught:
        zones.burn_yuv420(luma, blue, red)
    assert caught.value.code == "zones"
    frozen = np.zeros((48, 64), np.uint8)
    frozen.flags.writeable = False
    with pytest.raises(TroubleError):
        zones.luma.burn(frozen, 0)
    luma, blue, red = planes(64, 48)
    with pytest.raises(TroubleError):
        zones.burn_yuv420(luma, blue[:-1], red)
