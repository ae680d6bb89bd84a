# Invariant: whatever the bytes, a segment file is opened or refused with RefusedError; what opens is what was
# sealed under exactly this meta, and a meta that was read and written again is the same meta.
"""Fuzzes segment files and their metas: what the recorder writes, uplink sends and an agency is given."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.core.encoding import unb64
from agent.core.errors import RefusedError
from agent.core.segment_file import Sealer, encode_meta, open_segment, parse_meta, split

VECTORS: Final = Path(__file__).parents[1] / "vectors" / "segments.json"
CEK: Final = b"k" * 16
FILM: Final = b"a film " * 40
CODES: Final = frozenset({"E_SIZE", "E_JSON", "E_SEGMENT"})
MAX_SEED: Final = 8_192


def _cases() -> list[dict[str, str]]:
    cases: list[dict[str, str]] = json.loads(VECTORS.read_text())["cases"]
    return cases


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: 0 and a file, 1 and a meta, 2 and a meta that the harness seals."""
    for case in _cases():
        raw = unb64(case["file"])
        yield b"\0" + raw[:MAX_SEED]
        try:
            meta = split(raw)[1]
        except RefusedError:
            continue
        yield b"\1" + meta
        yield b"\2" + meta


def _sealed(meta_raw: bytes) -> None:
    """Seal a film under any meta, then open it: the same film, or a meta that is none."""
    file = bytes(Sealer().seal(meta_raw, FILM, CEK))
    meta, film = open_segment(file, CEK)
    if film != FILM or meta != parse_meta(meta_raw):
        raise AssertionError("another film, or another meta")
    try:
        open_segment(file, b"K" * 16)
    except RefusedError:
        return
    raise AssertionError("another key opened it")


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    mode, rest = data[:1], data[1:]
    try:
        if mode == b"\1":
            meta = parse_meta(rest)
            if parse_meta(encode_meta(meta)) != meta:
                raise AssertionError("a meta changed when it was written")
        elif mode == b"\2" and len(rest) <= 4_096:  # section 9: the longest meta
            _sealed(rest)
        else:
            open_segment(rest, CEK)
    except RefusedError as refused:
        if refused.code not in CODES:
            raise AssertionError(f"{refused.code} can't come here") from refused
