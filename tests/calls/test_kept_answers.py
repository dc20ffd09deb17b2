"""Answers that are kept for the next time: whatever happens to the kernel or the file, none is paid for twice."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.calls.batch import Batch
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.job import Job
from kubeai_notebook.calls.map_frame import planned_map
from kubeai_notebook.calls.question import Target
from kubeai_notebook.core.access import Access
from kubeai_notebook.store import Store
from tests.support.batch_server import Running, batch_server
from tests.support.waiting import until

from .test_batch import SECONDS, frame, mapped, started

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("KUBEAI_TEST_KILLS", "5"))
"""How often a map is killed; 20 before a release."""


@pytest.fixture(scope="module")
def quick() -> Iterator[Running]:
    """A server that answers at once."""
    with batch_server() as server:
        yield server


def test_goes_on_and_says_so_where_answers_cannot_be_kept(quick: Running, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    endpoint, job = started(quick.url, frame(10), store=tmp_path / "file" / "a.db")
    with endpoint:
        assert job.result(SECONDS)["answer"].notna().all()
    assert job.progress.notes == (
        f"Answers are not kept for the next time: {tmp_path / 'file' / 'a.db'} cannot be opened (File exists).",
    )


@pytest.mark.parametrize("kept_before", [0, 20])
def test_goes_on_and_keeps_its_answers_where_another_program_locks_their_file(
    quick: Running, tmp_path: Path, kept_before: int
) -> None:
    path, rows = tmp_path / "a.db", 4_000
    mapped(quick.url, frame(1), store=path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        endpoint = Endpoint(Access(base_url=quick.url))
        fields: Any = {"store": path}
        planned = planned_map(Target(name="smol", most_in_flight=4), frame(rows), prompt="{text}", fields=fields)
        with endpoint:
            batch = Batch(endpoint, planned.plan, planned.table, store=Store(path))
            if not kept_before:
                other.execute("BEGIN IMMEDIATE")
            job = Job(batch, planned.table, endpoint.loop.submit(batch.run()))
            until(lambda: job.progress.sent > kept_before, SECONDS)
            if kept_before:
                other.execute("BEGIN IMMEDIATE")
            # What the Session's loop does besides goes on.
            assert endpoint.loop.submit(asyncio.sleep(0, "turn")).result(SECONDS) == "turn"
            locked = not job.done
            other.execute("ROLLBACK")
            out = job.result(SECONDS)
    assert locked
    assert out["answer"].notna().all()
    assert job.progress.notes == ()
    endpoint, job = started(quick.url, frame(rows), store=path)
    with endpoint:
        job.result(SECONDS)
    assert (job.progress.from_store, job.progress.sent, job.progress.asking_seconds) == (rows, 0, 0.0)


PROGRAM = """
import json, resource, signal, sys
from pathlib import Path
import pandas as pd
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.job import Job
from kubeai_notebook.calls.map_frame import planned_map
from kubeai_notebook.calls.question import Target
from kubeai_notebook.core.access import Access
url, path, count, most_bytes = sys.argv[1:]
table = pd.DataFrame({"text": [f"t{number}" for number in range(int(count))]})
endpoint = Endpoint(Access(base_url=url))
planned = planned_map(Target(name="m", most_in_flight=32), table, prompt="{text}", fields={"store": Path(path)})
if int(most_bytes):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(most_bytes),) * 2)
job = planned.start(endpoint, Job)
while not job.wait(0.05):
    print(job.progress.done, flush=True)
print(json.dumps([list(job.result()["answer"].fillna("")), job.progress.notes]), flush=True)
"""
"""A kernel that maps: prints how many rows are done, and in the end all answers and what is to be known."""


def program(url: str, store: Path, rows: int, *, most_bytes: int = 0) -> subprocess.Popen[str]:
    """Begin one; ``most_bytes``: no file of its own can be longer, which SQLite meets as a full disk."""
    command = [sys.executable, "-c", PROGRAM, url, str(store), str(rows), str(most_bytes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def end_of(process: subprocess.Popen[str]) -> tuple[list[str], list[str]]:
    """The answers of a kernel, and its notes."""
    printed, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    answers, notes = json.loads(printed.splitlines()[-1])
    return answers, notes


def answers_to(rows: int) -> list[str]:
    return [f"re: t{number}" for number in range(rows)]


def test_asks_what_was_in_flight_twice_and_nothing_else_where_it_is_killed(tmp_path: Path) -> None:
    rows, kills = 10_000, KILLS
    with batch_server() as server:
        for kill in range(kills):
            process = program(server.url, tmp_path / "a.db", rows)
            assert process.stdout is not None
            reach = rows * (kill + 1) // (kills + 1)
            assert next(line for line in process.stdout if not line[0].isdigit() or int(line) >= reach)
            process.kill()
            process.wait()
            process.stdout.close()
        answers, _ = end_of(program(server.url, tmp_path / "a.db", rows))
        asked = server.stats["asked"]
    assert answers == answers_to(rows)
    assert len(asked) == rows
    assert sum(asked.values()) - rows <= kills * 32


def test_shares_its_answers_with_a_second_kernel_at_the_same_time(tmp_path: Path) -> None:
    rows = 2000
    with batch_server(latency_seconds=0.005) as server:
        kernels = [program(server.url, tmp_path / "a.db", rows) for _ in range(2)]
        assert [end_of(kernel) for kernel in kernels] == [(answers_to(rows), [])] * 2
        asked = server.stats["asked"]
        assert set(asked.values()) <= {1, 2}
        assert end_of(program(server.url, tmp_path / "a.db", rows)) == (answers_to(rows), [])
        assert server.stats["asked"] == asked


def test_goes_on_and_says_so_where_the_disk_gets_full(tmp_path: Path) -> None:
    rows = 2000
    with batch_server() as server:
        answers, notes = end_of(program(server.url, tmp_path / "a.db", rows, most_bytes=200_000))
        assert set(server.stats["asked"].values()) == {1}
    assert answers == answers_to(rows)
    assert [note[: note.index(str(tmp_path))] for note in notes] == ["Answers are not kept for the next time: "]
