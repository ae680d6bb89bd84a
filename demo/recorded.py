"""What lies on the doorbell's card, as anyone who holds the card sees it: names and times, no pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.segment_file import split

if TYPE_CHECKING:
    from pathlib import Path


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
