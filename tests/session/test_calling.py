"""A call on a Model that is not ready: it shows what it waits for, wakes, and ends where nothing will come."""

from __future__ import annotations

import asyncio
import io
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import openai
import pytest

from kubeai_notebook import settings
from kubeai_notebook.errors import CallError, DeployError, NotFoundError, WaitInterruptedError, WaitTimeoutError
from kubeai_notebook.session import presenter
from kubeai_notebook.session.calling import awaken
from kubeai_notebook.session.session import Session
from kubeai_notebook.session.waiting_line import StreamLine
from tests.support.daemon import SMOL
from tests.support.fake_api import MODELS, PODS, FakeApi, model, pod
from tests.support.http_server import HttpServer, json_answer
from tests.support.waiting import interrupt_main, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_SECONDS = 20.0
"""How long a call waits for what may come: one that ends at once ends with another error than this wait."""
NOWHERE = (
    "0/2 nodes are available: 2 Insufficient nvidia.com/gpu. "
    "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
)
BUSY = (
    "0/2 nodes are available: 2 Insufficient nvidia.com/gpu. "
    "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi.empty().in_thread() as api:
        yield api


@pytest.fixture
def away(api: FakeApi, kubeconfig: Callable[..., str]) -> Iterator[Session]:
    """A Session on a cluster of canned objects, whose gateway answers at once."""
    with HttpServer(lambda _: json_answer({"choices": [{"text": "yes"}]})) as gateway:
        now = settings.Settings(kubeconfig=kubeconfig(api.url), context="a", endpoint=gateway.address)
        with Session(settings=replace(now, wait_timeout_seconds=PATIENCE_SECONDS)) as session:
            yield session


def waiting_pod(name: str, *, reason: str = "ContainerCreating", **more: Any) -> dict[str, Any]:
    status = {"name": "server", "ready": False, "restartCount": 0, "state": {"waiting": {"reason": reason, **more}}}
    return pod(name, "smol", ready=False, phase="Pending", containerStatuses=[{**status, "lastState": {}}])


def unplaced_pod(message: str, created: str = "2026-11-22T20:01:00Z") -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    made = pod("model-smol-a-1", "smol", ready=False, phase="Pending", conditions=[condition], containerStatuses=[])
    made["spec"]["nodeName"] = ""
    made["metadata"]["creationTimestamp"] = created
    return made


def test_shows_on_stderr_a_line_for_each_change_and_answers_when_it_is_ready(api, away, capsys) -> None:
    api.put(MODELS, model("smol"))
    api.put(PODS, waiting_pod("model-smol-a-1"))

    def go_on() -> None:
        until(lambda: "Pulling" in shown.getvalue())
        api.change(PODS, pod("model-smol-a-1", "smol"))

    shown = io.StringIO()
    presenter.face().line = lambda _name: StreamLine(shown)  # type: ignore[method-assign]  # a face of the test's
    try:
        threading.Thread(target=go_on).start()
        assert away.attach("smol").complete("Hello") == "yes"
    finally:
        del presenter.face().line  # type: ignore[attr-defined]  # put there above
    first, *others = shown.getvalue().splitlines()
    assert first.startswith("… smol Pulling: The node is getting the engine's image. (")
    assert all("Pulling" not in line for line in others)
    assert capsys.readouterr().out == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_renews_the_line_of_a_terminal_and_takes_it_away_in_the_end() -> None:
    terminal = Terminal()
    line = StreamLine(terminal)
    line.put("one", is_news=True)
    line.put("two", is_news=False)
    line.end("over")
    assert terminal.getvalue() == "\r\x1b[2Kone\r\x1b[2Ktwo\r\x1b[2K"


def test_goes_on_where_nobody_reads_stderr_any_more() -> None:
    closed = io.StringIO()
    line = StreamLine(closed)
    closed.close()
    line.put("one", is_news=True)


def test_is_silent_where_the_setting_says_so(api, away, capsys) -> None:
    api.put(MODELS, model("smol"))
    api.put(PODS, waiting_pod("model-smol-a-1"))
    away.settings = replace(away.settings, show_waiting=False, wait_timeout_seconds=1.0)
    with pytest.raises(WaitTimeoutError, match="smol is still Pulling after 1 s"):
        away.attach("smol").complete("Hello")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("waits", "code"),
    [
        (waiting_pod("model-smol-a-1", reason="ErrImagePull", message="manifest unknown"), "ImageNotFound"),
        (unplaced_pod(NOWHERE), "InsufficientGpu"),
    ],
)
def test_ends_at_once_with_the_finding_where_nothing_will_come(waits, code, api, away) -> None:
    api.put(MODELS, model("smol"))
    api.put(PODS, waits)
    handle = away.attach("smol")
    with pytest.raises(DeployError) as raised:
        handle.complete("Hello")
    assert [finding.code for finding in raised.value.findings] == [code]


def test_ends_at_once_where_no_pod_is_made(api, away) -> None:
    api.put(MODELS, model("smol"))
    handle = away.attach("smol")
    with pytest.raises(DeployError) as raised:
        handle.complete("Hello")
    assert raised.value.message.startswith("smol is Blocked: ")


@pytest.mark.parametrize(
    "waits",
    [
        unplaced_pod(BUSY),
        unplaced_pod(NOWHERE, created="2999-01-01T00:00:00Z"),
        unplaced_pod("0/2 nodes are available: 2 node(s) were unschedulable. " + NOWHERE.partition(". ")[2]),
    ],
    ids=["others may go", "a node may be added", "the nodes come back"],
)
def test_waits_for_what_passes_by_itself(waits, api, away) -> None:
    api.put(MODELS, model("smol"))
    api.put(PODS, waits)
    with pytest.raises(WaitTimeoutError):
        awaken(away, "smol", 1.5)


def test_says_that_the_model_was_deleted_meanwhile(api, away) -> None:
    api.put(MODELS, model("smol"))
    api.put(PODS, waiting_pod("model-smol-a-1"))
    handle = away.attach("smol")
    api.change(MODELS, model("smol"), gone=True)
    with pytest.raises(NotFoundError):
        handle.complete("Hello")


def test_ends_at_an_interrupt(api, away, capsys) -> None:
    api.put(MODELS, model("smol"))
    api.put(PODS, waiting_pod("model-smol-a-1"))
    handle = away.attach("smol")

    def interrupt() -> None:
        until(lambda: "smol Pulling" in capsys.readouterr().err)
        interrupt_main()

    threading.Thread(target=interrupt).start()
    with pytest.raises(WaitInterruptedError, match="Stopped waiting for smol; nothing was sent to it."):
        handle.complete("Hello")


def test_is_refused_for_a_paused_model(api, away) -> None:
    api.put(MODELS, model("smol", replicas=0, minReplicas=0, autoscalingDisabled=True))
    with pytest.raises(CallError, match="autoscaling is off") as raised:
        away.attach("smol").complete("Hello")
    assert raised.value.hint == "scale(1) brings it back."  # pause() did not do it, so resume() would do nothing


def test_tells_why_the_request_that_was_to_wake_it_was_refused(api, kubeconfig) -> None:
    api.put(MODELS, model("smol", replicas=0, minReplicas=0))
    with HttpServer(lambda _: json_answer({"error": "no such model"}, 404)) as gateway:
        now = settings.Settings(kubeconfig=kubeconfig(api.url), context="a", endpoint=gateway.address)
        with Session(settings=now) as session, pytest.raises(CallError, match="no such model"):
            session.attach("smol").complete("Hello")


def test_wakes_a_sleeping_model_and_shows_its_phases(session, capsys) -> None:
    sleeping = session.serve(name="sleeper", scaling={"min_replicas": 0}, **SMOL)
    until(lambda: sleeping.status.phase == "Asleep")
    assert sleeping.complete("The capital of France is", max_tokens=3, temperature=0)
    assert "… sleeper " in capsys.readouterr().err


def test_wakes_a_sleeping_model_for_an_await_too_and_shows_its_phases(session, capsys) -> None:
    sleeping = session.serve(name="awaited", scaling={"min_replicas": 0}, **SMOL)
    until(lambda: sleeping.status.phase == "Asleep")
    assert asyncio.run(sleeping.achat("Hello", max_tokens=3, temperature=0))
    assert "… awaited " in capsys.readouterr().err


def test_ends_an_await_at_once_where_nothing_will_come(api, away) -> None:
    api.put(MODELS, model("smol"))
    api.put(PODS, waiting_pod("model-smol-1", reason="ErrImagePull", message="not found"))
    handle = away.attach("smol")
    with pytest.raises(DeployError) as raised:
        asyncio.run(handle.achat("Hello"))
    assert raised.value.findings


def test_ends_an_await_that_waits_when_its_task_is_cancelled(api, away, capsys) -> None:
    api.put(MODELS, model("smol"))
    api.put(PODS, waiting_pod("model-smol-1"))
    handle = away.attach("smol")
    threads = set(threading.enumerate())

    async def ask() -> None:
        task = asyncio.create_task(handle.achat("Hello"))
        await asyncio.to_thread(until, lambda: "smol" in capsys.readouterr().err, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ask())
    assert {thread for thread in threading.enumerate() if thread.name.startswith("asyncio")} <= threads


def test_asks_nobody_for_an_await_that_is_closed_while_it_waits(api, away, capsys) -> None:
    api.put(MODELS, model("smol"))
    api.put(PODS, waiting_pod("model-smol-1"))
    deltas = away.attach("smol").astream("Hello")

    async def ask() -> None:
        task = asyncio.create_task(anext(deltas, None))
        await asyncio.to_thread(until, lambda: "smol" in capsys.readouterr().err, 5)
        deltas.close()
        # Also where the Model never comes.
        assert await asyncio.wait_for(task, 10) is None

    asyncio.run(ask())


def test_makes_no_client_in_the_event_loop_of_who_awaits(api, away, monkeypatch) -> None:
    """To import openai takes half a second, in which nothing else would go on there."""
    made: list[threading.Thread] = []

    class Client(openai.AsyncOpenAI):
        def __init__(self, **options: Any) -> None:
            made.append(threading.current_thread())
            super().__init__(**options)

    monkeypatch.setattr(openai, "AsyncOpenAI", Client)
    api.put(MODELS, model("smol", features=["TextGeneration"]))
    api.put(PODS, pod("model-smol-1", "smol"))

    async def ask() -> None:
        deltas = away.attach("smol").astream("Hello")
        task = asyncio.create_task(anext(deltas, None))
        await asyncio.to_thread(until, lambda: made, 10)
        deltas.close()
        await asyncio.wait({task})

    asyncio.run(ask())
    assert threading.current_thread() not in made


def test_ends_at_once_where_this_machine_has_no_gpu(session, capsys) -> None:
    served = session.serve(name="gpu", force=True, **{**SMOL, "resource_profile": "nvidia-gpu-l4:1"})
    until(lambda: served.status.phase == "Scheduling")
    with pytest.raises(DeployError) as raised:
        served.chat("Hello")
    assert [finding.code for finding in raised.value.findings] == ["InsufficientGpu"]
    why = served.why()
    assert [one.title for one in why.remedies][:1] == [
        raised.value.hint.splitlines()[1].partition("1. ")[2].partition(" (")[0]
    ]
