"""`doorbell open-clips`: every stored clip as a film, with the recovery key, on any machine."""

import argparse
import getpass
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.buffer.open_clips import open_clips
from agent.core.errors import RefusedError, TroubleError
from agent.core.recovery import decode_recovery

MAX_KEY_CHARACTERS: Final = 256


def _key(source: str) -> X25519PrivateKey:
    if source == "-":
        text = getpass.getpass("Recovery key: ") if sys.stdin.isatty() else sys.stdin.readline()
    else:
        try:
            text = Path(source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise TroubleError(
                "recovery", f"can't read {source}: give a file with the key, or - to type it"
            ) from exc
    try:
        return X25519PrivateKey.from_private_bytes(decode_recovery(text.strip()[:MAX_KEY_CHARACTERS]))
    except RefusedError as exc:
        raise TroubleError("recovery", f"that is no recovery key: {exc}") from exc


def run(args: argparse.Namespace, default_store: Callable[[], Path]) -> int:
    """Open the store; 0 when every segment opened.

    Raises:
        TroubleError: no key, no store, or nowhere to write.
    """
    key = _key(args.recovery)
    folder = args.store or default_store()
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise TroubleError("out", f"can't write to {args.out}: {exc.strerror}") from exc
    opened = open_clips(folder, key, args.out)
    if args.json:
        clips = [{**asdict(clip), "path": str(clip.path)} for clip in opened.clips]
        print(json.dumps({"clips": clips, "unopened": opened.unopened}))
        return 1 if opened.unopened else 0
    for clip in opened.clips:
        gap = f", {clip.missing} missing" if clip.missing else ""
        print(f"{clip.path}  ({clip.segments} segments{gap})")
    for segment, why in opened.unopened.items():
        print(f"doorbell: {segment} does not open: {why}", file=sys.stderr)
    if not opened.clips and not opened.unopened:
        print(f"There are no clips in {folder}.")
    return 1 if opened.unopened else 0
