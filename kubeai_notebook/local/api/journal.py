"""What outlives the daemon: the objects of one SQLite table, written before a request is answered.

The file holds the user's Models, so whatever is wrong with it, it is never written over or deleted. And a full disk
must not keep the user from deleting what fills it: a small reserve beside the file is given up for that.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from contextlib import suppress
from shutil import disk_usage
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.kinds import EVENTS, PODS, RESOURCES, Object, Ref
from kubeai_notebook.local.emulation.refusals import StatusError

if TYPE_CHECKING:
    from pathlib import Path

_SETUP = """
    PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;
    CREATE TABLE IF NOT EXISTS objects
        (kind TEXT, namespace TEXT, name TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, namespace, name)) WITHOUT ROWID;
"""
_COLUMNS = [("kind", 1), ("namespace", 2), ("name", 3), ("body", 0)]
"""Each with its place in the primary key."""
_READ = "SELECT kind, namespace, name, body FROM objects"
_WRITE = "REPLACE INTO objects (kind, namespace, name, body) VALUES (?, ?, ?, ?)"
_VERSION = ("version", "", "")
_NAMES = ("name", "uid", "resourceVersion", "creationTimestamp")
_NEWEST_POSSIBLE = 2**62
RESERVE_BYTES = 1 << 20
_PIECE_BYTES = 1 << 14


class Journal:
    """The table; a process that is killed loses no write, because SQLite's log is complete before ``write`` returns.

    Pods are left out: their engines die with the daemon, and the operator makes new ones. Their Events go with them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reserve = path.with_suffix(".reserve")
        try:
            path.touch(mode=0o600)
            self._table = sqlite3.connect(path)
            self._table.executescript(_SETUP)
            if [(row[1], row[5]) for row in self._table.execute("PRAGMA table_info(objects)")] != _COLUMNS:
                raise sqlite3.DatabaseError("its table is that of another version")
            self.empty = self._table.execute("SELECT count(*) FROM objects").fetchone() == (0,)
            """Whether this is the beginning: no object was ever written here."""
        except (sqlite3.Error, OSError) as error:
            raise self._unreadable(error) from error
        self._set_aside()

    def load(self) -> tuple[dict[Ref, Object], int]:
        """Every object, and the newest version that was given out before. LocalError when the file is damaged."""
        resources = {resource.plural: resource for resource in RESOURCES.values()}
        try:
            rows = {tuple(key): json.loads(body) for *key, body in self._table.execute(_READ)}
            newest = int(rows.pop(_VERSION, 0))
            if not 0 <= newest < _NEWEST_POSSIBLE:
                raise ValueError("its version is no version")
            objects = {Ref(resources[kind], namespace, name): item for (kind, namespace, name), item in rows.items()}
            for ref, item in objects.items():
                _check(ref, item)
        except (sqlite3.Error, ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
            raise self._unreadable(error) from error
        return objects, newest

    def write(self, ref: Ref, item: Object | None, version: int) -> None:
        """Keep an object's new state, or (None) that it is gone. StatusError 507 when the disk is full."""
        if ref.resource in (PODS, EVENTS):
            return
        goes = item is None or "deletionTimestamp" in item["metadata"]
        try:
            self._write(ref, item, version)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
                raise
            if not goes or not self._reserve.exists():
                raise self._full() from error
            self._write_with_reserve(ref, item, version)
        else:
            if goes:
                self._set_aside()

    def _write_with_reserve(self, ref: Ref, item: Object | None, version: int) -> None:
        """Write into the room that the reserve had, and hold what is left of it."""
        self._reserve.unlink(missing_ok=True)
        try:
            self._write(ref, item, version)
            with suppress(sqlite3.OperationalError):
                self._table.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError as error:
            raise self._full() from error
        finally:
            self._hold(RESERVE_BYTES)

    def _write(self, ref: Ref, item: Object | None, version: int) -> None:
        key = (ref.resource.plural, ref.namespace, ref.name)
        with self._table:
            if item is None:
                self._table.execute("DELETE FROM objects WHERE (kind, namespace, name) = (?, ?, ?)", key)
            else:
                self._table.execute(_WRITE, (*key, json.dumps(item)))
            self._table.execute(_WRITE, (*_VERSION, str(version)))

    def _set_aside(self) -> None:
        """Hold some room for deletions, where there is plenty."""
        with suppress(OSError):
            held = self._reserve.stat().st_size if self._reserve.exists() else 0
            # A disk that was full may have left a part of it, or nothing but its name.
            if held < RESERVE_BYTES and disk_usage(self.path.parent).free > 4 * RESERVE_BYTES:
                self._hold(RESERVE_BYTES)

    def _hold(self, size: int) -> None:
        # Random bytes: a file system that compresses would set nothing aside for zeros.
        with suppress(OSError), self._reserve.open("wb", buffering=0) as file:
            for _ in range(size // _PIECE_BYTES):
                file.write(os.urandom(_PIECE_BYTES))

    def _full(self) -> StatusError:
        message = f"the disk is full: {self.path} cannot be written; make room on that disk, or delete Models"
        return StatusError(507, "InsufficientStorage", message)

    def _unreadable(self, error: Exception) -> LocalError:
        code = getattr(error, "sqlite_errorcode", 0)
        # SQLite calls a full disk by many names, as it may be any of its files that finds no room.
        out_of_room = code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
        if getattr(error, "errno", 0) == errno.ENOSPC or (out_of_room and _free(self.path) < _PIECE_BYTES * 4):
            return LocalError(f"The disk of {self.path} is full, so the Models cannot be read.", "Make room on it.")
        reason = f"{type(error).__name__}: {error}" if isinstance(error, LookupError | TypeError) else str(error)
        step = "Move it away; the daemon then begins with no Models."
        return LocalError(f"The state in {self.path} cannot be read: {reason}.", step)


def _free(path: Path) -> int:
    try:
        return disk_usage(path.parent).free
    except OSError:
        return 0


def _check(ref: Ref, item: Any) -> None:
    """ValueError for a row that holds no object of its key."""
    metadata = item.get("metadata") if isinstance(item, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(metadata.get(key), str) for key in _NAMES):
        raise ValueError(f"{ref.resource.plural} {ref.name!r} is no object")
    owners, labels = metadata.get("ownerReferences", []), metadata.get("labels") or {}
    lists = isinstance(owners, list) and isinstance(metadata.get("finalizers", []), list)
    if not lists or not isinstance(labels, dict) or not all(isinstance(owner, dict) for owner in owners):
        raise ValueError(f"{ref.resource.plural} {ref.name!r} has metadata that is none")
    if (metadata["name"], metadata.get("namespace", "")) != (ref.name, ref.namespace):
        raise ValueError(f"{ref.resource.plural} {ref.name!r} has another name inside")
