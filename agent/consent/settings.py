"""What the owner may set from a phone: a closed list, and every limit of it can only narrow (section 11).

There is no setting that approves anything: a `Settings` says what the owner is asked about, never what is
answered. The configuration and the compiled-in ceilings of section 6 bound each limit from above: the
narrowest counts (`limits_of`).
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from agent.consent.forms import AGENCY, boolean, formed, integer
from agent.consent.limits_of_owner import CEILINGS, FLOOR_AREA_M2, OwnerLimits
from agent.core.errors import RefusedError
from agent.core.strict_json import Json

MAX_MUTED: Final = 256
DAY_S: Final = 86_400
MAX_LOOKBACK_DAYS: Final = CEILINGS.lookback_s // DAY_S
MAX_DAILY_APPROVALS: Final = 20  # architecture.md: [consent] daily_approvals
MINUTES_A_DAY: Final = 1_440


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The owner's settings as a whole; None leaves a limit to the configuration.

    Attributes:
        requests_enabled: whether requests are received at all.
        muted_agencies: ids of agencies that are not heard.
        alerts: whether alerts are shown.
        cell_precision: 3 or 4 characters of geohash.
        max_window_s: the widest footage window, seconds.
        max_area_m2: the widest area, square metres.
        max_lookback_days: the longest look-back, days.
        daily_approvals: shares in 24 h.
        quiet_hours: [from, to) in minutes after local midnight, in which lamp and notices rest; `from > to`
            spans midnight.
    """

    requests_enabled: bool
    muted_agencies: tuple[str, ...] = ()
    alerts: bool = True
    cell_precision: int | None = None
    max_window_s: int | None = None
    max_area_m2: int | None = None
    max_lookback_days: int | None = None
    daily_approvals: int | None = None
    quiet_hours: tuple[int, int] | None = None

    def to_json(self) -> dict[str, object]:
        """Return what the log's `settings` entry and the page say."""
        return asdict(self)

    def is_quiet(self, minute_of_day: int) -> bool:
        """Say whether lamp and notices rest at this local minute."""
        if self.quiet_hours is None:
            return False
        start, end = self.quiet_hours
        if start < end:
            return start <= minute_of_day < end
        return minute_of_day >= start or minute_of_day < end


Change = dict[str, object]


def _agencies(value: Json, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_MUTED:
        raise RefusedError("E_SCHEMA", f"{name}: a list of at most {MAX_MUTED} agencies")
    names = [formed(item, AGENCY, name) for item in value]
    if len(set(names)) != len(names):
        raise RefusedError("E_SCHEMA", f"{name}: an agency twice")
    return tuple(sorted(names))


def _hours(value: Json, name: str) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004 - a pair
        raise RefusedError("E_SCHEMA", f"{name}: null or [from, to] in minutes of the day")
    start, end = (integer(item, name, high=MINUTES_A_DAY - 1) for item in value)
    if start == end:
        raise RefusedError("E_SCHEMA", f"{name}: they end when they start")
    return start, end


def _limit(low: int, high: int) -> Callable[[Json, str], int | None]:
    def read(value: Json, name: str) -> int | None:
        return None if value is None else integer(value, name, low=low, high=high)

    return read


_READ: Final[Mapping[str, Callable[[Json, str], object]]] = {
    "requests_enabled": boolean,
    "muted_agencies": _agencies,
    "alerts": boolean,
    "cell_precision": _limit(3, 4),
    "max_window_s": _limit(1, CEILINGS.window_s),
    "max_area_m2": _limit(FLOOR_AREA_M2, CEILINGS.area_m2),
    "max_lookback_days": _limit(1, MAX_LOOKBACK_DAYS),
    "daily_approvals": _limit(1, MAX_DAILY_APPROVALS),
    "quiet_hours": _hours,
}

NAMES: Final = frozenset(_READ)


def read_change(value: Json) -> Change:
    """Parse a change of settings: any of the closed list, at least one.

    Raises:
        RefusedError: E_SCHEMA for an unknown setting, a wrong type, or a value out of its range.
    """
    if not isinstance(value, dict) or not value:
        raise RefusedError("E_SCHEMA", "settings: name at least one")
    unknown = sorted(value.keys() - NAMES)
    if unknown:
        raise RefusedError("E_SCHEMA", f"there is no setting {unknown[0][:40]!r}")
    return {name: _READ[name](item, name) for name, item in value.items()}


def changed(settings: Settings, change: Change) -> Settings:
    """Return `settings` with `change`, which `read_change` made."""
    return replace(settings, **change)  # type: ignore[arg-type]  # read_change types each value by its name


def limits_of(
    settings: Settings, *, max_window_s: int | None, max_area_m2: int | None, max_lookback_days: int | None
) -> OwnerLimits:
    """Return what check 9 and check 12 go by: the narrower of the owner's setting and the configuration.

    The compiled-in ceilings and the directory narrow it further (`OwnerLimits.narrow`); nothing widens it.
    """
    days = _narrower(settings.max_lookback_days, max_lookback_days)
    return OwnerLimits(
        enabled=settings.requests_enabled,
        muted=frozenset(settings.muted_agencies),
        window_s=_narrower(settings.max_window_s, max_window_s),
        area_m2=_narrower(settings.max_area_m2, max_area_m2),
        lookback_s=None if days is None else days * DAY_S,
    )


def approvals_of(settings: Settings, *, daily_approvals: int) -> int:
    """Return how many shares a day are allowed: the fewer of the owner's setting and the configuration."""
    return min(daily_approvals, settings.daily_approvals or daily_approvals)


def _narrower(one: int | None, other: int | None) -> int | None:
    set_ones = [limit for limit in (one, other) if limit is not None]
    return min(set_ones, default=None)
