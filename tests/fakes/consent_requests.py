"""Requests, cancels and alerts as a platform and an agency sign them, and the directory that names their keys.

Everything is made from a fixed seed, so that a failing test fails again; the keys sign nothing outside of tests.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.consent.directory import DirectoryView, parse_agency, parse_platform
from agent.core.encoding import b64
from agent.core.envelope import sign
from agent.core.ids import kid_of
from agent.core.keys import raw_public
from agent.core.strict_json import dump

NOW_S = 1_800_000_000
CAMERA = (377_749_000, -1_224_194_000)
AGENCY = "us-ca-examplepd"
OTHER_AGENCY = "us-ca-otherpd"
NBF_S, EXP_S = 1_700_000_000, 1_900_000_000
SQUARE = [
    [CAMERA[0] + north * 13_475, CAMERA[1] + east * 17_047] for north, east in ((-1, -1), (-1, 1), (1, 1), (1, -1))
]


def seed(name: str) -> bytes:
    return hashlib.sha256(b"tests/consent/" + name.encode()).digest()


def sign_key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed(name))


def open_key(name: str) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(seed(name))


def entry(key: Ed25519PrivateKey | X25519PrivateKey, nbf: int = NBF_S, exp: int = EXP_S) -> dict[str, Any]:
    public = raw_public(key)
    return {"kid": kid_of(public), "pub": b64(public), "nbf": nbf, "exp": exp}


DISPATCH, DISPATCH_2, SIGN, SIGN_2 = (sign_key(name) for name in ("dispatch", "dispatch 2", "sign", "sign 2"))
OTHER_SIGN, STRANGER = sign_key("other agency"), sign_key("stranger")
ENC, ENC_2 = open_key("enc"), open_key("enc 2")


def platform_file(**changes: Any) -> dict[str, Any]:
    file = {
        "v": 1,
        "name": "Example platform",
        "version": 7,
        "issued": NOW_S - 3_600,
        "dispatch": [entry(DISPATCH), entry(DISPATCH_2)],
        "receipt": [entry(sign_key("receipt"))],
        "endpoints": {"ep1": {"host": "up1.example", "port": 443, "base": "/up"}},
        "incidents": ["burglary", "missing-person"],
    }
    return file | changes


def agency_file(**changes: Any) -> dict[str, Any]:
    file = {
        "v": 1,
        "id": AGENCY,
        "name": "Example Police Department",
        "country": "US",
        "region": "CA",
        "status": "active",
        "sign": [entry(SIGN), entry(SIGN_2)],
        "enc": [entry(ENC), entry(ENC_2)],
        "endpoints": ["ep1"],
        "limits": {"area_m2": 1_300_000, "window_s": 43_200, "lookback_s": 2_592_000, "ttl_s": 604_800},
        "contact": {"phone": "+1 555 0100", "web": "examplepd.example"},
        "centre": list(CAMERA),
    }
    return file | changes


def region_file(**changes: Any) -> dict[str, Any]:
    listed = [{"id": AGENCY, "name": "Example Police Department", "centre": list(CAMERA)}]
    return {"v": 1, "agencies": listed} | changes


def view(
    platform: dict[str, Any] | None = None, agencies: Sequence[dict[str, Any]] | None = None
) -> DirectoryView:
    """Return a directory that was looked up; the other agency is in it, `us-ca-nobody` is known to be absent."""
    files = (
        [agency_file(), agency_file(id=OTHER_AGENCY, sign=[entry(OTHER_SIGN)])] if agencies is None else agencies
    )
    parsed = {file["id"]: parse_agency(dump(file), file["id"]) for file in files}
    return DirectoryView(
        parse_platform(dump(platform or platform_file())), {**parsed, "us-ca-nobody": None}, NOW_S + 86_400
    )


def request(**changes: Any) -> dict[str, Any]:
    payload = {
        "v": 1,
        "id": "0123456789abcdef0123456789abcdef",
        "agency": AGENCY,
        "case": "24-000001",
        "incident": "burglary",
        "officer": {"name": "J. Rivera", "badge": "4711"},
        "text": "A silver sedan was seen.\nFootage of the street would help.",
        "area": SQUARE,
        "from": NOW_S - 7_200,
        "to": NOW_S - 3_600,
        "iat": NOW_S - 60,
        "exp": NOW_S + 86_400,
        "enc_pub": b64(raw_public(ENC)),
        "ep": "ep1",
        "dirv": 7,
    }
    return payload | changes


def cancel(**changes: Any) -> dict[str, Any]:
    payload = {
        "v": 1,
        "id": "0123456789abcdef0123456789abcdef",
        "agency": AGENCY,
        "at": NOW_S - 10,
        "reason": "resolved",
    }
    return payload | changes


def alert(**changes: Any) -> dict[str, Any]:
    payload = {
        "v": 1,
        "id": "fedcba9876543210fedcba9876543210",
        "source": {"kind": "agency", "agency": AGENCY},
        "category": "burglary",
        "title": "Break-ins",
        "text": "Three this week.\nPlease lock your doors.",
        "area": SQUARE,
        "iat": NOW_S - 60,
        "exp": NOW_S + 3_600,
    }
    return payload | changes


def signed_request(
    *, keys: Sequence[Ed25519PrivateKey] = (DISPATCH, SIGN), payload: bytes | None = None, **changes: Any
) -> bytes:
    return sign("request", dump(request(**changes)) if payload is None else payload, keys)


def signed_cancel(*, keys: Sequence[Ed25519PrivateKey] = (SIGN,), **changes: Any) -> bytes:
    return sign("cancel", dump(cancel(**changes)), keys)


def signed_alert(*, keys: Sequence[Ed25519PrivateKey] = (DISPATCH,), **changes: Any) -> bytes:
    return sign("alert", dump(alert(**changes)), keys)
