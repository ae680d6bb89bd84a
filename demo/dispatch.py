"""The platform's dispatch desk: moderates, countersigns and publishes (protocol sections 5, 6, 8)."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.core.encoding import unb64
from agent.core.envelope import add_signature, check_signature, parse_envelope, sign
from agent.core.geo import cells_touched
from agent.core.ids import new_id
from demo.agency import to_json
from demo.broker import PASSWORDS, PLATFORM

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from agent.core.geo import Point
    from demo.broker import Broker
    from demo.directory import Directory
    from demo.keys import SignKey

ANSWER_S = 10.0


class DispatchError(Exception):
    """The platform would not send this, or the broker did not take it; the text says why."""


class Dispatch:
    """Countersigns what an agency signed and publishes it to every cell that the area touches.

    Args:
        key: The dispatch key.
        directory: To look agencies up in; None skips moderation.
    """

    def __init__(self, key: SignKey, directory: Directory | None = None) -> None:
        self.key = key
        self._directory = directory

    def countersign(self, envelope: bytes) -> bytes:
        """The same envelope with dispatch's signature beside the agency's.

        Raises:
            DispatchError: The agency is not active in the directory or did not sign it.
            RefusedError: The envelope or its signature is wrong.
        """
        parsed = parse_envelope(envelope, counts=(1,))
        payload: dict[str, Any] = json.loads(parsed.payload)
        if self._directory is not None:
            file = self._directory.agencies.get(payload["agency"])
            if file is None or file["status"] != "active":
                raise DispatchError(f"agency {payload['agency']} is not active: nothing is sent in its name")
            keys = {key["kid"]: key for key in file["sign"]}
            signature = parsed.signatures[0]
            if signature.keyid not in keys:
                raise DispatchError(f"the request is not signed by a key of {payload['agency']}")
            check_signature(parsed, signature, unb64(keys[signature.keyid]["pub"]))
        return add_signature(parsed, self.key.private)

    def countersigned(self, payload: dict[str, Any], agency_key: SignKey) -> bytes:
        """A request signed by both keys in one step, for tests."""
        return sign("request", to_json(payload), [self.key.private, agency_key.private])

    def cancel(self, payload_agency: str, request_id: str, *, at_s: int, reason: str = "error") -> bytes:
        """A cancel envelope, signed by dispatch."""
        payload = {"v": 1, "id": request_id, "agency": payload_agency, "at": at_s, "reason": reason}
        return sign("cancel", to_json(payload), [self.key.private])

    def alert(self, *, now_s: int, area: Sequence[Point], **fields: object) -> dict[str, Any]:
        """An alert's payload; `fields` replace or add keys."""
        payload: dict[str, Any] = {
            "v": 1,
            "id": new_id(),
            "source": {"kind": "neighbour", "agency": None},
            "category": "burglary",
            "title": "A van tries door handles",
            "text": "A white van has been driving slowly along the street; someone tries door handles.",
            "area": [list(point) for point in area],
            "iat": now_s,
            "exp": now_s + 3600,
        }
        return payload | fields

    def sign_alert(self, payload: dict[str, Any]) -> bytes:
        """An alert envelope, signed by dispatch."""
        return sign("alert", to_json(payload), [self.key.private])


def cells_of(area: Iterable[Sequence[int]]) -> list[str]:
    """Every 4-cell and every 3-cell that the polygon touches (protocol section 5)."""
    polygon = [(point[0], point[1]) for point in area]
    return sorted(cells_touched(polygon, 4) | cells_touched(polygon, 3))


class Publisher:
    """The platform's MQTT connection to the broker.

    Args:
        broker: Where to publish.
        ca: The authority that signed the broker's certificate.
    """

    def __init__(self, broker: Broker, ca: Path) -> None:
        self._broker = broker
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="platform", protocol=mqtt.MQTTv5)
        self._client.username_pw_set(PLATFORM, PASSWORDS[PLATFORM])
        self._client.tls_set_context(ssl.create_default_context(cafile=str(ca)))
        self.sent = 0

    def start(self) -> None:
        """Connect; paho keeps the connection up."""
        self._client.connect("localhost", self._broker.port, keepalive=60)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def publish(
        self, kind: str, cells: Iterable[str], message_id: str, body: bytes, *, life_s: int | None = None
    ) -> None:
        """Publish retained at QoS 1 to `db/1/<kind>/<cell>/<id>` for each cell; returns when all are taken.

        An empty `body` clears the retained message.

        Raises:
            DispatchError: The broker did not take it in time.
        """
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if life_s is not None:
            properties.MessageExpiryInterval = life_s
        waiting = [
            self._client.publish(
                f"db/1/{kind}/{cell}/{message_id}", body, qos=1, retain=True, properties=properties
            )
            for cell in cells
        ]
        for message in waiting:
            try:
                message.wait_for_publish(ANSWER_S)
            except (RuntimeError, ValueError) as error:
                raise DispatchError(f"the broker did not take the message: {error}") from error
            if not message.is_published():
                raise DispatchError(f"the broker did not take the message within {ANSWER_S:.0f} s")
            self.sent += 1

    def publish_signed(self, kind: str, envelope: bytes, area: Iterable[Sequence[int]], *, now_s: int) -> None:
        """Publish an envelope under its payload's id to every cell of `area`, until its `exp`."""
        payload = json.loads(parse_envelope(envelope, counts=(1, 2)).payload)
        life_s = max(1, int(payload.get("exp", now_s + 3600)) - now_s)
        self.publish(kind, cells_of(area), payload["id"], envelope, life_s=life_s)
