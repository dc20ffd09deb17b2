"""Whose logs are worth reading: containers that failed, that are loading, and the few that fail behind a Ready Pod.

Any other Ready Pod may fail at its requests: its log is worth a glance to who looks closely at its Model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kubeai_notebook.cluster.logs import Run
from kubeai_notebook.core.objects import Container, Pod, map_at, maps_at, name_of, text_at, texts_at, uid_of

Object = Mapping[str, Any]


def runs_of(model: Object, pods: tuple[Object, ...], *, at_requests: bool = True) -> tuple[Run, ...]:
    """The runs of the Model's containers whose logs `core.diagnosis` reads.

    ``at_requests``: those as well that can only have failed at requests.
    """
    read = at_requests or _fails_behind_ready(map_at(model, "spec"))
    return tuple(run for pod in map(Pod, pods) if read or not pod.ready for run in _runs(name_of(model), pod))


def _fails_behind_ready(spec: Object) -> bool:
    """FasterWhisper loads at the first request, vLLM its adapters when it is ready."""
    engine = text_at(spec, "engine")
    if engine == "FasterWhisper":
        return True
    adapters = bool(spec.get("adapters")) or any("enable-lora" in item for item in texts_at(spec, "args"))
    return engine == "VLLM" and adapters


def main_container(pod: Object) -> str:
    """The container whose log tells: the engine's, or the loader's where a Job of the cache owns the Pod."""
    return "loader" if Pod(pod).is_of_job else "server"


def _runs(model: str, pod: Pod) -> Iterator[Run]:
    name, uid, main = name_of(pod.raw), uid_of(pod.raw), main_container(pod.raw)
    for container in map(Container, maps_at(pod.raw, "status", "containerStatuses")):
        # A container that waits and never ran has no log.
        if container.name != main or not container.started or not name:
            continue
        waits = bool(map_at(container.raw, "state", "waiting"))
        yield Run(
            model=model,
            pod=name,
            uid=uid,
            container=main,
            restarts=container.restarts,
            over=not container.running,
            previous=waits,
        )
