"""Uplink's end of the connection, against a fake broker."""

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
    """Uplink's end, against a fake broker."""

    def __init__(
        self,
        talk: Callable[[Peer], None],
        *,
        username: str | None = None,
        password: Path | None = None,
        ca: Path | None = None,
    ) -> None:
        self.inbox = Inbox()
        self.states: list[tuple[str, str]] = []
        self.changed = threading.Condition()
        self.fake = FakeBroker(talk)
        settings = BrokerSettings(
            BrokerAddress("127.0.0.1", self.fake.port, tls=ca is not None),
            ca or Path("/nonexistent-ca"),
            username=username,
            password_file=password,
        )
        self.broker = Broker(settings, self.inbox, self._on_state, delay_s=lambda _: 0.05)

    def _on_state(self, state: str, why: str) -> None:
        with self.changed:
            self.states.append((state, why))
            self.changed.notify_all()

    def until(self, state: str) -> str:
        with self.changed:
            assert self.changed.wait_for(lambda: any(one[0] == state for one in self.states), 10), self.states
            return next(why for one, why in self.states if one == state)

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
        self.fake.stop()


Start = Callable[..., Device]
