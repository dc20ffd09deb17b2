"""An answer that grows: how often, and how much of it, is sent."""

from __future__ import annotations

from typing import Any

import pytest

from kubeai_notebook.text import LONGEST
from kubeai_notebook.views.answer import AnswerOutput

Growing = tuple[AnswerOutput, list[dict[str, Any]]]


@pytest.fixture
def growing(built: Any, monkeypatch: pytest.MonkeyPatch) -> Growing:
    """An answer, and what its widget was told."""
    told: list[dict[str, Any]] = []
    answer = AnswerOutput("smol is answering …")
    monkeypatch.setattr(answer._widget, "send", told.append)
    return answer, told


def test_sends_each_character_once(growing: Growing) -> None:
    answer, told = growing
    answer.add("One")
    answer.add(" two", " three")
    assert [message["append"] for message in told] == ["One", " two three"]
    assert [message["seq"] for message in told] == [0, 1]


def test_says_of_a_long_answer_how_long_it_is_and_what_ends_it(growing: Growing) -> None:
    answer, told = growing
    for _ in range(120):
        answer.add("word ")
    notes = [message.get("note", "") for message in told]
    assert notes[:99] == [""] * 99
    assert notes[99:] == ["About 100 pieces so far; ■ stops it and keeps them."] * 21


def test_counts_no_pieces_of_an_answer_that_ends_by_itself(built: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    answer = AnswerOutput("smol is answering …", bounded=True)
    monkeypatch.setattr(answer._widget, "send", told.append)
    for _ in range(200):
        answer.add("word ")
    answer.end({"text/plain": "word"})
    assert not any("note" in message for message in told)


def test_sends_nothing_behind_the_end(growing: Growing) -> None:
    answer, told = growing
    answer.add("One")
    answer.end({"text/plain": "One"})
    answer.add(" two")
    assert [message["append"] for message in told] == ["One"]


def test_sends_plain_text_only(growing: Growing) -> None:
    answer, told = growing
    answer.add("\x1b[31mred\x07")
    assert told[0]["append"] == "red\ufffd"


def test_sends_no_more_than_is_shown_in_the_end(growing: Growing) -> None:
    answer, told = growing
    for _ in range(3):
        answer.add("x" * LONGEST)
    assert [len(message["append"]) for message in told] == [LONGEST]
