"""One connection to the broker, from CONNECT to its end, driven step by step by one thread (protocol section 5).

It can subscribe and nothing else: there is no way to publish in here. paho-mqtt does the packets; this module
holds it to what the protocol says: PUBACK first, bounded packets, QoS 1 at most, an end to every wait.
"""

import os
import re
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import paho.mqtt.client as paho
from paho.mqtt import MQTTException
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from agent.core.errors import RefusedError, TroubleError
from agent.uplink.addresses import BrokerAddress
from agent.uplink.inbox import Arrived
from agent.uplink.tls import client_context

KEEP_ALIVE_S: Final = 300
KEEP_ALIVE_CHECKS: Final = 4  # how often in that time it is looked at; a ping may be so much late
RECEIVE_MAXIMUM: Final = 16
MAX_PACKET_BYTES: Final = 32_768
CONNECT_S: Final = 10.0
ANSWER_S: Final = 20.0
MAX_STAGED: Final = 4 * RECEIVE_MAXIMUM
MAX_PASSWORD_BYTES: Final = 1_024

_KIND: Final = re.compile(r"db/1/(req|can|alert)/[0-9b-hjkmnp-z]{3,4}/[^/]+", re.ASCII)
_PAHO_ERRORS: Final = (
    MQTTException,  # and its MalformedPacket
    ValueError,  # and UnicodeDecodeError
    LookupError,
    TypeError,
    AttributeError,
    struct.error,
)
"""What paho's parser lets through on malformed packets; all of them mean the same: not a broker to talk to."""


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """What `[platform]` says about the broker. The password stays in its file and is read for each CONNECT."""

    address: BrokerAddress
    ca: Path
    username: str | None = None
    password_file: Path | None = field(default=None, repr=False)
    client_certificate: Path | None = None
    client_key: Path | None = field(default=None, repr=False)


class _Client(paho.Client):
    """paho's client on a socket that we make: no proxy, and closed when the handshake fails."""

    def __init__(self, address: BrokerAddress, client_id: str, context: ssl.SSLContext | None) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._broker_address = address
        self._broker_tls = context

    def _create_socket(self) -> socket.socket:
        address = self._broker_address
        tcp = socket.create_connection((address.host, address.port), CONNECT_S)
        if self._broker_tls is None:
            return tcp
        try:
            return self._broker_tls.wrap_socket(tcp, server_hostname=address.host)
        except (OSError, ValueError):
            tcp.close()
            raise


class Session:
    """A connection that `open` makes and that ends with the first error that `step` raises.

    Args:
        settings: Where and how to connect.
        client_id: 128 random bits that the vault keeps.
        wake_fd: A non-blocking eventfd; writing to it from another thread ends the wait in `step`.

    Errors are RefusedError (refused), when the broker or we say no, and TroubleError (broker) for the rest.
    Their texts are ours: nothing that a broker says is repeated.
    """

    def __init__(self, settings: BrokerSettings, client_id: str, wake_fd: int) -> None:
        self._settings = settings
        self._wake_fd = wake_fd
        self._staged: list[Arrived] = []
        self._connected = False
        self._granted = 0
        self._ended: RefusedError | TroubleError | None = None
        context = None
        if settings.address.tls:
            context = client_context(settings.ca, settings.client_certificate, settings.client_key)
        client = self._client = _Client(settings.address, client_id, context)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message

    def open(self) -> None:
        """Connect, shake hands and wait for CONNACK."""
        client, settings = self._client, self._settings
        if settings.username is not None:
            client.username_pw_set(settings.username, _password(settings.password_file))
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's own
        properties.SessionExpiryInterval = 0
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        properties.MaximumPacketSize = MAX_PACKET_BYTES
        address = settings.address
        try:
            client.connect(address.host, address.port, KEEP_ALIVE_S, clean_start=True, properties=properties)
        except ssl.SSLCertVerificationError as exc:
            reason = exc.verify_message or exc.reason or "unknown reason"
            raise RefusedError(
                "refused",
                f"the broker's certificate is not accepted ({reason}): check [platform] ca and the name in broker",
            ) from exc
        except ssl.SSLError as exc:
            raise RefusedError("refused", f"TLS with the broker fails ({exc.reason})") from exc
        except OSError as exc:
            raise _down(
                f"does not answer at {address.host}:{address.port} ({exc.strerror or 'timed out'})"
            ) from exc
        except _PAHO_ERRORS as exc:
            raise _down("speaks no MQTT 5") from exc
        self._wait(lambda: self._connected)

    def subscribe(self, topics: Sequence[str]) -> None:
        """Send one SUBSCRIBE for all topics, QoS 1, Retain Handling 0; `step` raises if one is not granted."""
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE)
        self._granted = 0
        self._call(lambda: self._client.subscribe([(topic, options) for topic in topics]))

    def await_grant(self) -> list[Arrived]:
        """Wait for the SUBACK; messages may come before it and are returned."""
        early: list[Arrived] = []
        self._wait(lambda: self._granted > 0, early)
        return early

    def unsubscribe(self, topics: Sequence[str]) -> None:
        """Send one UNSUBSCRIBE."""
        self._call(lambda: self._client.unsubscribe(list(topics)))

    def step(self, timeout_s: float) -> list[Arrived]:
        """Wait for the network or the wake-up, do what is due, and return what is acknowledged and ready.

        Messages come back only after their PUBACKs were written.
        """
        sock = self._client.socket()
        if sock is None:
            raise self._end()
        held = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        fd = sock.fileno()
        if self._client.keepalive:  # the broker may have set a shorter one in its CONNACK
            timeout_s = min(timeout_s, self._client.keepalive / KEEP_ALIVE_CHECKS)
        writing = [fd] if self._client.want_write() else []
        readable, _, _ = select.select([fd, self._wake_fd], writing, [], 0 if held else timeout_s)
        if self._wake_fd in readable:
            os.eventfd_read(self._wake_fd)
        if held or fd in readable:
            self._call(self._client.loop_read)
            self._check_bounds()
        if self._client.want_write():
            self._call(self._client.loop_write)
        self._call(self._client.loop_misc)
        if self._ended is not None or self._client.socket() is None:
            raise self._end()
        if self._client.want_write():
            return []
        ready, self._staged = self._staged, []
        return ready

    def close(self) -> None:
        """Say DISCONNECT if there is still someone to say it to."""
        try:
            self._client.disconnect()
        except (OSError, *_PAHO_ERRORS):
            return

    def _wait(self, done: Callable[[], bool], early: list[Arrived] | None = None) -> None:
        deadline = time.monotonic() + ANSWER_S
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                raise _down("does not answer in time")
            ready = self.step(left)
            if early is not None:
                early += ready

    def _call(self, act: Callable[[], object]) -> None:
        try:
            act()
        except (OSError, *_PAHO_ERRORS) as exc:
            raise _down("breaks the connection or sends what is no MQTT 5") from exc

    def _check_bounds(self) -> None:
        """Hold the broker to the maxima of our CONNECT: paho asks for them and does not check."""
        incoming = self._client._in_packet["remaining_length"]  # noqa: SLF001 - paho offers no other way to see it
        if incoming > MAX_PACKET_BYTES or len(self._staged) > MAX_STAGED:
            raise _down("sends more than was asked for")
        if self._client._in_messages:  # noqa: SLF001 - QoS 2, which nobody subscribed to, would pile up there
            raise _down("sends QoS 2, which nobody asked for")

    def _end(self) -> RefusedError | TroubleError:
        return self._ended or _down("closed the connection")

    def _on_connect(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        if reason.is_failure:
            self._ended = _refusal(reason)
        self._connected = not reason.is_failure

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        if self._ended is None:
            self._ended = _refusal(reason) if _is_no(reason) else _down("closed the connection")

    def _on_subscribe(
        self, _client: paho.Client, _data: object, _mid: int, reasons: list[ReasonCode], _more: object
    ) -> None:
        self._granted = len(reasons)
        if not reasons or any(reason.is_failure for reason in reasons):
            self._ended = RefusedError(
                "refused", "the broker does not allow this account to subscribe: ask the platform"
            )

    def _on_message(self, client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        client.ack(message.mid, message.qos)
        try:
            found = _KIND.fullmatch(message.topic)
        except UnicodeDecodeError:
            return
        if found and message.payload:
            self._staged.append(Arrived(found[1], bytes(message.payload)))


def _down(text: str) -> TroubleError:
    return TroubleError("broker", f"the broker {text}")


def _is_no(reason: ReasonCode) -> bool:
    return reason.getName() in (
        "Bad user name or password",
        "Not authorized",
        "Banned",
        "Bad authentication method",
    )


def _refusal(reason: ReasonCode) -> RefusedError:
    """`getName` comes from the closed table of MQTT 5, never from the broker's own words."""
    if _is_no(reason):
        return RefusedError(
            "refused",
            "the broker refuses this account: check [platform] username, password_file and client_certificate",
        )
    return RefusedError("refused", f"the broker refuses the connection ({reason.getName()})")


def _password(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return file.read(MAX_PASSWORD_BYTES).decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise RefusedError("refused", f"[platform] password_file = {path}: can't be read") from exc
