"""Lines that look like failures and are none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HARMLESS = (
    # the hub's own retries
    "[retry ",
    "thrown while requesting head",
    "trying to resume download",
    "ignored error while",
    "status code: 429. retrying",
    "'huggingface-cli download' is deprecated",
    "`resume_download`",
    "`torch_dtype` is deprecated",
    # vLLM
    "using default moe config",
    "config file not found",
    "does not have native support for fp8",
    "custom allreduce is disabled",
    "p2p test failed",
    "cannot use flashattention",
    "is not fully optimized yet",
    "destroy_process_group() was not called",
    "leaked semaphore",
    "nanobind: leaked",
    "just got forked",
    "no available shared memory broadcast block",
    "found ulimit of",
    "failed to create onednn linear",
    "attempted to load weight",
    "not implemented in <vllm",
    "falling back to transformers implementation",
    "loading safetensors checkpoint shards",
    # others
    "[warning] the compute type inferred",
    "failure during gpu discovery",
    "entering low vram mode",
    "no compatible gpus were discovered",
    # after SIGTERM
    "cancellederror",
    "[shutdown]",
)
_DONE_WITHOUT = ("error saving model info cache",)
"""What vLLM says above a traceback that it goes on after."""
_FRAMES = 60
_EXCEPTION = re.compile(r"[A-Z][\w.]*(?:Error|Exception)\b|(?:[a-z_]\w*\.)+[A-Z]\w*(?:Error|Exception)\b")
_INTERRUPTED = "error while downloading from"
_RESUMED = "trying to resume"


def small(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The lines in small letters, and a question mark for every letter outside ASCII: one for each that is given."""
    if not lines:
        return ()
    # All at once, which is several times faster than line by line.
    whole = "\n".join(lines)
    if whole.count("\n") >= len(lines):
        whole = "\n".join(line.replace("\n", " ") for line in lines)
    return tuple(whole.lower().encode("ascii", "replace").decode("ascii").split("\n"))


def without_harmless(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Drop the harmless lines; an interrupted download is one only where it is resumed."""
    lowered = small(lines)
    whole = "\n".join(lowered)
    if any(words in whole for words in _DONE_WITHOUT):
        return without_harmless(tuple(_without_tracebacks(lines, lowered)))
    present = [fragment for fragment in HARMLESS if fragment in whole]
    return tuple(_kept(lines, lowered, present)) if present else lines


def _without_tracebacks(lines: tuple[str, ...], lowered: tuple[str, ...]) -> Iterator[str]:
    """The lines without the tracebacks that an engine goes on after: each to the exception at its end."""
    left = 0
    for line, low in zip(lines, lowered, strict=True):
        if any(words in low for words in _DONE_WITHOUT):
            left = _FRAMES
        elif left:
            left = 0 if _EXCEPTION.match(line) else left - 1
        else:
            yield line


def _kept(lines: tuple[str, ...], lowered: tuple[str, ...], present: list[str]) -> Iterator[str]:
    for line, low, following in zip(lines, lowered, (*lowered[1:], ""), strict=True):
        resumed = _INTERRUPTED in low and _RESUMED in following
        if not resumed and not any(fragment in low for fragment in present):
            yield line
