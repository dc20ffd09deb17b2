"""What a batch needs to know of a Model: whom it asks, what decides an answer, and how much KubeAI is to see."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from kubeai_notebook.calls.job import Job
from kubeai_notebook.calls.map_frame import answers_of, planned_map
from kubeai_notebook.calls.question import Target
from kubeai_notebook.core.chat_request import adapter_url
from kubeai_notebook.core.kubeai.labels import ADAPTER_WEIGHTS, WEIGHTS_ANNOTATION
from kubeai_notebook.core.kubeai.this_machine import parallel_of
from kubeai_notebook.core.map_fields import MOST_AT_ONCE, checked_map_fields
from kubeai_notebook.core.objects import Pod, map_at, number_at, text_at
from kubeai_notebook.errors import UsageError
from kubeai_notebook.text import ShownAsText

from . import presenter
from .calling import check_serves
from .mapper import Mapper, empty_like

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kubeai_notebook.calls.endpoint import Endpoint
    from kubeai_notebook.core.map_fields import MapFields
    from kubeai_notebook.core.view import View

    from .connection import Connection

TARGET_REQUESTS = 100
"""KubeAI's own default."""
_DECIDES = ("engine", "url", "image", "args", "env", "envFrom", "files")
"""The fields of a Model that its answers depend on; a number of replicas is none."""


def map_rows(
    target: Callable[[], Target], endpoint: Callable[[], Endpoint], table: Any, *, prompt: str, fields: MapFields
) -> BatchJob:
    """Begin a batch; ``endpoint`` is asked for when everything is checked, since it may wake the Model.

    ``target`` is asked for before and after that: what decides an answer is known once the Model runs.
    """
    planned, place = planned_map(target(), table, prompt=prompt, fields=fields), endpoint()
    return planned.asking(target()).start(place, BatchJob)


def mapper_of(session: Connection, view: View, *, prompt: str, like: Any, fields: MapFields) -> Mapper:
    """A `Mapper`; with ``like``, everything that can be checked is checked now.

    Raises:
        CallError: the Model was served for something else.
        UsageError: an argument cannot be, or one is for a whole table only.
    """
    check_serves(session, view, "TextGeneration")
    fields = checked_map_fields(fields, "mapper")
    for name in ("to", "limit", "max_errors", "max_tokens_total"):
        if fields.get(name) is not None:
            raise UsageError(f"mapper() takes no {name}=: each worker sees a part of the table only.")
    if fields.get("errors") == "frame":
        raise UsageError('mapper() takes no errors="frame": a worker gives one frame back.')
    target = target_of(view, fields.get("adapter") or "", cluster=session.cluster.identity)
    empty = None if like is None else empty_like(like)
    if empty is not None:
        planned_map(target, empty, prompt=prompt, fields=fields)
    answers_of(fields)
    return Mapper(session=session, target=target, prompt=prompt, fields=fields, empty=empty)


def target_of(view: View, adapter: str = "", *, cluster: str = "") -> Target:
    """Whom a batch asks; ``cluster``: the identity of the Model's, where answers are to be kept.

    Engines and their images are the cluster's own, and on this machine another engine stands in for most. A tag and a
    url stay as they are when what they mean changes, so what runs counts too, once it does and where it can be seen.

    Raises:
        UsageError: the Model has no such adapter.
    """
    spec = map_at(view.model, "spec")
    url = adapter_url(view.model, adapter)
    return Target(
        name=view.name,
        adapter=adapter,
        revision=_revision_of(spec, url, cluster, _running(view, adapter)),
        most_in_flight=_most_beside_others(spec) if _is_llama_cpp(view) else _most_in_flight(spec),
    )


def _revision_of(spec: Mapping[str, Any], *beside: Any) -> str:
    decides = [*(spec.get(name) for name in _DECIDES), *beside]
    return sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()


def _running(view: View, adapter: str) -> list[tuple[str, ...]]:
    """Of the Pods that answer: the image's id, and on this machine the sha256 of the weights and of the adapter's."""
    notes = WEIGHTS_ANNOTATION, ADAPTER_WEIGHTS + adapter
    ready = [pod for pod in view.observation.engine_pods if Pod(pod).ready]
    return sorted(
        {
            (text_at(Pod(pod).main.raw, "imageID"), *(text_at(pod, "metadata", "annotations", note) for note in notes))
            for pod in ready
        }
    )


def _most_in_flight(spec: Mapping[str, Any]) -> int:
    """What KubeAI scales up to: more would only wait, and say nothing new to its autoscaler."""
    replicas = number_at(spec, "maxReplicas")
    if replicas is None or spec.get("autoscalingDisabled") is True:
        return MOST_AT_ONCE
    return min(max((number_at(spec, "targetRequests") or TARGET_REQUESTS) * replicas, 1), MOST_AT_ONCE)


def _is_llama_cpp(view: View) -> bool:
    """Whether llama.cpp answers on this machine; of a Model without Pods that is likely."""
    return view.where.this_machine and (bool(view.stand_in) or not view.pods)


def _most_beside_others(spec: Mapping[str, Any]) -> int:
    """All of an engine's slots but one: here a chat has no other replica to go to, and would wait behind the rows."""
    slots = parallel_of(map(str, spec.get("args") or ())) * max(number_at(spec, "replicas") or 1, 1)
    return min(max(slots - 1, 1), MOST_AT_ONCE)


class BatchJob(ShownAsText, Job):
    """A batch of a Model, which shows itself."""

    def _text(self) -> str:
        from kubeai_notebook.present.batch_report import batch_text

        return batch_text(self.progress)

    def _ipython_display_(self) -> None:
        presenter.face().show_batch(self)

    def finished(self) -> Any:
        """What the rows became; shown meanwhile, and where it is interrupted, the part."""
        try:
            presenter.face().follow_batch(self)
        except KeyboardInterrupt:
            self.stop()
        return self.result()
