"""A stream of events as hostile engines send it."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import TYPE_CHECKING, ClassVar

import pytest

from kubeai_notebook.calls.chat import LONGEST_EVENT_BYTES, stream
from kubeai_notebook.errors import CallError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def answering(pieces: Iterable[bytes]) -> SimpleNamespace:
    """An endpoint whose engine sends these pieces."""

    class Answer:
        headers: ClassVar = {"content-type": "text/event-stream"}

        def __enter__(self) -> Answer:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def iter_bytes(self) -> Iterator[bytes]:
            return iter(pieces)

    raw = SimpleNamespace(create=lambda **_: Answer())
    completions = SimpleNamespace(with_streaming_response=raw)
    client = SimpleNamespace(chat=SimpleNamespace(completions=completions))
    return SimpleNamespace(model="m", client=client, access=SimpleNamespace(this_machine=False))


def test_joins_the_lines_of_one_event() -> None:
    pieces = [b'data: {"choices": [{"delta":\ndata: {"content": "hi"}}]}\n\n', b"data: [DONE]\n\n"]
    assert "".join(delta.text for delta in stream(answering(pieces), [], {})) == "hi"


def test_refuses_an_event_whose_lines_have_no_end() -> None:
    line = b"data: " + b"x" * 50_000 + b"\n"
    lines = itertools.repeat(line, 2 * LONGEST_EVENT_BYTES // len(line))
    with pytest.raises(CallError, match="an event of more than 16 MiB"):
        list(stream(answering(lines), [], {}))
