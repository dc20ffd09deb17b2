"""Waiting for a Model: to be ready, or to be gone."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from kubeai_notebook.core.objects import name_of
from kubeai_notebook.core.phase import broken_because, is_ready
from kubeai_notebook.errors import DeployError, NotFoundError, WaitInterruptedError, WaitTimeoutError

if TYPE_CHECKING:
    from .live.publisher import View
    from .model import Model

LOOK_SECONDS, STUCK_SECONDS, REPLACED_SECONDS = 0.5, 3.0, 10.0


def wait_ready(model: Model, limit_seconds: float) -> None:
    """Return when the Model is Ready or Asleep; errors as `Model.wait`."""
    arrived = threading.Event()
    last: list[View | None] = []

    def listener(view: View | None) -> None:
        last[:] = [view]
        if view is None or view.status.settled:
            arrived.set()

    stop = model.listen(listener)
    try:
        settled = _wait(arrived, last, limit_seconds)
    except KeyboardInterrupt:
        message = f"Stopped waiting; {model.name} keeps starting."
        raise WaitInterruptedError(message, f'attach("{model.name}").delete() ends it.') from None
    finally:
        stop()
    view = last[0] if last else model.view
    if view is None:
        raise NotFoundError(f'"{model.name}" was deleted meanwhile.', "Serve it again.")
    if view.status.phase in ("Ready", "Asleep"):
        return
    if settled:
        raise _failed(model.name, view)
    raise WaitTimeoutError(
        f"{model.name} is still {view.status.phase} after {limit_seconds:.0f} s: {view.status.detail}",
        "It keeps starting; wait() waits on.",
    )


def _wait(arrived: threading.Event, last: list[View | None], limit_seconds: float) -> bool:
    """Wait for the end, or for an update that has been stuck for a while: one that was just mended is no such."""
    deadline = time.monotonic() + limit_seconds
    stuck_since = math.inf
    while (now := time.monotonic()) < deadline:
        if arrived.wait(min(LOOK_SECONDS, deadline - now)):
            return True
        view = last[0] if last else None
        stuck_since = min(stuck_since, time.monotonic()) if view and _stuck(view) else math.inf
        if time.monotonic() - stuck_since >= STUCK_SECONDS:
            return True
    return False


def _stuck(view: View) -> bool:
    """Whether old Pods serve and new ones cannot: nothing more will come of waiting."""
    if view.status.phase not in ("Updating", "Degraded"):
        return False
    broken = any(broken_because(pod) for pod in view.observation.pods)
    return broken and any(finding.who != "nobody" for finding in view.findings)


def _failed(name: str, view: View) -> DeployError:
    finding = next(iter(view.findings), None)
    if finding is None:
        return DeployError(f"{name} is {view.status.phase}: {view.status.detail}")
    seen = [f"  {evidence.text}" for evidence in finding.evidence[:1]]
    steps = [f"- {remedy.title}" for remedy in finding.remedies]
    hint = "\n".join([*seen, *steps])
    return DeployError(f"{name} is {view.status.phase}: {finding.message}", hint, findings=view.findings)


def delete(model: Model, limit_seconds: float) -> None:
    """Delete the Model and return when it is gone; errors as `Model.delete`."""
    gone = threading.Event()
    stop = model.listen(lambda view: gone.set() if view is None else None)
    try:
        model.session.cluster.delete_model(model.name)
        if not gone.wait(limit_seconds):
            message = f"{model.name} is being deleted, but is not gone after {limit_seconds:.0f} s."
            raise WaitTimeoutError(message, f'attach("{model.name}").why() says what holds it.')
    except KeyboardInterrupt:
        raise WaitInterruptedError(f"Stopped waiting; {model.name} is being deleted all the same.") from None
    finally:
        stop()


def restart_pods(model: Model, limit_seconds: float) -> int:
    """Delete the Model's Pods one by one, so that KubeAI makes new ones; returns how many.

    A Pod that is ready goes only when as many others are ready as the Model wants, but one.

    Raises:
        ForbiddenError: the right to delete Pods is missing.
        WaitTimeoutError: a new Pod is not ready in time; the rest was left alone.
    """
    cluster = model.session.cluster
    old = sorted(model.view.observation.pods, key=is_ready)
    for number, pod in enumerate(old):
        if number and is_ready(pod):
            wait_ready(model, limit_seconds)
        cluster.delete_pod(name_of(pod))
        _wait_replaced(model, name_of(pod), limit_seconds, count=len(old))
    return len(old)


def _wait_replaced(model: Model, pod_name: str, limit_seconds: float, *, count: int) -> None:
    """Wait until the Pod is gone and, unless KubeAI is slow or scales down, another is there in its place."""
    gone, replaced = threading.Event(), threading.Event()

    def listener(view: View | None) -> None:
        names = [name_of(pod) for pod in view.observation.pods] if view else []
        if pod_name not in names:
            gone.set()
            if view is None or len(names) >= count:
                replaced.set()

    stop = model.listen(listener)
    try:
        if not gone.wait(limit_seconds):
            raise WaitTimeoutError(f"The Pod {pod_name} is being deleted, but is not gone after {limit_seconds:.0f} s.")
        replaced.wait(min(limit_seconds, REPLACED_SECONDS))
    except KeyboardInterrupt:
        raise WaitInterruptedError(f"Stopped waiting; {pod_name} is being deleted all the same.") from None
    finally:
        stop()
