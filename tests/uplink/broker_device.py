"""Uplink's end of the connection to a broker, and what it was told."""

import threading
from collections.abc import Callable
from pathlib import Path

from agent.uplink.addresses import BrokerAddress
from agent.uplink.inbox import Arrived, Inbox
from agent.uplink.mqtt import Broker
from agent.uplink.mqtt_session import BrokerSettings
from tests.fakes.uplink_broker import FakeBroker, Peer

CELL = ("db/1/req/9q8y/+", "db/1/can/9q8y/+", "db/1/alert/9q8y/+")
CLIENT_ID = "0123456789abcdef0123456789abcdef"
REQ = "db/1/req/9q8y/00000000000000000000000000000000"


class Device:
    """Uplink's end, against any broker."""

    def __init__(self, settings: BrokerSettings, *, delay_s: float = 0.05) -> None:
        self.inbox = Inbox()
        self.states: list[tuple[str, str]] = []
        self.changed = threading.Condition()
        self.broker = Broker(settings, self.inbox, self._on_state, delay_s=lambda _: delay_s)

    def _on_state(self, state: str, why: str) -> None:
        with self.changed:
            self.states.append((state, why))
            self.changed.notify_all()

    def until(self, state: str, after: int = 0) -> str:
        """Wait for a state, said after the first `after` ones; returns why."""
        with self.changed:
            there = self.changed.wait_for(lambda: any(one[0] == state for one in self.states[after:]), 10)
            assert there, self.states
            return next(why for one, why in self.states[after:] if one == state)

    def take(self) -> Arrived | None:
        """The next message; None instead of waiting for ever."""
        timer = threading.Timer(20, self.inbox.close)
        timer.start()
        try:
            return self.inbox.get()
        finally:
            timer.cancel()

    def stop(self) -> None:
        self.broker.stop()
        self.inbox.close()


class FakedDevice(Device):
    """Uplink's end, against a fake broker that says what a test makes it say."""

    def __init__(
        self,
        talk: Callable[[Peer], None],
        *,
        username: str | None = None,
        password: Path | None = None,
        ca: Path | None = None,
    ) -> None:
        self.fake = FakeBroker(talk)
        super().__init__(
            BrokerSettings(
                BrokerAddress("127.0.0.1", self.fake.port, tls=ca is not None),
                ca or Path("/nonexistent-ca"),
                username=username,
                password_file=password,
            )
        )

    def stop(self) -> None:
        super().stop()
        self.fake.stop()


Start = Callable[..., FakedDevice]
