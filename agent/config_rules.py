"""What each key of the configuration may hold. A rule takes a TOML value and returns the typed one."""

import re
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from agent.core.geo import MAX_LAT_E7, MAX_LON_E7, Point
from agent.core.text import is_text

E7: Final = 10_000_000
HALF_CIRCLE: Final = 180  # degrees
MAX_ZONES: Final = 16
MIN_ZONE_POINTS: Final = 3

Zone = tuple[tuple[float, float], ...]
Rule = Callable[[Any], Any]


class NotAllowedError(ValueError):
    """Says what is allowed."""


def integer(low: int, high: int) -> Rule:
    """A whole number within [low, high]."""

    def rule(value: object) -> int:
        if type(value) is not int or not low <= value <= high:
            raise NotAllowedError(f"a whole number from {low} to {high}")
        return value

    return rule


def number(low: float, high: float) -> Rule:
    """A number within [low, high]."""

    def rule(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise NotAllowedError(f"a number from {low:g} to {high:g}")
        return float(value)  # after the comparison: an int may be too large for a float

    return rule


def boolean(value: object) -> bool:
    """A truth value."""
    if type(value) is not bool:
        raise NotAllowedError("true or false")
    return value


def one_of(*allowed: str) -> Rule:
    """One of these words."""

    def rule(value: object) -> str:
        if value not in allowed:
            raise NotAllowedError(" or ".join(f'"{one}"' for one in allowed))
        return str(value)

    return rule


def string(pattern: str, allowed: str) -> Rule:
    """A string of that form."""
    compiled = re.compile(pattern, re.ASCII)

    def rule(value: object) -> str:
        if not isinstance(value, str) or compiled.fullmatch(value) is None:
            raise NotAllowedError(allowed)
        return value

    return rule


_CAMERA: Final = string(
    r"picamera|v4l2:/dev/.+|file:.+|scene:(porch|night|rain|still|street)(\?.+)?|rtsps?://.+",
    '"picamera", "v4l2:/dev/video0", "file:clip.mp4", "scene:porch" or "rtsp://…"',
)


def camera_source(value: object) -> str:
    """What `[camera] source` may say; a network camera's address is one."""
    source = str(_CAMERA(value))
    try:
        is_address = not source.startswith("rtsp") or urlsplit(source).port != 0
    except ValueError:  # brackets without an IPv6 address, or no port
        is_address = False
    if not is_address:
        raise NotAllowedError('an address such as "rtsp://192.168.1.20:554/stream"')
    return source


def text(limit: int) -> Rule:
    """Text that may be shown to a person."""

    def rule(value: object) -> str:
        if not is_text(value, limit=limit):
            raise NotAllowedError(f"plain text of 1 to {limit} characters")
        return str(value)

    return rule


def path(value: object) -> Path:
    """A path."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise NotAllowedError("a path")
    return Path(value)


def pair(low: int, high: int, *, even: bool = False) -> Rule:
    """Two whole numbers: width and height."""

    def rule(value: object) -> tuple[int, int]:
        if (
            not isinstance(value, list)
            or len(value) != 2  # noqa: PLR2004 - width and height
            or any(type(side) is not int or not low <= side <= high or (even and side % 2) for side in value)
        ):
            raise NotAllowedError(f"[width, height], {'even numbers' if even else 'each'} from {low} to {high}")
        return value[0], value[1]

    return rule


def location(value: object) -> Point:
    """A point on the map, to 1e-7 degree."""
    allowed = "[latitude, longitude] in degrees, such as [51.5033, -0.1276]"
    if not isinstance(value, list) or len(value) != 2 or any(type(x) not in (int, float) for x in value):  # noqa: PLR2004
        raise NotAllowedError(allowed)
    if not all(-HALF_CIRCLE <= x <= HALF_CIRCLE for x in value):  # nor NaN, nor what is too large for a float
        raise NotAllowedError(allowed)
    lat, lon = round(value[0] * E7), round(value[1] * E7)
    if abs(lat) > MAX_LAT_E7 or abs(lon) > MAX_LON_E7:
        raise NotAllowedError(allowed)
    return lat, lon


def time_zone(value: object) -> str:
    """The name of a time zone that this machine knows."""
    if isinstance(value, str):
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            pass
        else:
            return value
    raise NotAllowedError('the name of a time zone, such as "Europe/London"')


def _zone(points: object) -> Zone:
    if not isinstance(points, list) or not MIN_ZONE_POINTS <= len(points) <= 32:  # noqa: PLR2004
        raise ValueError
    for point in points:
        if not isinstance(point, list) or len(point) != 2:  # noqa: PLR2004
            raise ValueError
        if any(type(x) not in (int, float) or not 0 <= x <= 1 for x in point):
            raise ValueError
    return tuple((float(x), float(y)) for x, y in points)


def zones(value: object) -> tuple[Zone, ...]:
    """Outlines in fractions of the picture."""
    allowed = "[[[x, y], …], …]: up to 16 outlines of 3 to 32 points, in fractions of the picture from 0 to 1"
    if not isinstance(value, list) or len(value) > MAX_ZONES:
        raise NotAllowedError(allowed)
    try:
        return tuple(_zone(points) for points in value)
    except ValueError as exc:
        raise NotAllowedError(allowed) from exc


def strings(rule: Rule, most: int, allowed: str) -> Rule:
    """A list of what another rule allows."""

    def check(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise NotAllowedError(allowed)
        return tuple(rule(item) for item in value)

    return check
