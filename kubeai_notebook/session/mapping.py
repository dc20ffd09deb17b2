"""What a batch needs to know of a Model: whom it asks, what decides an answer, and how much KubeAI is to see."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from kubeai_notebook.calls.errors import check_feature
from kubeai_notebook.calls.job import Job
from kubeai_notebook.calls.map_frame import answers_of, planned_map
from kubeai_notebook.calls.question import MOST_IN_FLIGHT, Target
from kubeai_notebook.core.map_fields import check_map_fields
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.core.objects import map_at, maps_at, number_at, text_at
from kubeai_notebook.errors import UsageError
from kubeai_notebook.text import Shown

from . import presenter
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


def map_rows(view: View, endpoint: Callable[[], Endpoint], table: Any, *, prompt: str, fields: MapFields) -> BatchJob:
    """Begin a batch; ``endpoint`` is asked for when everything is checked, since it may wake the Model."""
    planned = planned_map(target_of(view, fields.get("adapter") or ""), table, prompt=prompt, fields=fields)
    return planned.start(endpoint(), BatchJob)


def mapper_of(session: Connection, view: View, *, prompt: str, like: Any, fields: MapFields) -> Mapper:
    """A `Mapper`; with ``like``, everything that can be checked is checked now.

    Raises:
        CallError: the Model was served for something else.
        UsageError: an argument cannot be, or one is for a whole table only.
    """
    check_feature(view.name, map_at(view.model, "spec"), "TextGeneration")
    check_map_fields(fields, "mapper")
    for name in ("to", "limit", "max_errors", "max_tokens_total"):
        if fields.get(name) is not None:
            raise UsageError(f"mapper() takes no {name}=: each worker sees a part of the table only.")
    if fields.get("errors") == "frame":
        raise UsageError('mapper() takes no errors="frame": a worker gives one frame back.')
    target, empty = target_of(view, fields.get("adapter") or ""), None if like is None else empty_like(like)
    if empty is not None:
        planned_map(target, empty, prompt=prompt, fields=fields)
    answers_of(fields)
    return Mapper(session=session, target=target, prompt=prompt, fields=fields, empty=empty)


def target_of(view: View, adapter: str = "") -> Target:
    """Whom a batch asks.

    Raises:
        UsageError: the Model has no such adapter.
    """
    spec = map_at(view.model, "spec")
    urls = {text_at(one, "name"): text_at(one, "url") for one in maps_at(spec, "adapters")}
    if adapter and adapter not in urls:
        there = f" It has: {', '.join(urls)}." if urls else " It has none."
        raise UsageError(f'{view.name} has no adapter "{adapter}".{did_you_mean(adapter, urls) or there}')
    return Target(
        name=view.name,
        adapter=adapter,
        revision=_revision_of(spec, urls.get(adapter, "")),
        most_in_flight=_most_in_flight(spec),
    )


def _revision_of(spec: Mapping[str, Any], adapter_url: str) -> str:
    decides = [*(spec.get(name) for name in _DECIDES), adapter_url]
    return sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()


def _most_in_flight(spec: Mapping[str, Any]) -> int:
    """What KubeAI scales up to: more would only wait, and say nothing new to its autoscaler."""
    replicas = number_at(spec, "maxReplicas")
    if replicas is None or spec.get("autoscalingDisabled") is True:
        return MOST_IN_FLIGHT
    return min(max((number_at(spec, "targetRequests") or TARGET_REQUESTS) * replicas, 1), MOST_IN_FLIGHT)


class BatchJob(Shown, Job):
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
