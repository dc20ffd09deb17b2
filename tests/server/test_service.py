"""What a server does with many requests, and with those that take long."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from kubeai_notebook.errors import NotFoundError
from kubeai_notebook.present.server_wire import Done, Problem
from kubeai_notebook.server.service import MOST, MOST_LATE, Service
from kubeai_notebook.server.table import VERBS
from tests.support.waiting import eventually

if TYPE_CHECKING:
    import pytest

    from kubeai_notebook.session.session import Session

SCALE = next(verb for verb in VERBS if verb.verb == "scale")
SERVE = next(verb for verb in VERBS if verb.verb == "serve")
USE = next(verb for verb in VERBS if verb.verb == "use")
LIST = next(verb for verb in VERBS if verb.verb == "list_models")


class Gate:
    """A way to a Session that is closed until it is opened, and leads to none."""

    def __init__(self) -> None:
        self.opened, self.times = threading.Event(), 0

    def __call__(self) -> Session:
        self.times += 1
        assert self.opened.wait(20)
        raise NotFoundError("There is none.")


def test_answers_what_takes_long_and_joins_who_asks_the_same_again() -> None:
    async def ask() -> None:
        gate = Gate()
        service = Service(gate, longest_seconds=0.05)
        status, answer = await service.answer(SCALE, "smol", {"replicas": 1})
        assert isinstance(answer, Done)
        assert (status, answer.under_way) == (202, True)
        patient = asyncio.gather(*(service.answer(SCALE, "smol", {"replicas": 1}) for _ in range(3)))
        gate.opened.set()
        ended = [status for status, _ in await patient]
        assert set(ended) <= {202, 404}
        assert gate.times == 1

    asyncio.run(ask())


def test_takes_no_more_than_a_hundred_requests_at_a_time() -> None:
    async def ask() -> None:
        gate = Gate()
        service = Service(gate)
        waiting = [asyncio.create_task(service.answer(LIST, "", {})) for _ in range(MOST)]
        await asyncio.sleep(0)  # each task begins
        status, answer = await service.answer(LIST, "", {})
        assert isinstance(answer, Problem)
        assert (status, answer.notices[0].code) == (503, "TooMany")
        gate.opened.set()
        assert {status for status, _ in await asyncio.gather(*waiting)} == {404}

    asyncio.run(ask())


def test_takes_no_more_changes_than_it_takes_other_requests() -> None:
    async def ask() -> None:
        gate = Gate()
        service = Service(gate)
        fields = [{"fields": {"name": f"m{number}", "url": "ollama://smollm2:135m"}} for number in range(MOST + 5)]
        asked = [asyncio.create_task(service.answer(SERVE, "", one)) for one in fields]
        await asyncio.sleep(0)
        gate.opened.set()
        statuses = [status for status, _ in await asyncio.gather(*asked)]
        assert statuses.count(503) == 5

    asyncio.run(ask())


def test_tells_how_a_request_ended_that_took_longer_than_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> None:
        gate = Gate()
        service = Service(gate, longest_seconds=0.05)
        _, answer = await service.answer(SCALE, "smol", {"replicas": 1})
        assert isinstance(answer, Done)
        assert (await service.late(answer.request_id))[0] == 202
        gate.opened.set()

        async def ended() -> tuple[int, object] | None:
            told = await service.late(answer.request_id)
            return None if told[0] == 202 else told

        while (told := await ended()) is None:
            pass
        status, problem = told
        assert isinstance(problem, Problem)
        assert (status, problem.notices[0].message) == (404, "There is none.")
        assert "scale smol failed, after its request was answered: There is none." in caplog.text
        assert (await service.late("x"))[0] == 404

    asyncio.run(ask())


def test_remembers_of_so_many_late_requests_how_they_ended_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> None:
        gate = Gate()
        service = Service(gate, longest_seconds=0)
        ids = []
        for _ in range(MOST_LATE + 1):
            status, late = await service.answer(SCALE, "smol", {"replicas": 1})
            assert isinstance(late, Done)
            assert status == 202
            ids.append(late.request_id)
        statuses = [(await service.late(request_id))[0] for request_id in ids]
        assert statuses == [404] + [202] * MOST_LATE
        gate.opened.set()
        await eventually(lambda: "scale smol failed" in caplog.text, 20)
        assert caplog.text.count("scale smol failed") == 1

    asyncio.run(ask())


def test_logs_a_mistake_of_ours_that_comes_after_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    opened = threading.Event()

    def broken() -> Session:
        assert opened.wait(20)
        raise ValueError("a mistake")

    async def ask() -> None:
        service = Service(broken, longest_seconds=0.05)
        assert (await service.answer(SCALE, "smol", {"replicas": 1}))[0] == 202
        opened.set()
        await eventually(lambda: "scale smol failed, after" in caplog.text, 20)
        assert "ValueError: a mistake" in caplog.text

    asyncio.run(ask())


def test_serves_a_model_after_what_else_is_done_to_it_and_waits_for_no_other() -> None:
    async def ask() -> None:
        gate = Gate()
        service = Service(gate)
        waiting = [asyncio.create_task(service.answer(SCALE, "qwen3-0-6b", {"replicas": 1}))]
        await eventually(lambda: gate.times == 1, 20)
        same, other = {"url": "hf://Qwen/Qwen3-0.6B"}, {"url": "hf://a/b", "name": "other"}
        more = ((SERVE, {"fields": same}), (SERVE, {"fields": other}), (USE, {"namespace": "team"}))
        waiting += [asyncio.create_task(service.answer(verb, "", values)) for verb, values in more]
        queued = service._threads._pool._waiting
        await eventually(lambda: gate.times == 3 and queued, 20)
        assert [job.model for job in queued] == ["qwen3-0-6b"]
        gate.opened.set()
        assert {status for status, _ in await asyncio.gather(*waiting)} == {404}

    asyncio.run(ask())


def test_does_what_is_asked_of_one_model_in_the_order_in_which_it_was_asked() -> None:
    async def ask() -> None:
        gate = Gate()
        service, ended = Service(gate), []
        gate.opened.set()
        serving = asyncio.create_task(service.answer(SERVE, "", {"fields": {"url": "hf://a/b", "name": "smol"}}))
        scaling = asyncio.create_task(service.answer(SCALE, "smol", {"replicas": 1}))
        for task in (serving, scaling):
            task.add_done_callback(ended.append)
        await asyncio.gather(serving, scaling)
        assert ended == [serving, scaling]

    asyncio.run(ask())
