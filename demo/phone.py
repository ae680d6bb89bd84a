"""The owner's phone, scripted: what the page does in a browser, in Python (protocol sections 10 and 11).

It does the page's duty too: it verifies both signatures of a request itself, wraps only to the key
that the verified request names, and believes no hash or name that the doorbell tells it.
"""

from __future__ import annotations

import hmac
import json
import time
from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.core.encoding import b64
from agent.core.envelope import sign
from agent.core.errors import RefusedError
from agent.core.ids import Kid, kid_of, new_id, sha256_hex
from agent.core.seal import contact_info, grant_info, hpke_open, hpke_seal, stanza_info
from agent.core.segment_file import join_mp4, open_segment
from demo.agency import to_json
from demo.keys import OpenKey, SignKey
from demo.page_client import PageClient, PageError, PairingLink
from demo.seen_request import SeenRequest, seen_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PAGE_OF_SEGMENTS = 512
POLL_S = 0.25


@dataclass
class Phone:
    """A phone with its two keys; `pair` comes first.

    Attributes:
        client: The way to the page.
        link: The pairing link.
        name: What the owner calls it.
        device: The doorbell's kid, once paired.
        code: The six digits that a waiting phone shows.
    """

    link: PairingLink
    name: str = "Demo phone"
    sign_key: SignKey = field(default_factory=SignKey)
    open_key: OpenKey = field(default_factory=OpenKey)
    device: str = ""
    now_s: Callable[[], int] = lambda: int(time.time())

    def __post_init__(self) -> None:
        self.client = PageClient(self.link)

    @property
    def kid(self) -> Kid:
        """The phone's name in the protocol: the kid of its sign key."""
        return self.sign_key.kid

    @property
    def code(self) -> str:
        """The six digits that both screens show while this phone waits."""
        digest = bytes.fromhex(sha256_hex(self.sign_key.pub + self.open_key.pub))
        return f"{(int.from_bytes(digest[:4], 'big') >> 12) % 1_000_000:06d}"

    # Pairing and session.

    def pair(self) -> str:
        """Pair by the link; return `admitted` or `waiting`.

        Raises:
            PageError: refused, or the doorbell does not know the link's secret.
        """
        keys = self.sign_key.pub + self.open_key.pub
        answer = self.client.post(
            "/api/pair",
            {
                "name": self.name,
                "sign_pub": b64(self.sign_key.pub),
                "open_pub": b64(self.open_key.pub),
                "mac": b64(self._mac("phone", keys)),
            },
        )
        if kid_of(b64decode(answer["device_pub"])) != answer["device"] or answer["phone"] != self.kid:
            raise PageError("P_MAC", "the doorbell names other keys")
        if not hmac.compare_digest(
            b64decode(answer["mac"]), self._mac("device", keys + answer["device"].encode())
        ):
            raise PageError("P_MAC", "the doorbell does not know the secret of the link")
        self.device = answer["device"]
        return str(answer["state"])

    def _mac(self, side: str, what: bytes) -> bytes:
        label = f"doorbell/pair/v1\0{side}".encode()
        return hmac.digest(self.link.secret, label + self.link.spki + what, "sha256")

    def open_session(self) -> None:
        """Prove the sign key and get the session's cookie."""
        challenge = b64decode(self.client.post("/api/session/challenge", {"phone": self.kid})["challenge"])
        signed = self.sign_key.private.sign(b"doorbell/session/v1\0" + self.link.spki + challenge)
        self.client.post("/api/session", {"phone": self.kid, "sig": b64(signed)})

    # Looking.

    def status(self) -> dict[str, Any]:
        """`GET /api/status`."""
        answer: dict[str, Any] = self.client.get("/api/status")
        return answer

    def requests(self) -> list[dict[str, Any]]:
        """What reached the owner, newest first."""
        answer: list[dict[str, Any]] = self.client.get("/api/requests")
        return answer

    def request(self, request_id: str) -> SeenRequest:
        """One request, verified.

        Raises:
            RefusedError: a signature, a hash or a name in the answer is wrong.
        """
        return seen_request(self.client.get(f"/api/requests/{request_id}"), request_id)

    def segments(self, request_id: str) -> list[dict[str, Any]]:
        """Every segment that matches the request."""
        found: list[dict[str, Any]] = []
        while True:
            after = f"&after={found[-1]['i']}" if found else ""
            page = self.client.get(f"/api/requests/{request_id}/segments?limit={PAGE_OF_SEGMENTS}{after}")
            found += page
            if len(page) < PAGE_OF_SEGMENTS:
                return found

    def open(self, segment: dict[str, Any]) -> bytes:
        """The segment's MP4: fetched, compared with its hash, opened with this phone's stanza."""
        file = self.client.get_bytes(f"/api/segments/{segment['id']}")
        if sha256_hex(file) != segment["sha256"] or len(file) != segment["bytes"]:
            raise RefusedError("E_SEGMENT", "the doorbell gave another file")
        return open_segment(file, self._cek(segment))[1]

    def preview(self, segments: Sequence[dict[str, Any]]) -> bytes:
        """The clip that these segments of one clip make, as a playable MP4."""
        return join_mp4([self.open(segment) for segment in sorted(segments, key=lambda one: one["n"])])

    def _cek(self, segment: dict[str, Any]) -> bytes:
        info = stanza_info(segment["id"], self.open_key.kid)
        return hpke_open(self.open_key.private, b64decode(segment["stanza"]), info)

    # Deciding.

    def share(
        self,
        request: SeenRequest,
        segments: Sequence[dict[str, Any]],
        *,
        contact: dict[str, str] | None = None,
        **fields: object,
    ) -> str:
        """Say yes for these segments; return the new state. `fields` replace keys of the consent, for tests."""
        enc_pub = b64decode(request.payload["enc_pub"])
        granted = [
            {
                **{key: one[key] for key in ("id", "sha256", "bytes", "start_ms", "end_ms")},
                "wrap": b64(hpke_seal(enc_pub, self._cek(one), grant_info(request.sha256, one["sha256"]))),
            }
            for one in segments
        ]
        sealed = None
        if contact is not None:
            sealed = b64(hpke_seal(enc_pub, to_json(contact), contact_info(request.sha256)))
        own = request.declined is not None and request.declined["approver"] == self.kid
        prev = request.declined["id"] if own and request.declined is not None else None
        return self._decide(
            request, decision="share", segments=granted, contact=sealed, **({"prev": prev} | fields)
        )

    def decline(self, request: SeenRequest, **fields: object) -> str:
        """Say no; return the new state."""
        return self._decide(request, decision="decline", segments=[], contact=None, **fields)

    def _decide(self, request: SeenRequest, **fields: object) -> str:
        consent = {
            "v": 1,
            "id": new_id(),
            "request": {"id": request.id, "sha256": request.sha256},
            "agency": request.payload["agency"],
            "enc_pub": request.payload["enc_pub"],
            "ep": request.payload["ep"],
            "approver": self.kid,
            "channel": "phone",
            "nonce": request.nonce,
            "at": self.now_s(),
            "prev": None,
        }
        envelope = sign("consent", to_json(consent | fields), [self.sign_key.private])
        answer = self.client.post(f"/api/requests/{request.id}/decision", {"envelope": json.loads(envelope)})
        return str(answer["state"])

    def stop(self, request_id: str) -> str:
        """Stop what was approved before it has left; return the new state."""
        return str(self.client.post(f"/api/requests/{request_id}/stop", {})["state"])

    def act(self, verb: str, args: dict[str, Any]) -> None:
        """Sign and send an action: `admit`, `unpair`, `settings`, `delete`, `keep`."""
        action = {
            "v": 1,
            "id": new_id(),
            "verb": verb,
            "args": args,
            "phone": self.kid,
            "nonce": self.client.get("/api/nonce")["nonce"],
            "at": self.now_s(),
        }
        envelope = sign("action", to_json(action), [self.sign_key.private])
        self.client.post("/api/actions", {"envelope": json.loads(envelope)})

    def hand_on(self, phone: str) -> int:
        """Open the own stanzas and seal them to another phone; return how many it took."""
        other = next(row for row in self.client.get("/api/phones") if row["phone"] == phone)
        public, handed, after = b64decode(other["open_pub"]), 0, ""
        while page := self.client.get(f"/api/stanzas?limit={PAGE_OF_SEGMENTS}{after}"):
            sealed = [
                {
                    "id": row["id"],
                    "stanza": b64(hpke_seal(public, self._cek(row), stanza_info(row["id"], kid_of(public)))),
                }
                for row in page
            ]
            self.client.post(f"/api/phones/{phone}/stanzas", sealed)
            handed += len(sealed)
            after = f"&after={page[-1]['i']}"
        return handed

    def wait_for(
        self,
        request_id: str,
        states: Sequence[str],
        timeout_s: float,
        *,
        on_change: Callable[[str], None] | None = None,
    ) -> str:
        """Look until the request is in one of `states`; return it.

        Raises:
            PageError: it did not get there in time.
        """
        deadline, seen = time.monotonic() + timeout_s, "unknown"
        while time.monotonic() < deadline:
            row = next((row for row in self.requests() if row["id"] == request_id), None)
            state = "unknown" if row is None else str(row["state"])
            if state != seen and on_change is not None:
                on_change(state)
            seen = state
            if state in states:
                return state
            time.sleep(POLL_S)
        raise PageError("late", f"the request is {seen} after {timeout_s:.0f} s, not {' or '.join(states)}")
