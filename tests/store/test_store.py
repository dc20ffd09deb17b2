"""Answers of batches stay: for the next batch, through a kill, and beside another kernel."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from kubeai_notebook import store
from kubeai_notebook.errors import UsageError
from kubeai_notebook.store import Dialogues, StartTimes, Store, sqlite_file
from tests.support.kept import digest, locked

if TYPE_CHECKING:
    from pathlib import Path

FULL = """
import resource, signal, sys
from pathlib import Path
from kubeai_notebook.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
for number in range(2000):
    store.put({b"%d" % number: "x" * 500})
print(store.problem)
print(store.get(b"1999") == "x" * 500)
"""


def test_gives_an_answer_back_to_the_next_one(tmp_path: Path) -> None:
    Store(tmp_path / "a.db").put({digest(1): "hé 🙂"})
    assert Store(tmp_path / "a.db").get(digest(1)) == "hé 🙂"
    assert Store(tmp_path / "a.db").get(digest(2)) is None


def test_is_readable_by_its_user_alone(tmp_path: Path) -> None:
    kept = Store(tmp_path / "new" / "a.db")
    kept.put({digest(1): "a"})
    for path in (tmp_path / "new").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_is_shared_by_two_that_write_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from kubeai_notebook.store import Store\n"
        "one = Store(Path(sys.argv[1]))\n"
        "for number in range(500): one.put({sys.argv[2].encode() + b'%d' % number: 'a'})\n"
        "assert not one.problem, one.problem"
    )
    kernels = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a.db"), name]) for name in "ab"]
    assert [kernel.wait() for kernel in kernels] == [0, 0]
    both = Store(tmp_path / "a.db")
    assert all(both.get(f"{name}{number}".encode()) for name in "ab" for number in range(500))


def test_is_opened_by_several_that_make_it_at_once(tmp_path: Path) -> None:
    for number in range(60):
        path = tmp_path / str(number) / "a.db"
        together = threading.Barrier(3)

        def problem(path: Path = path, together: threading.Barrier = together) -> str:
            together.wait()
            with closing(Store(path)) as kept:
                kept.put({digest(1): "a"})
                return kept.problem

        with ThreadPoolExecutor() as threads:
            assert [task.result() for task in [threads.submit(problem) for _ in range(3)]] == [""] * 3


def test_goes_on_without_a_file_that_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database " * 1000)
    kept = Store(path)
    assert kept.problem == (
        f"Answers are not kept for the next time: {path} is damaged. kubeai_notebook.store.clear() empties it."
    )
    kept.put({digest(1): "a"})
    assert kept.get(digest(1)) == "a"
    store.clear(path)
    assert Store(path).problem == ""


def test_goes_on_where_the_file_is_damaged_while_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    first = Store(path)
    for number in range(2000):
        first.put({digest(number): "x" * 200})
    first.close()
    kept = Store(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 400_000)
    for number in range(2000):
        kept.get(digest(number))
    assert "is damaged" in kept.problem
    kept.put({digest(1): "a"})
    assert kept.get(digest(1)) == "a"


def test_goes_on_where_it_may_not_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "a.db"
    kept = Store(path)
    assert kept.problem == f"Answers are not kept for the next time: {path} cannot be opened (File exists)."
    kept.put({digest(1): "a"})
    assert kept.get(digest(1)) == "a"


def test_goes_on_where_the_disk_is_full(tmp_path: Path) -> None:
    """A limit on the file's size, which SQLite meets as it meets a full disk."""
    command = [sys.executable, "-c", FULL, str(tmp_path / "a.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    problem, kept = done.stdout.splitlines()
    path = tmp_path / "a.db"
    assert problem in {
        f"Answers are not kept for the next time: {path} is on a full disk. kubeai_notebook.store.clear() empties it.",
        f"Answers are not kept for the next time: {path} cannot be read or written.",
    }
    assert kept == "True"


def test_says_that_its_file_is_locked_and_writes_it_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    kept = Store(path, busy_seconds=0.01)
    with locked(path):
        kept.put({digest(1): "a"})
        assert kept.problem == f"Answers are not kept for the next time: {path} is locked by another program."
        assert kept.get(digest(1)) == "a"
    kept.put({digest(2): "b"})
    kept.close()
    assert kept.problem == ""
    assert [Store(path).get(digest(number)) for number in (1, 2)] == ["a", "b"]


def test_says_so_to_the_end_where_its_file_stays_locked(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    kept = Store(path, busy_seconds=0.01)
    with locked(path):
        kept.put({digest(1): "a"})
        kept.close()
    assert "is locked by another program" in kept.problem
    assert Store(path).get(digest(1)) is None


def test_gives_no_old_answer_where_a_new_one_met_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Store(path).put({digest(1): "old"})
    kept = Store(path, fresh=True, busy_seconds=0.01)
    with locked(path):
        kept.put({digest(1): "new"})
        assert kept.get(digest(1)) == "new"


def test_makes_no_writer_wait_that_must_not(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    kept = Store(path, busy_seconds=3600)
    with locked(path), pytest.raises(BlockingIOError):
        kept.put({digest(1): "a"}, waits=False)
    assert (kept.problem, kept.get(digest(1))) == ("", None)
    kept.put({digest(1): "a"}, waits=False)
    assert Store(path).get(digest(1)) == "a"


def test_makes_no_reader_wait_where_the_journal_lets_nobody_read(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    kept = Store(path, modes=("TRUNCATE",), busy_seconds=0.01)
    kept.put({digest(1): "a"})
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(BlockingIOError):
            kept.get(digest(1))
        assert kept.get(digest(1), waits=True) is None
    assert kept.get(digest(1)) == "a"
    assert kept.problem == ""


def test_removes_no_file_that_is_only_locked(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    kept = Store(path)
    kept.put({digest(1): "a"})
    with locked(path), pytest.raises(UsageError, match=r"No answer was forgotten: .* is locked by another program\."):
        store.clear(path, busy_seconds=0.01)
    kept.put({digest(2): "b"})
    assert [Store(path).get(digest(number)) for number in (1, 2)] == ["a", "b"]


def test_forgets_the_oldest_where_it_is_too_long(tmp_path: Path) -> None:
    kept = Store(tmp_path / "a.db", most_bytes=300_000)
    for number in range(4000):
        kept.put({digest(number): "x" * 200})
    assert kept.get(digest(0)) is None
    assert kept.get(digest(3999)) is not None
    assert (tmp_path / "a.db").stat().st_size < 1_000_000


def test_stays_within_its_bound_whatever_a_model_says(tmp_path: Path) -> None:
    path, most = tmp_path / "a.db", 2_000_000
    kept = Store(path, most_bytes=most)
    for number in range(500):
        kept.put({digest(number): "x" * 100_000})
    kept.put({digest(500): "x" * most})
    kept.close()
    assert sum(part.stat().st_size for part in tmp_path.iterdir()) < 1.5 * most
    assert Store(path).get(digest(499)) is not None
    assert Store(path).get(digest(500)) is None


def test_forgets_no_answer_for_the_sake_of_dialogues(tmp_path: Path) -> None:
    path, most = tmp_path / "a.db", 1 << 20
    kept = Store(path, most_bytes=most)
    kept.put({digest(number): "x" * 100 for number in range(50)})
    kept.close()
    for number in range(20):
        assert Dialogues(path).put(str(number), "y" * 100_000) == ""
    kept = Store(path, most_bytes=most)
    kept.put({digest(50): "x"})
    kept.close()
    kept = Store(path, most_bytes=most)
    assert all(kept.get(digest(number)) for number in range(51))
    for number in range(200):
        kept.put({digest(number): "x" * 10_000})
    assert kept.get(digest(199)) is not None
    assert Dialogues(path).get("0") is not None
    assert path.stat().st_size < 2_000_000 + 1.5 * most


def test_is_emptied_by_one_line_while_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    assert store.clear(path) == 0
    kept = Store(path)
    for number in range(1000):
        kept.put({digest(number): "x" * 200})
    assert store.clear(path) > 200_000
    assert kept.get(digest(1)) is None
    kept.put({digest(1): "a"})
    assert kept.get(digest(1)) == "a"
    assert kept.problem == ""


def test_keeps_its_own_journal_where_the_file_system_cannot_share_memory(tmp_path: Path) -> None:
    """As WAL fails on file systems of networks."""
    (tmp_path / "a.db-shm").mkdir()  # where SQLite would map it
    for kept in (Store(tmp_path / "a.db"), Store(tmp_path / "a.db")):
        kept.put({digest(1): "a"})
        assert kept.problem == ""
    assert Store(tmp_path / "a.db").get(digest(1)) == "a"


def test_takes_the_next_kind_of_journal_where_one_is_refused_without_a_word(tmp_path: Path) -> None:
    assert sqlite3.sqlite_version_info >= (3, 37)  # STRICT tables
    kept = Store(tmp_path / "a.db", modes=("nonsense", "TRUNCATE"))
    kept.put({digest(1): "a"})
    assert not (tmp_path / "a.db-wal").exists()
    assert Store(tmp_path / "a.db", modes=("TRUNCATE",)).get(digest(1)) == "a"


def test_keeps_how_long_the_last_start_took(tmp_path: Path) -> None:
    times = StartTimes(tmp_path / "answers.db")
    assert times.get("smol") == {}
    times.put("smol", {"Pulling": 12.0, "Loading": 38.0})
    times.put("smol", {"Loading": 41.0})
    assert StartTimes(tmp_path / "answers.db").get("smol") == {"Loading": 41.0}
    assert b"smol" not in (tmp_path / "answers.db").read_bytes()


def test_keeps_a_few_hundred_starts_and_no_more(tmp_path: Path) -> None:
    times = StartTimes(tmp_path / "answers.db", most=3)
    for number in range(5):
        times.put(str(number), {"Loading": float(number)})
    times.put("2", {"Loading": 20.0})
    times.put("5", {"Loading": 5.0})
    kept = [times.get(str(number)).get("Loading") for number in range(6)]
    assert kept == [None, None, 20.0, None, 4.0, 5.0]


def test_knows_no_start_where_the_file_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    path.write_text("no database" * 100)
    StartTimes(path).put("smol", {"Loading": 1.0})
    assert StartTimes(path).get("smol") == {}


def test_keeps_the_last_dialogues_by_their_ids(tmp_path: Path) -> None:
    dialogues = Dialogues(tmp_path / "answers.db", most=2)
    assert dialogues.get("a") is None
    assert [dialogues.put(key, text) for key, text in (("a", "1"), ("b", "2"), ("a", "3"), ("c", "4"))] == [""] * 4
    assert [Dialogues(tmp_path / "answers.db").get(key) for key in "abc"] == ["3", None, "4"]


def test_keeps_as_many_of_the_last_dialogues_as_their_bytes_let_it(tmp_path: Path) -> None:
    dialogues = Dialogues(tmp_path / "answers.db", most_bytes=1000)
    for key, text in (("a", "x" * 400), ("b", "é" * 200), ("c", "x" * 100), ("a", "x" * 450), ("d", "x" * 400)):
        assert dialogues.put(key, text) == ""
    assert [key for key in "abcd" if dialogues.get(key) is not None] == ["a", "c", "d"]


class Watched(sqlite3.Connection):
    """Notes what it is asked, and how long it would wait for others."""

    asked: ClassVar[list[str]] = []
    waits: ClassVar[list[float]] = []

    def __init__(self, *values: Any, timeout: float, **named: Any) -> None:
        super().__init__(*values, timeout=timeout, **named)
        self.waits.append(timeout)

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        self.asked.append(statement)
        return super().execute(statement, *values)


def test_reads_no_other_dialogue_while_one_grows_by_a_few_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialogues = Dialogues(tmp_path / "answers.db")
    for key in "abc":
        dialogues.put(key, "x" * 10_000)
    Watched.asked.clear()
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Watched))
    assert dialogues.put("b", "y" * 11_000) == ""
    assert not [asked for asked in Watched.asked if "dialogues" in asked and asked.startswith("DELETE")]
    assert dialogues.put("b", "y" * 1_000_000) == ""
    assert [asked for asked in Watched.asked if "dialogues" in asked and asked.startswith("DELETE")]


def test_keeps_to_its_bound_of_dialogues_that_grow_word_by_word(tmp_path: Path) -> None:
    path, most_bytes = tmp_path / "answers.db", 1 << 16
    dialogues = Dialogues(path, most_bytes=most_bytes)
    for words in range(1, 400):
        for key in "ab":
            assert dialogues.put(key, "word " * words * 20) == ""
        with closing(sqlite3.connect(path)) as database:
            (total,) = database.execute("SELECT sum(length(dialogue)) FROM dialogues").fetchone()
        assert total <= most_bytes
    assert (dialogues.get("a"), dialogues.get("b")) == (None, "word " * 399 * 20)


def test_says_why_a_dialogue_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    path.write_text("no database" * 100)
    assert "is damaged" in Dialogues(path).put("a", "1")
    assert Dialogues(path).get("a") is None


def all_of(path: Path) -> tuple[Any, ...]:
    """What is read of a file where a cell waits for it."""
    return list(store.presets(path)), Dialogues(path).get("a"), StartTimes(path).get("smol")


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    path = tmp_path / "a.db"
    store.save_preset("mine", {"url": "hf://a/b"}, path)
    Dialogues(path).put("a", "1")
    StartTimes(path).put("smol", {"Loading": 38.0})
    return path


def test_reads_what_a_cell_asks_for_while_another_program_writes(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Watched.asked.clear()
    Watched.waits.clear()
    with locked(filled):
        monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Watched))
        assert all_of(filled) == (["mine"], "1", {"Loading": 38.0})
    assert max(Watched.waits) < store.BUSY_SECONDS
    assert all(asked.startswith("SELECT") for asked in Watched.asked)  # whatever else it asks waits for the writer


def test_gives_up_soon_where_the_journal_lets_nobody_read(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "READ_SECONDS", 0.0)
    with closing(sqlite3.connect(filled, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=TRUNCATE")
        other.execute("BEGIN EXCLUSIVE")
        assert all_of(filled) == ([], None, {})


def test_reads_a_file_that_was_left_with_wal_where_memory_cannot_be_shared(filled: Path) -> None:
    filled.with_name("a.db-shm").symlink_to(filled.parent / "none" / "a")  # so SQLite cannot make it
    assert all_of(filled) == (["mine"], "1", {"Loading": 38.0})


def test_forgets_dialogues_with_the_answers(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    Dialogues(path).put("a", "words of mine")
    store.clear(path)
    assert Dialogues(path).get("a") is None
    assert b"words of mine" not in path.read_bytes()
