"""A whole vault behind the page's port, in memory, with real keys, signatures and seals.

It follows protocol sections 10 to 12 as a phone sees them. Tests move it on by hand (`press`, `end_grace`,
`finish_upload`) and read what it took (`consents`, `actions`).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.core import checkpoint, ids, merkle, strict_json
from agent.core.encoding import b64, unb64
from agent.core.errors import RefusedError
from tests.fakes.page_vault_state import (
    CLOCK_SLACK_S,
    CONFIRM_S,
    GRACE_S,
    SETTINGS,
    Phone,
    VaultState,
    strict_json_object,
)
from tests.fakes.page_world import CAMERA, StoredSegment, now_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.page.port import Body, Event


class PageVault(VaultState):
    """Implements `agent.page.port.VaultPort`."""

    # -- the port: certificate, pairing, session --------------------------------------------------------------

    def certificate(self, csr_der: bytes) -> str:
        csr = x509.load_der_x509_csr(csr_der)
        public = csr.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.spki = hashlib.sha256(public).digest()
        return self.ca.issue(csr)

    def pair(self, body: dict[str, Any]) -> Body:
        self._begin("pair")
        if self._secret is None:
            raise RefusedError("P_CLOSED")
        secret, keys = self._secret, unb64(body["sign_pub"]) + unb64(body["open_pub"])
        said = b"doorbell/pair/v1\0phone" + self.spki + keys
        if not hmac.compare_digest(hmac.digest(secret, said, "sha256"), unb64(body["mac"])):
            raise RefusedError("P_MAC")
        self._secret = None
        state = "waiting" if self.phones_by_kid else "admitted"
        phone = Phone(body["name"], keys[:32], keys[32:], state, now_ms() // 1000)
        self.phones_by_kid[phone.kid] = phone
        self.note("paired", phone=phone.kid, sign_pub=body["sign_pub"], open_pub=body["open_pub"])
        if state == "admitted":
            for segment in self.shelf:
                segment.seal_to(phone.open_pub)
        self._tell("phone", {"phone": phone.kid})
        answer = hmac.digest(
            secret, b"doorbell/pair/v1\0device" + self.spki + keys + self.device_kid.encode(), "sha256"
        )
        device = {"device": self.device_kid, "device_pub": b64(self.device_pub)}
        return {"phone": phone.kid, **device, "state": state, "mac": b64(answer)}

    def challenge(self, phone: str) -> Body:
        self._begin("challenge")
        if phone not in self.phones_by_kid:
            raise RefusedError("C_APPROVER")
        challenge = secrets.token_bytes(32)
        self._challenges[challenge] = phone
        return {"challenge": b64(challenge)}

    def session(self, phone: str, sig: str) -> str:
        self._begin("session")
        known = self.phones_by_kid.get(phone)
        if known is None:
            raise RefusedError("C_APPROVER")
        key = Ed25519PublicKey.from_public_bytes(known.sign_pub)
        for challenge in [c for c, owner in self._challenges.items() if owner == phone]:
            del self._challenges[challenge]
            try:
                key.verify(unb64(sig), b"doorbell/session/v1\0" + self.spki + challenge)
            except InvalidSignature:
                continue
            secret = secrets.token_urlsafe(32)
            self.sessions[secret] = phone
            return secret
        raise RefusedError("C_SIG")

    # -- the port: reading --------------------------------------------------------------

    def status(self, session: str) -> Body:
        self._whose(session, "status")
        return {
            "recording": self.is_recording,
            "clock": self.clock,
            "broker": "up",
            "directory": {"version": 7, "fresh": True},
            "storage": {"bytes": sum(len(s.file) for s in self.shelf), "limit": 8_000_000_000},
            "requests_enabled": self.settings["requests_enabled"],
            "camera": CAMERA,
            "time_zone": "America/Los_Angeles",
            "button": self.needs_button,
            "faults": self.faults,
            "withheld": self.withheld,
        }

    def requests(self, session: str) -> Body:
        self._whose(session, "requests")
        rows = [
            {
                **{key: pending.payload[key] for key in ("id", "agency", "case", "incident", "from", "to")},
                "agency_name": pending.agency["name"],
                "received": pending.received,
                "state": pending.state,
                "segments": len(self._matching(pending)),
            }
            for pending in self.requests_by_id.values()
        ]
        return rows[::-1]

    def request(self, session: str, request: str) -> Body:
        phone = self._whose(session, "request")
        pending = self._pending(request)
        nonce = ids.new_id()
        self._nonces[nonce] = (phone.kid, request)
        return {
            "envelope": strict_json_object(pending.raw),
            "sha256": pending.sha256,
            "state": pending.state,
            "agency": pending.agency,
            "platform": pending.platform,
            "nonce": nonce,
            "segments": len(self._matching(pending)),
        }

    def segments(self, session: str, request: str, *, after: int | None, limit: int) -> Body:
        phone = self._whose(session, "segments")
        kid = ids.kid_of(phone.open_pub) if phone.state == "admitted" else None
        rows = [segment.row(i, kid) for i, segment in enumerate(self._matching(self._pending(request)))]
        return [row for row in rows if after is None or row["i"] > after][:limit]

    def segment(self, session: str, segment: str) -> int:
        if self._whose(session, "segment").state != "admitted":
            raise RefusedError("C_APPROVER")
        found = next((stored for stored in self.shelf if stored.meta.id == segment), None)
        if found is None:
            raise RefusedError("NOT_FOUND")
        descriptor = os.memfd_create("segment", os.MFD_CLOEXEC)
        os.write(descriptor, found.file)
        return descriptor

    def clips(self, session: str, *, before_ms: int | None, limit: int) -> Body:
        phone = self._whose(session, "clips")
        if phone.state != "admitted":
            return []
        clips: dict[str, dict[str, Any]] = {}
        for i, segment in enumerate(self.shelf):
            meta, row = segment.meta, segment.row(i, ids.kid_of(phone.open_pub))
            fresh = {"clip": meta.clip, "start_ms": segment.at_ms, "end_ms": 0, "trigger": meta.trigger}
            clip = clips.setdefault(meta.clip, {**fresh, "segments": []})
            clip["end_ms"] = segment.until_ms
            clip["segments"].append(row)
        rows = sorted(clips.values(), key=lambda row: -row["start_ms"])
        return [row for row in rows if before_ms is None or row["start_ms"] < before_ms][:limit]

    def alerts(self, session: str) -> Body:
        self._whose(session, "alerts")
        return list(self.alert_payloads)

    def agencies(self, session: str) -> Body:
        self._whose(session, "agencies")
        return [{"id": self.agency.id, "name": self.agency.name, "centre": CAMERA}]

    def log(self, session: str, *, after: int | None, limit: int) -> Body:
        self._whose(session, "log")
        start = 0 if after is None else after + 1
        leaves = [merkle.leaf_hash(entry) for entry in self.log_entries]
        root = merkle.tree_root(leaves)
        return {
            "size": len(leaves),
            "root": b64(root),
            "checkpoint": checkpoint.sign_checkpoint(len(leaves), root, self.device),
            "entries": [entry.decode() for entry in self.log_entries[start : start + limit]],
        }

    def phones(self, session: str) -> Body:
        self._whose(session, "phones")
        return [phone.row() for phone in self.phones_by_kid.values()]

    def stanzas(self, session: str, *, after: int | None, limit: int) -> Body:
        phone = self._whose(session, "stanzas")
        kid = ids.kid_of(phone.open_pub)
        rows = [
            {"i": i, "id": segment.meta.id, "stanza": segment.stanzas[kid]}
            for i, segment in enumerate(self.shelf)
            if kid in segment.stanzas and phone.state == "admitted"
        ]
        return [row for row in rows if after is None or int(str(row["i"])) > after][:limit]

    def nonce(self, session: str) -> Body:
        phone = self._whose(session, "nonce")
        nonce = ids.new_id()
        self._nonces[nonce] = (phone.kid, None)
        return {"nonce": nonce}

    # -- the port: changing --------------------------------------------------------------

    def decision(self, session: str, request: str, envelope_raw: bytes) -> Body:
        self._whose(session, "decision")
        with self._lock:
            pending = self._pending(request)
            consent, phone = self._verified(envelope_raw, "consent", request)
            sharing = consent["decision"] == "share"
            if phone.state != "admitted" and sharing:
                raise RefusedError("C_APPROVER")
            replaces = pending.state == "DECLINED" and consent["prev"] == (pending.declined or {}).get("id")
            if (
                pending.state != "PENDING"
                and not (replaces and sharing)
                and (sharing or pending.state == "UPLOADING")
            ):
                raise RefusedError("C_STATE")
            self._check_named(consent, pending)
            self.consents.append(consent | {"_raw": envelope_raw})
            self.note("consent", request=request, sha256=ids.sha256_hex(strict_json.dump(consent)))
            if not sharing:
                pending.declined = consent
                self._move(pending, "DECLINED")
            elif self.needs_button:
                self._move(pending, "CONFIRMING", CONFIRM_S)
            else:
                self._move(pending, "GRACE", GRACE_S)
            return {"state": pending.state}

    def stop(self, session: str, request: str) -> Body:
        self._whose(session, "stop")
        pending = self._pending(request)
        if pending.state not in {"CONFIRMING", "GRACE", "UPLOADING"}:
            raise RefusedError("C_STATE")
        self._move(pending, "WITHDRAWN" if pending.state == "UPLOADING" else "PENDING")
        return {"state": pending.state}

    def hand_on(self, session: str, phone: str, stanzas: list[dict[str, str]]) -> Body:
        if self._whose(session, "hand_on").state != "admitted":
            raise RefusedError("C_APPROVER")
        target = self.phones_by_kid.get(phone)
        if target is None or target.state != "admitted":
            raise RefusedError("NOT_FOUND")
        by_id: dict[str, StoredSegment] = {segment.meta.id: segment for segment in self.shelf}
        for row in stanzas:
            if row["id"] in by_id:
                by_id[row["id"]].stanzas.setdefault(ids.kid_of(target.open_pub), row["stanza"])
        return {}

    def action(self, session: str, envelope_raw: bytes) -> Body:
        self._whose(session, "action")
        action, phone = self._verified(envelope_raw, "action", None)
        if phone.state != "admitted":
            raise RefusedError("C_APPROVER")
        args: dict[str, Any] = action["args"]
        match action["verb"]:
            case "admit":
                self.phones_by_kid[args["phone"]].state = "admitted"
                self.note("admitted", phone=args["phone"])
                self._tell("phone", {"phone": args["phone"]})
            case "unpair":
                del self.phones_by_kid[args["phone"]]
                self.sessions = {s: p for s, p in self.sessions.items() if p != args["phone"]}
                self.note("unpaired", phone=args["phone"])
                self._tell("phone", {"phone": args["phone"]})
            case "settings":
                if abs(args.pop("clock_at", 0) - now_ms() // 1000) <= CLOCK_SLACK_S:
                    self.clock = "trusted"
                if not all(value is None or type(value) is SETTINGS.get(key) for key, value in args.items()):
                    raise RefusedError("E_SCHEMA")
                self.settings |= args
                self.note("settings", **args)
                self._tell("status", {})
            case "keep":
                self.kept.add(args["clip"])
            case "delete":
                self.shelf = [segment for segment in self.shelf if segment.meta.clip != args["clip"]]
            case _:
                raise RefusedError("E_SCHEMA")
        self.actions.append(action)
        return {}

    def subscribe(self, session: str) -> str:
        return self._whose(session, "subscribe").kid

    def on_event(self, listener: Callable[[Event], None]) -> None:
        self._listeners.append(listener)
