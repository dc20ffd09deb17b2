"""Live status: reflectors below, one publisher thread above."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from kubeai_notebook.cluster.client import CORE, MODELS, Cluster
from kubeai_notebook.cluster.reflector import Link, Reflector
from kubeai_notebook.core.diagnosis import Finding, diagnose
from kubeai_notebook.core.observation import LogTail, Observation
from kubeai_notebook.core.status import ModelStatus, broken_because, desired_replicas, status_of
from kubeai_notebook.errors import ClusterError, NotFoundError, UnreachableError

PAUSE_SECONDS = 0.05  # at most 20 updates a second
TICK_SECONDS = 1.0  # phases that depend on time are looked at this often, while somebody looks


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A Model as it is now: status, Findings, and how fresh that is."""

    model: dict[str, Any]
    status: ModelStatus
    findings: tuple[Finding, ...]
    link: Link
    stand_in: str = ""
    """The engine that really runs, when it is not the one asked for."""
    observation: Observation = field(compare=False, repr=False)
    """What all of this was concluded from."""


Listener = Callable[[View | None], None]
"""Gets each new View, and ``None`` when the Model is gone. Called in the publisher's thread."""

_logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Subscription:
    """One listener and what it was told last; ``told`` holds nothing before the first time."""

    name: str
    listener: Listener
    told: list[View | None] = field(default_factory=list)


class Observer:
    """Watches the Models of one namespace and tells listeners about those they asked for."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._subscriptions: list[_Subscription] = []
        self._seen: dict[str, tuple[frozenset[str], datetime]] = {}
        self._logs: dict[tuple[str, int], LogTail] = {}
        self._changed = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._viewing = threading.RLock()
        notify = self._changed.set
        self._models = Reflector(cluster.api, cluster.path(MODELS, "models"), on_change=notify)
        self._pods = Reflector(
            cluster.api, cluster.path(CORE, "pods"), query={"labelSelector": "model"}, on_change=notify
        )
        self._events = Reflector(
            cluster.api,
            cluster.path(CORE, "events"),
            query={"fieldSelector": "involvedObject.kind=Pod"},
            on_change=notify,
        )
        self._publisher = threading.Thread(target=self._publish, name="kubeai-publisher", daemon=True)
        self._publisher.start()

    def ready(self, timeout_seconds: float = 30.0) -> None:
        """Wait for the first lists: without the Pods a Model that runs would look blocked.

        Raises:
            ClusterError: the list of Models was refused, or there was no answer in time.
        """
        deadline = time.monotonic() + timeout_seconds
        for reflector in (self._models, self._pods, self._events):
            reflector.wait_listed(max(0.0, deadline - time.monotonic()))
        link = self._models.link
        if link.state != "live" and not self._models.objects():
            raise link.error or UnreachableError("The Kubernetes API does not answer.", "Check the network.")

    def names(self) -> list[str]:
        """The names of all Models, sorted."""
        return sorted(model["metadata"]["name"] for model in self._models.objects())

    def view(self, name: str) -> View:
        """The Model as it is now.

        Raises:
            NotFoundError: there is no Model of this name.
        """
        view = self._view_of(name)
        if view is None:
            raise NotFoundError(f'There is no Model "{name}".', "%kubeai_models lists what is there.")
        return view

    def wait_for(self, name: str, generation: int, timeout_seconds: float = 10.0) -> None:
        """Wait until a Model that was just written is seen here too, so that nobody is shown what was before."""
        seen = threading.Event()

        def listener(view: View | None) -> None:
            if view and view.model["metadata"]["generation"] >= generation:
                seen.set()

        stop = self.listen(name, listener)
        seen.wait(timeout_seconds)
        stop()

    def listen(self, name: str, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with every new View of the Model; returns a function that ends this."""
        subscription = _Subscription(name, listener)
        with self._lock:
            self._subscriptions.append(subscription)
        self._changed.set()
        return lambda: self._drop(subscription)

    def _drop(self, subscription: _Subscription) -> None:
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    def close(self) -> None:
        """End all threads; every listener is told, by a last View whose link is closed."""
        self._closed.set()
        self._changed.set()
        for reflector in (self._models, self._pods, self._events):
            reflector.close()
        if threading.current_thread() is not self._publisher:
            self._publisher.join(timeout=3)
        for subscription in tuple(self._subscriptions):
            if subscription.told:
                self._tell(subscription, Link("closed"))

    def _publish(self) -> None:
        while not self._closed.is_set():
            self._changed.wait(TICK_SECONDS if self._subscriptions else None)
            self._changed.clear()
            with self._lock:
                subscriptions = tuple(self._subscriptions)
            for subscription in subscriptions:
                self._tell(subscription)
            self._closed.wait(PAUSE_SECONDS)

    def _tell(self, subscription: _Subscription, link: Link | None = None) -> None:
        """Tell a listener what is new; ``link`` replaces that of what it was told last."""
        try:
            if link is None:
                view = self._view_of(subscription.name)
            else:
                last = subscription.told[0]
                view = last and replace(last, link=link)
            if subscription.told != [view]:
                subscription.told[:] = [view]
                subscription.listener(view)
        except Exception:  # the thread's outermost frame: one listener's bug must not end the others' updates
            _logger.exception("A listener on %s failed and was dropped.", subscription.name)
            self._drop(subscription)

    def _view_of(self, name: str) -> View | None:
        model = self._model(name)
        return self._view(model) if model else None

    def _model(self, name: str) -> dict[str, Any] | None:
        return next((model for model in self._models.objects() if model["metadata"]["name"] == name), None)

    def _view(self, model: dict[str, Any]) -> View:
        with self._viewing:
            return self._look(model)

    def _look(self, model: dict[str, Any]) -> View:
        now = datetime.now(UTC)
        name = model["metadata"]["name"]
        pods = tuple(pod for pod in self._pods.objects() if pod["metadata"].get("labels", {}).get("model") == name)
        uids = {pod["metadata"]["uid"] for pod in pods}
        events = tuple(event for event in self._events.objects() if event["involvedObject"].get("uid") in uids)
        observation = Observation(
            model=model,
            changed_at=self._changed_at(model, pods, now),
            pods=pods,
            pods_readable=self._pods.link.state != "forbidden",
            events=events,
            logs=tuple(self._log(pod) for pod in pods if broken_because(pod)),
        )
        stand_ins = [pod["metadata"].get("annotations", {}).get("kubeai-notebook/stand-in-for") for pod in pods]
        return View(
            model=model,
            status=status_of(observation, now),
            findings=diagnose(observation, now=now),
            link=self._models.link,
            stand_in=pods[0]["spec"]["containers"][0]["image"] if any(stand_ins) else "",
            observation=observation,
        )

    def _changed_at(self, model: dict[str, Any], pods: tuple[dict[str, Any], ...], now: datetime) -> datetime | None:
        """When the wanted replicas or the set of Pods was last seen to change."""
        uid = model["metadata"]["uid"]
        present = frozenset([f"wanted {desired_replicas(model)}", *(pod["metadata"]["uid"] for pod in pods)])
        before = self._seen.get(uid)
        if before is None:
            alive = {one["metadata"]["uid"] for one in self._models.objects()}
            self._seen = {one: seen for one, seen in self._seen.items() if one in alive}
            # Seen for the first time: how long it has been so is not known.
            self._seen[uid] = (present, datetime.min.replace(tzinfo=UTC))
        elif before[0] != present:
            self._seen[uid] = (present, now)
        moment = self._seen[uid][1]
        return moment if moment.year > 1 else None

    def _log(self, pod: dict[str, Any]) -> LogTail:
        """The log of a broken Pod's last run, read once for each run."""
        statuses = pod.get("status", {}).get("containerStatuses") or [{}]
        restarts = int(statuses[0].get("restartCount", 0))
        name, key = pod["metadata"]["name"], (pod["metadata"]["uid"], restarts)
        if key not in self._logs:
            waiting = "waiting" in statuses[0].get("state", {})
            try:
                text = self._cluster.pod_log(name, previous=waiting)
            except ClusterError:
                return LogTail(pod=name, text="", previous=waiting)
            alive = {one["metadata"]["uid"] for one in self._pods.objects()}
            self._logs = {run: tail for run, tail in self._logs.items() if run[0] in alive}
            self._logs[key] = LogTail(pod=name, text=text, previous=waiting)
        return self._logs[key]
