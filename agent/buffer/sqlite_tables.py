"""The tables of the store in the vault's SQLite database, and how each version becomes the next.

Ids and hashes are kept as raw bytes: half the pages to write, on a card that wears.
"""

import sqlite3
from typing import Final

from agent.core.errors import TroubleError

# What the connection that is handed in should have been opened with. The page size holds for a new database
# only: small pages, because a commit writes whole ones. The vault empties the write-ahead log hourly, which is
# soon enough at 10 kB a segment: an automatic checkpoint would be a fifth fsync, and a sixth.
PRAGMAS: Final = (
    "PRAGMA page_size = 1024",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
    "PRAGMA wal_autocheckpoint = 16384",
)

# Each entry brings the tables from its own number to the next. Never change a released one: add one.
MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """CREATE TABLE segments (
            i INTEGER PRIMARY KEY,
            id BLOB NOT NULL UNIQUE,
            clip BLOB NOT NULL,
            n INTEGER NOT NULL,
            start_ms INTEGER NOT NULL,
            end_ms INTEGER NOT NULL,
            clock TEXT NOT NULL,
            boot BLOB NOT NULL,
            mono_ms INTEGER NOT NULL,
            at_ms INTEGER NOT NULL,
            until_ms INTEGER NOT NULL,
            placed INTEGER NOT NULL,
            mapped_by INTEGER,
            trigger TEXT NOT NULL,
            bytes INTEGER NOT NULL,
            sha256 BLOB NOT NULL,
            sha256_plain BLOB NOT NULL
        ) STRICT""",
        "CREATE INDEX segments_by_time ON segments (at_ms, until_ms, placed)",
        "CREATE INDEX segments_by_clip ON segments (clip, n)",
        "CREATE INDEX segments_to_place ON segments (boot) WHERE NOT placed",
        """CREATE TABLE stanzas (
            i INTEGER NOT NULL,
            kid TEXT NOT NULL,
            stanza BLOB NOT NULL,
            PRIMARY KEY (i, kid)
        ) STRICT, WITHOUT ROWID""",
        "CREATE TABLE pins (i INTEGER NOT NULL, why TEXT NOT NULL, PRIMARY KEY (i, why)) STRICT, WITHOUT ROWID",
        """CREATE TABLE mappings (
            boot BLOB PRIMARY KEY,
            offset_ms INTEGER NOT NULL,
            log_n INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
        "CREATE TABLE leaving (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID",
        "CREATE TABLE longest (one INTEGER PRIMARY KEY CHECK (one = 1), ms INTEGER NOT NULL) STRICT",
        "INSERT INTO longest VALUES (1, 0)",
    ),
)


def migrate(tx: sqlite3.Connection) -> int:
    """Bring the tables to the newest version and return it. A new database is at version 0.

    Raises:
        TroubleError: state-newer, when the database was written by a newer version of this program.
    """
    tx.execute("CREATE TABLE IF NOT EXISTS buffer_version (version INTEGER NOT NULL) STRICT")
    row = tx.execute("SELECT version FROM buffer_version").fetchone()
    version = row[0] if row else 0
    if version > len(MIGRATIONS):
        text = (
            f"the index is of version {version}, this program knows {len(MIGRATIONS)}: install the newer one again"
        )
        raise TroubleError("state-newer", text)
    for statement in (one for migration in MIGRATIONS[version:] for one in migration):
        tx.execute(statement)
    if row is None:
        tx.execute("INSERT INTO buffer_version VALUES (?)", (len(MIGRATIONS),))
    elif version < len(MIGRATIONS):
        tx.execute("UPDATE buffer_version SET version = ?", (len(MIGRATIONS),))
    return len(MIGRATIONS)
