"""What is watched: Models, Pods and Events always; Jobs and claims where a Model that somebody looks at has some."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kubeai_notebook.cluster.client import BATCH, CORE, MODELS
from kubeai_notebook.cluster.reflector import Reflector
from kubeai_notebook.cluster.rights import Right, right_to
from kubeai_notebook.cluster.timing import Timing
from kubeai_notebook.core.objects import name_of, text_at, uid_of
from kubeai_notebook.core.observation import claim_of
from kubeai_notebook.errors import ForbiddenError, UnreachableError

from .transforms import kept_claim, kept_event, kept_job, kept_model, kept_pod, model_of_job, model_of_pod

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.core.view import Link

_RESOURCES = {"pods": "pods", "events": "events", "jobs": "jobs", "claims": "persistentvolumeclaims"}

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Touch:
    """What a change is about."""

    kind: Literal["everything", "model", "claim", "object"]
    key: str = ""
    """The name of the Model or of the claim (``""``: any claim), or the uid of the object that an Event is about."""


EVERYTHING, ANY_CLAIM = Touch("everything"), Touch("claim")


class Informers:
    """Live copies of all kinds that Models are made of, in one namespace; reading them begins and awaits nothing."""

    def __init__(self, cluster: Cluster, touch: Callable[[Touch], None], timing: Timing | None = None) -> None:
        self._cluster, self._touch, self._timing = cluster, touch, timing or Timing()
        self._lock = threading.Lock()
        self._closed = False
        self.models = self._watch("model", MODELS, "models", keep=kept_model)
        labelled = {"labelSelector": "model"}
        self.pods = self._watch("model", CORE, "pods", keep=kept_pod, group=model_of_pod, query=labelled)
        self._events = self._watch("object", CORE, "events", keep=kept_event, group=_about)
        self._more: dict[str, Reflector] = {}

    def _watch(
        self, kind: Literal["model", "claim", "object"], api_group: str, plural: str, **options: Any
    ) -> Reflector:
        def on_change(group: str | None) -> None:
            self._touch(EVERYTHING if group is None else Touch(kind, group))
            if kind == "claim":
                self._touch(ANY_CLAIM)

        path = self._cluster.path(api_group, plural)
        return Reflector(self._cluster.api, path, on_change=on_change, timing=self._timing, **options)

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
        lost = [link for informer in self._all() if (link := informer.link).lost]
        return min(lost, key=lambda link: link.since_seconds, default=ours)

    @property
    def back_at_seconds(self) -> float:
        """Unix time at which a lost link was last found again; 0.0: none ever was lost."""
        return max(reflector.back_at_seconds for reflector in self._all())

    @property
    def heard_at_seconds(self) -> float:
        """Unix time at which the API was last heard in any watch."""
        return max(reflector.heard_at_seconds for reflector in self._all())

    def hurry(self) -> None:
        """Try what is lost again now."""
        for reflector in self._all():
            reflector.hurry()

    def wait_live(self, timeout_seconds: float) -> None:
        """Wait until what is lost is found again, so long at most."""
        deadline = time.monotonic() + timeout_seconds
        self.hurry()
        for reflector in self._all():
            reflector.wait_live(max(0.0, deadline - time.monotonic()))

    def doubt(self) -> None:
        """Begin every watch anew."""
        for reflector in self._all():
            reflector.doubt()

    def model(self, name: str) -> Object | None:
        """The Model of this name."""
        return next(iter(self.models.of(name)), None)

    def pods_of(self, model: Mapping[str, Any]) -> tuple[Object, ...]:
        """The Model's Pods, and those of the Jobs of its cache."""
        return (*self.pods.of(name_of(model)), *self._of_cache("loaders", model))

    def jobs_of(self, model: Mapping[str, Any]) -> tuple[Object, ...]:
        """The Jobs of the Model's cache."""
        return self._of_cache("jobs", model)

    def claims_of(self, model: Mapping[str, Any]) -> tuple[Object, ...]:
        """The claim of the Model's cache or url; all claims where it is not there: one may be meant."""
        name = claim_of(model)
        if not name:
            return ()
        claims = self._more.get("claims")
        return (claims.of(name) or claims.objects()) if claims else ()

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

    def want(self, model: Mapping[str, Any]) -> bool:
        """Begin the watches that not every namespace needs, where this Model does, and give whether one began."""
        with self._lock:
            missing = [kind for kind in _more_for(model) if kind not in self._more and not self._closed]
            self._more |= {kind: self._begun(kind) for kind in missing}
        return bool(missing)

    def pending(self, model: Mapping[str, Any]) -> bool:
        """Whether a watch that this Model needs has not listed yet."""
        begun = [self._more[kind] for kind in _more_for(model) if kind in self._more]
        return any(reflector.link.state == "starting" for reflector in begun)

    def _begun(self, kind: str) -> Reflector:
        if kind == "jobs":
            return self._watch("model", BATCH, "jobs", keep=kept_job, group=lambda job: model_of_job(name_of(job)))
        if kind == "loaders":
            # Pods of Jobs have no label of their Model.
            of_jobs = {"labelSelector": "job-name"}
            return self._watch("model", CORE, "pods", keep=kept_pod, group=model_of_pod, query=of_jobs)
        return self._watch("claim", CORE, "persistentvolumeclaims", keep=kept_claim)

    def _of_cache(self, kind: str, model: Mapping[str, Any]) -> tuple[Object, ...]:
        reflector = self._more.get(kind) if kind in _more_for(model) else None
        return reflector.of(name_of(model)) if reflector else ()

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
    return right_to("watch" if "may not watch" in error.message else "list", resource)


def _more_for(model: Mapping[str, Any]) -> tuple[str, ...]:
    of_cache = ("jobs", "loaders") if text_at(model, "spec", "cacheProfile") else ()
    return (*of_cache, "claims") if claim_of(model) else of_cache


def _about(event: Mapping[str, Any]) -> str:
    return text_at(event, "involvedObject", "uid")
