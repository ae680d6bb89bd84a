"""What the page's fake vault holds, and how a test moves it on; `page_vault` puts the port's verbs on it."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core import envelope, ids, strict_json
from agent.core.encoding import b64, b64url, unb64
from agent.core.errors import RefusedError, TroubleError
from agent.core.keys import load_verify_key, raw_public
from agent.page.port import Event
from tests.fakes.page_ca import LocalCa
from tests.fakes.page_world import (
    Agency,
    Platform,
    StoredSegment,
    now_ms,
    record_clip,
    request_payload,
    sign_request,
)

if TYPE_CHECKING:
    from collections.abc import Callable

GRACE_S = 60
CONFIRM_S = 120
CLOCK_SLACK_S = 300
SETTINGS: dict[str, type] = {
    "requests_enabled": bool,
    "muted_agencies": list,
    "alerts": bool,
    "max_window_s": int,
    "max_area_m2": int,
    "max_lookback_days": int,
    "daily_approvals": int,
    "quiet_hours": list,
}


@dataclass
class Phone:
    """One paired phone."""

    name: str
    sign_pub: bytes
    open_pub: bytes
    state: str
    paired: int

    @property
    def kid(self) -> ids.Kid:
        return ids.kid_of(self.sign_pub)

    def row(self) -> dict[str, Any]:
        keys = {"sign_pub": b64(self.sign_pub), "open_pub": b64(self.open_pub)}
        times = {"paired": self.paired, "seen": self.paired}
        return {"phone": self.kid, "name": self.name, **keys, "state": self.state, **times}


@dataclass
class Pending:
    """One request as the vault keeps it."""

    payload: dict[str, Any]
    raw: bytes
    agency: dict[str, Any]
    platform: dict[str, Any]
    received: int
    state: str = "PENDING"
    declined: dict[str, Any] | None = None

    @property
    def sha256(self) -> ids.Sha256:
        return ids.sha256_hex(unb64(strict_json_object(self.raw)["payload"]))


def strict_json_object(raw: bytes) -> dict[str, Any]:
    value = strict_json.parse(raw, max_bytes=2_000_000)
    assert isinstance(value, dict)
    return value


class VaultState:
    """Phones, requests, segments, log; no verbs."""

    def __init__(self) -> None:
        self.ca = LocalCa()
        self.spki = b""
        self._listeners: list[Callable[[Event], None]] = []
        self._lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Be a new doorbell behind the same page: only the page's key and its listeners stay."""
        self.device = Ed25519PrivateKey.generate()
        self.device_pub = raw_public(self.device)
        self.device_kid = ids.kid_of(self.device_pub)
        self.platform, self.agency = Platform(), Agency()
        self.shelf: list[StoredSegment] = []
        self.phones_by_kid: dict[str, Phone] = {}
        self.sessions: dict[str, str] = {}
        self.requests_by_id: dict[str, Pending] = {}
        self.consents: list[dict[str, Any]] = []
        self.actions: list[dict[str, Any]] = []
        self.alert_payloads: list[dict[str, Any]] = []
        self.kept: set[str] = set()
        self.settings: dict[str, Any] = {"requests_enabled": True, "muted_agencies": [], "alerts": True}
        self.faults: list[str] = []
        self.clock = "trusted"
        self.withheld = 0
        self.page_faults: list[list[str]] = []  # what the page said of itself, in order
        self.is_recording = True
        self.needs_button = False
        self.is_down = False
        self.calls: list[str] = []
        self._nonces: dict[str, tuple[str, str | None]] = {}
        self._challenges: dict[bytes, str] = {}
        self._secret: bytes | None = None
        self.log_entries: list[bytes] = []
        self.note("boot", boot=ids.new_id(), version="test")

    # -- what a test does -----------------------------------------------------------------------------------

    def open_window(self) -> str:
        """Open a pairing window; returns the part of the link after `#`."""
        self._secret = secrets.token_bytes(16)
        return f"1.{b64url(self._secret)}.{b64url(self.spki)}"

    def record(self, start_ms: int, **how: Any) -> list[StoredSegment]:
        clip = record_clip(self.device_kid, start_ms, **how)
        for phone in self._admitted():
            for segment in clip:
                segment.seal_to(phone.open_pub)
        self.shelf += clip
        self.shelf.sort(key=lambda segment: segment.at_ms)
        return clip

    def receive(self, payload: dict[str, Any], raw: bytes | None = None) -> Pending:
        raw = raw or sign_request(payload, self.agency, self.platform)
        pending = Pending(payload, raw, self.agency.file(), self.platform.file(), now_ms() // 1000)
        self.requests_by_id[payload["id"]] = pending
        self.note("request", id=payload["id"], sha256=pending.sha256)
        self._tell("request", {"id": payload["id"]})
        return pending

    def receive_any(self) -> str:
        """A good request; returns its id."""
        return str(self.receive(request_payload(self.agency)).payload["id"])

    def forget_nonces(self) -> None:
        """Half an hour has passed."""
        self._nonces.clear()

    def press(self, request: str) -> None:
        self._move(self.requests_by_id[request], "GRACE", GRACE_S)

    def end_grace(self, request: str) -> None:
        self._move(self.requests_by_id[request], "UPLOADING")

    def tell_progress(self, request: str, sent: int, total: int) -> None:
        self._tell("progress", {"id": request, "sent": sent, "total": total})

    def finish_upload(self, request: str) -> None:
        self._move(self.requests_by_id[request], "HANDED_OVER")
        self._move(self.requests_by_id[request], "DELIVERED")

    def tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)

    def note(self, kind: str, **fields: Any) -> None:
        entry = {"n": len(self.log_entries), "at": now_ms() // 1000, "t": kind, **fields}
        self.log_entries.append(strict_json.dump(entry))

    # -- what the verbs share ----------------------------------------------------------------

    def _begin(self, verb: str) -> None:
        self.calls.append(verb)
        if self.is_down:
            raise TroubleError("link", "the vault does not answer")

    def _whose(self, session: str, verb: str) -> Phone:
        self._begin(verb)
        phone = self.phones_by_kid.get(self.sessions.get(session, ""))
        if phone is None:
            raise RefusedError("NO_SESSION")
        return phone

    def _admitted(self) -> list[Phone]:
        return [phone for phone in self.phones_by_kid.values() if phone.state == "admitted"]

    def _pending(self, request: str) -> Pending:
        if request not in self.requests_by_id:
            raise RefusedError("NOT_FOUND")
        return self.requests_by_id[request]

    def _matching(self, pending: Pending) -> list[StoredSegment]:
        low, high = pending.payload["from"] * 1000, pending.payload["to"] * 1000
        return [s for s in self.shelf if s.at_ms < high and s.until_ms > low]

    def _verified(self, raw: bytes, name: str, request: str | None) -> tuple[dict[str, Any], Phone]:
        """Envelope, signature and nonce; the payload is parsed once the form is right."""
        sealed = envelope.parse_envelope(raw, counts=(1,), max_bytes=1_048_576, max_payload=1_048_576)
        if sealed.payload_type != envelope.payload_type(name):
            raise RefusedError("E_SCHEMA")
        value = strict_json_object(sealed.payload)
        phone = self.phones_by_kid.get(value["approver" if name == "consent" else "phone"])
        if phone is None:
            raise RefusedError("C_APPROVER")
        load_verify_key(phone.sign_pub)
        envelope.check_signature(sealed, sealed.signatures[0], phone.sign_pub)
        if self._nonces.pop(value["nonce"], None) != (phone.kid, request):
            raise RefusedError("C_NONCE")
        if name == "consent" and abs(value["at"] - now_ms() // 1000) > CLOCK_SLACK_S:
            raise RefusedError("C_STALE")
        return value, phone

    def _check_named(self, consent: dict[str, Any], pending: Pending) -> None:
        payload = pending.payload
        same = all(consent[key] == payload[key] for key in ("agency", "enc_pub", "ep"))
        if not same or consent["request"] != {"id": payload["id"], "sha256": pending.sha256}:
            raise RefusedError("C_STALE")
        held = {s.meta.id: s for s in self._matching(pending)}
        for named in consent["segments"]:
            segment = held.get(named["id"])
            if segment is None or named != {
                "id": segment.meta.id,
                "sha256": segment.sha256,
                "bytes": len(segment.file),
                "start_ms": segment.meta.start_ms,
                "end_ms": segment.meta.end_ms,
                "wrap": named["wrap"],
            }:
                raise RefusedError("C_STALE")
            if len(unb64(named["wrap"])) != 64:
                raise RefusedError("C_WRAP")

    def _move(self, pending: Pending, state: str, seconds: int | None = None) -> None:
        pending.state = state
        self.note("state", request=pending.payload["id"], to=state)
        self._tell("state", {"id": pending.payload["id"], "state": state, "seconds": seconds})

    def _tell(self, name: Any, data: dict[str, Any]) -> None:
        self.tell(Event(name, data))
