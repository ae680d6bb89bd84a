"""Sealed segments and an index for the tests of the store."""

import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.buffer import sqlite_tables
from agent.buffer.sealing import Recipient, draft_segment
from agent.buffer.sidecar import Sidecar, Stanza
from agent.core.ids import Id, Kid, kid_of, new_id, sha256_hex
from agent.core.segment_file import Sealer, SegmentMeta

DEVICE = Kid("d" * 16)
KID = Kid("a" * 16)
BOOT = Id("b" * 32)


def meta(**changes: object) -> SegmentMeta:
    """Return a meta of four seconds from 2027 on, with what differs."""
    plain = SegmentMeta(
        id=new_id(),
        clip=new_id(),
        n=0,
        start_ms=1_800_000_000_000,
        end_ms=1_800_000_004_000,
        clock="synced",
        boot=BOOT,
        mono_ms=50_000,
        device=DEVICE,
        codec="avc1.42C01F",
        width=160,
        height=120,
        trigger="motion",
        masked=0,
        dropped=0,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def sidecar(of: SegmentMeta, *, size: int = 1000, kids: tuple[Kid, ...] = (KID,)) -> Sidecar:
    """Return a sidecar that no file stands behind."""
    return Sidecar(
        id=of.id,
        sha256=sha256_hex(of.id.encode()),
        bytes=size,
        sha256_plain=sha256_hex(b"plain" + of.id.encode()),
        stanzas=tuple(Stanza(kid, kid.encode() * 4) for kid in kids),
    )


def recipient(private: X25519PrivateKey, kind: str = "recovery") -> Recipient:
    """Return the public half of a key as a recipient."""
    pub = private.public_key().public_bytes_raw()
    return Recipient(kid_of(pub), pub, kind)


def seal_segment(
    sealer: Sealer, meta: SegmentMeta, mp4: bytes, recipients: Sequence[Recipient]
) -> tuple[Sidecar, memoryview]:
    """Seal a segment and prove it: the sidecar, and the whole file, valid until the sealer's next use.

    Raises:
        BugError: no recipient, or the file does not open to what went in.
        RefusedError: E_SIZE when the segment is too large.
    """
    with ThreadPoolExecutor(1) as beside:
        draft = draft_segment(sealer, meta, mp4, beside)
        return draft.prove(recipients), draft.file


def sealed(of: SegmentMeta, mp4: bytes, *privates: X25519PrivateKey) -> tuple[Sidecar, bytes]:
    """Really seal a film."""
    found, file = seal_segment(Sealer(), of, mp4, [recipient(one) for one in privates])
    return found, bytes(file)


def index(path: Path | str = ":memory:") -> sqlite3.Connection:
    """Open a database as the vault does, with the tables in it, in autocommit mode."""
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in sqlite_tables.PRAGMAS:
        db.execute(pragma)
    db.execute("BEGIN IMMEDIATE")
    sqlite_tables.migrate(db)
    db.execute("COMMIT")
    return db
