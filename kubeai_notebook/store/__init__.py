"""What is the user's and not the cluster's, in one SQLite file: answers that were paid for, presets, dialogues, times.

A batch that runs again asks for new rows only, and a card says how long a step took the last time.

An answer lies under the digest of what decides it: the whole request, what the Model serves (its url, engine,
arguments and adapter), and what runs of it (the image's id and, on this machine, the weights' sha256). So there is
nothing to expire: what has changed has another digest. Answers are committed as they come, since a kernel dies without
warning and an answer may have taken a minute.

WAL lets two kernels write at once, and costs no wait for the disk. File systems of networks cannot do that; there the
file keeps its own journal, and the disk is not waited for either: that a power failure may cost answers is better than
a batch at the pace of a remote disk. A file that is damaged, full, locked or not to be written costs the batch nothing:
answers of this batch are then kept in a file without a name, `problem` says so, and `close` tries the file once more.

A write may wait for other programs, or for a slow disk, so it belongs into a thread. An event loop has a connection of
its own that never waits for others: it reads by it, and writes by it where the disk has shown that it is quick.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import UsageError

from .sqlite_file import (
    ANSWERS,
    BUSY_SECONDS,
    DAMAGED,
    LOCKED,
    MADE_ANEW,
    MODES,
    code_of,
    connected,
    opened,
    reason_of,
    remove,
    rows_of,
    size_of,
    step_after,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

MOST_BYTES = 1 << 30
"""Of answers, from which on the oldest are forgotten."""
_CHECKED_SHARE, _LONGEST_SHARE = 1 / 16, 1 / 8
"""Of the bound: how much may come until the size is looked at again, and how long one answer may be."""
_ROW_BYTES = 100
"""About what a row takes besides its text."""
_KEPT_SHARE = 0.75
_READ_PRESETS = "SELECT name, fields FROM presets ORDER BY name"
_KEEP_PRESET = "INSERT OR REPLACE INTO presets (name, fields) VALUES (?, ?)"
_PRESETS = "CREATE TABLE IF NOT EXISTS presets (name TEXT PRIMARY KEY, fields TEXT NOT NULL) STRICT"
_INSERT = "INSERT OR REPLACE INTO answers (digest, answer) VALUES (?, ?)"
_FORGET_OLDEST = (
    "DELETE FROM answers WHERE rowid NOT IN"
    " (SELECT rowid FROM answers ORDER BY rowid DESC LIMIT (SELECT CAST(count(*) * ? AS INTEGER) FROM answers))"
)
MOST_STARTS = 300
_STARTS = "CREATE TABLE IF NOT EXISTS starts (key BLOB PRIMARY KEY, seconds TEXT NOT NULL) STRICT"
_READ_STARTS = "SELECT key, seconds FROM starts"
_KEEP_START = "INSERT OR REPLACE INTO starts (key, seconds) VALUES (?, ?)"
_FORGET_STARTS = "DELETE FROM starts WHERE rowid NOT IN (SELECT rowid FROM starts ORDER BY rowid DESC LIMIT ?)"
MOST_DIALOGUES = 200
MOST_DIALOGUE_CHARACTERS = 16_000_000
MOST_DIALOGUE_BYTES = 1 << 27
"""Of all dialogues; one alone is half of it at most."""
_DIALOGUES = "CREATE TABLE IF NOT EXISTS dialogues (key BLOB PRIMARY KEY, dialogue TEXT NOT NULL) STRICT"
_READ_DIALOGUE = "SELECT dialogue FROM dialogues WHERE key = ?"
_DIALOGUE_SHARE = 1 / 2048
"""Of the bound: the blocks that dialogues are counted in, so that one which grows by a few words is in its block still.

To count reads every dialogue, and one that streams is kept every few seconds.
"""
_BYTES_OF_DIALOGUE = "SELECT length(CAST(dialogue AS BLOB)) FROM dialogues WHERE key = ?"
_FORGET_DIALOGUES = (
    "DELETE FROM dialogues WHERE rowid IN (SELECT rowid FROM (SELECT rowid, row_number() OVER newest AS number,"
    " sum((length(CAST(dialogue AS BLOB)) + ?1 - 1) / ?1) OVER newest AS blocks"
    " FROM dialogues WINDOW newest AS (ORDER BY rowid DESC)) WHERE number > ?2 OR blocks * ?1 > ?3)"
)
_BYTES_BESIDE_ANSWERS = {
    "dialogues": "SELECT sum(length(CAST(dialogue AS BLOB))) FROM dialogues",
    "presets": "SELECT sum(length(CAST(fields AS BLOB))) FROM presets",
}
"""By the table, where its rows may be long."""
_as_json = json.JSONEncoder(separators=(",", ":")).encode
_SELECT = "SELECT answer FROM answers WHERE digest = ?"


def default_path() -> Path:
    """Where the answers of this user lie."""
    import platformdirs

    return platformdirs.user_data_path("kubeai-notebook") / "answers.db"


def clear(path: Path | None = None, *, busy_seconds: float = BUSY_SECONDS) -> int:
    """Forget all answers and playgrounds' dialogues; returns how many bytes that frees. Batches that run go on.

    A file that is damaged, or that a full disk lets nobody write, is removed, and made anew with the presets and
    the times of starts of it that can be read.

    Raises:
        UsageError: another program keeps the file locked, or it may not be written; nothing was forgotten.
    """
    path = path or default_path()
    if not path.exists():
        return 0
    before = size_of(path)
    try:
        _empty(path, busy_seconds)
    except (sqlite3.Error, OSError) as error:
        raise UsageError(f"No answer was forgotten: {path} {reason_of(error)}.", step_after(error)) from None
    return max(before - size_of(path), 0)


def _empty(path: Path, busy_seconds: float) -> None:
    try:
        with closing(opened(path, busy_seconds=busy_seconds)) as database:
            database.execute("DELETE FROM answers")
            database.execute(_DIALOGUES)
            database.execute("DELETE FROM dialogues")
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        if code_of(error) not in MADE_ANEW:
            raise
        # Rows that a lock hides are there: a file is removed only once that is read of it which can be.
        presets, starts = (rows_of(path, query, raised=LOCKED) for query in (_READ_PRESETS, _READ_STARTS))
        remove(path)
        _change(_PRESETS, _KEEP_PRESET, presets, path=path)
        with suppress(UsageError):  # times of starts are measured again: to lose them is no reason to fail
            _change(_STARTS, _KEEP_START, starts, path=path)


def presets(path: Path | None = None) -> dict[str, dict[str, Any]]:
    """The fields that the user has kept, by the name they gave them; none where the file cannot be read."""
    kept = {}
    for name, text in rows_of(path or default_path(), _READ_PRESETS):
        with suppress(ValueError, RecursionError):  # a row that another program wrote costs itself only
            fields = json.loads(text)
            if isinstance(fields, dict):
                kept[name] = fields
    return kept


def save_preset(name: str, fields: Mapping[str, Any], path: Path | None = None) -> None:
    """Keep the fields of a Model under a name, in the place of what was kept there; no secret's value is kept.

    Raises:
        UsageError: the name is empty, or the file cannot be written.
    """
    from kubeai_notebook.core.field_aliases import flattened, nested, read_fields
    from kubeai_notebook.core.stated import stated_fields, to_keep

    if not name.strip():
        raise UsageError("A preset needs a name.", "Give it one by which you will find it.")
    kept = nested(to_keep(stated_fields(flattened(read_fields(fields)[0]), None)))
    _change(_PRESETS, _KEEP_PRESET, [(name.strip(), _as_json(kept))], path=path)


def remove_preset(name: str, path: Path | None = None) -> None:
    """Forget what was kept under a name, if anything was.

    Raises:
        UsageError: the file cannot be written.
    """
    _change(_PRESETS, "DELETE FROM presets WHERE name = ?", [(name,)], path=path)


def _change(table: str, statement: str, rows: Sequence[tuple[bytes | str, ...]], *, path: Path | None) -> None:
    path = path or default_path()
    if not rows:
        return
    try:
        with closing(opened(path)) as database:
            database.execute(table)
            database.executemany(statement, rows)
    except (sqlite3.Error, OSError) as error:
        raise UsageError(f"The presets cannot be changed: {path} {reason_of(error)}.", step_after(error)) from None


class Store:
    """The answers of one file. What never waits for others is for one thread, all else for another one.

    Of `put` and `close` there is one call at a time.

    ``path``: ``None`` keeps them for as long as this lives, in a file that nobody else sees. ``fresh``: what was kept
    before counts for nothing, and is written over.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        fresh: bool = False,
        most_bytes: int = MOST_BYTES,
        modes: Sequence[str] = MODES,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self._path, self._most_bytes = path, most_bytes
        self._readable: set[bytes] | None = set() if fresh else None
        self._unchecked_bytes = 0
        self._file: sqlite3.Connection | None = None
        self._ready: sqlite3.Connection | None = None
        """To the same file, for what never waits."""
        self._spare: sqlite3.Connection | None = None
        self.problem = ""
        """Why answers are not kept for the next batch, as a sentence."""
        try:
            if path is None:
                self._spare = _temporary()
            else:
                self._file = opened(path, modes, busy_seconds=busy_seconds)
                self._ready = connected(str(path), busy_seconds=busy_seconds)
                (synchronous,) = self._file.execute("PRAGMA synchronous").fetchone()
                self._ready.execute(f"PRAGMA synchronous={synchronous}")  # reads the file: here it may wait
                self._ready.execute("PRAGMA busy_timeout=0")
                self._forget_oldest(self._file)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    def get(self, digest: bytes, *, waits: bool = False) -> str | None:
        """The answer under this digest.

        Raises:
            BlockingIOError: another program writes, and readers must wait; never if this ``waits``, in its own thread.
        """
        if self._readable is not None and digest not in self._readable:
            return None
        for database in (self._spare, self._file if waits else self._ready):
            try:
                if database is not None and (row := database.execute(_SELECT, (digest,)).fetchone()):
                    return str(row[0])
            except sqlite3.Error as error:
                if code_of(error) not in LOCKED:
                    self._give_up(error)
                elif not waits:
                    raise BlockingIOError from None
        return None

    def put(self, answers: Mapping[bytes, str], *, waits: bool = True) -> None:
        """Keep answers, all or none: where there is no `problem`, they are there whatever becomes of the process.

        One that would take an eighth of the file's bound is not kept.

        Raises:
            BlockingIOError: another program writes; never if this ``waits``, in its own thread. Nothing was kept.
        """
        answers = {key: text for key, text in answers.items() if len(text) < self._most_bytes * _LONGEST_SHARE}
        file = self._file if waits else self._ready
        if self._spare is None and file is not None:
            try:
                _in_one_commit(file, answers.items())
                self._make_room(file, answers)
            except sqlite3.Error as error:
                if not waits and code_of(error) in LOCKED:
                    raise BlockingIOError from None
                self._give_up(error)
        if self._spare is not None:
            with suppress(sqlite3.Error):
                _in_one_commit(self._spare, answers.items())
        if self._readable is not None:
            self._readable.update(answers)

    def close(self) -> None:
        """Close the file; what could not be written there is tried once more."""
        with suppress(sqlite3.Error):
            if self._spare is not None and self._file is not None:
                _in_one_commit(self._file, self._spare.execute("SELECT digest, answer FROM answers"))
                self.problem = ""
        for database in (self._spare, self._ready, self._file):
            if database is not None:
                database.close()

    def _give_up(self, error: Exception) -> None:
        """Keep what comes in a file without a name, and leave one that is damaged alone."""
        if self._spare is None:
            self._spare = _temporary()
        if code_of(error) in DAMAGED:
            self._file = self._ready = None
        if not self.problem:
            self.problem = f"Answers are not kept for the next time: {self._path} {reason_of(error)}."

    def _make_room(self, file: sqlite3.Connection, answers: Mapping[bytes, str]) -> None:
        self._unchecked_bytes += sum(len(text) + _ROW_BYTES for text in answers.values())
        if self._unchecked_bytes > self._most_bytes * _CHECKED_SHARE:
            self._forget_oldest(file)

    def _forget_oldest(self, file: sqlite3.Connection) -> None:
        """Make room where there are too many: their pages are used again. What is no answer takes no room of theirs."""
        self._unchecked_bytes = 0
        if _used_bytes(file) <= self._most_bytes:
            return
        most_bytes = self._most_bytes + _bytes_beside_answers(file)
        while _used_bytes(file) > most_bytes and file.execute(_FORGET_OLDEST, (_KEPT_SHARE,)).rowcount:
            pass


def _used_bytes(file: sqlite3.Connection) -> int:
    pages, free, size = (
        file.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _bytes_beside_answers(file: sqlite3.Connection) -> int:
    there = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    sums = (file.execute(query).fetchone()[0] for table, query in _BYTES_BESIDE_ANSWERS.items() if table in there)
    return sum(filter(None, sums))


class StartTimes:
    """How long each step of a start took the last time, by what makes two starts alike: a few hundred of them.

    They lie beside the answers. A file that cannot be used costs the times alone: none is known then.
    """

    def __init__(self, path: Path | None = None, *, most: int = MOST_STARTS) -> None:
        self._path, self._most = path, most

    def get(self, key: str) -> dict[str, float]:
        """Seconds by the step's name; ``{}`` where nothing is known."""
        rows = rows_of(self._path or default_path(), _READ_STARTS + " WHERE key = ?", (_digest(key),))
        try:
            kept = json.loads(rows[0][1]) if rows else {}
            return {str(step): float(seconds) for step, seconds in kept.items()}
        except (ValueError, TypeError, AttributeError):
            return {}

    def put(self, key: str, seconds: Mapping[str, float]) -> None:
        """Keep the times of a start in place of those of the last one like it."""
        with suppress(sqlite3.Error, OSError), closing(opened(self._path or default_path())) as database:
            database.execute(_STARTS)
            row = (_digest(key), _as_json(dict(seconds)))
            database.execute(_KEEP_START, row)
            database.execute(_FORGET_STARTS, (self._most,))


class Dialogues:
    """What was said in playgrounds, as JSON by the dialogue's id: the last two hundred of them, of 128 MiB together.

    A file that cannot be used costs what would be kept, and no answer: `put` says why then.
    """

    def __init__(
        self, path: Path | None = None, *, most: int = MOST_DIALOGUES, most_bytes: int = MOST_DIALOGUE_BYTES
    ) -> None:
        self._path, self._most, self._most_bytes = path, most, most_bytes

    def get(self, key: str) -> str | None:
        """The dialogue; None where none is known."""
        rows = rows_of(self._path or default_path(), _READ_DIALOGUE, (_digest(key),))
        return str(rows[0][0]) if rows else None

    def put(self, key: str, dialogue: str) -> str:
        """Keep this in place of what was kept; returns why it could not be kept, as a sentence, else ``""``."""
        path = self._path or default_path()
        if len(dialogue) > MOST_DIALOGUE_CHARACTERS:
            return "This dialogue is too long to be kept for the next kernel."
        try:
            with closing(opened(path)) as database:
                database.execute(_DIALOGUES)
                self._replace(database, _digest(key), dialogue)
        except (sqlite3.Error, OSError) as error:
            return f"This dialogue is not kept for the next kernel: {path} {reason_of(error)}."
        return ""

    def _replace(self, database: sqlite3.Connection, key: bytes, dialogue: str) -> None:
        """Put the dialogue in place of its last state, and make room where it begins another block."""
        block = max(int(self._most_bytes * _DIALOGUE_SHARE), 1)
        database.execute("BEGIN IMMEDIATE")
        with database:  # commits, or rolls back
            before = database.execute(_BYTES_OF_DIALOGUE, (key,)).fetchone()
            database.execute("INSERT OR REPLACE INTO dialogues (key, dialogue) VALUES (?, ?)", (key, dialogue))
            if before is None or -(-before[0] // block) < -(-len(dialogue.encode()) // block):
                database.execute(_FORGET_DIALOGUES, (block, self._most, self._most_bytes))


def _digest(key: str) -> bytes:
    """What stands for a key in the file: a url may hold a login."""
    return sha256(key.encode()).digest()


def _in_one_commit(database: sqlite3.Connection, rows: Iterable[tuple[bytes, str]]) -> None:
    database.execute("BEGIN IMMEDIATE")
    with database:  # commits, or rolls back
        database.executemany(_INSERT, rows)


def _temporary() -> sqlite3.Connection:
    database = connected("")
    database.execute(ANSWERS)
    return database
