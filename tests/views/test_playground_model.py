"""A playground without a browser: what its Models are sent, what a page is told, and what is kept."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.core.dialogue import Answer, Dialogue
from kubeai_notebook.errors import UsageError
from kubeai_notebook.present.playground_wire import PROMPT
from kubeai_notebook.present.transcript import cells_of
from kubeai_notebook.views.playground_model import KEEP_SECONDS, PlaygroundModel
from tests.support.fake_api import MODELS, PODS, FakeApi, model, pod
from tests.support.playground import SECONDS, Page, states
from tests.support.scripted_gateway import STREAM, Exchange, whole
from tests.support.talking import Engine, event, hanging_after, said, saying, talking_cluster
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


PICTURE = "data:image/png;base64,iVBORw0KGgo="
BEGINNING = said("Hel").partition(b"data: [DONE]")[0].rpartition(b"data: ")[0]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[Page, Engine, FakeApi]]:
    """As `talk`, with the API, to have something happen to the Model."""
    with talking_cluster(tmp_path) as (model, engine, _, api):
        assert model.view.name == "smol"
        playground = PlaygroundModel(model.session, Dialogue(id="d", columns=("smol",)))
        yield Page(playground), engine, api
        playground.stop()


def waiting_pod(reason: str, **status: Any) -> dict[str, Any]:
    """The Pod of smol, whose container waits for this reason."""
    container = {"name": "server", "ready": False, "restartCount": 0, "state": {"waiting": {"reason": reason}}}
    return pod("model-smol-1", "smol", ready=False, phase="Pending", containerStatuses=[{**container, **status}])


def is_locked(lock: Any) -> bool:
    """Whether another thread would have to wait for it."""
    got: list[bool] = []
    thread = threading.Thread(target=lambda: got.append(lock.acquire(blocking=False) and not lock.release()))
    thread.start()
    thread.join()
    return got == [False]


def test_asks_and_tells_each_piece_once(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    engine.says = saying(said("Hel", "lo", prompt_tokens=9, completion_tokens=2))
    page.playground.ask("Hi")
    page.until_over()
    assert page.told(0) == "Hello"
    state = page.playground.state()
    answer = state.exchanges[0].answers[0]
    assert (answer.state, answer.pieces, "2 tokens" in answer.figures) == ("done", len(page.pieces), True)
    assert (state.context_of, state.context_tokens, state.context_length) == ("", 11, 2048)
    assert page.playground.text(0, PROMPT).text == "Hi"


def test_tells_a_page_that_missed_some_what_it_was_told(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    engine.says = hanging_after(BEGINNING)
    page.playground.ask("Hi")
    page.until(lambda: bool(page.pieces))
    again = page.playground.text(0, 0)
    assert (again.text, again.seq) == (page.told(0), len(page.pieces))


def test_stops_and_keeps_what_has_come(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    engine.says = hanging_after(BEGINNING)
    page.playground.ask("Hi")
    page.until(lambda: page.told(0) == "Hel")
    page.playground.stop()
    page.until_over()
    assert states(page) == ["stopped"]
    assert page.playground.dialogue.messages()[-1]["content"] == "Hel"


def test_keeps_an_answer_that_is_coming_every_few_seconds(talk: tuple[Page, Engine]) -> None:
    (page, engine), kept, now = talk, [], [0.0]

    def keep(dialogue: Dialogue) -> str:
        kept.extend(answer.text for answer in dialogue.exchanges[-1].answers.values())
        return ""

    later = threading.Event()

    def pauses(exchange: Exchange) -> None:
        exchange.say(STREAM + BEGINNING)
        assert later.wait(SECONDS)
        exchange.say(event({"index": 0, "delta": {"content": "lo"}, "finish_reason": None}))
        exchange.read_until_hung_up()

    engine.says = pauses
    dialogue = Dialogue(id="d", columns=("smol",))
    page = Page(PlaygroundModel(page.playground.session, dialogue, keep=keep, clock=lambda: now[0]))
    page.playground.ask("Hi")
    page.until(lambda: page.told(0) == "Hel")
    now[0] = KEEP_SECONDS
    later.set()
    assert until(lambda: kept[-1:] == ["Hello"], SECONDS)
    page.playground.stop()
    page.until_over()


def test_refuses_a_prompt_while_an_answer_is_coming(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    engine.says = hanging_after(BEGINNING)
    page.playground.ask("Hi")
    with pytest.raises(UsageError, match="still coming"):
        page.playground.ask("Ho")
    page.playground.stop()
    page.until_over()
    assert len(page.playground.state().exchanges) == 1


def test_says_why_an_answer_broke_off_and_keeps_its_words(talk: tuple[Page, Engine]) -> None:
    page, engine = talk

    def dies(exchange: Exchange) -> None:
        exchange.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9999\r\n\r\n" + BEGINNING)
        exchange.end()

    engine.says = dies
    page.playground.ask("Hi")
    page.until_over()
    (answer,) = page.playground.state().exchanges[0].answers
    assert (answer.state, page.told(0)) == ("failed", "Hel")
    assert "broke off" in answer.note


def test_says_what_the_engine_refused(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    engine.says = whole(b'{"error": {"message": "out of memory"}}', 500)
    page.playground.ask("Hi")
    page.until_over()
    assert states(page) == ["failed"]
    assert "out of memory" in page.playground.state().exchanges[0].answers[0].note


def test_asks_the_model_and_its_adapter_the_same(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    assert page.playground.choices() == ("smol", "smol_loud")
    page.playground.set_columns(["smol", "smol_loud"])
    page.playground.ask("Hi")
    page.until_over()
    assert sorted(asked["model"] for asked in engine.asked) == ["smol", "smol_loud"]
    page.playground.vote(0, 1)
    assert [row["preferred"] for row in page.playground.dialogue.votes()] == [False, True]
    page.playground.regenerate(0, 1)
    page.until_over()
    assert engine.asked[-1]["model"] == "smol_loud"
    assert len(engine.asked) == 3


def test_says_what_a_column_does_that_cannot_answer(cluster: tuple[Page, Engine, FakeApi]) -> None:
    page, _, api = cluster
    api.change(MODELS, model("vec", features=["TextEmbedding"]))
    assert until(lambda: any(view.name == "vec" for view in page.playground._views()))
    with pytest.raises(UsageError, match="vec makes embeddings; it cannot answer beside a Model that chats."):
        page.playground.set_columns(["smol", "vec"])


def test_refuses_columns_that_are_not_there(talk: tuple[Page, Engine]) -> None:
    page, _ = talk
    with pytest.raises(UsageError, match="smol_loud"):
        page.playground.set_columns(["smol_lout"])
    with pytest.raises(UsageError, match="1 to 4 columns"):
        page.playground.set_columns([])


def test_sends_only_the_settings_that_were_changed(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    page.playground.tools = []
    page.playground.ask("Hi")
    page.until_over()
    page.playground.set_settings({"system": "Be brief.", "temperature": "0", "max_tokens": " ", "schema": "yes, no"})
    page.playground.ask("Ho")
    page.until_over()
    first, second = engine.asked
    plain = {"model", "messages", "stream", "stream_options"}
    assert (first.keys(), second.keys()) == (plain, plain | {"temperature", "response_format"})
    assert second["messages"][0] == {"role": "system", "content": "Be brief."}
    assert page.playground.state().settings["temperature"] == "0"


def test_becomes_cells_that_send_what_was_sent(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    page.playground.tools = []
    for prompt, settings in {
        "Is rain good or bad?": {"temperature": "0.2", "schema": "good, bad", "seed": "1"},
        "Why?": {"system": "Be brief.", "seed": "1"},
        "And snow?": {},
    }.items():
        page.playground.set_settings(settings)
        page.playground.ask(prompt, [PICTURE] if "snow" in prompt else [], sure=True)
        page.until_over()
    page.playground.set_settings({"temperature": "1"})
    first, *others = cells_of(page.playground.dialogue)
    names = {"attach": page.playground.session.attach}
    exec(first.removeprefix("from kubeai_notebook import attach\n"), names)
    for cell in others:
        exec(cell, names)
    then, again = engine.asked[:3], engine.asked[3:]
    assert again == then


@pytest.mark.parametrize("settings", [{"temperature": "hot"}, {"max_tokens": "-1"}, {"schema": "{"}])
def test_refuses_a_setting_that_cannot_be_sent(talk: tuple[Page, Engine], settings: dict[str, str]) -> None:
    page, _ = talk
    page.playground.set_settings({"seed": "1"})
    with pytest.raises(UsageError, match=next(iter(settings))):
        page.playground.set_settings(settings)
    assert page.playground.state().settings == {"seed": "1"}


def test_keeps_what_has_come_when_the_kernel_ends(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    engine.says = hanging_after(BEGINNING)
    page.playground.ask("Hi")
    page.until(lambda: page.told(0) == "Hel")
    kept: Any = Dialogue.model_validate_json(page.playground.kept().model_dump_json())
    assert (kept.exchanges[0].answers[0].state, kept.messages()[-1]["content"]) == ("stopped", "Hel")


class LockedFile:
    """What keeps dialogues, as long as another kernel does not let it."""

    def __init__(self) -> None:
        self.free, self.asked = threading.Event(), threading.Event()
        self.kept: list[Dialogue] = []

    def keep(self, dialogue: Dialogue) -> str:
        self.asked.set()
        self.free.wait(SECONDS)
        self.kept.append(dialogue)
        return "It was not kept." if len(self.kept) == 1 else ""


def test_waits_for_no_file_and_keeps_the_newest_as_soon_as_it_may(talk: tuple[Page, Engine]) -> None:
    talking, _ = talk
    file = LockedFile()
    page = Page(PlaygroundModel(talking.playground.session, Dialogue(id="d", columns=("smol",)), keep=file.keep))
    page.playground.set_settings({"seed": "1"})
    assert file.asked.wait(SECONDS)
    for seed in "23":
        page.playground.set_settings({"seed": seed})
    assert file.kept == []
    problems: list[str] = []
    page.playground.on_change = lambda: problems.append(page.playground.state().problem)
    file.free.set()
    assert until(lambda: len(file.kept) == 2 and len(problems) == 2, SECONDS)
    assert (problems, [kept.fields["seed"] for kept in file.kept]) == (["It was not kept.", ""], [1, 3])


def test_goes_on_and_says_so_where_keeping_fails_by_a_mistake(talk: tuple[Page, Engine]) -> None:
    def keep(dialogue: Dialogue) -> str:
        if dialogue.fields["seed"] == 1:
            raise ValueError("a mistake")
        return ""

    talking, _ = talk
    page = Page(PlaygroundModel(talking.playground.session, Dialogue(id="d", columns=("smol",)), keep=keep))
    page.playground.set_settings({"seed": "1"})
    page.until(lambda: "by a mistake (ValueError)" in page.playground.state().problem)
    page.playground.set_settings({"seed": "2"})
    page.until(lambda: page.playground.state().problem == "")


def test_says_that_its_session_was_closed_while_an_answer_came(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    engine.says = hanging_after(BEGINNING)
    page.playground.ask("Hi")
    page.until(lambda: page.told(0) == "Hel")
    page.playground.session.close()
    page.until_over()
    assert (states(page), page.told(0)) == (["stopped"], "Hel")
    assert page.note == "The connection to the cluster was closed before the answer ended."
    assert page.playground.state().choices == ("smol",)


def test_folds_reasoning_apart(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    thought = event({"index": 0, "delta": {"reasoning_content": "Hm."}, "finish_reason": None})
    engine.says = lambda exchange: (exchange.say(STREAM + thought + said("Yes.")), exchange.end())[0]
    page.playground.ask("Hi")
    page.until_over()
    text = page.playground.text(0, 0)
    assert (text.text, text.reasoning) == ("Yes.", "Hm.")


def test_shows_how_a_sleeping_model_wakes_and_then_its_answer(cluster: tuple[Page, Engine, FakeApi]) -> None:
    page, engine, api = cluster
    asleep = model("smol", features=["TextGeneration"], replicas=0, minReplicas=0)
    api.change(PODS, pod("model-smol-1", "smol"), gone=True)
    api.change(MODELS, asleep)
    # The Model and its Pods come by streams of their own: it may be seen asleep before its Pod is seen gone.
    page.until_phase("Asleep", ready=0)

    def wakes(exchange: Exchange) -> None:
        if "messages" in engine.asked[-1]:
            saying(said("Good morning."))(exchange)
            return
        api.change(PODS, waiting_pod("ContainerCreating"))
        api.change(MODELS, {**asleep, "spec": {**asleep["spec"], "replicas": 1}})
        assert until(lambda: "Pulling" in page.note, SECONDS)
        api.change(PODS, pod("model-smol-1", "smol"))
        whole(b'{"choices": [{"text": "x"}]}')(exchange)

    engine.says = wakes
    notes = page.record_notes()
    page.playground.ask("Good night")
    page.until_over()
    assert notes[0].startswith("Waking: Asleep")
    assert any(note.startswith("Waking: Scheduling → Pulling") for note in notes)
    assert (states(page), page.told(0)) == (["done"], "Good morning.")


def test_says_at_once_why_a_model_cannot_answer(cluster: tuple[Page, Engine, FakeApi]) -> None:
    page, engine, api = cluster
    api.change(PODS, waiting_pod("ImagePullBackOff"))
    page.until_phase("Failing")
    page.playground.ask("Hi")
    page.until_over()  # (the wait for a Model that may come is many times as long)
    assert (states(page), engine.asked) == (["failed"], [])
    assert "smol is Failing" in page.note


def test_says_what_became_of_the_model_whose_answer_broke_off(cluster: tuple[Page, Engine, FakeApi]) -> None:
    page, engine, api = cluster
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}

    def dies(exchange: Exchange) -> None:
        exchange.say(STREAM.replace(b"\r\n\r\n", b"\r\nContent-Length: 9999\r\n\r\n") + BEGINNING)
        assert until(lambda: page.told(0) == "Hel", SECONDS)
        exchange.end()
        api.change(PODS, waiting_pod("CrashLoopBackOff", restartCount=3, lastState=killed))

    engine.says = dies
    page.playground.ask("Hi")
    page.until_over()
    assert (states(page), page.told(0)) == (["failed"], "Hel")
    assert "broke off" in page.note
    assert "memory" in page.note
    assert page.playground.dialogue.messages()[-1]["content"] == "Hel"


def test_ends_an_answer_whose_session_closes_while_it_looks_why_that_broke_off(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    session = page.playground.session

    def dies(exchange: Exchange) -> None:
        exchange.say(STREAM.replace(b"\r\n\r\n", b"\r\nContent-Length: 9999\r\n\r\n") + BEGINNING)
        assert until(lambda: page.told(0) == "Hel", SECONDS)
        before = set(session.publisher._subscriptions)
        exchange.end()
        assert until(lambda: set(session.publisher._subscriptions) - before, SECONDS)
        session.close("the setting context was changed")

    engine.says = dies
    page.playground.ask("Hi")
    page.until_over()
    assert (states(page), page.told(0)) == (["failed"], "Hel")
    assert "broke off" in page.note


def test_sends_pictures_where_the_model_reads_them_or_the_user_says_so(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    assert not page.playground.state().reads_pictures
    with pytest.raises(UsageError, match="smol is not known to read pictures"):
        page.playground.ask("What is it?", [PICTURE])
    assert engine.asked == []
    page.playground.ask("What is it?", [PICTURE], sure=True)
    page.until_over()
    assert engine.turns[-1]["content"][1] == {"type": "image_url", "image_url": {"url": PICTURE}}
    text = page.playground.text(0, PROMPT)
    assert (text.text, text.pictures) == ("What is it?", (PICTURE,))
    page.playground.edit(0, "Which colour?")
    page.until_over()
    words, picture = engine.turns[-1]["content"]
    assert (words["text"], picture["image_url"]["url"]) == ("Which colour?", PICTURE)


def test_shows_no_picture_that_would_be_fetched(talk: tuple[Page, Engine]) -> None:
    page, _ = talk
    parts = [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "https://a.b/c.png"}}]
    page.playground.take([{"role": "user", "content": parts}])
    assert page.playground.text(0, PROMPT).pictures == ()


def test_reads_in_the_log_how_much_is_read_at_once(cluster: tuple[Page, Engine, FakeApi]) -> None:
    page, engine, api = cluster
    api.logs["model-smol-1/server"] = (
        "INFO Initializing a V1 LLM engine with config: max_seq_len=4096, download_dir=None"
    )
    engine.says = saying(said("Ho", prompt_tokens=9, completion_tokens=2))
    page.playground.ask("Hi")
    tell, locked = page.playground.on_change, []

    def told() -> None:
        locked.append(is_locked(page.playground._lock))
        tell()

    # Who hears of a change takes a lock of its own: always after this one, else two threads wait for each other.
    page.playground.on_change = told
    page.until(lambda: page.playground.state().context_length == 4096)
    assert all(locked)
    assert page.playground.state().context_tokens == 11


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ((900, 300), ("tiny", 300, 512)),  # of 2048 and 512
        ((1900, 300), ("smol", 1900, 2048)),
        ((None, 30), ("tiny", 30, 512)),
        ((None, None), ("smol", 0, 2048)),
    ],
)
def test_shows_the_context_of_the_column_with_the_least_room(
    cluster: tuple[Page, Engine, FakeApi], counts: tuple[int | None, int | None], shown: tuple[str, int, int]
) -> None:
    page, _, api = cluster
    api.change(MODELS, model("smol", features=["TextGeneration"], args=["--max-model-len=2048"]))
    api.change(MODELS, model("tiny", features=["TextGeneration"], args=["--ctx-size=512"]))
    assert until(lambda: "tiny" in page.playground.choices())
    page.playground.set_columns(["smol", "tiny"])
    exchange = page.playground.dialogue.ask([{"role": "user", "content": "Hi"}])
    for column, count in enumerate(counts):
        exchange.answers[column] = Answer(model="any", state="done", prompt_tokens=count)
    state = page.playground.state()
    assert (state.context_of, state.context_tokens, state.context_length) == shown


def test_shows_the_count_alone_where_the_log_may_not_be_read(cluster: tuple[Page, Engine, FakeApi]) -> None:
    page, engine, api = cluster
    api.refused_logs.add("model-smol-1")
    engine.says = saying(said("Ho", prompt_tokens=9, completion_tokens=2))
    for _ in range(2):
        page.playground.ask("Hi")
        page.until_over()
    state = page.playground.state()
    assert (states(page), state.context_tokens, state.context_length) == (["done", "done"], 11, 0)
