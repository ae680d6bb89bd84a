"""`doorbell vault`: the composition root. The whole object graph of the vault is on this page."""

import logging
import signal
from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

from agent import __version__
from agent.buffer.segment_files import SegmentFolder
from agent.config import Config
from agent.consent import sqlite_ledger as ledger
from agent.consent import sqlite_log
from agent.consent.button import BELL, INDOOR, Gesture, Pattern
from agent.consent.gpio_button import GpioContact, GpioLamp
from agent.consent.tuf_directory import TufDirectory
from agent.core.clock import Clock
from agent.core.errors import ConfigError, RefusedError, TroubleError
from agent.core.geo import geohash
from agent.core.ids import Kid, sha256_hex
from agent.core.strict_json import Json
from agent.services.sd_notify import notify, watchdog_s
from agent.services.system_clock import SystemClock
from agent.services.unix_server import Server
from agent.services.vault.answers import Answers
from agent.services.vault.arrivals_desk import ArrivalsDesk
from agent.services.vault.database import Database
from agent.services.vault.decisions_desk import DecisionsDesk
from agent.services.vault.directory_desk import DirectoryDesk, Verifier
from agent.services.vault.house import House
from agent.services.vault.keys import VaultKeys, load_keys
from agent.services.vault.loop import Loop
from agent.services.vault.peers import Peer, listen
from agent.services.vault.phones_desk import PhonesDesk
from agent.services.vault.recorder_desk import RecorderDesk
from agent.services.vault.requests_desk import RequestsDesk
from agent.services.vault.store_desk import StoreDesk
from agent.services.vault.time_desk import TimeDesk
from agent.services.vault.uplink_desk import UplinkDesk
from agent.services.vault.uploads_desk import UploadsDesk
from agent.services.vault.verbs import ConsoleVerbs, PageVerbs, RecorderVerbs, UplinkVerbs
from agent.services.wire import Link

log = logging.getLogger(__name__)

HOUR_S: Final = 3_600.0
LAMP_S: Final = 1.0  # windows and quiet hours end without an event, and the lamp says what a press does now


class Vault:
    """Everything that the vault is made of, wired together.

    Args:
        config: the whole configuration.
        clock: the device's clock.
        keys: the vault's keys.
        directory: verifies the directory.
        pool: the thread in which it does, if it is not to be a new one.
        board: gpiozero's pin factory; None for the board's own.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        keys: VaultKeys,
        directory: Verifier,
        pool: Executor | None = None,
        *,
        board: object = None,
    ) -> None:
        state = config.device.state_dir
        self.loop = Loop(clock)
        self.db = Database(state / "vault" / "vault.db")
        self.house = house = House(config, clock, self.db, keys, self.loop)
        self.folder = SegmentFolder(state / "segments")
        self.store = StoreDesk(house, self.folder, state / "quarantine")
        self.uplink = UplinkDesk(house)
        self.recorder = RecorderDesk(house, self.store.make_room)
        self.phones = PhonesDesk(house, self.store, state / "recipients.json")
        self.directory = DirectoryDesk(house, directory, self.uplink.fetch, pool)
        self.requests = RequestsDesk(house, self.store, self.directory)
        self.decisions = DecisionsDesk(house, self.store, self.directory, self.requests)
        self.uploads = UploadsDesk(house, self.store, self.directory, self.requests, self.decisions, self.uplink)
        self.arrivals = ArrivalsDesk(house, self.store, self.directory, self.requests, self.uplink)
        self.time = TimeDesk(house, lambda: self.directory.view, self.phones.keep_recipients, self._time_arrived)
        self.answers = Answers(
            house,
            self.store,
            self.directory,
            self.requests,
            self.decisions,
            self.uplink,
            self.arrivals,
            self.recorder,
        )
        self._board = board
        self._contacts: list[GpioContact] = []
        self._lamp: GpioLamp | None = None
        self._truncated_size = -1  # of the log when the write-ahead log was last emptied
        self._said: dict[str, int] = {}  # troubles → boot time: each is told once an hour
        self._wire()

    def _wire(self) -> None:
        self.store.on_choosing(lambda: self.house.nonces.pinned(self.house.now().boot_ns))
        self.directory.on_change(self._directory_changed, self.requests.live_agencies)
        self.directory.on_verified(self.time.directory_verified)
        self.uplink.on_arrival(self._uplink_arrived)
        self.phones.on_change(self._settings_changed, self.time.confirmed)
        self.requests.on_effects(self.uploads.begin, self.uploads.withdraw)
        self.house.listen(lambda *_: self._show_lamp())
        self.house.listen(self._notify)
        self.loop.on_trouble(self._say_trouble)

    def _say_trouble(self, why: TroubleError | RefusedError) -> None:
        """Log what a timer met; a disk that is full is met by every one of them, every few seconds."""
        now_ns = self.house.clock.boot_ns()
        self._said = {said: at_ns for said, at_ns in self._said.items() if now_ns - at_ns < HOUR_S * 10**9}
        if str(why) not in self._said:
            self._said[str(why)] = now_ns
            log.warning("vault: %s", why)

    # ---- what follows from what

    def _time_arrived(self) -> None:
        self.arrivals.match_again()
        self.uplink.subscribe_again()

    def _directory_changed(self) -> None:
        self.requests.recheck_all()
        self.uplink.subscribe_again()
        self.directory.fetch_region(geohash(self.house.config.device.location, 3))
        self.house.publish("status", {})

    def _uplink_arrived(self) -> None:
        self.directory.uplink_arrived()
        self.uploads.uplink_arrived()

    def _settings_changed(self) -> None:
        self.arrivals.match_again()
        self.uplink.settings_changed()

    # ---- button, bell, lamp

    def _show_lamp(self) -> None:
        if self._lamp is not None:
            self._lamp.show(self.decisions.lamp(is_pairing=self.phones.is_pairing))

    def _notify(self, name: str, _data: Mapping[str, Json], _phone: Kid | None) -> None:
        if name in {"request", "alert"}:
            self.uplink.notify()

    def _gesture(self, gesture: Gesture) -> None:
        if self.decisions.gesture(gesture):
            self.phones.open_window()
        self._show_lamp()

    def open_pins(self) -> None:
        """Take the button, the lamp and the bell that are configured; a missing one is a fault, not an end."""
        button, bell, faults = self.house.config.button, self.house.config.bell, []
        boot_ns = self.house.clock.boot_ns
        wired = [
            (button.pin, INDOOR, lambda gesture: self.loop.put(lambda: self._gesture(gesture))),
            (bell.pin, BELL, lambda _: self.loop.put(self.recorder.bell)),
        ]
        for pin, timing, act in wired:
            if pin is None:
                continue
            try:
                contact = GpioContact(pin, timing, boot_ns=boot_ns, on_gesture=act, factory=self._board)
                self._contacts.append(contact)
            except TroubleError as trouble:
                log.warning("%s", trouble)
                faults.append(trouble.code)
        if button.lamp_pin is not None:
            try:
                self._lamp = GpioLamp(button.lamp_pin, factory=self._board)
            except TroubleError as trouble:
                log.warning("%s", trouble)
                faults.append("lamp")
            else:
                self._show_lamp()
                self.loop.every(LAMP_S, self._show_lamp)
        self.house.set_faults("pins", faults)

    # ---- life

    def start(self) -> list[Server]:
        """Repair, log the boot, open the sockets, begin; returns the servers to close."""
        self.store.repair()
        self.db.keep_reserve()
        self.house.set_faults("log", [] if sqlite_log.is_whole(self.db.tx) else ["log-changed"])
        self._log_boot()
        self.phones.write_recipients()
        self.directory.start()
        self.time.start()
        self.decisions.start()
        self.requests.start()
        self.arrivals.start()
        self.arrivals.match_again()
        self.loop.every(HOUR_S, self.hourly)
        self.open_pins()
        return [listen(peer, self.house.config.device.run_dir, self.loop) for peer in self._peers()]

    def _peers(self) -> list[Peer]:
        house, answers = self.house, self.answers
        page = PageVerbs(house, answers, self.phones, self.decisions, self.store, self.directory)
        pages = _Pages(house)
        return [
            Peer(
                "recorder",
                RecorderVerbs(self.store, self.recorder).table(),
                self.recorder.attach,
                self.recorder.detached,
            ),
            Peer(
                "uplink",
                UplinkVerbs(self.uplink, self.arrivals, self.uploads).table(),
                self.uplink.attach,
                self.uplink.detached,
            ),
            Peer("page", page.table(), pages.attach, pages.detached),
            Peer("console", ConsoleVerbs(answers, self.phones, self.decisions, self.recorder).table()),
        ]

    def _log_boot(self) -> None:
        raw = self.house.config.path.read_bytes()
        with self.db.transaction() as tx:
            self.house.log(tx, "boot", {"boot": self.house.clock.boot_id(), "version": __version__})
            if ledger.fact(tx, "config_sha256") != sha256_hex(raw):
                self.house.log(tx, "config", {"sha256": sha256_hex(raw)})
                ledger.set_fact(tx, "config_sha256", sha256_hex(raw))

    def hourly(self) -> None:
        """Keep floor and limits, sign what was appended, and leave no deleted bytes in the write-ahead log."""
        self.time.keep_floor(self.directory.view)
        self.store.sweep()
        size, _ = sqlite_log.size_and_root(self.db.tx)
        if size != sqlite_log.latest_checkpoint(self.db.tx)[1]:
            with self.db.transaction() as tx:
                self.house.checkpoint(tx)
        if size != self._truncated_size:
            self.db.truncate()
            self._truncated_size = size
        self.db.keep_reserve()

    def close(self) -> None:
        """Give everything back."""
        for contact in self._contacts:
            contact.close()
        if self._lamp is not None:
            self._lamp.show(Pattern.DARK)
            self._lamp.close()
        self.directory.close()
        self.folder.close()
        self.db.close()


class _Pages:
    """Tells every page that is connected what happens."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._links: list[Link] = []
        house.listen(self._tell)

    def attach(self, link: Link) -> None:
        self._links.append(link)

    def detached(self, link: Link) -> None:
        self._links = [one for one in self._links if one is not link]
        if not self._links:
            self._house.set_faults("page", [])  # whose fault it was is gone

    def _tell(self, name: str, data: Mapping[str, Json], phone: Kid | None) -> None:
        for link in list(self._links):
            try:
                link.tell("event", {"name": name, "data": dict(data), "phone": phone})
            except TroubleError:
                self.detached(link)


def _feed_watchdog() -> None:
    notify("WATCHDOG=1")


def read_root(path: Path) -> bytes:
    """Read the TUF root that was installed with the device.

    Raises:
        ConfigError: it can't be read.
    """
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"platform.root = {str(path)!r}: {exc.strerror}; the platform's bundle has it") from exc


def main(config: Config) -> int:
    """Run the vault until SIGTERM; 0 when told to stop.

    Raises:
        DoorbellError: it can't start.
    """
    keys = load_keys(config.device.state_dir / "vault" / "keys")
    folder = config.device.state_dir / "vault" / "directory"
    directory = TufDirectory(folder, read_root(config.platform.root))
    vault = Vault(config, SystemClock(config.device.clock), keys, directory)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: vault.loop.stop())
    servers = vault.start()
    period_s = watchdog_s()
    if period_s is not None:
        vault.loop.every(period_s, _feed_watchdog)
    notify("READY=1")
    log.info("vault: ready")
    try:
        vault.loop.run()
    finally:
        notify("STOPPING=1")
        for server in servers:
            server.close()
        vault.close()
    return 0
