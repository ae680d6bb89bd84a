"""What lies on the doorbell's card, as anyone who holds the card sees it: names and times, no pictures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.segment_file import split

if TYPE_CHECKING:
    from pathlib import Path

SETTLED_MS = 6_000
"""How long ago a clip's last frame was when nothing more is to be expected of it."""


@dataclass(frozen=True)
class Clip:
    """One recording: `segments` sealed files from `start_ms` to `end_ms` (UTC)."""

    clip: str
    start_ms: int
    end_ms: int
    segments: int
    bytes: int


def clips_on_card(state_dir: Path) -> list[Clip]:
    """The clips in the store, oldest first."""
    found: dict[str, list[tuple[int, int, int]]] = {}
    for sidecar in (state_dir / "segments").glob("*.json"):
        try:
            raw = sidecar.with_suffix(".seg").read_bytes()
        except FileNotFoundError:
            continue  # evicted meanwhile
        meta, _, _ = split(raw)
        found.setdefault(meta.clip, []).append((meta.start_ms, meta.end_ms, len(raw)))
    clips = [
        Clip(
            clip=name,
            start_ms=min(start for start, _, _ in segments),
            end_ms=max(end for _, end, _ in segments),
            segments=len(segments),
            bytes=sum(size for _, _, size in segments),
        )
        for name, segments in found.items()
    ]
    return sorted(clips, key=lambda clip: clip.start_ms)


def settled_clip(state_dir: Path, since_ms: int) -> Clip | None:
    """The oldest clip that began at `since_ms` or later and has ended, or None."""
    now_ms = time.time_ns() // 1_000_000
    ended = (clip for clip in clips_on_card(state_dir) if clip.end_ms < now_ms - SETTLED_MS)
    return next((clip for clip in ended if clip.start_ms >= since_ms), None)
