"""Where a request looks: protocol section 6. Points are (latitude, longitude) in integers of 1e-7 degree.

Everything that decides is exact integer arithmetic; only the area in m² is a float.
"""

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

from agent.core.errors import RefusedError

Point: TypeAlias = tuple[int, int]

MIN_POINTS: Final = 3  # section 6
MAX_POINTS: Final = 32  # section 6
MAX_LAT_E7: Final = 850_000_000  # section 6
MAX_LON_E7: Final = 1_800_000_000  # section 6
MAX_EXTENT_E7: Final = 1_000_000  # section 6: 0.1 degree each way
METRES_PER_DEGREE: Final = 111_319.49  # section 6
_E7: Final = 10_000_000
_GEOHASH: Final = "0123456789bcdefghjkmnpqrstuvwxyz"


def _cross(o: Point, a: Point, b: Point) -> int:
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])


def _within(a: Point, b: Point, p: Point) -> bool:
    """Say whether `p`, which is on the line through a and b, is on the edge between them."""
    return min(a[0], b[0]) <= p[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= p[1] <= max(a[1], b[1])


def _touch(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Say whether the closed edges ab and cd share a point."""
    o1, o2, o3, o4 = _cross(a, b, c), _cross(a, b, d), _cross(c, d, a), _cross(c, d, b)
    if ((o1 > 0) != (o2 > 0) and o1 and o2) and ((o3 > 0) != (o4 > 0) and o3 and o4):
        return True
    return (
        (o1 == 0 and _within(a, b, c))
        or (o2 == 0 and _within(a, b, d))
        or (o3 == 0 and _within(c, d, a))
        or (o4 == 0 and _within(c, d, b))
    )


def _folds_back(a: Point, b: Point, c: Point) -> bool:
    """Say whether the edge bc runs back over ab."""
    return _cross(a, b, c) == 0 and (a[0] - b[0]) * (c[0] - b[0]) + (a[1] - b[1]) * (c[1] - b[1]) > 0


def _is_simple(points: Sequence[Point]) -> bool:
    count = len(points)
    if any(_folds_back(points[i - 1], points[i], points[(i + 1) % count]) for i in range(count)):
        return False
    # Edges by their lowest latitude: one only has to be held against those that begin before it ends.
    edges = sorted(
        (min(a[0], b[0]), max(a[0], b[0]), i, a, b)
        for i, (a, b) in enumerate(zip(points, (*points[1:], points[0]), strict=True))
    )
    for n, (_, high, i, a, b) in enumerate(edges, 1):
        for low, _, j, c, d in edges[n:]:
            if low > high:
                break
            if (i - j) % count not in {1, count - 1} and _touch(a, b, c, d):  # neighbours share their vertex
                return False
    return True


def check_polygon(points: Sequence[Point]) -> None:
    """Check everything about an area but its size against the limits.

    Raises:
        RefusedError: E_AREA.
    """
    if not MIN_POINTS <= len(points) <= MAX_POINTS:
        raise RefusedError("E_AREA", f"an area has {MIN_POINTS} to {MAX_POINTS} points")
    if any(abs(lat) > MAX_LAT_E7 or abs(lon) > MAX_LON_E7 for lat, lon in points):
        raise RefusedError("E_AREA", "a point is not on the map")
    if len(set(points)) != len(points):
        raise RefusedError("E_AREA", "a point stands twice")
    for axis in (0, 1):
        values = [point[axis] for point in points]
        if max(values) - min(values) > MAX_EXTENT_E7:
            raise RefusedError("E_AREA", "the area is wider than 0.1 degree")
    if not _is_simple(points):
        raise RefusedError("E_AREA", "the outline crosses itself")


def area_m2(points: Sequence[Point]) -> float:
    """Return the area in m²: shoelace on the tangent plane at the mean latitude of the vertices."""
    origin_lat, origin_lon = points[0]
    mean_lat = sum(lat for lat, _ in points) / len(points) / _E7
    twice = 0
    for i, (lat, lon) in enumerate(points):
        next_lat, next_lon = points[(i + 1) % len(points)]
        twice += (lon - origin_lon) * (next_lat - origin_lat) - (next_lon - origin_lon) * (lat - origin_lat)
    scale = (METRES_PER_DEGREE / _E7) ** 2 * math.cos(math.radians(mean_lat))
    return abs(twice) / 2 * scale


def contains(points: Sequence[Point], point: Point) -> bool:
    """Say whether `point` is inside: ray casting in exact integers, section 6.

    An edge counts when (y1 > y) ≠ (y2 > y) and x is strictly left of it; x is longitude, y latitude.
    """
    y, x = point
    inside = False
    for i, (y1, x1) in enumerate(points):
        y2, x2 = points[(i + 1) % len(points)]
        if (y1 > y) != (y2 > y):
            # x < x1 + (x2 - x1) * (y - y1) / (y2 - y1), multiplied out with the sign of the divisor
            left, right = (x - x1) * (y2 - y1), (x2 - x1) * (y - y1)
            inside ^= left < right if y2 > y1 else left > right
    return inside


def geohash(point: Point, characters: int) -> str:
    """Return the geohash cell of `characters` characters that a point is in."""
    lat, lon = point[0] + 900_000_000, point[1] + 1_800_000_000
    lat_low, lat_high, lon_low, lon_high = 0.0, 1_800_000_000.0, 0.0, 3_600_000_000.0
    text, value = "", 0
    for bit in range(characters * 5):
        if bit % 2 == 0:
            middle = (lon_low + lon_high) / 2
            high = lon >= middle
            lon_low, lon_high = (middle, lon_high) if high else (lon_low, middle)
        else:
            middle = (lat_low + lat_high) / 2
            high = lat >= middle
            lat_low, lat_high = (middle, lat_high) if high else (lat_low, middle)
        value = value << 1 | high
        if bit % 5 == 4:  # noqa: PLR2004 - five bits make a character
            text, value = text + _GEOHASH[value], 0
    return text


def _cell_size_e7(characters: int) -> tuple[float, float]:
    bits = characters * 5
    return 1_800_000_000 / 2 ** (bits // 2), 3_600_000_000 / 2 ** (bits - bits // 2)


def cells_touched(points: Sequence[Point], characters: int) -> set[str]:
    """Return every geohash cell of that precision that the polygon's bounding box touches.

    An area is at most 0.1° wide and a 4-cell 0.18° by 0.35°, so a box adds at most a corner cell: a publisher
    that sends one cell too many reveals nothing, one too few would miss a camera.
    """
    size_lat, size_lon = _cell_size_e7(characters)
    lats = [lat for lat, _ in points]
    lons = [lon for _, lon in points]

    def steps(low: int, high: int, size: float) -> list[int]:
        count = math.ceil((high - low) / size) if high > low else 0
        return [low, high, *(low + round(size * step) for step in range(1, count))]

    return {
        geohash((lat, lon), characters)
        for lat in steps(min(lats), max(lats), size_lat)
        for lon in steps(min(lons), max(lons), size_lon)
    }
