"""Service: what all requests of one Jupyter Server share: its Session, its threads and its feed.

What changes one Model, serving it included, is done one after the other; the same that is asked twice at a time, as by
a double click, is done once and answered to both. The Session is the default one of this process, so that agents' tools
(`server.tools`) and the sidebar share its watches; where one has ended, as by a setting, the next request has another.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.spec import draft_of
from kubeai_notebook.errors import ConflictError, KubeAIError
from kubeai_notebook.present.server_wire import Done, Problem

from . import verbs
from .feed import Feeds
from .problems import answer_to, problem
from .threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from kubeai_notebook.session.session import Session

    from .table import Verb

    Response = tuple[int, BaseModel]
    """The HTTP status, and what is answered."""

MOST = 100
"""Requests that wait or go on at one time."""
MOST_LATE = 2 * MOST
"""Of which it is remembered how they ended."""
LONGEST_SECONDS = 25.0
"""Proxies give up after 30 or 60 s; what takes longer goes on, and its caller asks `Service.late` how it ended."""

_logger = logging.getLogger(__name__)


class ElsewhereError(ConflictError):
    """The server works in another place than the request is meant for."""


class Service:
    """Answers requests; one a server, made with the first of them."""

    def __init__(self, session: Callable[[], Session], *, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._session, self._longest_seconds = session, longest_seconds
        self._threads = Threads()
        self._ordering = asyncio.Lock()
        """For whoever finds out which Model a change is of, so that nobody overtakes who came first."""
        self._under_way: dict[str, asyncio.Task[Response]] = {}
        self._late: dict[str, tuple[str, asyncio.Task[Response]]] = {}
        """The Model and what took too long, by the id that its caller was given: the newest of them, ended or not."""
        self.feeds = Feeds(self._threads, session)
        self.untold = secrets.token_hex(8)
        """A mark of this process, until somebody says where it shall work; what was refused was said, too."""

    async def answer(self, verb: Verb, name: str, values: Mapping[str, Any]) -> Response:
        """What is answered to a request that was checked."""
        if verb.action == "read":
            return await self._do(verb, name, values)
        if verb.verb == "use":
            self.untold = ""
        asked = json.dumps([verb.verb, name, values], sort_keys=True)
        task = self._under_way.get(asked)
        if task is None:
            if len(self._under_way) >= MOST:  # who waits to be put in order has no thread yet
                return _too_many()
            task = self._under_way[asked] = asyncio.create_task(self._do(verb, name, values))
            task.add_done_callback(lambda _: self._under_way.pop(asked))
        return await self._ended(task) or self._goes_on(task, verb, name)

    async def late(self, request_id: str) -> Response:
        """How a request ended that was answered 202; the same answer again where it still goes on."""
        if request_id not in self._late:
            message = "This Jupyter server knows of no such request any more, so it cannot say how it ended."
            return 404, problem("NoSuchRequest", message, "Look at the Model.")
        name, task = self._late[request_id]
        return await self._ended(task) or _going_on(request_id, name)

    async def _ended(self, task: asyncio.Task[Response]) -> Response | None:
        done, _ = await asyncio.wait({task}, timeout=self._longest_seconds)
        return task.result() if done else None

    def _goes_on(self, task: asyncio.Task[Response], verb: Verb, name: str) -> Response:
        """Keep its end for whoever asks; the log has it too, since a page may be closed by then."""
        request_id = secrets.token_hex(8)
        if all(task is not late for _, late in self._late.values()):
            task.add_done_callback(lambda ended: _log_failure(ended, f"{verb.verb} {name}".strip()))
        self._late[request_id] = name, task
        while len(self._late) > MOST_LATE:
            del self._late[next(iter(self._late))]
        return _going_on(request_id, name)

    async def _do(self, verb: Verb, name: str, values: Mapping[str, Any]) -> Response:
        if self._threads.waiting >= MOST:
            return _too_many()
        function = getattr(verbs, verb.verb)
        given = dict(values)
        where = given.pop("where", "")
        named = (name,) if name else ()
        try:
            queue = ""
            if verb.action == "write":
                async with self._ordering:
                    queue = await self._queue(verb, name, given)
            return 200, await self._threads.run(lambda: function(self._in(where), *named, **given), queue=queue)
        except KubeAIError as error:
            return answer_to(error)

    async def _queue(self, verb: Verb, name: str, given: Mapping[str, Any]) -> str:
        """The Model that is changed, so that one waits for the other; what changes none waits for its like only."""
        if name or "fields" not in given:
            return name or f"({verb.verb})"
        # In a queue of its own, else it would stand behind what only reads.
        draft = await self._threads.run(lambda: draft_of(given["fields"]), queue="(fields)")
        return draft.spec.name if draft.spec else f"({verb.verb})"  # of a mistake nothing is written

    def _in(self, where: str) -> Session:
        """The Session, which is in the place of this mark: what is done with it is done there, whoever switches now."""
        session = self._session()
        if where and where != session.where.mark:
            message = f"This server works {session.where} by now, so nothing was done."
            raise ElsewhereError(message, "The sidebar shows it anew; ask again there.")
        return session


def _too_many() -> Response:
    return 503, problem(
        "TooMany", f"{MOST} requests are under way, so this one was not taken.", "Try again in a moment."
    )


def _going_on(request_id: str, name: str) -> Response:
    note = "This takes long and goes on; the list of Models shows how."
    return 202, Done(action="nothing", name=name, note=note, under_way=True, request_id=request_id)


def _log_failure(task: asyncio.Task[Response], what: str) -> None:
    if task.cancelled():
        return
    if error := task.exception():
        _logger.error("%s failed, after its request was answered.", what, exc_info=error)
        return
    _, answer = task.result()
    if isinstance(answer, Problem):
        _logger.warning(
            "%s failed, after its request was answered: %s", what, " ".join(line.message for line in answer.notices)
        )
