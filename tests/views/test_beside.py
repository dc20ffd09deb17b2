"""Snapshots beside a widget: how often, and when, they are renewed."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from kubeai_notebook.views.beside import KEPT_SNAPSHOTS, Snapshots

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS, NEVER_SECONDS = 20, 3600.0
AT_THE_END = """
import threading

from kubeai_notebook.views.beside import Snapshots

changes = iter("abc")
snapshots = Snapshots(lambda: {"text/plain": next(changes)}, seconds=3600)
snapshots.add(lambda still: print(still["text/plain"]))
snapshots.renew()
# A timer that a daemon's thread starts is a daemon, too: Python does not wait for it.
thread = threading.Thread(target=snapshots.renew, daemon=True)
thread.start()
thread.join()
"""


class Shown:
    """A widget's snapshots, and each of them that was shown."""

    def __init__(self, *, seconds: float) -> None:
        self.now = ""
        self.seen: list[str] = []
        self.news = threading.Semaphore(0)
        self.snapshots = Snapshots(lambda: {"text/plain": self.now}, seconds=seconds)
        self.snapshots.add(self.show)

    def show(self, still: Mapping[str, str]) -> None:
        self.seen.append(still["text/plain"])
        self.news.release()

    def change(self, now: str, *, soon: bool = False) -> None:
        self.now = now
        self.snapshots.renew(soon=soon)


def test_shows_a_change_at_once_and_those_of_a_burst_together() -> None:
    shown = Shown(seconds=0.05)
    for now in "abc":
        shown.change(now)
    assert shown.news.acquire(timeout=SECONDS)
    assert shown.news.acquire(timeout=SECONDS)
    assert shown.seen in (["a", "c"], ["a", "b", "c"])


def test_shows_soon_what_is_not_to_stand_in_the_way() -> None:
    shown = Shown(seconds=0.05)
    before = threading.current_thread()
    threads = []
    shown.snapshots.add(lambda _: threads.append(threading.current_thread()))
    shown.change("a", soon=True)
    assert shown.news.acquire(timeout=SECONDS)
    assert shown.seen == ["a"]
    assert before not in threads


def test_shows_the_last_change_when_it_is_closed_and_none_after_it() -> None:
    shown = Shown(seconds=NEVER_SECONDS)
    shown.change("a", soon=True)
    shown.snapshots.close()
    shown.change("b")
    shown.snapshots.close()
    assert shown.seen == ["a"]


def test_gives_each_snapshot_to_all_that_hold_it_until_they_drop_it() -> None:
    shown = Shown(seconds=NEVER_SECONDS)
    others: list[str] = []

    def keep(still: Mapping[str, str]) -> None:
        others.append(still["text/plain"])

    for _ in range(KEPT_SNAPSHOTS + 1):
        shown.snapshots.add(keep)
    shown.change("a")
    assert (shown.seen, others) == (["a"], ["a"] * (KEPT_SNAPSHOTS + 1))
    shown.snapshots.drop(shown.show)
    shown.change("b", soon=True)
    shown.snapshots.close()
    assert (shown.seen, others[-1]) == (["a"], "b")


def test_shows_the_last_change_where_the_process_ends() -> None:
    ended = subprocess.run([sys.executable, "-c", AT_THE_END], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.stderr) == ("a\nb\n", "")
