"""Polygons, points and cells, to the last digit."""

import pytest

from agent.core import geo
from agent.core.errors import RefusedError

SQUARE = [(0, 0), (0, 100), (100, 100), (100, 0)]


@pytest.mark.parametrize(
    "points",
    [
        [(0, 0), (0, 100)],
        [(n, n * n) for n in range(33)],
        [(0, 0), (100, 100), (0, 100), (100, 0)],  # a bow tie
        [(0, 0), (0, 100), (0, 50)],  # folds back
        [(0, 0), (0, 100), (0, 0), (100, 0)],  # a point twice
        [(850_000_001, 0), (850_000_001, 100), (849_999_999, 50)],
        [(0, 0), (0, 1_000_001), (100, 50)],
        [(0, 0), (0, 100), (100, 100), (0, 50), (100, 0)],  # a vertex on another edge
        [(0, 0), (0, 100), (50, 100), (0, 50), (-50, 20)],  # touches its own edge
    ],
)
def test_what_is_no_simple_polygon_is_refused(points: list[tuple[int, int]]) -> None:
    with pytest.raises(RefusedError) as refused:
        geo.check_polygon(points)
    assert refused.value.code == "E_AREA"


@pytest.mark.parametrize(
    "points",
    [
        SQUARE,
        [(0, 0), (0, 50), (0, 100), (100, 100), (100, 0)],  # three on a line
        [(0, 0), (0, 100), (100, 100), (50, 50), (100, 0)],  # concave
        [(0, 0), (0, 100), (50, 200)],
    ],
)
def test_a_simple_polygon_is_taken(points: list[tuple[int, int]]) -> None:
    geo.check_polygon(points)


def test_inside_is_exact_to_the_last_digit() -> None:
    assert geo.contains(SQUARE, (50, 50))
    assert not geo.contains(SQUARE, (50, 101))
    assert not geo.contains(SQUARE, (101, 50))
    # Section 6: an edge counts when (y1 > y) != (y2 > y) and x is strictly left of it.
    on_edges = [geo.contains(SQUARE, point) for point in ((0, 50), (50, 0), (100, 50), (50, 100))]
    assert on_edges == [True, True, False, False]


def test_the_area_is_in_square_metres() -> None:
    side_e7 = 100_000  # 0.01 degree: 1,113 m
    square = [(0, 0), (0, side_e7), (side_e7, side_e7), (side_e7, 0)]
    assert geo.area_m2(square) == pytest.approx(1_113.1949**2, rel=1e-6)
    north = [(lat + 600_000_000, lon) for lat, lon in square]
    assert geo.area_m2(north) == pytest.approx(1_113.1949**2 / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("point", "cell"),
    [
        ((377_749_000, -1_224_194_000), "9q8y"),
        ((515_033_000, -1_276_000), "gcpu"),
        ((-338_688_000, 1_512_093_000), "r3gx"),
    ],
)
def test_geohash_cells_are_the_worlds(point: tuple[int, int], cell: str) -> None:
    assert geo.geohash(point, 4) == cell
    assert geo.geohash(point, 3) == cell[:3]


def test_a_polygon_touches_the_cells_of_all_its_points() -> None:
    wide = [(377_000_000, -1_224_500_000), (377_000_000, -1_223_600_000), (377_900_000, -1_224_000_000)]
    cells = geo.cells_touched(wide, 4)
    assert {geo.geohash(point, 4) for point in wide} <= cells
    assert len(geo.cells_touched(wide, 3)) >= 1
    assert geo.cells_touched([(0, 0), (0, 0), (0, 0)], 4) == {geo.geohash((0, 0), 4)}
