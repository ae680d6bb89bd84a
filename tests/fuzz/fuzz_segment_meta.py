# Invariant: whatever the bytes, `split` and `open_segment` return a segment whose meta reads back, or raise
# RefusedError; they never return a film that was not sealed under the key.
"""Fuzzes segment files: the meta in the clear, and the sealed part under a key that sealed something else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.core.encoding import unb64
from agent.core.errors import RefusedError
from agent.core.segment_file import encode_meta, open_segment, parse_meta, split

CODES: Final = frozenset({"E_SIZE", "E_JSON", "E_SEGMENT"})
VECTORS: Final = Path(__file__).parents[1] / "vectors" / "segments.json"
KEY: Final = bytes(16)


def seeds() -> Iterator[bytes]:
    """Yield the vectors' files, the short ones."""
    for case in json.loads(VECTORS.read_text())["cases"]:
        file = unb64(case["file"])
        if len(file) < 2_000:
            yield file


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    try:
        meta, _, _ = split(data)
    except RefusedError as refused:
        if refused.code not in CODES:
            raise AssertionError(f"{refused.code} is no code of a segment") from refused
        return
    if parse_meta(encode_meta(meta)) != meta:
        raise AssertionError("the meta does not read back")
    try:
        open_segment(data, KEY)
    except RefusedError:
        return
    raise AssertionError("a film opened under a key that sealed nothing")
