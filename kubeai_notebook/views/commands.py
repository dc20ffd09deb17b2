"""Commands: what a browser's buttons start, done behind the message that asks for it.

The kernel handles a browser's message in its main thread, or in one subshell that all widgets share: a handler that
waits for a cluster holds up the next cell and every other button. So a handler hands off and returns, and whoever
asked hears how it goes: ``queued``, ``doing``, then ``done`` or ``failed``. An error would reach nobody but the log of
JupyterLab; here it becomes Notices, which a widget shows.

A browser names a verb of the table below and nothing else: what it may ask is a closed list, with checked arguments.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from kubeai_notebook.core.notice import Notice
from kubeai_notebook.core.remedy import Remedy
from kubeai_notebook.errors import ClusterError, KubeAIError, UsageError
from kubeai_notebook.present.details import LOG_LINES, details_of, idle_text
from kubeai_notebook.present.notices import notices_of, progress_of
from kubeai_notebook.present.wire import Question, Request
from kubeai_notebook.session import verbs
from kubeai_notebook.session.guard import stake_of
from kubeai_notebook.session.idle import idle_seconds
from kubeai_notebook.session.live.pool import Pool
from kubeai_notebook.session.logs import log_of
from kubeai_notebook.session.waiting import look_at

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from kubeai_notebook.core.plan import Outcome, Stake
    from kubeai_notebook.present.wire import Details, Verb
    from kubeai_notebook.session.connection import Connection

MOST = 100
"""Commands that wait or go on at one time; a browser that sends more is told to wait."""

S = TypeVar("S", bound=BaseModel)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How a command stands."""

    state: Literal["queued", "doing", "done", "failed"]
    result: Any = None
    """What the work returned, once it is ``done``."""
    notices: tuple[Notice, ...] = ()
    """Why it ``failed``."""

    @property
    def problem(self) -> str:
        """Why it failed and what to do, in sentences; nothing where it did not."""
        return " ".join(
            text for notice in self.notices for text in (notice.message, *(step.title for step in notice.remedies))
        )

    def shown_in(self, state: S, doing: str) -> S:
        """The state of a widget with what is found, or with this in its fields ``busy`` and ``problem``.

        Where the same goes on already, of which more is heard, it stays as it is.
        """
        if self.is_under_way:
            return state
        busy = "" if self.state in ("done", "failed") else doing
        # Checked anew: what comes from a frame or an error becomes plain on its way in.
        return type(state)(**{**dict(state), "busy": busy, "problem": self.problem, **(self.result or {})})

    @property
    def is_under_way(self) -> bool:
        """Whether it was not taken because the same goes on already, of which more is heard."""
        return any(notice.code == "UnderWay" for notice in self.notices)


class Commands:
    """Does work in threads of its own, a few at a time, and what has one ``queue`` in the order in which it came.

    At rest there is no thread. A kernel that ends waits for none, and the verbs of a Session that is closed say so.
    """

    def __init__(self, *, most: int = MOST) -> None:
        self._most, self._pool = most, Pool()
        self._lock = threading.Lock()
        self._asked: set[Hashable] = set()

    def hand_off(
        self,
        work: Callable[[], Any],
        on_progress: Callable[[Progress], None],
        *,
        key: Hashable,
        queue: str = "",
    ) -> bool:
        """Do ``work`` soon, and return at once; whether it was taken.

        ``key`` stands for what it does: while that waits or goes on it is not taken again, so a double click does
        nothing twice. ``on_progress`` is called first here, with ``queued`` or why it was not taken, then in the thread
        that does the work.
        """
        refusal = None
        with self._lock:
            if key in self._asked:
                refusal = Notice(code="UnderWay", severity="info", message="This is under way already.")
            elif len(self._asked) >= self._most:
                message = f"{self._most} commands are under way, so this one was not taken. Try again later."
                refusal = Notice(code="TooMany", message=message)
            else:
                self._asked.add(key)
        if refusal:
            on_progress(Progress("failed", notices=(refusal,)))
            return False
        on_progress(Progress("queued"))
        self._pool.submit("command", queue or repr(key), lambda: self._do(work, on_progress, key))
        return True

    def _do(self, work: Callable[[], Any], on_progress: Callable[[Progress], None], key: Hashable) -> None:
        try:
            on_progress(Progress("doing"))
            end = Progress("done", work())
        except KubeAIError as error:
            end = Progress("failed", notices=notices_of(error))
        except Exception as error:  # the thread's outermost frame: whoever pressed the button is told
            _logger.exception("A command failed.")
            message = f"This could not be done, by a mistake of kubeai_notebook ({type(error).__name__})."
            notice = Notice(
                code="Bug", message=message, remedies=(Remedy(title="The kernel's log has the traceback."),)
            )
            end = Progress("failed", notices=(notice,))
        finally:
            with self._lock:
                self._asked.discard(key)
        on_progress(end)


@cache
def commands() -> Commands:
    """Those of this kernel, for all its widgets."""
    return Commands()


def request_in(content: object, kind: type[S]) -> S:
    """A browser's message as a request of this kind.

    Raises:
        UsageError: it is none, or holds a text that cannot be sent.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        # Its words may be a secret in the wrong place.
        _logger.warning("A widget's message was not understood: %d mistakes.", error.error_count())
        mistake = error.errors(include_url=False, include_input=False)[0]
    if mistake["type"] == "string_too_long":
        most = mistake["ctx"]["max_length"]
        raise UsageError(f"A text of more than {most:,} characters cannot be sent.", "Send a part of it.")
    if mistake["type"] == "string_unicode":
        raise UsageError("The text holds half of a character, which cannot be sent.", "Type it again without that.")
    raise UsageError("What this page asks cannot be read.", "Run the cell again.")


def request_or_told(content: object, kind: type[S], tell: Callable[[Progress], None]) -> S | None:
    """The same of a widget whose state says why it is none."""
    try:
        return request_in(content, kind)
    except UsageError as error:
        # A page waits until its state is another, also where it asks the same again.
        tell(Progress("queued"))
        tell(Progress("failed", notices=notices_of(error)))
        return None


def take(
    session: Connection,
    name: str,
    content: object,
    *,
    send: Callable[[dict[str, Any]], None],
    show: Callable[[str], str] = lambda _name: "",
) -> None:
    """Hand off what a browser asks of the Model ``name``; ``send`` brings each `RequestProgress` to the widget.

    ``show`` shows what the widget opens of a Model, its card or its playground, or takes it away, and says where it
    is.
    """
    try:
        request = request_in(content, Request)
    except UsageError:  # its id, by which the answer would be known, may be what is wrong: no page of ours sends it
        return

    def tell(progress: Progress) -> None:
        sent = progress_of(request.id, progress.state, name=name, result=progress.result, notices=progress.notices)
        send(sent.model_dump(mode="json"))

    is_question = request.verb in get_args(Question)
    # What is only read is asked by several widgets at a time, and again where an answer was lost.
    exclude = None if is_question or request.dry_run else {"id"}
    asked = (id(session), name, *request.model_dump(exclude=exclude).values())
    # It does not wait for what is done.
    queue = f"{id(session)} {name} {request.verb if is_question else ''}"

    def work() -> Outcome | Stake | Details | str | None:
        if request.verb == "show":
            return show(name)
        return _VERBS[request.verb](session, name, request)

    commands().hand_off(work, tell, key=asked, queue=queue)


def _look(session: Connection, name: str, _request: Request) -> Details:
    view = look_at(session.publisher, name)
    try:
        log = log_of(session, name, tail_lines=LOG_LINES, previous=False, pod="", container="")
    except ClusterError as error:
        return details_of(view, None, error.message)
    return details_of(view, log)


def _idle(session: Connection, name: str, _request: Request) -> str:
    view = look_at(session.publisher, name)
    return idle_text(view, idle_seconds(session.cluster, view.observation.operator).get(name), datetime.now(UTC))


def _fix(session: Connection, name: str, request: Request) -> Outcome:
    return verbs.fix(
        session,
        name,
        request.remedy_id,
        dry_run=request.dry_run,
        yes=request.yes,
        resource_version=request.resource_version,
        uid=request.uid,
    )


def _delete(session: Connection, name: str, request: Request) -> Outcome | Stake:
    if request.dry_run:
        return stake_of(session, "delete", name, uid=request.uid)
    return verbs.delete(session, name, yes=request.yes, uid=request.uid)


def _scale(session: Connection, name: str, request: Request) -> Outcome:
    return verbs.scale(session, name, request.replicas, yes=request.yes, uid=request.uid)


_VERBS: Mapping[Verb | Question, Callable[[Connection, str, Request], Outcome | Stake | Details | str]] = {
    "look": _look,
    "idle": _idle,
    "fix": _fix,
    "scale": _scale,
    "pause": lambda session, name, request: verbs.pause(session, name, yes=request.yes, uid=request.uid),
    "resume": lambda session, name, request: verbs.resume(session, name, yes=request.yes, uid=request.uid),
    "restart": lambda session, name, request: verbs.restart(session, name, yes=request.yes, uid=request.uid),
    "delete": _delete,
}
