"""Answers that were paid for, in one SQLite file of the user's: a batch that runs again asks for new rows only.

An answer lies under the digest of what decides it: the whole request, and what the Model serves (its url, engine,
arguments and adapter). So there is nothing to expire: what has changed has another digest. Answers are committed as
they come, since a kernel dies without warning and an answer may have taken a minute.

WAL lets two kernels write at once, and costs no wait for the disk. File systems of networks cannot do that; there the
file keeps its own journal, and the disk is not waited for either: that a power failure may cost answers is better than
a batch at the pace of a remote disk. A file that is damaged, full or not to be written costs the batch nothing: answers
of this batch are then kept in a file without a name, and `problem` says so.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

MOST_BYTES = 1 << 30
"""The size of the file from which on the oldest answers are forgotten."""
MODES = ("WAL", "TRUNCATE")
"""Kinds of journal, the best first."""
BUSY_SECONDS = 5.0
_CHECKED_EVERY = 1000
_KEPT_SHARE = 0.75
_TABLE = "CREATE TABLE IF NOT EXISTS answers (digest BLOB PRIMARY KEY, answer TEXT NOT NULL) STRICT"
_INSERT = "INSERT OR REPLACE INTO answers (digest, answer) VALUES (?, ?)"
_FORGET_OLDEST = (
    "DELETE FROM answers WHERE rowid NOT IN"
    " (SELECT rowid FROM answers ORDER BY rowid DESC LIMIT (SELECT CAST(count(*) * ? AS INTEGER) FROM answers))"
)
_CLEAR = "kubeai_notebook.store.clear() empties it."


class Kept(NamedTuple):
    """One answer as it is kept."""

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


def default_path() -> Path:
    """Where the answers of this user lie."""
    import platformdirs

    return platformdirs.user_data_path("kubeai-notebook") / "answers.db"


def clear(path: Path | None = None) -> int:
    """Forget all answers; returns how many bytes that frees. Batches that run go on."""
    path = path or default_path()
    if not path.exists():
        return 0
    before = _size_of(path)
    try:
        with closing(_open(path)) as database:
            database.execute("DELETE FROM answers")
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.DatabaseError:
        _remove(path)
    return max(before - _size_of(path), 0)


class Store:
    """The answers of one file; made and used by one thread at a time.

    ``path``: ``None`` keeps them for as long as this lives, in a file that nobody else sees.
    """

    def __init__(self, path: Path | None, *, most_bytes: int = MOST_BYTES, modes: Sequence[str] = MODES) -> None:
        self._path, self._most_bytes = path, most_bytes
        self._puts = 0
        self.problem = ""
        """Why answers are not kept for the next batch, as a sentence."""
        try:
            self._database = _open(path, modes) if path else _temporary()
            self._forget_oldest()
        except (sqlite3.Error, OSError) as error:
            self._database = _temporary()
            self._give_up(error)

    def get(self, digest: bytes) -> Kept | None:
        """The answer under this digest."""
        row = self._tried(lambda database: database.execute("SELECT answer FROM answers WHERE digest = ?", (digest,)))
        if row is None:
            return None
        try:
            return Kept(*json.loads(row[0]))
        except (ValueError, TypeError):  # another version's, or damaged
            return None

    def put(self, answers: Mapping[bytes, Kept]) -> None:
        """Keep answers, all or none: after this they are there, whatever becomes of the process."""
        rows = [(digest, json.dumps(kept, separators=(",", ":"))) for digest, kept in answers.items()]
        self._tried(lambda database: _in_one_commit(database, rows))
        before, self._puts = self._puts, self._puts + len(rows)
        if before // _CHECKED_EVERY < self._puts // _CHECKED_EVERY:
            self._tried(lambda _database: self._forget_oldest())

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._database.close()

    def _tried(self, work: Callable[[sqlite3.Connection], sqlite3.Cursor | None]) -> Any:
        """The first row of what this does; where the file fails, the batch goes on without it."""
        try:
            cursor = work(self._database)
            return cursor.fetchone() if cursor is not None else None
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                return None  # another kernel writes much: this one answer is not kept
            self._give_up(error)
        except sqlite3.Error as error:
            self._give_up(error)
        return None

    def _give_up(self, error: Exception) -> None:
        if not self.problem:
            self.close()
            self._database = _temporary()
            why = _REASONS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, str(error) or type(error).__name__)
            self.problem = f"Answers are not kept for the next time: {self._path} {why}."

    def _forget_oldest(self) -> None:
        """Make room where the file is too long: its pages are used again."""
        pages, free, size = (
            self._database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * size > self._most_bytes:
            self._database.execute(_FORGET_OLDEST, (_KEPT_SHARE,))


_REASONS = {
    sqlite3.SQLITE_FULL: "is on a full disk. " + _CLEAR.rstrip("."),
    sqlite3.SQLITE_CORRUPT: "is damaged. " + _CLEAR.rstrip("."),
    sqlite3.SQLITE_NOTADB: "is damaged. " + _CLEAR.rstrip("."),
    sqlite3.SQLITE_READONLY: "may not be written",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_IOERR: "cannot be read or written",
}


def _open(path: Path, modes: Sequence[str] = MODES) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Made by us and not by SQLite: prompts lie here, and what stands beside the file gets the same mode.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
    database = _connected(str(path))
    mode = next((mode for mode in modes if _takes(database, mode)), "")
    database.execute(f"PRAGMA synchronous={'NORMAL' if mode == 'WAL' else 'OFF'}")
    database.execute(_TABLE)
    return database


def _takes(database: sqlite3.Connection, mode: str) -> bool:
    """Whether the file keeps this kind of journal from now on; a file system may say no by an error or by silence."""
    with suppress(sqlite3.OperationalError):
        return bool(database.execute(f"PRAGMA journal_mode={mode}").fetchone()[0] == mode.lower())
    return False


def _in_one_commit(database: sqlite3.Connection, rows: Sequence[tuple[bytes, str]]) -> None:
    if len(rows) == 1:
        database.execute(_INSERT, rows[0])
        return
    database.execute("BEGIN IMMEDIATE")
    with database:  # commits, or rolls back
        database.executemany(_INSERT, rows)


def _temporary() -> sqlite3.Connection:
    database = _connected("")
    database.execute(_TABLE)
    return database


def _connected(name: str) -> sqlite3.Connection:
    return sqlite3.connect(name, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _size_of(path: Path) -> int:
    return sum(part.stat().st_size for part in _parts(path) if part.exists())


def _remove(path: Path) -> None:
    for part in _parts(path):
        part.unlink(missing_ok=True)


def _parts(path: Path) -> tuple[Path, ...]:
    return (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")))
