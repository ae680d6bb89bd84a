"""What stands around the page's fake vault: a platform, an agency and a shelf of sealed clips. Real crypto."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core import envelope, ids, seal, segment_file, strict_json
from agent.core.encoding import b64
from agent.core.keys import raw_public
from tests.fakes.page_film import CODEC, film_segments

CAMERA = [377_749_000, -1_224_194_000]
DAY_S = 86_400


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def key_entry(public: bytes, *, nbf: int = 0, exp: int = 4_000_000_000) -> dict[str, Any]:
    return {"kid": ids.kid_of(public), "pub": b64(public), "nbf": nbf, "exp": exp}


@dataclass
class Agency:
    """One agency with its keys and its directory file."""

    id: str = "us-ca-examplepd"
    name: str = "Example Police Department"
    sign: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    enc: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    @property
    def enc_pub(self) -> bytes:
        return raw_public(self.enc)

    def file(self) -> dict[str, Any]:
        return {
            "v": 1,
            "id": self.id,
            "name": self.name,
            "country": "US",
            "region": "CA",
            "status": "active",
            "sign": [key_entry(raw_public(self.sign))],
            "enc": [key_entry(self.enc_pub)],
            "endpoints": ["ep1"],
            "limits": {"area_m2": 1_300_000, "window_s": 43_200, "lookback_s": 2_592_000, "ttl_s": 604_800},
            "contact": {"phone": "+1 555 0100", "web": "examplepd.example"},
            "centre": CAMERA,
        }


@dataclass
class Platform:
    """The platform with its dispatch key."""

    dispatch: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def file(self) -> dict[str, Any]:
        return {
            "v": 1,
            "name": "Example platform",
            "version": 7,
            "issued": now_ms() // 1000 - DAY_S,
            "dispatch": [key_entry(raw_public(self.dispatch))],
            "receipt": [],
            "endpoints": {"ep1": {"host": "up1.example", "port": 443, "base": "/up"}},
            "incidents": ["burglary", "missing-person"],
        }


def request_payload(agency: Agency, **changes: Any) -> dict[str, Any]:
    """A good request for the last hour, around the camera."""
    iat = now_ms() // 1000 - 60
    lat, lon = CAMERA
    payload = {
        "v": 1,
        "id": ids.new_id(),
        "agency": agency.id,
        "case": "24-000002",
        "incident": "burglary",
        "officer": {"name": "J. Rivera", "badge": "4711"},
        "text": "A silver sedan was seen leaving a break-in.\nFootage of the street would help us find its plate.",
        "area": [
            [lat - 13_475, lon - 17_047],
            [lat - 13_475, lon + 17_047],
            [lat + 13_475, lon + 17_047],
            [lat + 13_475, lon - 17_047],
        ],
        "exp": iat + DAY_S,
        "enc_pub": b64(agency.enc_pub),
        "ep": "ep1",
        "dirv": 7,
        "from": iat - 3600,
        "to": iat,
        "iat": iat,
    }
    return payload | changes


def sign_request(payload: dict[str, Any], agency: Agency, platform: Platform) -> bytes:
    return envelope.sign("request", strict_json.dump(payload), [agency.sign, platform.dispatch])


@dataclass
class StoredSegment:
    """One sealed segment on the shelf; `cek` is kept only so that a test can check what a phone opened."""

    meta: segment_file.SegmentMeta
    file: bytes
    cek: bytes
    mp4: bytes
    stanzas: dict[str, str] = field(default_factory=dict)
    shift_ms: int = 0  # from the recorded times to the mapped ones

    @property
    def at_ms(self) -> int:
        return self.meta.start_ms + self.shift_ms

    @property
    def until_ms(self) -> int:
        return self.meta.end_ms + self.shift_ms

    @property
    def sha256(self) -> ids.Sha256:
        return ids.sha256_hex(self.file)

    def seal_to(self, public: bytes) -> None:
        kid = ids.kid_of(public)
        info = seal.stanza_info(self.meta.id, kid)
        self.stanzas[kid] = b64(seal.hpke_seal(public, self.cek, info))

    def row(self, i: int, kid: str | None) -> dict[str, Any]:
        meta = self.meta
        return {
            "i": i,
            "id": meta.id,
            "clip": meta.clip,
            "n": meta.n,
            "start_ms": meta.start_ms,
            "end_ms": meta.end_ms,
            "clock": meta.clock,
            "bytes": len(self.file),
            "sha256": self.sha256,
            "stanza": self.stanzas.get(kid or ""),
        }


def record_clip(
    device: ids.Kid,
    start_ms: int,
    *,
    segments: int = 3,
    seconds: int = 2,
    width: int = 640,
    height: int = 360,
    mapped_to_ms: int | None = None,
) -> list[StoredSegment]:
    """Film, seal and shelve one clip; it is sealed to nobody yet. `mapped_to_ms`: of one recorded unsynced."""
    shift_ms = 0 if mapped_to_ms is None else mapped_to_ms - start_ms
    clip, boot, sealer, shelf = ids.new_id(), ids.new_id(), segment_file.Sealer(), []
    for n, mp4 in enumerate(film_segments(segments, seconds=seconds, width=width, height=height)):
        start = start_ms + n * seconds * 1000
        meta = segment_file.SegmentMeta(
            id=ids.new_id(),
            clip=clip,
            n=n,
            start_ms=start,
            end_ms=start + seconds * 1000,
            clock="synced" if mapped_to_ms is None else "unsynced",
            boot=boot,
            mono_ms=123_456 + n * seconds * 1000,
            device=device,
            codec=CODEC,
            width=width,
            height=height,
            trigger="press" if start_ms % 2 else "motion",
            masked=0,
            dropped=0,
        )
        cek = seal.new_cek()
        file = bytes(sealer.seal(segment_file.encode_meta(meta), mp4, cek))
        shelf.append(StoredSegment(meta, file, cek, mp4, shift_ms=shift_ms))
    return shelf
