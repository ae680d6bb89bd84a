"""The vault's SQLite database: WAL, synchronous=FULL, one durable transaction for each thing that happens."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from agent.buffer import sqlite_tables
from agent.consent import sqlite_ledger, sqlite_log
from agent.core.errors import TroubleError

RESERVE_BYTES: Final = 4 * 1024 * 1024  # some hundred evictions' worth of write-ahead log
_OF_THE_DISK: Final = frozenset({"storage-full", "storage-failed"})
#: Primary result codes of the card, or of whoever else holds the file. All others are mistakes of this program.
_FAILED: Final = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
_ROOMS: Final = {"log": sqlite_log.MIGRATIONS, "ledger": sqlite_ledger.MIGRATIONS}


@contextmanager
def translated(where: object) -> Iterator[None]:
    """Translate SQLite's errors of the disk, those of reads outside a transaction too; ours stay what they are.

    Raises:
        TroubleError: storage-full, storage-failed.
    """
    try:
        yield
    except sqlite3.Error as exc:
        # The low byte of an extended code is its primary one; the module's own errors carry none.
        code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise TroubleError(
                "storage-full", f"no room left at {where}: make room or lower [clips] max_bytes"
            ) from exc
        if code in _FAILED:
            raise TroubleError("storage-failed", f"{where}: {exc}; check the card or disk") from exc
        raise


class Database:
    """One connection, used by the loop's thread only.

    Beside it lies a reserve: a file of nothing that is given up when the disk is full, so that the transaction
    that evicts the oldest clips, and the next start, have room to be written.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the database and bring it to the newest version.

        Raises:
            TroubleError: storage-full, storage-failed; state-newer, when a newer version of this program wrote it.
        """
        self._path = path
        self._reserve = path.with_suffix(".reserve")
        self.fault: str | None = None
        self._on_health: Callable[[str | None], None] = lambda _: None
        try:
            self.tx = sqlite3.connect(path, isolation_level=None)
            for pragma in (*sqlite_tables.PRAGMAS, "PRAGMA trusted_schema = OFF"):
                self.tx.execute(pragma)
            path.chmod(0o600)
        except (sqlite3.Error, OSError) as exc:
            self._reserve.unlink(missing_ok=True)  # if the disk is full, the next start has that room
            raise TroubleError("storage-failed", f"can't open {path}: {exc}; check the card or disk") from exc
        with self.transaction():
            self._migrate()
            sqlite_tables.migrate(self.tx)

    def _migrate(self) -> None:
        self.tx.execute(
            "CREATE TABLE IF NOT EXISTS versions (room TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT"
        )
        for room, migrations in _ROOMS.items():
            row = self.tx.execute("SELECT version FROM versions WHERE room = ?", (room,)).fetchone()
            version = row[0] if row else 0
            if version > len(migrations):
                text = f"{self._path}: {room} is of version {version}, this program knows {len(migrations)}"
                raise TroubleError("state-newer", f"{text}: install the newer one again")
            for statement in (one for migration in migrations[version:] for one in migration):
                self.tx.execute(statement)
            self.tx.execute("INSERT OR REPLACE INTO versions VALUES (?, ?)", (room, len(migrations)))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run one durable transaction; whatever is raised inside undoes it.

        Raises:
            TroubleError: storage-full, storage-failed.
        """
        try:
            with translated(self._path):
                yield from self._transaction()
        except TroubleError as trouble:
            if trouble.code == "storage-full":
                self._reserve.unlink(missing_ok=True)
            self._healthy(trouble.code if trouble.code in _OF_THE_DISK else None)
            raise
        self._healthy(None)

    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self.tx.execute("BEGIN IMMEDIATE")
        try:
            yield self.tx
            self.tx.execute("COMMIT")
        except BaseException:
            if self.tx.in_transaction:  # SQLite itself has rolled back what met a full disk
                self.tx.execute("ROLLBACK")
            raise

    def on_health(self, action: Callable[[str | None], None]) -> None:
        """Tell `action` whenever commits begin to fail (the fault's code) or go well again (None)."""
        self._on_health = action

    def _healthy(self, fault: str | None) -> None:
        if fault != self.fault:
            self.fault = fault
            self._on_health(fault)

    def keep_reserve(self) -> None:
        """Set the reserve aside (again), if there is room for it."""
        with contextlib.suppress(OSError):
            if self._reserve.stat().st_size == RESERVE_BYTES:  # a power cut may have left less
                return
        try:
            fd = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return
        try:
            os.posix_fallocate(fd, 0, RESERVE_BYTES)
        except OSError:  # not now: an incomplete reserve would only take the room that is needed
            self._reserve.unlink(missing_ok=True)
        finally:
            os.close(fd)

    def truncate(self) -> None:
        """Write everything into the database file and empty the write-ahead log, in which deleted bytes may be.

        Raises:
            TroubleError: storage-full, storage-failed.
        """
        with translated(self._path):
            self.tx.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the connection."""
        self.tx.close()
