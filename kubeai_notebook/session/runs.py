"""Whose logs are worth reading: containers that failed, that are loading, and the few that fail behind a Ready Pod."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kubeai_notebook.cluster.logs import Run
from kubeai_notebook.core.masking import secret_values
from kubeai_notebook.core.status import is_ready

from .kept import model_of_job

Object = Mapping[str, Any]


def runs_of(model: Object, pods: tuple[Object, ...]) -> tuple[Run, ...]:
    """The runs of the Model's containers whose logs `core.diagnosis` reads."""
    behind_ready = _fails_behind_ready(model.get("spec") or {})
    name = model["metadata"]["name"]
    return tuple(run for pod in pods if behind_ready or not is_ready(pod) for run in _runs(name, pod))


def secrets_of(model: Object) -> tuple[str, ...]:
    """Values in the Model's own env, args, urls and files that no log may show, the longest first."""
    return secret_values(model.get("spec") or {})


def _fails_behind_ready(spec: Object) -> bool:
    """FasterWhisper loads at the first request, vLLM its adapters when it is ready."""
    if spec.get("engine") == "FasterWhisper":
        return True
    adapters = bool(spec.get("adapters")) or any("enable-lora" in str(item) for item in spec.get("args") or [])
    return spec.get("engine") == "VLLM" and adapters


def _runs(model: str, pod: Object) -> Iterator[Run]:
    metadata = pod["metadata"]
    main = "loader" if model_of_job(str((metadata.get("labels") or {}).get("job-name", ""))) else "server"
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        state = status.get("state") or {}
        waiting, ended = state.get("waiting") or {}, (status.get("lastState") or {}).get("terminated")
        # A container that waits and never ran has no log.
        if status.get("name") != main or not (state.get("running") or state.get("terminated") or ended):
            continue
        yield Run(
            model=model,
            pod=metadata["name"],
            uid=metadata["uid"],
            container=main,
            restarts=int(status.get("restartCount") or 0),
            over="running" not in state,
            previous=bool(waiting),
        )
