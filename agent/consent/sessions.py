"""Sessions of paired phones on the owner's page (protocol section 10).

A phone proves with its sign key that it is there: over the page's key (so that a page in the middle can't
pass the proof on) and a challenge (so that it is fresh). Reading needs a session; a session alone changes
nothing. Only hashes of session tokens are kept, in RAM: a restart ends all of them.

S1 at most `MAX_CHALLENGES` challenges of one phone live; when all do, the newest is given again, so that a
stranger who asks in a phone's name can't push its challenge out. S2 at most `MAX_SESSIONS` of one phone live;
the one that was used longest ago goes.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature

from agent.consent.phones import Phone
from agent.core.encoding import b64url, unb64url
from agent.core.errors import RefusedError
from agent.core.ids import Kid, new_bytes
from agent.core.keys import load_verify_key

CHALLENGE_BYTES: Final = 32  # section 10
CHALLENGE_LIFE_NS: Final = 60 * 10**9  # section 10
MAX_CHALLENGES: Final = 8
TOKEN_BYTES: Final = 32
IDLE_NS: Final = 30 * 60 * 10**9  # a phone that lies about on a table
ABSOLUTE_NS: Final = 12 * 3_600 * 10**9  # the page signs in again by itself; the owner does not notice
MAX_SESSIONS: Final = 8

_LABEL: Final = b"doorbell/session/v1\0"


def session_message(spki: bytes, challenge: bytes) -> bytes:
    """Return what a phone signs to open a session."""
    return _LABEL + spki + challenge


def session_signature_holds(public: bytes, spki: bytes, challenge: bytes, sig: bytes) -> bool:
    """Say whether `sig` is the phone's, for this page and this challenge.

    Raises:
        RefusedError: E_KEY for a weak key, which `pairing` never lets in.
    """
    try:
        load_verify_key(public).verify(sig, session_message(spki, challenge))
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Challenge:
    value: bytes
    until_ns: int


@dataclass(slots=True)
class _Session:
    phone: Kid
    born_ns: int
    seen_ns: int

    def lives(self, now_ns: int) -> bool:
        return now_ns - self.seen_ns < IDLE_NS and now_ns - self.born_ns < ABSOLUTE_NS


class Sessions:
    """Challenges and sessions of this run of the vault. Pure but for fresh randomness."""

    def __init__(self, fresh: Callable[[int], bytes] = new_bytes) -> None:
        self._fresh = fresh
        self._challenges: dict[Kid, list[_Challenge]] = {}  # oldest first
        self._sessions: dict[bytes, _Session] = {}

    def challenge(self, phone: Phone | None, now_ns: int) -> bytes:
        """Return a challenge for a paired phone; it lives 60 s and is good once.

        Raises:
            RefusedError: C_APPROVER, when this is no phone of the house.
        """
        kid = _paired(phone).kid
        live = [item for item in self._challenges.get(kid, []) if now_ns < item.until_ns]
        if len(live) < MAX_CHALLENGES:
            live.append(_Challenge(self._fresh(CHALLENGE_BYTES), now_ns + CHALLENGE_LIFE_NS))
        self._challenges[kid] = live
        return live[-1].value

    def open(self, phone: Phone | None, sig: bytes, spki: bytes, now_ns: int) -> str:
        """Return a session's token if `sig` answers a live challenge of this phone, and spend that challenge.

        Raises:
            RefusedError: C_APPROVER, when this is no phone of the house; C_SIG otherwise.
        """
        known = _paired(phone)
        live = [item for item in self._challenges.get(known.kid, []) if now_ns < item.until_ns]
        for item in reversed(live):
            if session_signature_holds(known.sign_pub, spki, item.value, sig):
                live.remove(item)
                self._challenges[known.kid] = live
                return self._begin(known.kid, now_ns)
        raise RefusedError("C_SIG", "the signature answers no challenge of this phone")

    def phone_of(self, token: str, now_ns: int) -> Kid | None:
        """Return whose live session this is, and count it as used now; None where there is none."""
        key = _hash(token)
        session = self._sessions.get(key)
        if session is None:
            return None
        if not session.lives(now_ns):
            del self._sessions[key]
            return None
        session.seen_ns = now_ns
        return session.phone

    def end_phone(self, phone: Kid) -> None:
        """End every session and challenge of a phone that was unpaired."""
        self._challenges.pop(phone, None)
        self._sessions = {key: item for key, item in self._sessions.items() if item.phone != phone}

    def _begin(self, phone: Kid, now_ns: int) -> str:
        self._sessions = {key: item for key, item in self._sessions.items() if item.lives(now_ns)}
        own = [(item.seen_ns, key) for key, item in self._sessions.items() if item.phone == phone]
        if len(own) >= MAX_SESSIONS:
            del self._sessions[min(own)[1]]
        token = self._fresh(TOKEN_BYTES)
        self._sessions[hashlib.sha256(token).digest()] = _Session(phone, now_ns, now_ns)
        return b64url(token)


def _paired(phone: Phone | None) -> Phone:
    if phone is None or not phone.is_paired:
        raise RefusedError("C_APPROVER", "no phone of this house")
    return phone


def _hash(token: str) -> bytes:
    """Return under which name a session of this token is kept; none is kept under the empty one."""
    try:
        return hashlib.sha256(unb64url(token, length=TOKEN_BYTES)).digest()
    except ValueError:
        return b""
