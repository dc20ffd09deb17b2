"""An answer that grows: how often, and how much of it, is sent."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.text import LONGEST
from kubeai_notebook.views.answer import Answer
from kubeai_notebook.views.frames import FRAME_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 10


class Clock:
    """Stands still but for `pass_by`, which runs the timers that it passes."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.timers: list[Timer] = []

    def __call__(self) -> float:
        return self.seconds

    def timer(self, seconds: float, call: Callable[[], None]) -> Any:
        return Timer(self, self.seconds + seconds, call)

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        for timer in [timer for timer in self.timers if timer.due <= self.seconds]:
            self.timers.remove(timer)
            timer.call()


class Timer:
    """As `threading.Timer`, by a Clock."""

    def __init__(self, clock: Clock, due: float, call: Callable[[], None]) -> None:
        self._clock, self.due, self.call = clock, due, call

    def start(self) -> None:
        self._clock.timers.append(self)

    def cancel(self) -> None:
        self._clock.timers.remove(self)

    def join(self) -> None:
        """It runs in no thread."""


@pytest.fixture
def growing(built: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Answer, Clock, list[dict[str, Any]]]:
    """An answer, its clock, and what its widget was told."""
    told: list[dict[str, Any]] = []
    clock = Clock()
    answer = Answer("smol is answering …", clock=clock, timer=clock.timer)
    monkeypatch.setattr(answer._widget, "send", told.append)
    return answer, clock, told


def test_sends_each_character_once_and_at_most_once_a_frame(growing: Any) -> None:
    answer, clock, told = growing
    for _ in range(1000):
        answer.add("word ")
        clock.pass_by(FRAME_SECONDS / 5)
    clock.pass_by(FRAME_SECONDS)
    assert [message["seq"] for message in told] == list(range(len(told)))
    assert 150 < len(told) <= 201
    assert "".join(message["append"] for message in told) == "word " * 1000


def test_shows_the_first_word_at_once_and_the_last_within_a_frame_of_a_pause(growing: Any) -> None:
    answer, clock, told = growing
    answer.add("One")
    assert [message["append"] for message in told] == ["One"]
    clock.pass_by(FRAME_SECONDS / 2)
    answer.add(" two")
    answer.add(" three")
    clock.pass_by(FRAME_SECONDS / 2)
    assert [message["append"] for message in told] == ["One", " two three"]
    clock.pass_by(100)
    assert len(told) == 2


def test_shows_the_words_before_a_pause_by_a_thread_that_ends(built: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before, shown = set(threading.enumerate()), threading.Semaphore(0)
    answer = Answer("smol is answering …")
    monkeypatch.setattr(answer._widget, "send", lambda _message: shown.release())
    for _ in range(3):
        answer.add("word ")
        assert shown.acquire(timeout=SECONDS)
        answer.add("another ")
        assert shown.acquire(timeout=SECONDS)
    answer.add("the last, which the whole answer has")
    answer.end({"text/plain": "word"})
    assert set(threading.enumerate()) <= before


def test_says_of_a_long_answer_how_long_it_is_and_what_ends_it(growing: Any) -> None:
    answer, clock, told = growing
    for _ in range(120):
        answer.add("word ")
        clock.pass_by(FRAME_SECONDS)
    notes = [message.get("note", "") for message in told]
    assert notes[:99] == [""] * 99
    assert notes[99:] == ["About 100 tokens so far; ■ stops it and keeps them."] * 21


def test_counts_no_tokens_of_an_answer_that_ends_by_itself(built: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    answer = Answer("smol is answering …", bounded=True)
    monkeypatch.setattr(answer._widget, "send", told.append)
    for _ in range(200):
        answer.add("word ")
    answer.end({"text/plain": "word"})
    assert not any("note" in message for message in told)


def test_sends_nothing_behind_the_end(growing: Any) -> None:
    answer, clock, told = growing
    answer.add("One")
    answer.add(" two")
    answer.end({"text/plain": "One two"})
    clock.pass_by(FRAME_SECONDS)
    answer.add(" three")
    assert [message["append"] for message in told] == ["One"]


def test_sends_plain_text_only(growing: Any) -> None:
    answer, _, told = growing
    answer.add("\x1b[31mred\x07")
    assert told[0]["append"] == "red\ufffd"


def test_sends_no_more_than_is_shown_in_the_end(growing: Any) -> None:
    answer, clock, told = growing
    for _ in range(3):
        answer.add("x" * LONGEST)
        clock.pass_by(1)
    assert [len(message["append"]) for message in told] == [LONGEST]
