"""What a call waits for before it is sent: a replica that is ready, seen by whoever waits.

The gateway holds a request for a Model that is not ready, for as long as it takes and without a word. So a call looks
first: it shows what the Model is doing, and ends at once where nothing will come. A replica that is ready is enough. A
sleeping Model is woken by a small request of its own (`calls.wake`).
"""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kubeai_notebook.calls.wake import Wake
from kubeai_notebook.core.objects import created_at, texts_at
from kubeai_notebook.core.phase import NEW_NODE_SECONDS, fits_nowhere
from kubeai_notebook.errors import CallError, NotFoundError, WaitInterruptedError

from .progress import waiting_shown
from .waiting import LostLink, failed, is_explained, look_at, still_starting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.view import View

    from .connection import Connection

TICK_SECONDS = 0.05
"""How often a wait wakes up: where an interrupt cannot end it, as on Windows, it is as late as that."""
UNEXPLAINED_SECONDS = 0.8
"""How long a Model that has failed may go on without a word of why."""


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
        if _can_be_called(view):
            return view
        with waiting_shown(name, shown=shown and session.settings.show_waiting) as show:
            for view in _views_until_callable(session, name, limit_seconds):
                show(view)
    except KeyboardInterrupt:
        raise WaitInterruptedError(f"Stopped waiting for {name}; nothing was sent to it.") from None
    return view


def _views_until_callable(session: Connection, name: str, limit_seconds: float) -> Iterator[View]:
    """The Model as it is, again and again until it can be called; errors as `awaken`."""
    begun = time.monotonic()
    view, wake, lost, vain_since = session.publisher.view(name), None, LostLink(), math.inf
    with ExitStack() as stack, session.publisher.subscribe([name]) as changes:
        while (now := time.monotonic()) < begun + limit_seconds:
            change = changes.until(lambda _: True, TICK_SECONDS)
            if change is not None and change.view is None:
                raise NotFoundError(f'"{name}" was deleted meanwhile.', "Serve it again.")
            view = change.view if change and change.view else view
            yield view
            lost.check(session, view)
            if view.link.lost:
                continue
            if _can_be_called(view):
                return
            if view.status.phase == "Asleep":
                if wake is None:
                    wake = Wake(session.endpoint, name, texts_at(view.model, "spec", "features"))
                    stack.callback(wake.close)
                elif wake.error is not None:
                    raise wake.error
                elif wake.over:
                    return  # it has answered, and the watch has not told of that yet
            vain_since = min(vain_since, now) if _is_vain(session, view) else math.inf
            if now - vain_since >= (0.0 if is_explained(view) else UNEXPLAINED_SECONDS):
                raise failed(session, view)
    raise still_starting(view, limit_seconds)


def _can_be_called(view: View) -> bool:
    """Whether a replica answers.

    Raises:
        CallError: it is paused: what is left of it goes, and no request brings it back.
    """
    if view.status.phase == "Paused":
        message = f"{view.name} has no replicas and autoscaling is off, so a request would wait for ever."
        raise CallError(message, "resume() or scale(1) brings it back.")
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
