"""An agency: its keys, its directory file, its signed requests and cancels (protocol sections 6, 8)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import cos, radians
from typing import TYPE_CHECKING, Any

from agent.core.encoding import b64
from agent.core.envelope import sign
from agent.core.ids import new_id
from demo.keys import OpenKey, SignKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.geo import Point

LIMITS = {"area_m2": 1_300_000, "window_s": 43_200, "lookback_s": 2_592_000, "ttl_s": 604_800}
OFFICER = {"name": "Robin Hale", "badge": "4711"}
TEXT = (
    "A parcel was taken from a doorstep in your street.\n"
    "Please share what your doorbell recorded at about that time."
)
HALF_SIDE_M = 250
M_PER_DEGREE = 111_319.49


@dataclass
class Agency:
    """An agency with one sign key and one enc key."""

    id: str = "us-ca-examplepd"
    name: str = "Example Police Department"
    centre: Point = (377_749_000, -1_224_194_000)
    country: str = "US"
    region: str = "CA"
    sign_key: SignKey = field(default_factory=SignKey)
    enc_key: OpenKey = field(default_factory=OpenKey)
    limits: dict[str, int] = field(default_factory=lambda: dict(LIMITS))

    def directory_file(self, endpoints: Sequence[str] = ("ep1",)) -> dict[str, Any]:
        """The agency's target file (protocol section 4)."""
        return {
            "v": 1,
            "id": self.id,
            "name": self.name,
            "country": self.country,
            "region": self.region,
            "status": "active",
            "sign": [self.sign_key.entry()],
            "enc": [self.enc_key.entry()],
            "endpoints": list(endpoints),
            "limits": dict(self.limits),
            "contact": {"phone": "+1 555 0100", "web": "examplepd.example"},
            "centre": list(self.centre),
        }

    def request(
        self,
        *,
        now_s: int,
        window: tuple[int, int],
        area: Sequence[Point] | None = None,
        **fields: object,
    ) -> dict[str, Any]:
        """A request's payload for footage of `window` (unix seconds); `fields` replace or add keys.

        `area` defaults to a square of 500 m around `centre`. The request lives an hour.
        """
        start_s, end_s = window
        payload: dict[str, Any] = {
            "v": 1,
            "id": new_id(),
            "agency": self.id,
            "case": "24-001234",
            "incident": "burglary",
            "officer": dict(OFFICER),
            "text": TEXT,
            "area": [list(point) for point in (area or square(self.centre))],
            "from": start_s,
            "to": end_s,
            "iat": max(now_s, end_s),
            "exp": max(now_s, end_s) + 3600,
            "enc_pub": b64(self.enc_key.pub),
            "ep": "ep1",
            "dirv": 1,
        }
        return payload | fields

    def sign_request(self, payload: dict[str, Any]) -> bytes:
        """The request as the agency hands it to the platform: one signature, dispatch's still to come."""
        return sign("request", to_json(payload), [self.sign_key.private])

    def cancel(self, request_id: str, *, at_s: int, reason: str = "resolved") -> bytes:
        """A cancel envelope, signed by this agency."""
        payload = {"v": 1, "id": request_id, "agency": self.id, "at": at_s, "reason": reason}
        return sign("cancel", to_json(payload), [self.sign_key.private])


def square(centre: Point, half_side_m: float = HALF_SIDE_M) -> list[Point]:
    """A square polygon around a point; near enough to square anywhere a doorbell hangs."""
    lat, lon = centre
    d_lat = round(half_side_m / M_PER_DEGREE * 1e7)
    d_lon = round(half_side_m / M_PER_DEGREE / cos(radians(lat / 1e7)) * 1e7)
    return [
        (lat - d_lat, lon - d_lon),
        (lat - d_lat, lon + d_lon),
        (lat + d_lat, lon + d_lon),
        (lat + d_lat, lon - d_lon),
    ]


def to_json(value: object) -> bytes:
    """Compact UTF-8 JSON, the form that gets signed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
