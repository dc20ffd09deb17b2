"""What a server does with many requests, and with those that take long."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from kubeai_notebook.errors import NotFoundError
from kubeai_notebook.present.server_wire import Done, Problem
from kubeai_notebook.server.service import MOST, Service
from kubeai_notebook.server.table import VERBS

if TYPE_CHECKING:
    from kubeai_notebook.session.session import Session

SCALE = next(verb for verb in VERBS if verb.verb == "scale")
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
