"""The playground's widget: what a page may ask, and what it and the notebook are told."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.core.dialogue import Dialogue
from kubeai_notebook.errors import UsageError
from kubeai_notebook.present.playground_settings import LABELS
from kubeai_notebook.session import presenter
from kubeai_notebook.session.model import Model
from kubeai_notebook.views.playground import Playground, chat_playground
from kubeai_notebook.views.playground_model import PlaygroundModel
from tests.support.talking import Engine, said, saying, talking_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 20
ROOT = Path(__file__).parents[2]
REQUEST = {"exchange": -1, "column": None, "text": "", "pictures": [], "sure": False, "columns": [], "settings": {}}


class Shown:
    """A playground's widget, what it told its page, and what its transcript is."""

    def __init__(self, model: PlaygroundModel, patch: pytest.MonkeyPatch) -> None:
        self.model, self.messages, self.transcript = model, [], ""
        self.news = threading.Semaphore(0)
        self.widget = Playground(model)
        patch.setattr(self.widget, "send", self.messages.append)
        self.widget.snapshots.add(self.update)

    def update(self, bundle: dict[str, str]) -> None:
        self.transcript = bundle["text/plain"]
        self.news.release()

    def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        """What the page hears first of this."""
        before = len(self.messages)
        self.widget._handle_custom_msg({**REQUEST, "verb": verb, **fields}, [])
        return next(message for message in self.messages[before:] if message["taken"])

    def until_over(self) -> None:
        while self.widget.state["busy"] or "Hello" not in self.transcript:
            assert self.news.acquire(timeout=SECONDS)


@pytest.fixture
def shown(built: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Shown, Engine]]:
    """The widget of a Model ``smol``, and its engine."""
    with talking_model(tmp_path) as (model, engine, _):
        assert model.view.name == "smol"
        yield Shown(PlaygroundModel(model.session, Dialogue(id="d", columns=("smol",))), monkeypatch), engine


def test_answers_what_a_page_asks_and_renews_the_transcript(shown: tuple[Shown, Engine]) -> None:
    page, engine = shown
    assert page.ask("ask", text="Hi")["problem"] == ""
    page.until_over()
    assert "You:\nHi" in page.transcript
    assert page.ask("text", exchange=0, column=0)["texts"][0]["text"] == "Hello"
    assert page.ask("text", exchange=0, column=-1)["texts"][0]["text"] == "Hi"
    assert engine.asked[0]["messages"][-1]["content"] == "Hi"
    assert "Hello" not in str(page.widget.state)


def test_says_why_it_cannot(shown: tuple[Shown, Engine]) -> None:
    page, _ = shown
    assert "empty" in page.ask("ask", text=" ")["problem"]
    assert "no exchange 7" in page.ask("choose", exchange=7)["problem"]


def test_calls_a_setting_as_its_field_is_called(shown: tuple[Shown, Engine]) -> None:
    page, engine = shown
    assert page.ask("settings", settings={"max_tokens": "0"})["problem"].startswith('"Most tokens" takes a whole')
    engine.says = saying(said("Hello", finish_reason="length"))
    page.ask("ask", text="Hi")
    page.until_over()
    note = page.widget.state["exchanges"][0]["answers"][0]["note"]
    assert note == 'The answer was cut after all its tokens; a higher "Most tokens" lets it end.'
    page_source = (ROOT / "labextension/widgets/playground_settings.ts").read_text()
    assert [name for name, label in LABELS.items() if f'["{name}", "{label}' not in page_source] == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            {**REQUEST, "verb": "ask", "text": "a" * 8_000_001},
            "A text of more than 8,000,000 characters cannot be sent.",
        ),
        ({**REQUEST, "verb": "ask", "text": "a\ud83d"}, "The text holds half of a character, which cannot be sent."),
        (None, "cannot be read. Run the cell again."),
        ({"verb": "drop"}, "cannot be read. Run the cell again."),
        ({**REQUEST, "verb": "ask", "text": 3}, "cannot be read. Run the cell again."),
        ({"verb": "ask", "x": 1}, "cannot be read. Run the cell again."),
    ],
)
def test_gives_back_what_it_does_not_take(shown: tuple[Shown, Engine], content: Any, problem: str) -> None:
    page, engine = shown
    page.widget._handle_custom_msg(content, [])
    (message,) = page.messages
    assert message["taken"]
    assert problem in message["problem"]
    assert engine.asked == []


def test_sends_plain_text_only(shown: tuple[Shown, Engine]) -> None:
    page, _ = shown
    page.widget.messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "\x1b[31mred\u202e"}]
    assert page.ask("text", exchange=0, column=0)["texts"][0]["text"] == "red\ufffd"
    assert page.widget.messages[1]["content"] == "\x1b[31mred\u202e"


def test_gives_votes_as_a_frame(shown: tuple[Shown, Engine]) -> None:
    page, _ = shown
    assert page.widget.votes().empty
    page.widget.messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    page.ask("vote", exchange=0, column=0)
    assert page.widget.votes()[["prompt", "preferred"]].values.tolist() == [["Hi", True]]


def test_sends_what_draws_formulas_to_a_page_that_asks_for_it_only(shown: tuple[Shown, Engine]) -> None:
    page, _ = shown
    assert "munderover" not in page.widget._bundle
    assert "munderover" in page.ask("formulas")["formulas"]
    assert page.ask("stop")["formulas"] == ""


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        (len, "takes a list of functions"),
        (["weather"], "takes named functions"),
        ([{"type": "function", "function": {"name": "weather"}}], "a mapping is none"),
    ],
)
def test_is_shown_with_functions_only_that_it_can_call(shown: tuple[Shown, Engine], tools: Any, words: str) -> None:
    page, _ = shown
    with pytest.raises(UsageError, match=words):
        chat_playground(Model(page.model.session, "smol"), tools=tools)


def test_is_shown_by_a_notebook_only(shown: tuple[Shown, Engine]) -> None:
    page, _ = shown
    with pytest.raises(UsageError, match="shown by a notebook"):
        presenter.TextFace().playground(Model(page.model.session, "smol"), [])


@pytest.mark.parametrize(
    ("name", "most"), [("playground.js", 130_000), ("playground.css", 10_000), ("formulas.js", 230_000)]
)
def test_stays_small(built: Callable[[str], int], name: str, most: int) -> None:
    assert built(name) < most
