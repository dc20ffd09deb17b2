"""Presets stay: through a batch's clear(), a full disk, a lock, and a damaged file as far as it can be read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from kubeai_notebook import store
from kubeai_notebook.errors import UsageError
from kubeai_notebook.store import StartTimes, Store, sqlite_file
from tests.support.kept import digest, locked

if TYPE_CHECKING:
    from pathlib import Path


def test_keeps_presets_until_they_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    assert store.presets(path) == {}
    assert not path.exists()
    store.save_preset(" small ", {"url": "ollama://smollm2:135m", "minReplicas": 0, "profile": "cpu:2"}, path)
    store.save_preset("b", {"url": "hf://a/b"}, path)
    store.save_preset("b", {"url": "hf://c/d"}, path)
    store.clear(path)
    assert store.presets(path) == {
        "b": {"url": "hf://c/d"},
        "small": {"url": "ollama://smollm2:135m", "resource_profile": "cpu:2", "scaling": {"min_replicas": 0}},
    }
    store.remove_preset("b", path)
    store.remove_preset("b", path)
    assert list(store.presets(path)) == ["small"]


class FullDisk(sqlite3.Connection):
    """Of a file of which nothing can be deleted, since the journal has no room."""

    def when_full(self) -> None:
        """What happens at that moment."""

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement.startswith("DELETE"):
            self.when_full()
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return super().execute(statement, *values)


def test_keeps_presets_and_times_where_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"
    store.save_preset("mine", {"url": "hf://a/b"}, path)
    StartTimes(path).put("smol", {"Loading": 38.0})
    Store(path).put({digest(1): "x" * 100_000})
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=FullDisk))
        assert store.clear(path) > 50_000
    assert Store(path).get(digest(1)) is None
    assert StartTimes(path).get("smol") == {"Loading": 38.0}
    assert store.presets(path) == {"mine": {"url": "hf://a/b"}}


def test_removes_no_full_file_whose_presets_another_program_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    with closing(Store(path, modes=("TRUNCATE",))) as kept:  # a journal that lets nobody read meanwhile
        kept.put({digest(1): "a"})
    store.save_preset("mine", {"url": "hf://a/b"}, path)
    StartTimes(path).put("smol", {"Loading": 38.0})
    monkeypatch.setattr(sqlite_file, "READ_SECONDS", 0.01)
    with monkeypatch.context() as patch, closing(sqlite3.connect(path, isolation_level=None)) as other:
        patch.setattr(FullDisk, "when_full", lambda _: other.execute("BEGIN EXCLUSIVE"))
        patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=FullDisk))
        with pytest.raises(UsageError, match=r"^No answer was forgotten: .* is locked by another program\. End the"):
            store.clear(path)
    assert store.presets(path) == {"mine": {"url": "hf://a/b"}}
    assert StartTimes(path).get("smol") == {"Loading": 38.0}
    assert Store(path).get(digest(1)) == "a"


@pytest.mark.parametrize("change", [partial(store.save_preset, "mine", {}), partial(store.remove_preset, "mine")])
def test_says_what_helps_where_a_preset_cannot_be_changed(
    change: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    store.save_preset("mine", {"url": "hf://a/b"}, path)
    monkeypatch.setattr(store, "opened", partial(store.opened, busy_seconds=0.01))
    with locked(path), pytest.raises(UsageError) as refused:
        change(path=path)
    assert str(refused.value) == (
        f"The presets cannot be changed: {path} is locked by another program."
        " End the batches that write there, and try again."
    )
    path.unlink()
    path.mkdir()
    with pytest.raises(UsageError, match=r"cannot be opened \(Is a directory\)\. See that you may write there"):
        change(path=path)


def test_keeps_the_presets_of_a_damaged_file_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(Store(path, modes=("TRUNCATE",))) as kept:
        store.save_preset("mine", {"url": "hf://a/b"}, path)
        for number in range(2000):
            kept.put({digest(number): "x" * 200})
    with path.open("r+b") as file:
        file.seek(200_000)
        file.write(b"\xff" * 200_000)
    store.clear(path)
    assert store.presets(path) == {"mine": {"url": "hf://a/b"}}


def test_keeps_no_secret_in_a_preset(tmp_path: Path) -> None:
    fields = {
        "url": "hf://a/b",
        "secrets": {"HF_TOKEN": SecretStr("swordfish-1"), "OTHER": "name:key"},
        "env": {"API_KEY": "swordfish-2", "COLOR": "red"},
        "args": ["--api-key=swordfish-3", "--max-model-len=8"],
        "files": {"/root/.netrc": "swordfish-4", "/a.txt": "text"},
    }
    store.save_preset("mine", fields, tmp_path / "a.db")
    kept = store.presets(tmp_path / "a.db")["mine"]
    assert kept == {
        "url": "hf://a/b",
        "args": ["--max-model-len=8"],
        "env": {"COLOR": "red"},
        "secrets": ["HF_TOKEN=ask", "OTHER=name:key"],
        "files": [{"path": "/a.txt", "content": "text"}],
    }
    assert b"swordfish" not in b"".join(part.read_bytes() for part in tmp_path.iterdir())


def test_says_why_a_preset_is_not_kept_and_reads_none_of_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"no database" * 100)
    assert store.presets(tmp_path / "a.db") == {}
    with pytest.raises(UsageError, match="damaged"):
        store.save_preset("mine", {"url": "hf://a/b"}, tmp_path / "a.db")
    with pytest.raises(UsageError, match="name"):
        store.save_preset("  ", {"url": "hf://a/b"}, tmp_path / "b.db")


def test_reads_the_presets_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store.save_preset("mine", {"url": "hf://a/b"}, path)
    with closing(sqlite3.connect(path)) as database, database:
        for name, text in (("list", "[1]"), ("null", "null"), ("deep", "[" * 100_000), ("cut", "{")):
            database.execute("INSERT INTO presets (name, fields) VALUES (?, ?)", (name, text))
    assert list(store.presets(path)) == ["mine"]
