"""Views of one Model, as the publisher would give them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kubeai_notebook.core.notice import Evidence, Finding
from kubeai_notebook.core.observation import Observation
from kubeai_notebook.core.phase import ModelStatus
from kubeai_notebook.core.remedy import Remedy
from kubeai_notebook.core.view import Link, View
from kubeai_notebook.core.whereabouts import Whereabouts

SINCE = datetime(2026, 11, 22, 20, 0, 0, tzinfo=UTC)
FINDING = Finding(
    code="OutOfMemory",
    message="The engine needs more memory.",
    evidence=(Evidence("log", "pod/smol", "exit 137"), Evidence("status", "pod/smol", "OOMKilled")),
    remedies=(Remedy(title="Use a larger profile."), Remedy(title="Serve a smaller model.")),
)


def view_in(phase: Any, **changes: Any) -> View:
    """The Model smol in a phase; ``changes`` are those of ModelStatus, View, or ``profile``."""
    spec = {"engine": "OLlama", "url": "ollama://smollm2:135m", "resourceProfile": changes.pop("profile", "cpu:1")}
    of_view = {name: changes.pop(name) for name in ("findings", "link", "stand_in") if name in changes}
    status = ModelStatus(phase=phase, **{"desired": 1, "detail": "A sentence.", "since": SINCE, **changes})
    model = {"metadata": {"name": "smol"}, "spec": spec}
    observation = Observation(model=model)
    return View(
        status=status,
        observation=observation,
        where=Whereabouts(this_machine=True, namespace="default"),
        **{"findings": (), "link": Link("live", since_seconds=1.0), **of_view},
    )


def pod(
    *,
    scheduled: str = "",
    running: str = "",
    ready: str = "",
    ended: bool = False,
    restarts: int = 0,
    waiting: str = "ContainerCreating",
    created: str = "2026-11-22T20:00:00Z",
) -> Any:
    """The Pod of smol, with these moments of its start; ``ended``: a run of its container has ended."""
    turned = {"PodScheduled": scheduled, "Ready": ready}
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": at} for kind, at in turned.items() if at]
    state = {"running": {"startedAt": running}} if running else {"waiting": {"reason": waiting}}
    last = {"terminated": {"exitCode": 1}} if ended else {}
    status = {"name": "server", "state": state, "lastState": last, "restartCount": restarts}
    return {
        "metadata": {"name": "smol", "creationTimestamp": created},
        "status": {"conditions": conditions, "containerStatuses": [status]},
    }
