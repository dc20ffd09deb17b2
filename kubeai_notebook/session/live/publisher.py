"""Live status: watches below, one publisher thread above."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kubeai_notebook.cluster.logs import Logs
from kubeai_notebook.cluster.rights import right_to
from kubeai_notebook.core.diagnosis import diagnose
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.notice import addressed
from kubeai_notebook.core.objects import claim_of, count_at, name_of, uid_of
from kubeai_notebook.core.observation import LogTail, Observation, secrets_of
from kubeai_notebook.core.phase import ModelStatus, status_of
from kubeai_notebook.core.view import Link, Listener, PodState, View, pod_states, stand_in_of
from kubeai_notebook.errors import NotFoundError

from .change_tracker import Moments
from .heartbeat import Pulse
from .informers import Watches
from .installation_cache import OperatorWatch
from .log_sources import runs_of
from .pod_dry_run import Refusals
from .readiness_probe import Answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeai_notebook.cluster.client import Cluster

__all__ = ["Listener", "Observer", "PodState", "View"]

PAUSE_SECONDS = 0.05  # at most 20 updates a second
TICK_SECONDS = 1.0  # phases that depend on time are looked at this often, while somebody looks
FIRST_OPERATOR_SECONDS = 5.0
_AT_REST = frozenset({"Ready", "Asleep"})

_logger = logging.getLogger(__name__)

Object = dict[str, Any]


@dataclass(eq=False, slots=True)
class _Subscription:
    """One listener and what it was told last; ``told`` holds nothing before the first time."""

    name: str
    listener: Listener
    looks: bool
    """Whether somebody looks, so that time and logs count as well."""
    told: list[View | None] = field(default_factory=list)
    interests: frozenset[str] = frozenset()
    """What a change must be about to matter: names and uids."""

    @property
    def restless(self) -> bool:
        """Whether the passing of time alone may change what is to be told."""
        view = self.told[0] if self.told else None
        return self.looks and view is not None and view.status.phase not in _AT_REST

    @property
    def waits(self) -> bool:
        """Whether something is about to happen, so that silence means something."""
        return self.restless and not (self.told[0] and self.told[0].status.settled)


class Observer:
    """Watches the Models of one namespace and tells listeners about those they asked for."""

    def __init__(self, cluster: Cluster) -> None:
        self._subscriptions: list[_Subscription] = []
        self._moments = Moments()
        self._changed = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._viewing = threading.RLock()
        self._touched: set[str] = set()
        self._logged: set[str] = set()
        self._all_touched = True
        self._serving: set[str] = set()
        self._operator = OperatorWatch(cluster, lambda: self._touch(None))
        self._logs = Logs(cluster, self._touch_log)
        self._kubectl = cluster.kubectl
        self._answers = Answers(cluster, self._touch)
        self._refusals = Refusals(cluster, self._touch)
        self._watches = Watches(cluster, self._touch)
        self._pulse = Pulse(cluster, self._watches)
        self._operator.look()
        self._publisher = threading.Thread(target=self._publish, name="kubeai-publisher", daemon=True)
        self._publisher.start()

    def ready(self, timeout_seconds: float = 30.0) -> None:
        """Wait for the first lists, and for the operator's configuration; where that fails, nothing goes on.

        Raises:
            ClusterError: the list of Models was refused, or there was no answer in time.
        """
        seen = False
        try:
            self._watches.wait_listed(timeout_seconds)
            self._operator.wait(FIRST_OPERATOR_SECONDS)
            seen = True
        finally:
            if not seen:
                self.close()

    def names(self) -> list[str]:
        """The names of all Models, sorted."""
        return sorted(self._watches.models.groups())

    def view(self, name: str) -> View:
        """The Model as it is now.

        Raises:
            NotFoundError: there is no Model of this name.
        """
        self._operator.look()
        self._pulse.look()
        view = self._view_of(name)
        if view is None:
            raise NotFoundError(f'There is no Model "{name}".', "models() lists what is there.")
        return view

    def answer(self, name: str) -> None:
        """Send the Model one small request when it is Ready, and again after a rollout: this client serves it."""
        with self._lock:
            if name in self._serving:
                return
            self._serving.add(name)
        self._subscribe(_Subscription(name, self._answers.look, looks=False))

    def wait_for(self, name: str, generation: int, timeout_seconds: float = 10.0) -> None:
        """Wait until a Model that was just written is seen here too, so that nobody is shown what was before."""
        seen = threading.Event()

        def listener(view: View | None) -> None:
            if view and count_at(view.model, "metadata", "generation") >= generation:
                seen.set()

        subscription = _Subscription(name, listener, looks=False)
        self._subscribe(subscription)
        seen.wait(timeout_seconds)
        self._drop(subscription)

    def listen(self, name: str, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with every new View of the Model; returns a function that ends this."""
        self._operator.look()
        subscription = _Subscription(name, listener, looks=True)
        self._subscribe(subscription)
        return lambda: self._drop(subscription)

    def _subscribe(self, subscription: _Subscription) -> None:
        with self._lock:
            self._subscriptions.append(subscription)
        self._changed.set()

    def _drop(self, subscription: _Subscription) -> None:
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
            looked_at = any(one.looks and one.name == subscription.name for one in self._subscriptions)
        if not looked_at:
            self._logs.unfollow(subscription.name)

    def close(self) -> None:
        """End all threads; every listener is told, by a last View whose link is closed."""
        self._closed.set()
        self._changed.set()
        for part in (self._watches, self._logs, self._answers, self._refusals, self._operator, self._pulse):
            part.close()
        if threading.current_thread() is not self._publisher:
            self._publisher.join(timeout=3)
        for subscription in tuple(self._subscriptions):
            if subscription.told and subscription.looks:
                self._tell(subscription, Link("closed", since_seconds=time.time()))

    def _touch(self, what: str | None) -> None:
        """Something changed: a Model or claim by its name, an object of an Event by its uid, or all."""
        with self._lock:
            if what is None:
                self._all_touched = True
            else:
                self._touched.add(what)
        self._changed.set()

    def _touch_log(self, name: str) -> None:
        """A Model's log has new lines: of interest at the next tick, since engines may write thousands."""
        with self._lock:
            first, self._logged = not self._logged, self._logged | {name}
        if first:
            self._changed.set()

    def _publish(self) -> None:
        ticked = time.monotonic()
        while not self._closed.is_set():
            restless = bool(self._logged) or any(one.restless for one in tuple(self._subscriptions))
            self._changed.wait(max(0.0, ticked + TICK_SECONDS - time.monotonic()) if restless else None)
            self._changed.clear()
            tick = restless and time.monotonic() - ticked >= TICK_SECONDS
            if tick:
                ticked = time.monotonic()
                if any(one.waits for one in tuple(self._subscriptions)):
                    self._pulse.look()
            for subscription in self._due(tick=tick):
                self._tell(subscription)
            self._closed.wait(PAUSE_SECONDS)

    def _due(self, *, tick: bool) -> list[_Subscription]:
        """Who is to be told; what changed so far is then settled."""
        with self._lock:
            touched, self._touched = self._touched, set()
            everything, self._all_touched = self._all_touched, False
            if tick:
                touched, self._logged = touched | self._logged, set()
            return [
                one
                for one in self._subscriptions
                if everything or not one.told or (tick and one.restless) or not touched.isdisjoint(one.interests)
            ]

    def _tell(self, subscription: _Subscription, link: Link | None = None) -> None:
        """Tell a listener what is new; ``link`` replaces that of what it was told last."""
        try:
            if link is None:
                view = self._view_of(subscription.name, follow=subscription.looks)
                subscription.interests = _interests(subscription.name, view)
            else:
                last = subscription.told[0]
                view = last and replace(last, link=link)
            if subscription.told != [view]:
                subscription.told[:] = [view]
                subscription.listener(view)
        except Exception:  # the thread's outermost frame: one listener's bug must not end the others' updates
            _logger.exception("A listener on %s failed and was dropped.", subscription.name)
            self._drop(subscription)

    def _view_of(self, name: str, *, follow: bool = False) -> View | None:
        model = self._watches.model(name)
        if model is None:
            return None
        with self._viewing:
            return self._look(model, follow=follow)

    def _look(self, model: Object, *, follow: bool) -> View:
        watches = self._watches
        link, now = watches.link, datetime.now(UTC)
        if link.state in ("reconnecting", "forbidden"):
            # What was last seen is judged as of then: that nothing is seen to happen means nothing.
            now = min(now, datetime.fromtimestamp(link.since_seconds, UTC))
        pods, jobs, claims = watches.pods_of(model), watches.jobs_of(model), watches.claims_of(model)
        own_claims = tuple(claim for claim in claims if name_of(claim) == claim_of(model))
        observation = Observation(
            model=model,
            changed_at=self._moments.changed_at(model, pods, now, back_at_seconds=watches.back_at_seconds),
            pods=pods,
            pods_readable=watches.pods.link.state != "forbidden",
            events=watches.events_of(model, *pods, *jobs, *own_claims),
            jobs=jobs,
            claims=claims,
            logs=tuple(self._tails(model, pods, follow=follow)),
            operator=self._operator.known,
            refusal=self._refusals.of(model),
            answer=self._answers.of(model, pods),
        )
        view = View(
            model=model,
            status=_shown(status_of(observation, now), secrets_of(model)),
            findings=addressed(diagnose(observation, now=now), self._kubectl),
            link=link,
            pods=pod_states(pods),
            notes=tuple(self._notes()),
            stand_in=stand_in_of(pods),
            observation=observation,
        )
        self._refusals.look(view)
        return view

    def _tails(self, model: Object, pods: tuple[Object, ...], *, follow: bool) -> Iterator[LogTail]:
        runs, secrets = runs_of(model, pods), secrets_of(model)
        self._logs.forget(name_of(model), but=runs)
        for run in runs:
            tail = self._logs.tail(run, secrets=secrets, follow=follow)
            if tail is not None:
                yield tail

    def _notes(self) -> Iterator[str]:
        yield from self._watches.notes()
        if self._logs.forbidden:
            yield right_to("get", "pods/log").note
        if self._operator.known.namespace and self._operator.known.config is None:
            yield right_to("get", "configmaps").note


def _shown(status: ModelStatus, secrets: tuple[str, ...]) -> ModelStatus:
    """The status with its sentence as anybody may see it: it quotes the kubelet."""
    detail = masked(status.detail, secrets)
    return status if detail == status.detail else replace(status, detail=detail)


def _interests(name: str, view: View | None) -> frozenset[str]:
    """Everything a change of which may change this Model's View."""
    if view is None:
        return frozenset([name])
    seen = view.observation
    things = (seen.model, *seen.pods, *seen.jobs, *seen.claims)
    return frozenset([name, claim_of(view.model), *map(uid_of, things)])
