"""The same failure again and again in the log of an engine that is Ready.

A client's bad request prints a traceback as well, and one lost connection is no fault of the Model. So an exception
counts only where it came three times within ten minutes, with no request answered between them, and where no 4xx tells
that the request was to blame. What an engine says before it listens belongs to its start.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .cleaning import clean
from .harmless import without_harmless
from .text_source import Passage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.objects import Pod

    from .scene import Scene

_TIMES = 3
_WITHIN = timedelta(minutes=10)
_LISTENS = ("application startup complete", "uvicorn running on", "listening on", "server is listening")
# A line of uvicorn's, of gin's (Ollama) and of llama.cpp's access log: a request that asks for work, and its status.
_ANSWERED = re.compile(
    r'"POST \S+ HTTP/[\d.]+" (?P<uvicorn>\d{3})|\[GIN\][^|]*\| +(?P<gin>\d{3}) \|.*POST'
    r"|request: POST \S+ \S+ (?P<llama>\d{3})"
)
_EXCEPTION = re.compile(
    r"^(?:ERROR:? +)?(?:[a-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception)\b(?::|$)|level=ERROR .*(?:msg|error)="
)
_TIME = re.compile(r"(?P<day>\d\d-\d\d)[T ](?P<clock>\d\d:\d\d:\d\d)")
_VARYING = re.compile(r"0x[0-9a-f]+|\d+")


def repeated(scene: Scene, pod: Pod) -> Passage | None:
    """The failure that every request meets, as a passage of its own line; ``None`` where there is none."""
    tail = scene.log_of(pod)
    if tail is None or not isinstance(tail.text, str):
        return None
    raw = tail.text.split("\n")
    began = max((at for at, line in enumerate(raw) if any(words in line.lower() for words in _LISTENS)), default=-1)
    failures: dict[str, list[tuple[int, datetime | None, str]]] = {}
    for request, when, line in _failures(raw[began + 1 :], whole=began >= 0):
        seen = failures.setdefault(_VARYING.sub("#", line), [])
        if not any((request, when) == known[:2] for known in seen):
            seen.append((request, when, line))
    for seen in failures.values():
        if _is_often(seen):
            return Passage("log", f"{pod.name}/{tail.container}", (seen[-1][2],))
    return None


def _is_often(seen: list[tuple[int, datetime | None, str]]) -> bool:
    last = [when for _, when, _ in seen[-_TIMES:]]
    first, newest = last[0], last[-1]
    return len(last) == _TIMES and (first is None or newest is None or newest - first <= _WITHIN)


def _failures(raw: list[str], *, whole: bool) -> Iterator[tuple[int, datetime | None, str]]:
    """Each exception since the last answer, with the number of its request and its time.

    Args:
        raw: the lines of the log.
        whole: whether they begin where the engine began to listen; else what no answer follows may be of its start.
    """
    kept: list[tuple[int, datetime | None, str]] = []
    open_: list[tuple[int, datetime | None, str]] = []
    request = 0
    for line in raw:
        answered = _ANSWERED.search(line)
        if answered:
            status = next(status for status in answered.groups() if status)
            request += 1
            kept = [] if status[0] in "123" else kept if status[0] == "4" else [*kept, *open_]
            open_ = []
            continue
        (text, *_) = clean(line) or ("",)
        if _EXCEPTION.search(text) and without_harmless((text,)):
            open_.append((request, _time_of(line), text))
    yield from (*kept, *(open_ if whole else ()))


def _time_of(line: str) -> datetime | None:
    """The moment that a line of a log names, in a year that only serves to compare."""
    match = _TIME.search(line)
    try:
        return datetime.strptime(f"2024-{match['day']} {match['clock']}", "%Y-%m-%d %H:%M:%S") if match else None
    except ValueError:
        return None
