"""What is watched: Models, Pods and Events always; Jobs and claims where a Model that is looked at has some."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kubeai_notebook.cluster.client import BATCH, CORE, MODELS
from kubeai_notebook.cluster.reflector import Link, Reflector
from kubeai_notebook.cluster.rights import Right, right_to
from kubeai_notebook.core.objects import name_of, text_at, uid_of
from kubeai_notebook.core.source import Source
from kubeai_notebook.errors import ForbiddenError, UnreachableError

from .transforms import kept_claim, kept_event, kept_job, kept_model, kept_pod, model_of_job, model_of_pod

if TYPE_CHECKING:
    from kubeai_notebook.cluster.client import Cluster

FIRST_LOOK_SECONDS = 3.0
"""How long somebody who looks at a Model with a cache waits for the first list of its Jobs."""

_RESOURCES = {"pods": "pods", "events": "events", "jobs": "jobs", "claims": "persistentvolumeclaims"}

Object = dict[str, Any]
Touch = Callable[[str | None], None]


class Watches:
    """Live copies of all kinds that Models are made of, in one namespace.

    ``touch`` gets what changed: the name of a Model or a claim, the uid of an Event's object, ``None`` for all.
    """

    def __init__(self, cluster: Cluster, touch: Touch) -> None:
        self._cluster, self._touch = cluster, touch
        self._lock = threading.Lock()
        self._closed = False
        self.models = self._watch(MODELS, "models", keep=kept_model)
        self.pods = self._watch(CORE, "pods", keep=kept_pod, group=model_of_pod, query={"labelSelector": "model"})
        self._events = self._watch(CORE, "events", keep=kept_event, group=_about)
        self._more: dict[str, Reflector] = {}

    def _watch(self, api_group: str, plural: str, **options: Any) -> Reflector:
        path = self._cluster.path(api_group, plural)
        return Reflector(self._cluster.api, path, on_change=self._touch, **options)

    def wait_listed(self, timeout_seconds: float) -> None:
        """Wait for the first lists: without the Pods a Model that runs would look blocked.

        Raises:
            ClusterError: the list of Models was refused, or there was no answer in time.
        """
        deadline = time.monotonic() + timeout_seconds
        for reflector in (self.models, self.pods, self._events):
            reflector.wait_listed(max(0.0, deadline - time.monotonic()))
        link = self.models.link
        if link.state != "live" and not self.models.objects():
            raise link.error or UnreachableError("The Kubernetes API does not answer.", "Check the network.")

    @property
    def link(self) -> Link:
        """How fresh all of this is: the link of the Models, or where that is good, another that is lost."""
        ours = self.models.link
        if ours.state != "live":
            return ours
        lost = [link for one in self._all() if (link := one.link).state == "reconnecting"]
        return min(lost, key=lambda link: link.since_seconds, default=ours)

    @property
    def back_at_seconds(self) -> float:
        """Unix time at which a lost link was last found again; 0.0: none ever was lost."""
        return max(reflector.back_at_seconds for reflector in self._all())

    @property
    def heard_at_seconds(self) -> float:
        """Unix time at which the API was last heard in any watch."""
        return max(reflector.heard_at_seconds for reflector in self._all())

    def doubt(self) -> None:
        """Begin every watch anew."""
        for reflector in self._all():
            reflector.doubt()

    def model(self, name: str) -> Object | None:
        """The Model of this name."""
        return next(iter(self.models.of(name)), None)

    def pods_of(self, model: Mapping[str, Any]) -> tuple[Object, ...]:
        """The Model's Pods, and those of the Jobs of its cache."""
        name = name_of(model)
        loaders = self._wanted("loaders").of(name) if _is_cached(model) else ()
        return (*self.pods.of(name), *loaders)

    def jobs_of(self, model: Mapping[str, Any]) -> tuple[Object, ...]:
        """The Jobs of the Model's cache."""
        return self._wanted("jobs").of(name_of(model)) if _is_cached(model) else ()

    def claims_of(self, model: Mapping[str, Any]) -> tuple[Object, ...]:
        """The claim of the Model's cache or url; all claims where it is not there: one may be meant."""
        name = claim_of(model)
        if not name:
            return ()
        claims = self._wanted("claims")
        return claims.of(name) or claims.objects()

    def events_of(self, *objects: Mapping[str, Any]) -> tuple[Object, ...]:
        """The Events about these objects."""
        return tuple(event for item in objects for event in self._events.of(uid_of(item)))

    def notes(self) -> Iterator[str]:
        """What cannot be seen here for want of a right."""
        seen = {"pods": self.pods, "events": self._events, **self._more}
        for kind, reflector in seen.items():
            error = reflector.link.error
            if isinstance(error, ForbiddenError) and kind in _RESOURCES:
                yield _missing(error, _RESOURCES[kind]).note

    def _wanted(self, kind: str) -> Reflector:
        """A watch that not every namespace needs; begun when it is first asked for."""
        with self._lock:
            reflector = self._more.get(kind)
            if reflector is None:
                reflector = self._more[kind] = self._begun(kind)
                if self._closed:
                    reflector.close()
        reflector.wait_listed(FIRST_LOOK_SECONDS)
        return reflector

    def _begun(self, kind: str) -> Reflector:
        if kind == "jobs":
            return self._watch(BATCH, "jobs", keep=kept_job, group=lambda job: model_of_job(name_of(job)))
        if kind == "loaders":
            # Pods of Jobs have no label of their Model.
            return self._watch(CORE, "pods", keep=kept_pod, group=model_of_pod, query={"labelSelector": "job-name"})
        return self._watch(CORE, "persistentvolumeclaims", keep=kept_claim)

    def _all(self) -> tuple[Reflector, ...]:
        return (self.models, self.pods, self._events, *tuple(self._more.values()))

    def close(self) -> None:
        """End all watches."""
        with self._lock:
            self._closed = True
        for reflector in self._all():
            reflector.close()


def _missing(error: ForbiddenError, resource: str) -> Right:
    """The right that a refusal tells of."""
    watched = resource in ("pods", "events") and "may not watch" in error.message
    return right_to("watch" if watched else "list", resource)


def claim_of(model: Mapping[str, Any]) -> str:
    """The claim that the Model's weights lie in, of its cache or its url; ``""`` where it needs none."""
    cache = text_at(model, "spec", "cacheProfile")
    if cache:
        return f"shared-model-cache-{cache}"
    return Source(text_at(model, "spec", "url")).claim


def _is_cached(model: Mapping[str, Any]) -> bool:
    return text_at(model, "spec", "cacheProfile") != ""


def _about(event: Mapping[str, Any]) -> str:
    return text_at(event, "involvedObject", "uid")
