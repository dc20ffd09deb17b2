"""What a call waits for before it is sent: a replica that is ready, seen by whoever waits.

The gateway holds a request for a Model that is not ready, for as long as it takes and without a word. So a call looks
first: it shows what the Model is doing, and ends at once where nothing will come. A replica that is ready is enough. A
sleeping Model is woken by a small request of its own (`calls.wake`).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Self

from kubeai_notebook.calls.errors import check_feature
from kubeai_notebook.calls.wake import Wake
from kubeai_notebook.core.naming import name_and_adapter
from kubeai_notebook.core.objects import created_at, map_at, text_at, texts_at
from kubeai_notebook.core.phase import NEW_NODE_SECONDS, fits_nowhere
from kubeai_notebook.deploy.scaling import is_paused
from kubeai_notebook.errors import CallError, NotFoundError, UnreachableError, WaitInterruptedError

from . import presenter
from .waiting import is_explained, look_at, views_until
from .waiting_line import waiting_shown

if TYPE_CHECKING:
    from collections.abc import Collection, Generator

    from kubeai_notebook.core.phase import Phase
    from kubeai_notebook.core.view import View

    from .connection import Connection
    from .live.subscription import Change

TICK_SECONDS = 0.05
"""How often a wait wakes up: where an interrupt cannot end it, as on Windows, it is as late as that."""
BREAK_SECONDS = 1.5
"""How long it may take until the end of a Pod is seen."""
UNEXPLAINED_SECONDS = 0.8
"""How long a Model that has failed may go on without a word of why."""
_COMES: frozenset[Phase] = frozenset({"Asleep", "Loading"})
"""Without a replica that is ready, and one can be expected of a request."""


def check_serves(session: Connection, view: View, feature: str) -> None:
    """Refuse what the Model was not served for; it is not even woken.

    Raises:
        CallError: it was served for something else; the hint names Models that do this.
    """

    def able() -> list[str]:
        able = [view for view in session.publisher.views() if feature in texts_at(view.model, "spec", "features")]
        return [view.name for view in able if view.status.ready or view.status.phase in _COMES]

    check_feature(view.name, map_at(view.model, "spec"), feature, stand_in=view.stand_in, others=able)


def awaken(session: Connection, name: str, limit_seconds: float, *, shown: bool = True) -> View:
    """Wait until the Model has a replica that is ready, and show meanwhile what it is doing; wake it where it sleeps.

    Raises:
        DeployError: it cannot become ready as it is; ``findings`` say why.
        CallError: no request wakes it, or the one that was to wake it was refused.
        NotFoundError: it was deleted meanwhile.
        UnreachableError: the Kubernetes API is away, and nothing that is known lets it answer.
        WaitTimeoutError: it is still starting after ``limit_seconds``.
        WaitInterruptedError: interrupted; nothing was sent.
    """
    try:
        view = look_at(session.publisher, name)
        _check_gateway(session, view)
        if _can_be_called(view):
            return view
        with waiting_shown(
            name, partial(presenter.face().line, name), shown=shown and session.settings.show_waiting
        ) as show:
            for view in _views_until_callable(session, name, limit_seconds):
                show(view)
    except KeyboardInterrupt:
        raise WaitInterruptedError(f"Stopped waiting for {name}; nothing was sent to it.") from None
    return view


def until_callable(session: Connection, request_name: str) -> Generator[View]:
    """The Model as it is, again and again, each View at once, until it can be called; errors as `awaken`.

    For callers that have a clock of their own: an ``await``, the OpenAI clients, and other programs
    (`calls.patient`). Of a Model that this Session does not see, the gateway knows more.
    """
    publisher, (name, _) = session.known("publisher"), name_and_adapter(request_name)
    try:
        if publisher is None:
            return
        _check_gateway(session, publisher.view(name))
        if _can_be_called(publisher.view(name)):
            return
    except (NotFoundError, UnreachableError):
        return
    with waiting_shown(name, partial(presenter.face().line, name), shown=session.settings.show_waiting) as show:
        for view in _views_until_callable(session, name, session.settings.wait_timeout_seconds, tick_seconds=0):
            show(view)
            yield view


def look_after_break(session: Connection, name: str, known: Collection[str]) -> View:
    """The Model after an answer of it broke off, which is heard a moment before the end of its Pod is seen.

    ``known`` are the codes of the Findings from before.

    Raises:
        NotFoundError: it was deleted.
    """

    def is_told(change: Change) -> bool:
        view = change.view
        if view is None or not (view.status.ready or view.pending):
            return True
        return any(finding.code not in known for finding in view.settled_findings)

    with session.publisher.subscribe([name]) as changes:
        changes.until(is_told, BREAK_SECONDS)
    return session.publisher.view(name)


def _views_until_callable(
    session: Connection, name: str, limit_seconds: float, *, tick_seconds: float = TICK_SECONDS
) -> Generator[View]:
    """Each View of the Model until it can be called; errors as `awaken`."""
    with _Waking(session) as waking:
        yield from views_until(
            session, name, limit_seconds, patience_seconds=waking.patience_seconds, tick_seconds=tick_seconds
        )


class _Waking:
    """Wakes the Model where it sleeps, once, for as long as somebody waits for it."""

    def __init__(self, session: Connection) -> None:
        self._session = session
        self._wake: Wake | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._wake:
            self._wake.close()

    def patience_seconds(self, view: View) -> float | None:
        """How long to wait on, as `views_until` asks for it; raises why the request that was to wake it was refused."""
        if _can_be_called(view) or (view.status.phase == "Asleep" and self._has_woken(view)):
            return None
        if not _is_vain(self._session, view):
            return math.inf
        return 0.0 if is_explained(view) else UNEXPLAINED_SECONDS

    def _has_woken(self, view: View) -> bool:
        """Whether it has answered, of which the watch has not told yet."""
        if self._wake is None:
            features = texts_at(view.model, "spec", "features")
            self._wake = Wake(self._session.endpoint, view.name, features)
            return False
        if self._wake.error is not None:
            raise self._wake.error
        return self._wake.over


def _check_gateway(session: Connection, view: View) -> None:
    """Refuse where KubeAI has no gateway and the user has named none: the request would be lost.

    Raises:
        CallError: with the setting that names one.
    """
    named = session.settings.endpoint or session.settings.platform_endpoint or session.cluster.is_this_machine
    if not named and text_at(view.observation.operator.config, "proxy", "mode") == "external":
        message = f"KubeAI takes no requests here (proxy.mode: external), so nothing of it answers for {view.name}."
        raise CallError(message, "Ask who runs KubeAI for their gateway's address, and set endpoint to it.")


def _can_be_called(view: View) -> bool:
    """Whether a replica answers.

    Raises:
        CallError: it is paused: what is left of it goes, and no request brings it back.
    """
    if view.status.phase == "Paused":
        message = f"{view.name} has no replicas and autoscaling is off, so a request would wait for ever."
        raise CallError(message, f"{'resume()' if is_paused(view.model) else 'scale(1)'} brings it back.")
    return view.status.ready > 0


def _is_vain(session: Connection, view: View) -> bool:
    """Whether nothing comes of waiting until somebody acts."""
    if view.pending:
        return False
    if view.status.phase != "Scheduling":
        return view.status.stopped
    # Where nodes are added, the scheduler is the first to speak.
    patience_seconds = 0.0 if session.cluster.is_this_machine else NEW_NODE_SECONDS
    now = datetime.now(UTC)
    tried = [created for pod in view.observation.engine_pods if fits_nowhere(pod) and (created := created_at(pod))]
    waited = all((now - created).total_seconds() >= patience_seconds for created in tried)
    lasts = any(finding.who != "nobody" and finding.code not in _PASSING for finding in view.findings)
    return lasts and waited and len(tried) == len(view.observation.engine_pods)


_PASSING = frozenset({"NodeUnavailable", "PvcUnbound"})
"""What keeps a Pod from every node, and ends without its Model's doing: a node comes back, a volume is made."""
