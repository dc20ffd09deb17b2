"""Make log lines comparable."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.text import without_escapes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EVIDENCE_LENGTH = 300

# What stands before the words of a line, in any order and number.
_PREFIX = re.compile(
    r"(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)?[ :]+"  # the kubelet's or a logger's time
    r"|\([A-Za-z][\w-]*(?: [\w-]+=\S+)* pid=\d+\)\s?"  # (EngineCore_DP0 pid=39)
    r"|\[rank\d+\]:\s?"
    r"|(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d (?:\[[\w./-]+:\d+\]|[\w./-]+:\d+\])\s?"  # vLLM
    r"|\++ )+"  # the loader's shell trace
)
_PREFIX_STARTS = frozenset("0123456789([DIWEC+")
_BOX_EDGE = frozenset("╭╰├┌└╮╯─")
_RICH_HEAD = re.compile(r"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* +(.*)")
# From the first blank of a run only: from each of them it would be quadratic in the blanks.
_RICH_FILE = re.compile(r"(?<!\s)\s++[\w.]++(?<=\.py):\d++\s*+$")
_RICH_INDENT = " " * 8


def clean(text: str) -> tuple[str, ...]:
    """Split a log into lines without colours, prefixes and boxes, with wrapped lines joined."""
    return tuple(_joined(without_escapes(text).replace("\r", "\n").split("\n")))


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Join what rich wrapped at 80 columns: the paragraphs of a box, and records with a hanging indent."""
    pending: list[str] = []
    boxed = record = False
    for line in lines:
        if line.startswith(("│", "╭", "╰")):
            inner = line.strip("│ \t")
            starts_new = not boxed or not inner or inner[0] in _BOX_EDGE
            if starts_new and pending:
                yield " ".join(pending)
                pending = []
            boxed, record = True, False
            if inner and inner[0] not in _BOX_EDGE:
                pending.append(" ".join(inner.replace("│", " ").split()))
            continue
        if record and line.startswith(_RICH_INDENT):
            pending.append(line.strip())
            continue
        if pending:
            yield " ".join(pending)
            pending = []
        head = _RICH_HEAD.match(line)
        boxed, record = False, head is not None
        if head:
            pending.append(_RICH_FILE.sub("", head[1]))
        elif not line.endswith("^^"):  # what Python draws below a line of source
            yield _unprefixed(line)
    if pending:
        yield " ".join(pending)


def _unprefixed(line: str) -> str:
    if line and line[0] in _PREFIX_STARTS:
        prefix = _PREFIX.match(line)
        if prefix:
            return line[prefix.end() :].strip()
    return line.strip()


def excerpt(text: str, start: int = 0) -> str:
    """At most 300 characters of a line, with the words at ``start`` among them."""
    if len(text) <= EVIDENCE_LENGTH:
        return text
    begin = min(max(0, start - 60), len(text) - EVIDENCE_LENGTH + 1)
    cut = text[begin : begin + EVIDENCE_LENGTH - 2]
    return f"{'…' if begin else ''}{cut}…"
