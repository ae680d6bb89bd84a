"""`doorbell uplink`: the composition root of the room with a way to the internet.

It connects to the vault, says hello and does what it is asked: be subscribed, fetch directory bytes, bring a
segment that it was handed to an upload server, hand in a submission, delete uploads. It keeps nothing on disk
and ends when the vault is gone; whoever started it starts it again.
"""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from agent.config import Config
from agent.core.errors import DoorbellError, RefusedError, TroubleError
from agent.core.ids import is_id, is_sha256
from agent.services.notifier import Notifier
from agent.services.sd_notify import notify, watchdog_s
from agent.services.wire import Args, Link, Message
from agent.uplink.addresses import broker_address
from agent.uplink.directory_https import DirectoryFetcher
from agent.uplink.inbox import Inbox
from agent.uplink.location import is_location
from agent.uplink.mqtt import Broker
from agent.uplink.mqtt_session import BrokerSettings
from agent.uplink.sealed_fd import SealedFile
from agent.uplink.tls import client_context
from agent.uplink.tus import Stop, TusClient, Upload, endpoint_address

_Made = TypeVar("_Made")

log = logging.getLogger(__name__)

WORKERS: Final = 8
FIRST_WAIT_S: Final = 0.25
LONGEST_WAIT_S: Final = 10.0
MESSAGE_TIMEOUT_S: Final = 30.0
MAX_LOCATIONS: Final = 512  # section 11: the segments of one consent


class Uplink:
    """What the vault can ask of uplink: one closed table of verbs."""

    def __init__(self, config: Config) -> None:
        platform = config.platform
        settings = BrokerSettings(
            address=broker_address(platform.broker),
            ca=platform.ca,
            username=platform.username,
            password_file=platform.password_file,
            client_certificate=platform.client_certificate,
            client_key=platform.client_key,
        )
        context = client_context(platform.ca, platform.client_certificate, platform.client_key)
        self.inbox = Inbox()
        self._broker = Broker(settings, self.inbox, self._on_broker)
        self._directory = DirectoryFetcher(platform.directory, context)
        self._tus = TusClient(context, private_addresses=platform.private_addresses)
        self._link: Link | None = None
        self._lock = threading.Lock()
        self._uploads: dict[str, set[Stop]] = {}
        self._verbs: dict[str, Callable[[Message], Message]] = {
            "subscribe": self._subscribe,
            "fetch": self._fetch,
            "upload": self._upload,
            "submit": self._submit,
            "discard": self._discard,
            "stop_upload": self._stop_upload,
            "notify": self._notify,
        }
        self._notifier = Notifier(config.path, config.notify)

    def on_call(self, verb: str, message: Message) -> Message:
        """Do what the vault asks; descriptors are closed in any case."""
        try:
            handler = self._verbs.get(verb)
            if handler is None:
                raise RefusedError("verb", "uplink has no such verb")
            return handler(message)
        finally:
            message.close()

    def begin(self, link: Link) -> None:
        """Say hello and be subscribed as the answer says.

        Raises:
            DoorbellError: the vault does not answer as it should.
        """
        self._link = link
        threading.Thread(target=self._forward, args=(link,), name="inbox", daemon=True).start()
        answer = link.call("hello")
        self._subscribe(answer)

    def stop(self) -> None:
        """End every upload, the broker's connection and the inbox."""
        with self._lock:
            running = [stop for stops in self._uploads.values() for stop in stops]
        for stop in running:
            stop.set()
        self._broker.stop()
        self.inbox.close()

    def _forward(self, link: Link) -> None:
        """Bring what waits in the inbox to the vault, one by one."""
        while (arrived := self.inbox.get()) is not None:
            try:
                link.call("message", {"kind": arrived.kind}, blob=arrived.body, timeout_s=MESSAGE_TIMEOUT_S)
            except RefusedError as error:
                log.info("uplink: the vault does not take a message: %s", error.code)
            except TroubleError:
                self.inbox.lost()

    def _on_broker(self, state: str, why: str) -> None:
        log.log(logging.INFO if state == "up" else logging.WARNING, "uplink: broker %s %s", state, why)
        with contextlib.suppress(TroubleError):  # the vault is gone, and uplink with it
            self._tell("broker", {"state": state, "why": why})

    def _subscribe(self, message: Message) -> Message:
        client_id, topics = message.args.get("client_id"), message.args.get("topics")
        if not isinstance(client_id, str) or not isinstance(topics, list):
            raise RefusedError("topics", "client id and topics are missing")
        self._broker.subscribe(client_id, [topic for topic in topics if isinstance(topic, str)])
        return Message()

    def _fetch(self, message: Message) -> Message:
        path, max_bytes = message.args.get("path"), message.args.get("max_bytes")
        if not isinstance(path, str) or type(max_bytes) is not int:
            raise RefusedError("path", "path and size are missing")
        return Message(blob=self._directory.fetch(path, max_bytes))

    def _upload(self, message: Message) -> Message:
        args = message.args
        endpoint = endpoint_address(args.get("endpoint"))
        request, segment, location = args.get("request"), args.get("segment"), args.get("location")
        sha256, length = args.get("sha256"), args.get("bytes")
        if not (is_id(request) and is_id(segment) and is_sha256(sha256) and type(length) is int):
            raise RefusedError("upload", "ids, hash or length are missing")
        if not (location is None or (isinstance(location, str) and is_location(location))):
            raise RefusedError("location", "this is no upload")
        fd = message.take_fd()
        named: Args = {"request": request, "segment": segment}
        try:
            with self._stoppable(request) as stop:
                upload = Upload(SealedFile(fd, length, sha256), request, segment, sha256, location)
                reached = self._tus.upload(
                    endpoint,
                    upload,
                    on_created=lambda created: self._call("created", {**named, "location": created}),
                    on_progress=lambda sent: self._tell("progress", {**named, "sent": sent, "total": length}),
                    stop=stop,
                )
        finally:
            os.close(fd)
        return Message({"location": reached})

    def _submit(self, message: Message) -> Message:
        if message.blob is None:
            raise RefusedError("upload", "the submission is missing")
        return Message(blob=self._tus.submit(endpoint_address(message.args.get("endpoint")), message.blob))

    def _discard(self, message: Message) -> Message:
        endpoint, locations = endpoint_address(message.args.get("endpoint")), message.args.get("locations")
        if not isinstance(locations, list) or len(locations) > MAX_LOCATIONS:
            raise RefusedError("location", "locations are missing")
        self._tus.discard(endpoint, [str(location) for location in locations])
        return Message()

    def _stop_upload(self, message: Message) -> Message:
        with self._lock:
            stops = tuple(self._uploads.get(str(message.args.get("request")), ()))
        for stop in stops:
            stop.set()
        return Message()

    def _notify(self, _: Message) -> Message:
        self._notifier.notify()
        return Message()

    @contextlib.contextmanager
    def _stoppable(self, request: str) -> Iterator[Stop]:
        stop = Stop()
        with self._lock:
            self._uploads.setdefault(request, set()).add(stop)
        try:
            yield stop
        finally:
            with self._lock:
                self._uploads[request].discard(stop)
                if not self._uploads[request]:
                    del self._uploads[request]

    def _call(self, verb: str, args: Args) -> None:
        if self._link is not None:
            self._link.call(verb, args)

    def _tell(self, verb: str, args: Args) -> None:
        if self._link is not None:
            self._link.tell(verb, args)


def main(config: Config) -> int:
    """Run until told to stop (0) or the vault is gone (1).

    Raises:
        ConfigError: a `[platform]` value can't be used.
    """
    told = threading.Event()
    gone = threading.Event()
    ended = threading.Event()

    def tell(*_signal: object) -> None:
        told.set()
        ended.set()

    def lose() -> None:
        gone.set()
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)
    uplink = _made(config, ended)
    link = None if uplink is None else _connected(config, uplink, lose, ended)
    if uplink is not None and link is not None:
        try:
            uplink.begin(link)
            log.info("uplink: started")
            _stand_by(ended)
        except DoorbellError as error:
            log.warning("uplink: %s", error)
        uplink.stop()
        link.close()
    return 0 if told.is_set() else 1


def _stand_by(ended: threading.Event) -> None:
    """Wait for the end, and tell systemd meanwhile that this process lives."""
    period_s = watchdog_s()
    notify("READY=1")
    while not ended.wait(period_s):
        notify("WATCHDOG=1")


def _made(config: Config, ended: threading.Event) -> Uplink | None:
    """Make uplink, and wait while a certificate file can't be read; None when told to stop meanwhile."""
    return _retried(lambda: Uplink(config), ended)


def _connected(config: Config, uplink: Uplink, lose: Callable[[], None], ended: threading.Event) -> Link | None:
    path = config.device.run_dir / "uplink.sock"
    return _retried(lambda: Link.connect(path, uplink.on_call, on_close=lose, workers=WORKERS), ended)


def _retried(make: Callable[[], _Made], ended: threading.Event) -> _Made | None:
    wait_s, said = FIRST_WAIT_S, ""
    while not ended.is_set():
        try:
            return make()
        except TroubleError as trouble:
            if str(trouble) != said:
                said = str(trouble)
                log.warning("uplink: %s", trouble)
            ended.wait(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)
    return None
