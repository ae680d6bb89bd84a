"""What all desks of the vault share: clocks, keys, database, settings, phones, and who is told of what."""

import datetime as dt
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from agent.config import Config
from agent.consent import sqlite_ledger as ledger
from agent.consent import sqlite_log, sqlite_phones
from agent.consent.limits_of_owner import OwnerLimits
from agent.consent.nonces import Nonces
from agent.consent.phones import Phone
from agent.consent.settings import NAMES, Settings, approvals_of, limits_of
from agent.consent.timekeeping import Arrived, Jumped, Reading, Timekeeper, Trust
from agent.core.clock import Clock
from agent.core.errors import TroubleError
from agent.core.ids import Kid
from agent.core.strict_json import Json, dump, parse
from agent.services.vault.database import Database
from agent.services.vault.keys import VaultKeys
from agent.services.vault.loop import Loop

#: 2026-11-01: no device that runs this is older, so an earlier UTC is wrong (section 16, build date).
BUILD_S: Final = 1_793_491_200
MAX_SETTINGS_BYTES: Final = 65_536
MAX_NEWS: Final = 7  # of the clock that wait for the disk

Listener = Callable[[str, Mapping[str, Json], Kid | None], None]


@dataclass(slots=True)
class Faults:
    """What does not work right now, by who says so; each is a code of docs/ref/faults.md."""

    by_source: dict[str, frozenset[str]] = field(default_factory=dict)

    def set(self, source: str, codes: Iterable[str]) -> bool:
        """Replace what `source` says; whether that changed anything."""
        fresh = frozenset(codes)
        changed = self.by_source.get(source, frozenset()) != fresh
        self.by_source[source] = fresh
        return changed

    def all(self) -> list[str]:
        """Return every fault, sorted."""
        return sorted(set().union(*self.by_source.values()))


class House:
    """The shared state of the vault. Only the loop's thread touches it.

    Raises:
        TroubleError: state-newer, when a newer version of this program wrote the owner's settings.
    """

    def __init__(self, config: Config, clock: Clock, db: Database, keys: VaultKeys, loop: Loop) -> None:
        self.config = config
        self.clock = clock
        self.db = db
        self.keys = keys
        self.loop = loop
        self.nonces = Nonces()
        self.rejected: Counter[str] = Counter()
        self.faults = Faults()
        self._listeners: list[Listener] = []
        self.settings = self._load_settings()
        self.phones = {row.kid: row for row in sqlite_phones.phones(db.tx)}
        self.keeper = self._load_keeper()
        self._on_time: Callable[[Arrived | Jumped], None] = lambda _: None
        self._news: list[Arrived | Jumped] = []
        db.on_health(lambda fault: self.set_faults("disk", [] if fault is None else [fault]))

    def _load_settings(self) -> Settings:
        raw = ledger.fact(self.db.tx, "settings")
        if isinstance(raw, bytes):
            value = parse(raw, max_bytes=MAX_SETTINGS_BYTES)
            kept = {
                name: tuple(item) if isinstance(item, list) else item
                for name, item in (value.items() if isinstance(value, dict) else ())
            }
            if unknown := sorted(kept.keys() - NAMES):
                text = f"the owner's settings hold {unknown[0]!r}, which this program does not know"
                raise TroubleError("state-newer", f"{text}: install the newer one again")
            return Settings(**kept)  # type: ignore[arg-type]  # written by save_settings
        return Settings(requests_enabled=self.config.requests.enabled)

    def _load_keeper(self) -> Timekeeper:
        boot = self.clock.boot_id()
        floor_s = ledger.fact(self.db.tx, "floor_s")
        offset_ms = ledger.fact(self.db.tx, f"offset_ms:{boot}")
        anchor_ms = ledger.fact(self.db.tx, f"anchor_ms:{boot}")
        return Timekeeper(
            max(BUILD_S, floor_s if isinstance(floor_s, int) else 0),
            offset_ms if isinstance(offset_ms, int) else None,
            anchor_ms if isinstance(anchor_ms, int) else None,
            is_suspect=ledger.fact(self.db.tx, f"suspect:{boot}") is not None,
        )

    # ---- time

    def on_time(self, action: Callable[[Arrived | Jumped], None]) -> None:
        """Call `action` when UTC arrives or jumps."""
        self._on_time = action

    def look_at_clock(self) -> None:
        """Watch UTC against boot time; called before every message and every few seconds.

        News that could not be made durable is kept and told again at the next look: a mapping is never lost.

        Raises:
            TroubleError: the disk; the news waits.
        """
        utc_ms, boot_ns = self.clock.utc_ms(), self.clock.boot_ns()
        news = self.keeper.observe(utc_ms, boot_ns, synchronised=self.clock.synchronised())
        if news is not None:
            self._news = [*self._news[-MAX_NEWS:], news]
        while self._news:
            self._on_time(self._news[0])
            self._news.pop(0)

    def now(self) -> Reading:
        """Read the clocks once, for one decision."""
        return Reading(self.clock.utc_ms(), self.clock.boot_ns(), self.keeper.trust is Trust.TRUSTED)

    # ---- log

    def log(self, tx: sqlite3.Connection, kind: str, fields: Mapping[str, object]) -> int:
        """Append an entry to the log, in the open transaction."""
        return sqlite_log.append(tx, self.clock.utc_ms() // 1_000, kind, fields)

    def checkpoint(self, tx: sqlite3.Connection) -> str:
        """Sign the log as it is now."""
        return sqlite_log.make_checkpoint(tx, self.keys.device)

    # ---- settings

    def save_settings(self, tx: sqlite3.Connection, settings: Settings, change: Mapping[str, object]) -> None:
        """Make new settings durable with their log entry."""
        ledger.set_fact(tx, "settings", dump(settings.to_json()))
        self.log(tx, "settings", change)

    def owner_limits(self) -> OwnerLimits:
        """Return what the owner and the configuration let in."""
        file = self.config.requests
        return limits_of(
            self.settings,
            max_window_s=file.max_window_s,
            max_area_m2=file.max_area_m2,
            max_lookback_days=file.max_lookback_days,
        )

    @property
    def daily_approvals(self) -> int:
        """How many shares the owner allows in 24 hours."""
        return approvals_of(self.settings, daily_approvals=self.config.consent.daily_approvals)

    @property
    def button_required(self) -> bool:
        """Whether a phone's share waits for a press."""
        mode = self.config.consent.button
        return mode == "always" or (mode == "auto" and self.config.button.pin is not None)

    def is_quiet_time(self) -> bool:
        """Say whether it is in the owner's quiet hours, by the house's own time zone."""
        zone = ZoneInfo(self.config.device.time_zone)
        local = dt.datetime.fromtimestamp(self.now().utc_s, zone)
        return self.settings.is_quiet(local.hour * 60 + local.minute)

    # ---- phones

    def approvers(self) -> dict[Kid, Phone]:
        """Return every phone as decisions see it, unpaired ones included."""
        return {kid: row.phone for kid, row in self.phones.items()}

    def reload_phones(self) -> None:
        """Read the phones again after a change was committed."""
        self.phones = {row.kid: row for row in sqlite_phones.phones(self.db.tx)}

    # ---- news

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of every event from now on."""
        self._listeners.append(listener)

    def publish(self, name: str, data: Mapping[str, Json], phone: Kid | None = None) -> None:
        """Tell everyone, or one phone's page, that something happened."""
        for listener in list(self._listeners):
            listener(name, data, phone)

    def set_faults(self, source: str, codes: Iterable[str]) -> None:
        """Note what a part says does not work; tells the pages when that changed."""
        if self.faults.set(source, codes):
            self.publish("status", {})
