"""The transcript of a dialogue: nothing in it acts, and its cells ask the same."""

from __future__ import annotations

import pytest

from kubeai_notebook.core.chat_messages import Reply
from kubeai_notebook.core.dialogue import Answer, Dialogue
from kubeai_notebook.present.transcript import cells_of, transcript_bundle
from kubeai_notebook.text import LONGEST
from tests.support.hostile import Hostile, hostile, live


def dialogue(*exchanges: tuple[str, str], columns: tuple[str, ...] = ("smol",)) -> Dialogue:
    talk = Dialogue(id="d", columns=columns)
    for prompt, text in exchanges:
        exchange = talk.ask(prompt)
        for column, name in enumerate(columns):
            exchange.answers[column] = Answer(model=name).with_reply(Reply(text, finish_reason="stop"), state="done")
    return talk


def test_shows_who_said_what() -> None:
    talk = dialogue(("Is Brie soft?", "It is **soft**."), columns=("smol", "smol_loud"))
    talk.vote(0, 1)
    bundle = transcript_bundle(talk)
    assert "You:\nIs Brie soft?" in bundle["text/plain"]
    assert "**soft**" in bundle["text/markdown"]
    assert "smol_loud (preferred)" in bundle["text/html"]


def test_says_where_there_is_no_answer_yet_or_less_than_one() -> None:
    talk = dialogue()
    talk.ask("Hi").answers[0] = Answer(model="smol", state="failed", note="The Model is gone.")
    talk.ask("Ho").answers[0] = Answer(model="smol", state="stopped")
    talk.ask("Hm").answers[0] = Answer(model="smol")
    text = transcript_bundle(talk)["text/plain"]
    assert "(The Model is gone.)" in text
    assert text.count("(no answer)") == 1
    assert text.rstrip().endswith("(The answer was still coming then; run the cell again to see it.)")


@pytest.mark.parametrize("case", hostile(), ids=lambda case: case.id)
def test_shows_words_that_would_act(case: Hostile) -> None:
    text = case.text
    bundle = transcript_bundle(dialogue((f"Say {text}", text)))
    assert live(bundle["text/html"]) == []


def test_keeps_the_newest_where_not_all_can_be_shown() -> None:
    talk = dialogue(*((f"Question {number}", "x" * (LONGEST // 3)) for number in range(5)))
    text = transcript_bundle(talk)["text/plain"]
    assert "3 exchanges before are not shown" in text
    assert "Question 4" in text
    assert "Question 1" not in text


def test_becomes_cells_that_ask_the_same() -> None:
    talk = dialogue(('It\'s {x} "$y"\nand more', "A"), ("Two?", "B"), columns=("smol_loud",))
    talk.system, talk.fields = "Be brief.", {"temperature": 0.0}
    first, *others = cells_of(talk)
    assert "attach('smol').conversation(system='Be brief.', adapter='loud', temperature=0.0)" in first
    said: list[str] = []
    for cell in others:
        exec(cell, {"talk": type("Talk", (), {"say": said.append})})
    assert said == ['It\'s {x} "$y"\nand more', "Two?"]


def test_makes_no_code_of_a_field_that_is_no_name() -> None:
    talk = Dialogue(id="a", columns=("smol",), fields={"x=__import__('os').system('x'), y": 1, "temperature": 0})
    assert cells_of(talk) == ["from kubeai_notebook import attach\n\ntalk = attach('smol').conversation(temperature=0)"]
