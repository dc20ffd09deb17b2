"""Waiting for a Model: to be seen, to be ready, to be gone; each reads a Subscription until it holds."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from kubeai_notebook.core.objects import Pod, count_at, name_of, texts_in, uid_of
from kubeai_notebook.core.phase import broken_because, fits_nowhere, is_ready
from kubeai_notebook.errors import ClusterError, DeployError, NotFoundError, WaitInterruptedError, WaitTimeoutError
from kubeai_notebook.present.wording import numbered, step_in_python

from .live.subscription import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kubeai_notebook.core.view import View

    from .connection import Connection
    from .live.publisher import Publisher
    from .live.subscription import Change, Subscription

LOST_SECONDS = 3.0
"""How long this machine's KubeAI may be away: it is started again within that time, or not at all."""
STUCK_SECONDS, REPLACED_SECONDS, SEEN_SECONDS, BEGUN_SECONDS = 3.0, 10.0, 10.0, 3.0
UNSEEN_SECONDS = 0.5
"""How often the API is asked whether a Model is there that was not seen here yet."""
ANSWER_SECONDS = 1.0
"""How long somebody who looks waits for what is asked at that, such as the log of a Pod that crashed."""


def look_at(publisher: Publisher, name: str) -> View:
    """The Model as it is now, with what there is to be asked about it where that comes soon.

    Raises:
        NotFoundError: there is no Model of this name.
    """
    with publisher.subscribe([name]) as changes:
        changes.until(_is_told, ANSWER_SECONDS)
    return publisher.view(name)


def _is_told(change: Change) -> bool:
    """Whether nothing more comes soon: no answer is awaited, and no lost link is being tried."""
    return change.view is None or not (change.view.pending or change.view.link.lost)


def look_at_all(publisher: Publisher) -> tuple[View, ...]:
    """All Models as `look_at` gives one, by name."""
    pending: set[str] = set()

    def complete(change: Change) -> bool:
        if _is_told(change):
            pending.discard(change.name)
        else:
            pending.add(change.name)
        return not pending

    with publisher.subscribe(ALL) as changes:
        pending.update(publisher.names())
        if pending:
            changes.until(complete, ANSWER_SECONDS)
    return publisher.views()


def wait_seen(
    publisher: Publisher,
    name: str,
    generation: int,
    *,
    uid: str = "",
    replaced: frozenset[str] = frozenset(),
    labels: Mapping[str, str | None] | None = None,
) -> None:
    """Wait until a Model that was just written is seen here too, so that nobody is shown what was before.

    ``uid``: its own, since a former one of its name may still be shown here.

    ``labels``: those that were written, None for one that was taken away: they move no generation.

    ``replaced``: the hashes of the Pods that this write replaces. As long as they are the only ones, the Model is
    Ready by what it was before; KubeAI makes the first new Pod within a second, or never.
    """

    def seen(change: Change) -> bool:
        if change.view is None or count_at(change.view.model, "metadata", "generation") < generation:
            return False
        if uid and change.view.uid != uid:
            return False
        present = texts_in(change.view.model, "metadata", "labels")
        return all(present.get(key) == value for key, value in (labels or {}).items())

    def begun(change: Change) -> bool:
        hashes = hashes_of(change.view)
        return not hashes or not hashes <= replaced

    with publisher.subscribe([name], looks=False) as changes:
        change = changes.until(seen, SEEN_SECONDS)
        if replaced and change is not None and not begun(change):
            changes.until(begun, BEGUN_SECONDS)


def hashes_of(view: View | None) -> frozenset[str]:
    """The hashes of the Model's Pods; more than one in the middle of a rollout."""
    return frozenset(Pod(pod).hash for pod in view.observation.engine_pods) if view else frozenset()


def wait_ready(session: Connection, name: str, limit_seconds: float) -> None:
    """Return when the Model is Ready, Asleep or Paused; errors as `Model.wait`."""
    for _ in views_until_ready(session, name, limit_seconds):
        pass


def views_until_ready(session: Connection, name: str, limit_seconds: float) -> Iterator[View]:
    """Each new View until the Model is Ready, Asleep or Paused; errors as `Model.wait`.

    An update whose new Pods cannot start is given up after a while: one that was just mended looks the same.
    """

    def patience_seconds(view: View) -> float | None:
        if view.status.well:
            return None
        if view.status.stopped and not view.pending and is_explained(view):
            return 0.0
        return STUCK_SECONDS if view.status.stopped or is_stuck(view) else math.inf

    try:
        yield from views_until(session, name, limit_seconds, patience_seconds=patience_seconds)
    except KeyboardInterrupt:
        message = f"Stopped waiting; {name} itself goes on as before."
        raise WaitInterruptedError(message, f'attach("{name}").delete() ends it.') from None


def views_until(
    session: Connection,
    name: str,
    limit_seconds: float,
    *,
    patience_seconds: Callable[[View], float | None],
    tick_seconds: float = math.inf,
) -> Iterator[View]:
    """Each View of the Model until ``patience_seconds`` has none for it: the one loop of all who wait for a Model.

    ``patience_seconds`` says of a View how long to wait on while it is like that: `inf` where something comes, 0 where
    nothing does, None where it is what was waited for. The last View is given again after each ``tick_seconds``.

    Raises:
        DeployError: the patience is at its end.
        NotFoundError: the Model was deleted meanwhile.
        UnreachableError: the Kubernetes API is away; a cluster comes back, KubeAI on this machine within
            `LOST_SECONDS` or not at all.
        WaitTimeoutError: it is still starting after ``limit_seconds``.
    """
    deadline, hopeless_at, lost_since, view = time.monotonic() + limit_seconds, math.inf, math.inf, None
    with session.publisher.subscribe([name]) as changes:
        while (left := min(deadline, hopeless_at) - time.monotonic()) > 0:
            change = changes.until(lambda _: True, min(left, tick_seconds))
            if change is None and left <= tick_seconds:
                break
            view = change.view if change else view or session.publisher.view(name)
            if view is None:
                raise NotFoundError(f'"{name}" was deleted meanwhile.', "Serve it again.")
            yield view
            now = time.monotonic()
            if view.link.lost:
                lost_since = min(lost_since, now)
                # How the Model is now is not known, and no more Views may come.
                hopeless_at = lost_since + LOST_SECONDS if session.cluster.is_this_machine else math.inf
                continue
            if lost_since != math.inf:
                lost_since = hopeless_at = math.inf
            if (patience := patience_seconds(view)) is None:
                return
            hopeless_at = math.inf if patience == math.inf else min(hopeless_at, now + patience)
    view = view or session.publisher.view(name)
    if view.link.lost:
        raise view.link.unreachable()
    if hopeless_at < deadline or view.status.stopped:
        raise _failed(session, view)
    raise WaitTimeoutError(
        f"{view.name} is still {view.status.phase} after {limit_seconds:.0f} s: {view.status.detail}",
        "It is still starting: wait() waits for it again.",
    )


def is_explained(view: View) -> bool:
    """Whether a rule says what is wrong: a log that does may come a moment after the Pod has failed."""
    return any(finding.code != "Unknown" for finding in view.findings)


def is_stuck(view: View) -> bool:
    """Whether old Pods serve and new ones cannot: nothing more will come of waiting."""
    if view.status.phase not in ("Updating", "Degraded"):
        return False
    fails = view.status.phase == "Degraded"
    broken = any(broken_because(pod) or (fails and fits_nowhere(pod)) for pod in view.observation.engine_pods)
    return broken and any(finding.who != "nobody" for finding in view.findings)


def _failed(session: Connection, view: View) -> DeployError:
    """The error of a Model for which nothing comes of waiting; its steps are numbered as `why` numbers them."""
    finding = next(iter(view.findings), None)
    if finding is None:
        hint = f'attach("{view.name}").why() says what is seen of it.'
        return DeployError(f"{view.name} is {view.status.phase}: {view.status.detail}", hint)
    shown = list(numbered(view.findings))
    session.remember_shown(view.uid, tuple(step.remedy for _, remedies in shown for step in remedies))
    seen = [f"  {evidence.text}" for evidence in finding.evidence[:1]]
    hint = "\n".join([*seen, *(step_in_python(view.name, step) for step in shown[0][1])])
    return DeployError(f"{view.name} is {view.status.phase}: {finding.message}", hint, findings=view.findings)


def delete(session: Connection, name: str, limit_seconds: float, *, uid: str) -> None:
    """Delete the Model, that of this ``uid`` only, and return when it is gone; errors as `Model.delete`."""
    with session.publisher.subscribe([name], looks=False) as changes:
        session.cluster.delete_model(name, uid)
        try:
            gone = _wait_gone(session, changes, name, uid=uid, limit_seconds=limit_seconds)
        except KeyboardInterrupt:
            raise WaitInterruptedError(f"Stopped waiting; {name} is being deleted all the same.") from None
        if not gone:
            message = f"{name} is being deleted, but is not gone after {limit_seconds:.0f} s."
            raise WaitTimeoutError(message, f'attach("{name}").why() says what holds it.')


def _wait_gone(session: Connection, changes: Subscription, name: str, *, uid: str, limit_seconds: float) -> bool:
    """Whether the Model goes in time, even where another of its name is there already.

    One that was made a moment ago may not have been told of here: then the API is asked, which knows it.
    """
    latest = changes.latest(name)
    seen = latest is not None and latest.uid == uid

    def is_gone(change: Change) -> bool:
        nonlocal seen
        there = change.view is not None and change.view.uid == uid
        seen = seen or there
        return not there and seen

    deadline = time.monotonic() + limit_seconds
    while seen or _is_there(session, name, uid):
        if (left := deadline - time.monotonic()) <= 0:
            return False
        if changes.until(is_gone, left if seen else min(left, UNSEEN_SECONDS)) is not None:
            break
    return True


def _is_there(session: Connection, name: str, uid: str) -> bool:
    try:
        return uid_of(session.cluster.model(name)) == uid
    except NotFoundError:
        return False
    except ClusterError:
        return True  # as far as is known


def restart_pods(session: Connection, name: str, limit_seconds: float) -> int:
    """Delete the Model's Pods one by one, so that KubeAI makes new ones; returns how many.

    A Pod that is ready goes only when as many others are ready as the Model wants, but one.

    Raises:
        ForbiddenError: the right to delete Pods is missing.
        WaitTimeoutError: a new Pod is not ready in time; the rest was left alone.
    """
    pods = sorted(session.publisher.view(name).observation.engine_pods, key=is_ready)
    for number, pod in enumerate(pods):
        if number and is_ready(pod):
            wait_ready(session, name, limit_seconds)
        session.cluster.delete_pod(name_of(pod))
        _wait_replaced(session, name, name_of(pod), limit_seconds=limit_seconds, count=len(pods))
    return len(pods)


def _wait_replaced(session: Connection, name: str, pod_name: str, *, limit_seconds: float, count: int) -> None:
    """Wait until the Pod is gone and, unless KubeAI is slow or scales down, another is there in its place."""

    def names(change: Change) -> list[str]:
        return [pod.name for pod in change.view.pods] if change.view else []

    try:
        with session.publisher.subscribe([name], looks=False) as changes:
            gone = changes.until(lambda change: pod_name not in names(change), limit_seconds)
            if gone is None:
                message = f"The Pod {pod_name} is being deleted, but is not gone after {limit_seconds:.0f} s."
                raise WaitTimeoutError(message, f'attach("{name}").why() says what holds it.')
            if gone.view is not None and len(names(gone)) < count:
                longest = min(limit_seconds, REPLACED_SECONDS)
                changes.until(lambda change: change.view is None or len(names(change)) >= count, longest)
    except KeyboardInterrupt:
        raise WaitInterruptedError(f"Stopped waiting; {pod_name} is being deleted all the same.") from None
