"""Answers of batches stay: for the next batch, through a kill, and beside another kernel."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from hashlib import sha256
from typing import TYPE_CHECKING

from kubeai_notebook import store
from kubeai_notebook.store import Kept, Store

if TYPE_CHECKING:
    from pathlib import Path

FULL = """
import resource, signal, sys
from pathlib import Path
from kubeai_notebook.store import Kept, Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
for number in range(2000):
    store.put({b"%d" % number: Kept("x" * 500)})
print(store.problem)
print(store.get(b"1999") == Kept("x" * 500))
"""


def digest(number: int) -> bytes:
    return sha256(str(number).encode()).digest()


def test_gives_an_answer_back_to_the_next_one(tmp_path: Path) -> None:
    Store(tmp_path / "a.db").put({digest(1): Kept("hé\ud83d", 3, 4)})
    assert Store(tmp_path / "a.db").get(digest(1)) == Kept("hé\ud83d", 3, 4)
    assert Store(tmp_path / "a.db").get(digest(2)) is None


def test_is_readable_by_its_user_alone(tmp_path: Path) -> None:
    kept = Store(tmp_path / "new" / "a.db")
    kept.put({digest(1): Kept("a")})
    for path in (tmp_path / "new").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_is_shared_by_two_that_write_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from kubeai_notebook.store import Kept, Store\n"
        "one = Store(Path(sys.argv[1]))\n"
        "for number in range(500): one.put({sys.argv[2].encode() + b'%d' % number: Kept('a')})\n"
        "assert not one.problem, one.problem"
    )
    kernels = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a.db"), name]) for name in "ab"]
    assert [kernel.wait() for kernel in kernels] == [0, 0]
    both = Store(tmp_path / "a.db")
    assert all(both.get(f"{name}{number}".encode()) for name in "ab" for number in range(500))


def test_goes_on_without_a_file_that_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database " * 1000)
    kept = Store(path)
    assert kept.problem == (
        f"Answers are not kept for the next time: {path} is damaged. kubeai_notebook.store.clear() empties it."
    )
    kept.put({digest(1): Kept("a")})
    assert kept.get(digest(1)) == Kept("a")
    store.clear(path)
    assert Store(path).problem == ""


def test_goes_on_where_the_file_is_damaged_while_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    first = Store(path)
    for number in range(2000):
        first.put({digest(number): Kept("x" * 200)})
    first.close()
    kept = Store(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 400_000)
    for number in range(2000):
        kept.get(digest(number))
    assert "is damaged" in kept.problem
    kept.put({digest(1): Kept("a")})
    assert kept.get(digest(1)) == Kept("a")


def test_goes_on_where_it_may_not_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = Store(tmp_path / "file" / "a.db")
    assert kept.problem.startswith("Answers are not kept for the next time:")
    kept.put({digest(1): Kept("a")})
    assert kept.get(digest(1)) == Kept("a")


def test_goes_on_where_the_disk_is_full(tmp_path: Path) -> None:
    """A limit on the file's size, which SQLite meets as it meets a full disk."""
    command = [sys.executable, "-c", FULL, str(tmp_path / "a.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    problem, kept = done.stdout.splitlines()
    assert problem.startswith(f"Answers are not kept for the next time: {tmp_path / 'a.db'}")
    assert kept == "True"


def test_forgets_the_oldest_where_it_is_too_long(tmp_path: Path) -> None:
    kept = Store(tmp_path / "a.db", most_bytes=300_000)
    for number in range(4000):
        kept.put({digest(number): Kept("x" * 200)})
    assert kept.get(digest(0)) is None
    assert kept.get(digest(3999)) is not None
    assert (tmp_path / "a.db").stat().st_size < 1_000_000


def test_is_emptied_by_one_line_while_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    assert store.clear(path) == 0
    kept = Store(path)
    for number in range(1000):
        kept.put({digest(number): Kept("x" * 200)})
    assert store.clear(path) > 200_000
    assert kept.get(digest(1)) is None
    kept.put({digest(1): Kept("a")})
    assert kept.get(digest(1)) == Kept("a")
    assert kept.problem == ""


def test_keeps_its_own_journal_where_the_file_system_cannot_share_memory(tmp_path: Path) -> None:
    """As WAL fails on file systems of networks."""
    assert sqlite3.sqlite_version_info >= (3, 37)  # STRICT tables
    kept = Store(tmp_path / "a.db", modes=("nonsense", "TRUNCATE"))
    kept.put({digest(1): Kept("a")})
    assert not (tmp_path / "a.db-wal").exists()
    assert Store(tmp_path / "a.db", modes=("TRUNCATE",)).get(digest(1)) == Kept("a")
