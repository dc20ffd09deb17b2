"""The file of the store as SQLite has it: which journal it keeps, what can be read of it, and why it cannot be used."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from pathlib import Path

MODES = ("WAL", "TRUNCATE")
"""Kinds of journal, the best first."""
BUSY_SECONDS = 5.0
"""How long a write waits for another program's."""
READ_SECONDS = 1.0
"""How long a read does, where the journal lets nobody read meanwhile: a cell waits for it."""
ANSWERS = "CREATE TABLE IF NOT EXISTS answers (digest BLOB PRIMARY KEY, answer TEXT NOT NULL) STRICT"
"""In every file, since making it shows whether the file can be written."""
_CLEAR = "kubeai_notebook.store.clear() empties it."
DAMAGED = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})
MADE_ANEW = DAMAGED | {sqlite3.SQLITE_FULL}
"""What is told of a file that `clear` makes anew, since it cannot be emptied."""
_UNSHARED = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL})
"""What a file says that was left with WAL where memory cannot be shared."""
LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def rows_of(
    path: Path, query: str, values: Sequence[bytes] = (), *, raised: Container[int] = ()
) -> list[tuple[Any, ...]]:
    """What can be read of the file: with WAL without a wait for who writes, which `opened` is not.

    Errors of SQLite are raised where their codes are in ``raised``; others cost what cannot be read.
    """
    rows: list[tuple[Any, ...]] = []
    try:
        if not path.exists():
            return rows
        try:
            with closing(connected(str(path), busy_seconds=READ_SECONDS)) as database:
                rows.extend(database.execute(query, values))
        except sqlite3.OperationalError as error:
            if code_of(error) not in _UNSHARED:
                raise
            with closing(opened(path, busy_seconds=READ_SECONDS)) as database:
                rows.extend(database.execute(query, values))
    except (sqlite3.Error, OSError) as error:
        if code_of(error) in raised:
            raise
    return rows


def opened(path: Path, modes: Sequence[str] = MODES, *, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """A connection that writes, with the first kind of journal that the file system lets it have."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Made by us and not by SQLite: prompts lie here, and what stands beside the file gets the same mode.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
    for mode in modes:
        if (database := _with_journal(path, mode, busy_seconds)) is not None:
            database.execute(f"PRAGMA synchronous={'NORMAL' if mode == 'WAL' else 'OFF'}")
            return database
    database = connected(str(path), busy_seconds=busy_seconds)
    database.execute("PRAGMA synchronous=OFF")
    database.execute(ANSWERS)
    return database


def _with_journal(path: Path, mode: str, busy_seconds: float) -> sqlite3.Connection | None:
    """A connection that writes with this kind of journal, as far as the file system lets it.

    It may say no by an error, by silence, or at the first write. A file that was made without WAL stays so: another
    kernel may use it now.
    """
    is_new, database = not path.stat().st_size, connected(str(path), busy_seconds=busy_seconds)
    try:
        if (is_new or mode != "WAL" or _journal(database) == "wal") and _takes(database, mode):
            return database
    except sqlite3.OperationalError as error:
        if code_of(error) in LOCKED:  # somebody else writes with it
            return database
    database.close()
    return None


def _takes(database: sqlite3.Connection, mode: str) -> bool:
    try:
        if mode != "WAL":
            # A file that was left with WAL where memory cannot be shared is changed by its one user only.
            database.execute("PRAGMA locking_mode=EXCLUSIVE")
        is_taken = _journal(database, f"={mode}") == mode.lower()
    finally:
        database.execute("PRAGMA locking_mode=NORMAL")
    database.execute(ANSWERS)
    database.execute("BEGIN IMMEDIATE")
    database.execute("ROLLBACK")
    return is_taken


def _journal(database: sqlite3.Connection, change: str = "") -> str:
    return str(database.execute(f"PRAGMA journal_mode{change}").fetchone()[0])


def connected(name: str, *, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """A connection to the file as it is; ``""`` is one without a name, which goes with the connection."""
    return sqlite3.connect(name, timeout=busy_seconds, isolation_level=None, check_same_thread=False)


def size_of(path: Path) -> int:
    """Bytes of the file and what stands beside it."""
    return sum(part.stat().st_size for part in _parts(path) if part.exists())


def remove(path: Path) -> None:
    """Remove the file and what stands beside it."""
    for part in _parts(path):
        part.unlink(missing_ok=True)


def _parts(path: Path) -> tuple[Path, ...]:
    return (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")))


_REASONS = {
    sqlite3.SQLITE_FULL: "is on a full disk. " + _CLEAR.rstrip("."),
    sqlite3.SQLITE_CORRUPT: "is damaged. " + _CLEAR.rstrip("."),
    sqlite3.SQLITE_NOTADB: "is damaged. " + _CLEAR.rstrip("."),
    sqlite3.SQLITE_READONLY: "may not be written",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_IOERR: "cannot be read or written",
    sqlite3.SQLITE_BUSY: "is locked by another program",
    sqlite3.SQLITE_LOCKED: "is locked by another program",
}


def code_of(error: Exception) -> int:
    """SQLite's primary result code; 0 where the error is another one."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def reason_of(error: Exception) -> str:
    """Why the file cannot be used, as a sentence goes on that begins with it."""
    if isinstance(error, OSError):
        return f"cannot be opened ({error.strerror})"
    return _REASONS.get(code_of(error), f"cannot be used ({error})")


def step_after(error: Exception) -> str:
    """What helps before it is tried again, where the reason does not say so."""
    if code_of(error) in LOCKED:
        return "End the batches that write there, and try again."
    return "" if code_of(error) in MADE_ANEW else "See that you may write there and its disk works, and try again."
