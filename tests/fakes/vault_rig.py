"""The real vault in one thread: real database, files, keys, checks and states; time, network and phones are ours.

`Rig.settle` runs the loop until nothing is left to do. `Rig.pass_s` lets time go by with all timers. `Rig.restart`
is a power cut: whatever was not committed is gone, and a new vault starts on the same folder.
"""

import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from gpiozero.pins.mock import MockFactory

from agent.buffer.sidecar import Sidecar, Stanza
from agent.config import Config, parse_config
from agent.consent.button import Pattern
from agent.consent.pairing import phone_mac
from agent.consent.states import State
from agent.core.encoding import b64, unb64
from agent.core.envelope import sign
from agent.core.errors import BugError, DoorbellError, RefusedError, TroubleError
from agent.core.ids import Id, Kid, kid_of, new_id, sha256_hex
from agent.core.keys import raw_public
from agent.core.seal import grant_info, hpke_seal, new_cek, open_cek, stanza_info
from agent.core.segment_file import Sealer, SegmentMeta, encode_meta
from agent.services.setup import initialise
from agent.services.vault.keys import load_keys
from agent.services.vault.service import Vault
from agent.services.wire import Message
from tests.fakes.clock import FakeClock
from tests.fakes.pairing_link import parse_link
from tests.fakes.platform import AGENCY, FakePlatform

GRACE_S = 61  # a little more than the grace time that `make_config` sets
SPKI = hashlib.sha256(b"the page's key").digest()


class InlineExecutor(Executor):
    """Runs what is submitted at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@dataclass
class FakeUplink:
    """Stands where the link to uplink is; keeps what was handed over. `answers` says how it goes."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    received: dict[str, bytes] = field(default_factory=dict)  # segment → the bytes of the descriptor
    submissions: list[bytes] = field(default_factory=list)
    waiting: list[tuple[Callable[[Message | DoorbellError], None], Message | DoorbellError]] = field(
        default_factory=list
    )
    receipt: Callable[[bytes, str], bytes] = lambda _envelope, _request: b""
    holds_back: bool = False
    fails: bool = False

    def call_async(
        self, verb: str, args: Any, on_reply: Any, *, blob: bytes | None = None, fds: tuple[int, ...] = ()
    ) -> int:
        self.calls.append((verb, dict(args or {})))
        reply: Message | DoorbellError = Message()
        if verb == "upload":
            size, offset, parts = args["bytes"], 0, []
            while offset < size:
                parts.append(os.pread(fds[0], size - offset, offset))
                offset += len(parts[-1])
            if not self.fails:
                self.received[args["segment"]] = b"".join(parts)
            reply = Message({"location": f"loc-{args['segment']}"})
        elif verb == "submit":
            assert blob is not None
            self.submissions.append(blob)
            reply = Message(blob=self.receipt(blob, args["request"]))
        if self.fails and verb in {"upload", "submit"}:
            reply = TroubleError("upload", "the upload server does not answer")
        if self.holds_back and verb in {"upload", "submit"}:
            self.waiting.append((on_reply, reply))
        else:
            on_reply(reply)
        return 1

    def call(self, *_: Any, **__: Any) -> Message:
        raise TroubleError("link", "the fake directory needs no fetch")

    def tell(self, *_: Any, **__: Any) -> None:
        return

    def close(self) -> None:
        """End the link: what was held back is answered with trouble, as the real one does."""
        waiting, self.waiting = self.waiting, []
        for on_reply, _ in waiting:
            on_reply(TroubleError("link", "the other process is gone"))

    def let_go(self) -> None:
        """Answer what was held back."""
        waiting, self.waiting = self.waiting, []
        for on_reply, reply in waiting:
            on_reply(reply)


@dataclass
class FakePhone:
    """A phone's keys, and the envelopes that its page would make."""

    sign_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    open_key: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    @property
    def kid(self) -> Kid:
        return kid_of(raw_public(self.sign_key))

    @property
    def open_kid(self) -> Kid:
        return kid_of(raw_public(self.open_key))

    def consent(self, rig: "Rig", request_id: str, decision: str = "share", **more: Any) -> bytes:
        """Make a consent as the page does: look, open, wrap, sign. `more` replaces fields of the payload."""
        answers, row = rig.vault.answers, rig.vault.house.phones[self.kid]
        seen: Any = answers.request(request_id, row)
        payload: Any = json.loads(unb64(seen["envelope"]["payload"]))
        listed: Any = answers.segments(request_id, row, -1, 512) if decision == "share" else []
        segments = []
        for one in listed:
            if one["stanza"] is None:
                continue
            cek = open_cek(self.open_key, unb64(one["stanza"]), stanza_info(one["id"], self.open_kid))
            wrap = hpke_seal(unb64(payload["enc_pub"]), cek, grant_info(seen["sha256"], one["sha256"]))
            named = {key: one[key] for key in ("id", "sha256", "bytes", "start_ms", "end_ms")}
            segments.append({**named, "wrap": b64(wrap)})
        consent = {
            "v": 1,
            "id": new_id(),
            "decision": decision,
            "request": {"id": request_id, "sha256": seen["sha256"]},
            "agency": payload["agency"],
            "enc_pub": payload["enc_pub"],
            "ep": payload["ep"],
            "segments": segments,
            "contact": None,
            "approver": self.kid,
            "channel": "phone",
            "nonce": seen["nonce"],
            "at": rig.clock.utc_ms() // 1_000,
            "prev": None,
            **more,
        }
        return sign("consent", json.dumps(consent).encode(), [self.sign_key])

    def action(self, rig: "Rig", verb: str, args: dict[str, Any]) -> bytes:
        nonce = rig.vault.house.nonces.issue(self.kid, None, rig.clock.boot_ns())
        payload = {
            "v": 1,
            "id": new_id(),
            "verb": verb,
            "args": args,
            "phone": self.kid,
            "nonce": nonce,
            "at": rig.clock.utc_ms() // 1_000,
        }
        return sign("action", json.dumps(payload).encode(), [self.sign_key])


def make_config(folder: Path, **sections: str) -> Config:
    """Return a whole configuration; `sections` adds lines to a section."""
    (folder / "root.json").write_text("{}")
    (folder / "ca.pem").write_text("")
    base = {
        "device": 'location = [37.7749, -122.4194]\nstate_dir = "state"\nrun_dir = "run"\nclock = "host"',
        "camera": 'source = "scene:porch"',
        "requests": "enabled = true",
        "consent": "grace_s = 60",
        "page": 'host = "127.0.0.1"',
        "platform": 'broker = "mqtts://localhost"\ndirectory = "https://localhost/d"\nca = "ca.pem"\n'
        'root = "root.json"\ndirectory_delay_s = 0',
    }
    text = "".join(
        f"[{name}]\n{base.get(name, '')}\n{sections.get(name, '')}\n" for name in base.keys() | sections.keys()
    )
    path = folder / "doorbell.toml"
    path.write_text(text)
    return parse_config(text, path)


def code_of(result: object) -> str:
    """Return the code of a decision that was refused."""
    assert isinstance(result, RefusedError), result
    return result.code


class Rig:
    """A vault, a platform, an uplink and a phone, in one thread."""

    def __init__(self, folder: Path, **sections: str) -> None:
        self.clock = FakeClock()
        self.config = make_config(folder, **sections)
        self.card = initialise(self.config, with_recovery=True)
        self.platform = FakePlatform(self.clock.utc_ms() // 1_000)
        self.phone = FakePhone()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.uplink = FakeUplink()
        self.board = MockFactory()
        self.start()
        self.pair(self.phone)

    # ---- life of the process

    def start(self) -> None:
        """Start a vault on what is in the folder, as `doorbell vault` does, sockets and all."""
        keys = load_keys(self.config.device.state_dir / "vault" / "keys")
        self.vault = Vault(self.config, self.clock, keys, self.platform, InlineExecutor(), board=self.board)
        self.vault.house.listen(lambda name, data, _phone: self.events.append((name, dict(data))))
        self.servers = self.vault.start()
        self.vault.phones.page_certified(SPKI)
        self.uplink.receipt = self._receipt
        self.connect()

    def connect(self) -> None:
        """Let uplink come (back)."""
        self.vault.uplink.attach(self.uplink)  # type: ignore[arg-type]  # it has the link's methods
        self.vault.uplink.arrived()
        self.settle()

    def restart(self) -> None:
        """Cut the power: nothing in memory survives."""
        self.vault.db.tx.rollback()
        self.close()
        self.uplink.waiting.clear()
        self.start()

    def close(self) -> None:
        for server in self.servers:
            server.close()
        self.vault.close()

    def settle(self) -> None:
        """Run everything that is ready."""
        for _ in range(10_000):
            before = self.vault.loop._queue.qsize()
            self.vault.loop.step(0)
            if before == 0 and self.vault.loop._queue.qsize() == 0:
                return
        raise AssertionError("the loop does not come to rest")

    def pass_s(self, seconds: float, *, step_s: float = 5.0) -> None:
        """Let time go by; the platform renews its timestamp meanwhile."""
        left = seconds
        while left > 0:
            self.clock.pass_s(min(step_s, left))
            left -= step_s
            self.platform.now_s = self.clock.utc_ms() // 1_000
            self.settle()

    # ---- the owner's things

    def lamp(self) -> Pattern | None:
        """Return what the lamp was told to show last."""
        lamp = self.vault._lamp
        return None if lamp is None else lamp.shown

    def press(self, number: int) -> None:
        """Press the button on a pin; what that means is for the contact's thread to say."""
        pin = self.board.pin(number)
        pin.drive_low()
        self.clock.pass_s(0.2)
        pin.drive_high()
        self.clock.pass_s(0.1)

    def pair(self, phone: FakePhone) -> dict[str, Any]:
        link = parse_link(str(self.vault.phones.open_window()["url"]))
        sign_pub, open_pub = raw_public(phone.sign_key), raw_public(phone.open_key)
        mac = phone_mac(link.secret, link.spki, sign_pub, open_pub)
        body: Any = {"name": "Phone", "sign_pub": b64(sign_pub), "open_pub": b64(open_pub), "mac": b64(mac)}
        return dict(self.vault.phones.pair(body))

    def record(self, *, start_s: int | None = None, n: int = 0, clip: Id | None = None, **more: Any) -> Id:
        """Seal a segment of 4 s to every recipient, as the recorder does, and tell the vault."""
        recipients = json.loads((self.config.device.state_dir / "recipients.json").read_text())
        at_ms = (self.clock.utc_ms() // 1_000 - 60 if start_s is None else start_s) * 1_000
        meta = SegmentMeta(
            **{
                "id": new_id(),
                "clip": clip or new_id(),
                "n": n,
                "start_ms": at_ms,
                "end_ms": at_ms + 4_000,
                "clock": "synced",
                "boot": self.clock.boot_id(),
                "mono_ms": self.clock.boot_ns() // 1_000_000 - 60_000,
                "device": recipients["device"],
                "codec": "avc1.42C01F",
                "width": 640,
                "height": 360,
                "trigger": "motion",
                "masked": 0,
                "dropped": 0,
                **more,
            }
        )
        mp4, cek = b"a film of " + meta.id.encode() * 20, new_cek()
        file = bytes(Sealer().seal(encode_meta(meta), mp4, cek))
        stanzas = tuple(
            Stanza(one["kid"], hpke_seal(unb64(one["pub"]), cek, stanza_info(meta.id, one["kid"])))
            for one in recipients["recipients"]
        )
        sidecar = Sidecar(
            id=meta.id, sha256=sha256_hex(file), bytes=len(file), sha256_plain=sha256_hex(mp4), stanzas=stanzas
        )
        self.vault.folder.write(sidecar, file)
        self.vault.store.sealed(meta.id)
        self.settle()
        return meta.id

    # ---- what comes and goes

    def ask(self, **more: Any) -> Id:
        """Let a good request arrive, for the last ten minutes; returns its id."""
        now_s = self.clock.utc_ms() // 1_000
        times = {"from_s": now_s - 600, "to_s": now_s - 10, "iat_s": now_s - 5}
        given = {key: more.pop(key) for key in list(more) if key in times}
        request_id, raw = self.platform.request(**{**times, **given, **more})
        self.deliver("req", raw)
        return request_id

    def ask_the_owner(self) -> Id:
        """Record a segment and let a good request arrive that it matches; returns the request's id."""
        self.record()
        request_id = self.ask()
        assert self.state(request_id) == "PENDING"
        return request_id

    def deliver(self, kind: str, raw: bytes) -> None:
        self.vault.arrivals.message(kind, raw)
        self.settle()

    def decide(self, request_id: str, raw: bytes) -> State | DoorbellError | BugError:
        """Hand a consent in and return the answer."""
        answers: list[State | DoorbellError | BugError] = []
        self.vault.decisions.decide(request_id, raw, answers.append)
        self.settle()
        assert len(answers) == 1
        return answers[0]

    def share(self, request_id: str) -> State | DoorbellError | BugError:
        return self.decide(request_id, self.phone.consent(self, request_id))

    def state(self, request_id: str) -> str:
        row = self.vault.db.tx.execute("SELECT state FROM requests WHERE id = ?", (request_id,)).fetchone()
        return "" if row is None else str(row[0])

    def log(self) -> list[dict[str, Any]]:
        rows = self.vault.db.tx.execute("SELECT entry FROM log ORDER BY n")
        return [json.loads(entry) if entry is not None else {"t": None} for (entry,) in rows]

    def _receipt(self, envelope: bytes, request_id: str) -> bytes:
        payload = unb64(json.loads(envelope)["payload"])
        consent = json.loads(unb64(json.loads(payload)["consents"][0]["payload"]))
        hashes = [one["sha256"] for one in consent["segments"]]
        return self.platform.receipt_for(payload, request_id, hashes, self.clock.utc_ms() // 1_000)


class FullDisk:
    """Lets a table of the database grow no more, with the very error of a full card; `act`: INSERT or UPDATE."""

    def __init__(self, rig: Rig, table: str = "log", act: str = "INSERT") -> None:
        self._tx = rig.vault.db.tx
        self._tx.execute("PRAGMA temp.max_page_count = 16")
        self._tx.execute("CREATE TEMP TABLE too_much (what BLOB)")
        self._tx.execute(
            f"CREATE TEMP TRIGGER full BEFORE {act} ON main.{table}"
            " BEGIN INSERT INTO too_much VALUES (zeroblob(1000000)); END"
        )

    def make_room(self) -> None:
        self._tx.execute("DROP TRIGGER full")


__all__ = ["AGENCY", "FakePhone", "FakeUplink", "FullDisk", "Rig", "make_config"]
