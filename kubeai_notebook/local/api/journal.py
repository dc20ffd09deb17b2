"""What outlives the daemon: the objects of one SQLite table, written before a request is answered."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from kubeai_notebook.core.kubernetes.kinds import EVENTS, PODS, RESOURCES, Object, Ref
from kubeai_notebook.errors import LocalError

if TYPE_CHECKING:
    from pathlib import Path

_SETUP = """
    PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;
    CREATE TABLE IF NOT EXISTS objects
        (kind TEXT, namespace TEXT, name TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, namespace, name)) WITHOUT ROWID;
"""
_WRITE = "REPLACE INTO objects VALUES (?, ?, ?, ?)"
_VERSION = ("version", "", "")


class Journal:
    """The table; a process that is killed loses no write, because SQLite's log is complete before ``write`` returns.

    Pods are left out: their engines die with the daemon, and the operator makes new ones. Their Events go with them.
    """

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._table = sqlite3.connect(path)
        try:
            self._table.executescript(_SETUP)
        except sqlite3.DatabaseError as error:
            step = "Move it away; the daemon then begins with no Models."
            raise LocalError(f"The state in {path} cannot be read: {error}.", step) from error

    def load(self) -> tuple[dict[Ref, Object], int]:
        """Every object, and the newest version that was given out before."""
        resources = {resource.plural: resource for resource in RESOURCES.values()}
        rows = {tuple(key): json.loads(body) for *key, body in self._table.execute("SELECT * FROM objects")}
        newest = int(rows.pop(_VERSION, 0))
        return {Ref(resources[kind], namespace, name): item for (kind, namespace, name), item in rows.items()}, newest

    def write(self, ref: Ref, item: Object | None, version: int) -> None:
        """Keep an object's new state, or (None) that it is gone."""
        if ref.resource in (PODS, EVENTS):
            return
        key = (ref.resource.plural, ref.namespace, ref.name)
        with self._table:
            if item is None:
                self._table.execute("DELETE FROM objects WHERE (kind, namespace, name) = (?, ?, ?)", key)
            else:
                self._table.execute(_WRITE, (*key, json.dumps(item)))
            self._table.execute(_WRITE, (*_VERSION, str(version)))
