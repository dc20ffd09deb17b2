"""A comparison from Python: a Model and its adapter, or two Models, asked the same prompts one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.errors import UsageError
from kubeai_notebook.session import presenter
from tests.support.scripted_gateway import Exchange, whole
from tests.support.talking import Engine, hanging_after, said, saying
from tests.support.waiting import interrupt_main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.session.model import Model

REFUSED = whole(b'{"error": {"message": "no such thing"}}', 418)


@pytest.fixture
def engine(engine: Engine) -> Engine:
    engine.says = by_prompt
    return engine


class KeptLine:
    """A line that keeps what it ends with."""

    def __init__(self, ends: list[str]) -> None:
        self._ends = ends

    def put(self, text: str, *, is_news: bool) -> None:
        """Show nothing."""

    def end(self, text: str) -> None:
        self._ends.append(text)


@pytest.fixture
def ends() -> Iterator[list[str]]:
    """What the line of a comparison ended with."""
    ends: list[str] = []
    presenter.face().line = lambda: KeptLine(ends)  # type: ignore[method-assign]  # a face of the test's
    yield ends
    del presenter.face().line  # type: ignore[attr-defined]  # put there above


def by_prompt(exchange: Exchange) -> None:
    """An answer with its count of tokens; to the prompt "bad" a refusal."""
    answers = saying(said("Hel", "lo", prompt_tokens=7, completion_tokens=2))
    (REFUSED if b'"bad"' in exchange.body else answers)(exchange)


def test_compares_an_adapter_with_its_model_and_keeps_what_a_prompt_that_fails_leaves(
    smol: Model, engine: Engine, ends: list[str]
) -> None:
    frame = smol.compare("smol_loud", ["Hi", "bad", "Ho"], max_tokens=5)
    assert frame.models == ("smol", "smol_loud")
    assert [asked["model"] for asked in engine.asked] == ["smol", "smol_loud"] * 3
    text = repr(frame)
    assert text.count("Hello") == 4
    assert text.count("no such thing") == 2
    assert [end.split(" in ")[0] for end in ends] == ["smol and smol_loud were compared"]


def test_asks_for_this_models_adapter(smol: Model, engine: Engine) -> None:
    assert smol.compare(smol, "Hi", adapter="loud").models == ("smol_loud", "smol")
    assert [asked["model"] for asked in engine.asked] == ["smol_loud", "smol"]


def test_tells_a_prompt_that_cannot_be_sent_before_anybody_is_asked(smol: Model, engine: Engine) -> None:
    for second, sentence in {"half \ud800 of it": "half of a character", " ": "may be empty"}.items():
        with pytest.raises(UsageError, match=sentence):
            smol.compare("smol_loud", ["Hi", second])
    assert engine.asked == []


def test_keeps_what_came_before_an_interrupt(smol: Model, engine: Engine, ends: list[str]) -> None:
    def interrupts(exchange: Exchange) -> None:
        if b"smol_loud" not in exchange.body:
            return by_prompt(exchange)
        interrupt_main()
        return hanging_after(b"")(exchange)

    engine.says = interrupts
    frame = smol.compare("smol_loud", ["Hi", "Ho"])
    text = repr(frame)
    assert (text.count("Hello"), text.count("Interrupted before")) == (1, 3)
    assert [end.split(" after ")[0] for end in ends] == ["The comparison of smol and smol_loud was interrupted"]
