"""The playground of a Model that ranks texts or writes down recordings, without a browser."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import kubeai_notebook
from kubeai_notebook import settings
from kubeai_notebook.present.code import trial_code
from kubeai_notebook.present.trial_wire import MOST_BYTES
from kubeai_notebook.session.model import Model
from kubeai_notebook.session.session import Session
from kubeai_notebook.views import CardFace
from kubeai_notebook.views.live import follow
from tests.support.fake_api import MODELS, PODS, FakeApi, model, pod
from tests.support.http_server import Answer, HttpServer, Received, json_answer
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.usefixtures("built")

FEATURES = {"ranker": "Reranking", "ears": "SpeechToText"}
LONG = "A text of more than 100,000 characters cannot be sent. Send a part of it."
HOSTILE = "<b>bananas</b>\x1b[31m $x$"


def answered(request: Received) -> Answer:
    if request.path.endswith("/rerank"):
        return json_answer({"results": [{"index": 0, "relevance_score": 0.2}, {"index": 1, "relevance_score": 0.9}]})
    return json_answer({"text": "Good <i>morning</i>."})


@pytest.fixture
def gateway() -> Iterator[HttpServer]:
    with HttpServer(answered) as server:
        yield server


@pytest.fixture
def session(gateway: HttpServer, kubeconfig: Callable[..., str]) -> Iterator[Session]:
    """A Session on a cluster of canned objects, whose gateway answers at once."""
    with FakeApi.empty().in_thread() as api:
        for name, feature in FEATURES.items():
            api.put(MODELS, model(name, features=[feature]))
            api.put(PODS, pod(f"model-{name}-1", name))
        now = settings.Settings(kubeconfig=kubeconfig(api.url), context="a", endpoint=gateway.address)
        with Session(settings=now) as session:
            yield session


def trial_of(session: Session, name: str) -> Any:
    return CardFace().playground(session.attach(name), {FEATURES[name]})


def ask(trial: Any, recording: bytes | None = None, **request: Any) -> None:
    """As a browser does; returns once it is answered."""
    states: list[dict[str, Any]] = []

    def hear(change: Any) -> None:
        states.append(change["new"])

    trial.observe(hear, "state")
    trial._handle_custom_msg(request, [] if recording is None else [memoryview(recording)])
    assert until(lambda: bool(states) and not states[-1]["busy"])
    trial.unobserve(hear, "state")


def test_ranks_what_is_typed(session: Session) -> None:
    trial = trial_of(session, "ranker")
    assert "model.rerank(" in trial.still()["text/plain"]
    ask(trial, verb="rank", query="Which?", texts=[HOSTILE, "  ", "Paris"])
    assert [(row["place"], row["text"], row["score"]) for row in trial.state["ranked"]] == [
        (1, "Paris", 0.9),
        (0, "<b>bananas</b> $x$", 0.2),
    ]
    still = trial.still()
    assert still["text/plain"].splitlines()[:2] == ["Texts ranked by ranker for: Which?", "  0.90  row 1: Paris"]
    assert "<b>" not in still["text/html"]
    assert "mathjax_ignore" in still["text/html"]


def test_writes_a_recording_down(session: Session, gateway: HttpServer) -> None:
    trial = trial_of(session, "ears")
    assert "model.transcribe(" in trial.still()["text/plain"]
    ask(trial, b"RIFF...", verb="transcribe", file="../talk.wav")
    assert trial.state["transcript"] == "Good <i>morning</i>."
    assert b'filename="talk.wav"' in gateway.received[-1].body
    assert b"RIFF..." in gateway.received[-1].body
    still = trial.still()
    assert still["text/plain"].startswith("What ears hears in ../talk.wav:\nGood <i>morning</i>.\n")
    assert "<i>" not in still["text/html"]


@pytest.mark.parametrize(
    ("name", "recording", "request_", "problem"),
    [
        ("ranker", None, {"verb": "rank", "query": "Which?", "texts": [" "]}, "no text to rank. Type some"),
        ("ranker", None, {"verb": "rank", "query": " ", "texts": ["a"]}, "The question is missing or empty"),
        ("ranker", None, {"verb": "rank", "query": "Which?", "texts": ["a" * 100_001]}, LONG),
        ("ranker", None, {"verb": "rank", "query": "Which?", "texts": ["a\ud83d"]}, "holds half of a character, which"),
        ("ranker", None, {"verb": "delete"}, "cannot be read. Run the cell again."),
        ("ears", b"", {"verb": "transcribe", "file": "a.wav"}, "The recording is empty"),
        ("ears", None, {"verb": "transcribe", "file": "a.wav"}, "The recording is empty"),
        ("ears", bytes(MOST_BYTES + 1), {"verb": "transcribe", "file": "a.wav"}, "a.wav is larger than the 8"),
    ],
)
def test_says_what_is_missing_and_sends_nothing(
    session: Session, gateway: HttpServer, name: str, recording: bytes | None, request_: dict[str, Any], problem: str
) -> None:
    trial = trial_of(session, name)
    for _ in range(2):  # each time anew: a page waits until its state is another
        ask(trial, recording, **request_)
        assert problem in trial.state["problem"]
    assert gateway.received == []


def test_takes_no_request_that_is_not_its_own(session: Session) -> None:
    trial = trial_of(session, "ranker")
    before = trial.state
    for request in ({"verb": "transcribe"}, {"verb": "delete"}, {"verb": "rank", "more": 1}, {"verb": "rank"}):
        trial._handle_custom_msg(request, [])
    assert until(lambda: "no text to rank" in trial.state["problem"])  # of the last of them
    assert before["ranked"] == trial.state["ranked"] == []


def test_is_below_the_card_at_the_press_of_its_button(session: Session) -> None:
    card = follow(session.attach("ranker"))
    assert card.card["playground"]
    assert card.box
    assert card.toggle_below(lambda: trial_of(session, "ranker"))
    assert "model.rerank(" in str(card._below_still)


@pytest.mark.parametrize(
    ("feature", "method", "given"),
    [
        ("SpeechToText", "transcribe", ("recording.wav",)),
        ("Reranking", "rerank", ("What is the capital of France?", ["Paris.", "Bananas."])),
    ],
)
def test_shows_code_that_asks_the_same(
    feature: str, method: str, given: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = trial_code("mini", feature)
    assert code.startswith("# mini ")
    signature = inspect.signature(getattr(Model, method))
    called: list[tuple[Any, ...]] = []

    def take(*args: Any) -> None:
        signature.bind(None, *args)
        called.append(args)

    monkeypatch.setattr(kubeai_notebook, "attach", lambda name: SimpleNamespace(name=name, **{method: take}))
    exec(code, {})
    assert called == [given]
