"""Service: what all requests of one Jupyter Server share: its Session, its threads and its feed.

What changes a Model is done for one Model after the other; the same that is asked twice at a time, as by a double
click, is done once and answered to both. The Session is the default one of this process, so that agents' tools
(`server.tools`) and the sidebar share its watches; where one has ended, as by a setting, the next request has another.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import ConflictError, KubeAIError
from kubeai_notebook.present.server_wire import Done

from . import verbs
from .feed import Feeds
from .problems import answer_to, problem
from .threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from kubeai_notebook.session.session import Session

    from .table import Verb

    Answer = tuple[int, BaseModel]
    """The HTTP status, and what is answered."""

MOST = 100
"""Requests that wait or go on at one time."""
LONGEST_SECONDS = 25.0
"""Proxies give up after 30 or 60 s; what takes longer goes on, and its caller is told so."""

_logger = logging.getLogger(__name__)


class ElsewhereError(ConflictError):
    """The server works in another place than the request is meant for."""


class Service:
    """Answers requests; one a server, made with the first of them."""

    def __init__(self, session: Callable[[], Session], *, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._session, self._longest_seconds = session, longest_seconds
        self._threads = Threads()
        self._under_way: dict[str, asyncio.Task[Answer]] = {}
        self.feeds = Feeds(self._threads, session)
        self.untold = secrets.token_hex(8)
        """A mark of this process, until somebody says where it shall work; what was refused was said, too."""

    async def answer(self, verb: Verb, name: str, values: Mapping[str, Any]) -> Answer:
        """What is answered to a request that was checked."""
        if verb.action == "read":
            return await self._do(verb, name, values)
        if verb.verb == "use":
            self.untold = ""
        asked = json.dumps([verb.verb, name, values], sort_keys=True)
        task = self._under_way.get(asked)
        if task is None:
            task = self._under_way[asked] = asyncio.create_task(self._do(verb, name, values))
            task.add_done_callback(lambda _: self._under_way.pop(asked))
        done, _ = await asyncio.wait({task}, timeout=self._longest_seconds)
        if done:
            return task.result()
        note = f"This takes longer than {self._longest_seconds:.0f} s and goes on; the list of Models shows how."
        return 202, Done(action="nothing", name=name, note=note, under_way=True)

    async def _do(self, verb: Verb, name: str, values: Mapping[str, Any]) -> Answer:
        if self._threads.waiting >= MOST:
            message = f"{MOST} requests are under way, so this one was not taken."
            return 503, problem("TooMany", message, "Try again in a moment.")
        function = getattr(verbs, verb.verb)
        given = dict(values)
        where = given.pop("where", "")
        named = (name,) if name else ()
        queue = name or "a new Model" if verb.action == "write" else ""
        try:
            return 200, await self._threads.run(lambda: function(self._in(where), *named, **given), queue=queue)
        except KubeAIError as error:
            return answer_to(error)

    def _in(self, where: str) -> Session:
        """The Session, which is in the place of this mark: what is done with it is done there, whoever switches now."""
        session = self._session()
        if where and where != session.where.mark:
            message = f"This server works {session.where} by now, so nothing was done."
            raise ElsewhereError(message, "The sidebar shows it anew; ask again there.")
        return session
