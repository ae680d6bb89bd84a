"""A platform and an agency in memory, with a directory that needs no TUF: for tests of what the vault decides.

What a real directory does with TUF is tested in tests/consent/test_tuf*; here it is a view that tests change.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.consent.directory import Agency, DirectoryView, Region, parse_agency, parse_platform
from agent.core.encoding import b64
from agent.core.envelope import sign
from agent.core.errors import TroubleError
from agent.core.ids import Id, kid_of, new_id, sha256_hex
from agent.core.keys import raw_public

CAMERA = (377_749_000, -1_224_194_000)
AGENCY = "us-ca-examplepd"
_HALF_E7 = 16_000  # about 350 m by 280 m


def key_entry(key: Ed25519PrivateKey | X25519PrivateKey) -> dict[str, Any]:
    public = raw_public(key)
    return {"kid": kid_of(public), "pub": b64(public), "nbf": 1_600_000_000, "exp": 4_000_000_000}


def square(centre: tuple[int, int] = CAMERA) -> list[list[int]]:
    lat, lon = centre
    return [
        [lat - _HALF_E7, lon - _HALF_E7],
        [lat - _HALF_E7, lon + _HALF_E7],
        [lat + _HALF_E7, lon + _HALF_E7],
        [lat + _HALF_E7, lon - _HALF_E7],
    ]


@dataclass
class FakePlatform:
    """Implements the vault's `Verifier`; tests change what it serves and call `publish`."""

    now_s: int
    dispatch: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    receipt: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    agency_sign: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    agency_enc: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    status: str = "active"
    version: int = 1
    is_reachable: bool = True
    life_s: int = 86_400
    serves_dispatch: list[Ed25519PrivateKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.serves_dispatch = [self.dispatch]
        self._view: DirectoryView | None = None

    # ---- the directory

    @property
    def view(self) -> DirectoryView | None:
        return self._view

    def load(self) -> DirectoryView | None:
        return self._view

    def refresh(self, _fetch: object) -> DirectoryView:
        if not self.is_reachable:
            raise TroubleError("directory-unreachable", "The directory does not answer.")
        raw = json.dumps(
            {
                "v": 1,
                "name": "Example platform",
                "version": self.version,
                "issued": self.now_s - 3_600,
                "dispatch": [key_entry(key) for key in self.serves_dispatch],
                "receipt": [key_entry(self.receipt)],
                "endpoints": {"ep1": {"host": "up1.example", "port": 443, "base": "/up"}},
                "incidents": ["burglary"],
            }
        ).encode()
        before = self._view
        same = before is not None and before.platform.raw == raw
        agencies: Mapping[str, Agency | None] = before.agencies if same and before is not None else {}
        platform = before.platform if same and before is not None else parse_platform(raw)
        self._view = DirectoryView(platform, agencies, self.now_s + self.life_s)
        return self._view

    def look_up_agency(self, fetch: object, agency: str) -> DirectoryView:
        if not self.is_reachable:
            raise TroubleError("directory-unreachable", "The directory does not answer.")
        held = self._view if self._view is not None else self.refresh(fetch)
        found = parse_agency(self.agency_raw(), agency) if agency == AGENCY else None
        self._view = replace(held, agencies={**held.agencies, agency: found})
        return self._view

    def agency_raw(self) -> bytes:
        return json.dumps(
            {
                "v": 1,
                "id": AGENCY,
                "name": "Example Police Department",
                "country": "US",
                "region": "CA",
                "status": self.status,
                "sign": [key_entry(self.agency_sign)],
                "enc": [key_entry(self.agency_enc)],
                "endpoints": ["ep1"],
                "limits": {"area_m2": 1_300_000, "window_s": 43_200, "lookback_s": 2_592_000, "ttl_s": 604_800},
                "contact": {"phone": "+1 555 0100", "web": "examplepd.example"},
                "centre": list(CAMERA),
            }
        ).encode()

    def region(self, _fetch: object, _cell: str) -> Region | None:
        return None

    def evidence_files(self, _agency: str) -> dict[str, bytes]:
        expires_s = 0 if self._view is None else self._view.timestamp_expires_s
        return {"metadata/timestamp.json": json.dumps({"expires": expires_s}).encode()}

    # ---- what it sends

    def request(self, *, from_s: int, to_s: int, iat_s: int, **more: Any) -> tuple[Id, bytes]:
        """Return id and envelope of a good request; `more` replaces fields of the payload."""
        request_id = new_id()
        payload = {
            "v": 1,
            "id": request_id,
            "agency": AGENCY,
            "case": f"24-{int(request_id[:6], 16):08d}",
            "incident": "burglary",
            "officer": {"name": "J. Rivera", "badge": "4711"},
            "text": "A silver sedan was seen at the time.",
            "area": square(),
            "from": from_s,
            "to": to_s,
            "iat": iat_s,
            "exp": iat_s + 86_400,
            "enc_pub": b64(raw_public(self.agency_enc)),
            "ep": "ep1",
            "dirv": 1,
            **more,
        }
        raw = json.dumps(payload).encode()
        return Id(str(payload["id"])), sign("request", raw, [self.dispatch, self.agency_sign])

    def cancel(self, request_id: Id, at_s: int, agency: str = AGENCY) -> bytes:
        payload = {"v": 1, "id": request_id, "agency": agency, "at": at_s, "reason": "resolved"}
        return sign("cancel", json.dumps(payload).encode(), [self.dispatch])

    def alert(self, iat_s: int, **more: Any) -> bytes:
        payload = {
            "v": 1,
            "id": new_id(),
            "source": {"kind": "neighbour", "agency": None},
            "category": "burglary",
            "title": "Car broken into",
            "text": "Last night in this street.",
            "area": square(),
            "iat": iat_s,
            "exp": iat_s + 86_400,
            **more,
        }
        return sign("alert", json.dumps(payload).encode(), [self.dispatch])

    def receipt_for(self, submission_payload: bytes, request_id: str, segments: list[str], at_s: int) -> bytes:
        payload = {
            "v": 1,
            "submission_sha256": sha256_hex(submission_payload),
            "request": request_id,
            "segments": segments,
            "received_at": at_s,
        }
        return sign("receipt", json.dumps(payload).encode(), [self.receipt])
