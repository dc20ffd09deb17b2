"""Publisher: keeps the latest View of each Model, and leaves each Change with everybody who subscribed to it.

One thread makes the Views, each once however many Subscriptions want it; a Model that nobody subscribed to costs
nothing until somebody reads its View. A View is made anew when something that it rests on was touched, or when its
phase depends on the time and somebody looks. What is asked about a Model is asked by `tasks`, behind the View.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from kubeai_notebook.cluster.timing import Timing
from kubeai_notebook.core.objects import uid_of
from kubeai_notebook.core.view import Link
from kubeai_notebook.errors import CallError, NotFoundError

from .change_tracker import ChangeTracker
from .informers import EVERYTHING, Informers, Touch
from .observe import touches_of, view_of
from .subscription import ALL, Change, Everything, Subscription
from .tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from kubeai_notebook.calls.endpoint import Endpoint
    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.core.view import View

CLOSED = "The Session was closed."

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Known:
    """One Model's latest View."""

    view: View
    change: Change
    """The same as an item, shared by all Subscriptions."""
    touches: frozenset[Touch]
    born: int
    """The revision of its first View."""
    made_at: float
    """Monotonic seconds."""


def no_endpoint() -> Endpoint:
    """The way to the gateway where none is known: then no Model is asked whether it answers."""
    raise CallError("The way to the gateway is not known here.")


class Publisher:
    """Watches the Models of one namespace; ``endpoint`` gives the way to the gateway, for the test request."""

    def __init__(
        self,
        cluster: Cluster,
        timing: Timing | None = None,
        *,
        endpoint: Callable[[], Endpoint] = no_endpoint,
        make_view: Callable[..., View] = view_of,
    ) -> None:
        self._timing, self._make_view = timing or Timing(), make_view
        self._kubectl, self._where = cluster.kubectl, cluster.where
        self._wake, self._closed = threading.Event(), threading.Event()
        # For what reflectors and readers write; never held while something is computed.
        self._lock = threading.Lock()
        self._touched: set[Touch] = set()
        self._lined: set[str] = set()
        self._subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()
        # For all that follows: whoever makes a View, be it the publisher's thread or a reader, holds it.
        self._making = threading.RLock()
        self._known: dict[str, _Known] = {}
        self._stale: set[str] = set()
        self._to_attend: set[str] = set()
        """Models for whose View nothing was asked yet, since a reader had it made."""
        self._fresh: dict[str, tuple[Change, int]] = {}
        self._revision = 0
        self._moments = ChangeTracker()
        self._tested: dict[str, str] = {}
        self._looked: frozenset[str] = frozenset()
        self._looked_closely: frozenset[str] = frozenset()
        self._restless: set[str] = set()
        """Models that somebody looks at whose View depends on the time."""
        self._quiet: set[str] = set()
        """Models that somebody looks at closely which are well: only their logs may have news."""
        self._glanced_at = 0.0
        """Monotonic seconds of the last look at these logs."""
        self._watches = Informers(cluster, self._touch, self._timing)
        self._tasks = Tasks(
            cluster,
            self._watches,
            touch=self._touch,
            on_line=self._touch_line,
            endpoint=endpoint,
            timing=self._timing,
        )
        self._tasks.installation.look()
        self._thread = threading.Thread(target=self._run, name="kubeai-publisher", daemon=True)
        self._thread.start()

    def ready(self, timeout_seconds: float = 30.0) -> None:
        """Wait for the first lists, and for the operator's configuration; where that fails, it is closed.

        Raises:
            ClusterError: the list of Models was refused, or there was no answer in time.
        """
        seen = False
        try:
            self._watches.wait_listed(timeout_seconds)
            self._tasks.installation.wait(self._timing.installation_first)
            seen = True
        finally:
            if not seen:
                self.close()

    def names(self) -> list[str]:
        """The names of all Models, sorted."""
        return sorted(self._watches.models.groups())

    @property
    def link(self) -> Link:
        """How fresh all Views are."""
        return self._watches.link

    def wait_live(self, timeout_seconds: float) -> None:
        """Wait until a lost link is found again, so long at most."""
        self._watches.wait_live(timeout_seconds)

    def view(self, name: str) -> View:
        """The Model as it is now, out of what is known; nothing is asked for it.

        Raises:
            NotFoundError: there is no Model of this name.
            UnreachableError: the API server is away, so whether there is one is not known.
        """
        with self._making:
            self._settle()
            view = self._current(name)
            self._hand_over()
        if view is None and (link := self.link).lost:
            raise link.unreachable()
        if view is None:
            raise NotFoundError(f'There is no Model "{name}" {self._where.phrase}.', "models() lists what is there.")
        return view

    def views(self) -> tuple[View, ...]:
        """All Models as they are now, by name."""
        with self._making:
            self._settle()
            views = [self._current(name) for name in self.names()]
            self._hand_over()
        return tuple(view for view in views if view is not None)

    def subscribe(self, names: Collection[str] | Literal[Everything.ALL], *, looks: bool = True) -> Subscription:
        """Hear of the Changes of these Models, or of ``ALL``; see `Subscription`.

        ``looks``: somebody looks, so phases that depend on the time go on and logs are read; else the Subscription
        only waits for what the API tells. Logs are followed, and a blocked Model's Pod is tried, by name only.
        """
        self._watches.hurry()
        subscription = Subscription(names, looks=looks, latest=self._latest, on_names=self._wake.set)
        with self._lock:
            closed = self._closed.is_set()
            if not closed:
                self._subscriptions.add(subscription)
        if closed:
            subscription.end(CLOSED)
            return subscription
        self._publish()  # so that how the Models are now is there on return
        self._wake.set()  # so that the publisher's thread learns whether to tick
        return subscription

    def test(self, name: str, uid: str) -> None:
        """Send this Model one small request when it is Ready, and again after a rollout: this client serves it.

        It must have been seen here. Nothing is sent to another Model that comes under its name.
        """
        with self._making:
            self._settle()
            view = self._current(name)
            if view is not None and view.uid == uid:
                self._tested[name] = uid
                self._tasks.expect(uid)
                self._stale.add(name)
        self._wake.set()

    def close(self) -> None:
        """End all threads, and with a last Change of each Model all Subscriptions."""
        with self._lock:
            self._closed.set()
        self._wake.set()
        self._watches.close()
        self._tasks.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=3)
        link = Link("closed", since_seconds=self._timing.now())
        with self._making:
            last = [self._change(name, replace(known.view, link=link)) for name, known in self._known.items()]
        for subscription in self._open():
            subscription.end(CLOSED, [change for change in last if subscription.covers(change.name)])

    def _touch(self, touch: Touch) -> None:
        with self._lock:
            self._touched.add(touch)
        self._wake.set()

    def _touch_line(self, name: str) -> None:
        """A Model's log has a new line: of interest at the next tick, since engines may write thousands."""
        with self._lock:
            first, self._lined = not self._lined, self._lined | {name}
        if first:
            self._wake.set()

    def _open(self) -> tuple[Subscription, ...]:
        with self._lock:
            return tuple(subscription for subscription in self._subscriptions if not subscription.ended)

    def _run(self) -> None:
        due = time.monotonic() + self._timing.tick
        while not self._closed.is_set():
            left = max(0.0, due - time.monotonic())
            self._wake.wait(left if self._restless or self._quiet or self._lined else None)
            self._wake.clear()
            began, cpu, tick = time.monotonic(), time.thread_time(), time.monotonic() >= due
            try:
                self._publish(tick=tick)
            except Exception:  # the thread's outermost frame: the next round tries again
                _logger.exception("A round of the publisher failed.")
            if tick:
                due = began + max(self._timing.tick, (time.thread_time() - cpu) / self._timing.tick_share)
            self._closed.wait(self._timing.publish_pause)

    def _publish(self, *, tick: bool = False) -> None:
        """Make what is due and leave it with the Subscriptions."""
        subscriptions = self._open()
        with self._making:
            self._settle()
            newly = self._look(subscriptions)
            if newly or (tick and self._awaited()):
                self._tasks.feel()
            if tick:
                with self._lock:
                    lined, self._lined = self._lined, set()
                self._stale |= (lined | self._restless) & self._there()
                if time.monotonic() - self._glanced_at > self._timing.log_look:
                    self._glanced_at = time.monotonic()
                    self._to_attend |= self._quiet & self._known.keys()
            for name in self._wanted(subscriptions) & (self._stale | self._to_attend | newly):
                self._attend(name)
            self._deliver(subscriptions)
            seen = set(self._looked & self._known.keys())
            self._restless = {name for name in seen if not self._known[name].view.status.well}
            self._quiet = (seen & self._looked_closely) - self._restless

    def _awaited(self) -> bool:
        """Whether something is about to happen, so that silence means something."""
        known = (self._known.get(name) for name in self._restless)
        return any(not entry.view.status.settled for entry in known if entry)

    def _look(self, subscriptions: tuple[Subscription, ...]) -> frozenset[str]:
        """Note who is looked at, and how closely; gives the names at which nobody looked as closely before."""
        looking = [subscription.names for subscription in subscriptions if subscription.looks]
        closely = frozenset(name for names in looking if names is not ALL for name in names)
        looked = closely.union(self._watches.models.groups()) if ALL in looking else closely
        newly = (looked - self._looked) | (closely - self._looked_closely)
        for name in self._looked_closely - closely:
            self._tasks.look_away(name)
        self._looked, self._looked_closely = looked, closely
        return newly

    def _wanted(self, subscriptions: tuple[Subscription, ...]) -> set[str]:
        """The Models whose Views somebody waits for; those that are gone included."""
        named = (subscription.names for subscription in subscriptions if subscription.names is not ALL)
        wanted = set(self._tested).union(*named)
        if any(subscription.names is ALL for subscription in subscriptions):
            wanted |= self._there()
        return wanted

    def _there(self) -> set[str]:
        """The Models that are there, and those that were a moment ago."""
        return {*self._watches.models.groups(), *self._known}

    def _settle(self) -> None:
        """Find out of which Models something was touched."""
        with self._lock:
            touched, self._touched = self._touched, set()
        if EVERYTHING in touched:
            self._stale = self._there()
        elif touched:
            self._stale |= {touch.key for touch in touched if touch.kind == "model"}
            self._stale |= {name for name, known in self._known.items() if not known.touches.isdisjoint(touched)}
            self._stale &= self._there()
        self._to_attend &= self._known.keys()

    def _attend(self, name: str) -> None:
        """Make the View anew where it is due, and ask about the Model what is."""
        view = self._current(name)
        if view is None:
            return
        self._tasks.test(view)
        if name in self._looked:
            asked = self._tasks.look(view, closely=name in self._looked_closely)
            if asked and not view.pending:
                self._keep(name, replace(view, pending=True))
        self._to_attend.discard(name)

    def _hand_over(self) -> None:
        """Have the publisher's thread deliver what a reader had made, and ask for it what is due."""
        if self._fresh or self._to_attend & self._looked:
            self._wake.set()

    def _current(self, name: str) -> View | None:
        """The View, made anew where it is stale, or where time matters and some has passed."""
        known = self._known.get(name)
        old = known and not known.view.status.well and time.monotonic() - known.made_at > self._timing.tick
        if known is None or old or name in self._stale:
            self._make(name)
        return self._latest(name)

    def _latest(self, name: str) -> View | None:
        known = self._known.get(name)
        return known.view if known else None

    def _make(self, name: str) -> None:
        """Make the View anew; one that fails costs this Model's news, with a line in the log."""
        self._stale.discard(name)
        model, known = self._watches.model(name), self._known.get(name)
        if known and (model is None or uid_of(model) != known.view.uid):
            self._forget(name, known)
        if model is None:
            return
        try:
            view = self._make_view(
                model,
                watches=self._watches,
                tasks=self._tasks,
                moments=self._moments,
                kubectl=self._kubectl,
                where=self._where,
                now_seconds=self._timing.now(),
            )
        except Exception:  # (a bug costs this View: the other Models' go on)
            _logger.exception("The View of the Model %s could not be made.", name)
        else:
            self._keep(name, view)

    def _keep(self, name: str, view: View) -> None:
        """Take this for the latest View; it is news only where it shows something else."""
        known = self._known.get(name)
        news = known is None or not view.shows_as(known.view)
        self._revision += news
        revision = self._revision if known is None or news else known.change.revision
        view = replace(view, revision=revision)
        change = Change(name, view, revision)
        born = known.born if known else revision
        self._known[name] = _Known(view, change, touches_of(view), born, time.monotonic())
        self._to_attend.add(name)
        if news:
            self._fresh[name] = change, born

    def _forget(self, name: str, known: _Known) -> None:
        """The Model is gone, and with it what was asked about it."""
        del self._known[name]
        self._fresh[name] = self._change(name, None), known.born
        self._tasks.forget(name, known.view.uid)
        self._moments.forget(known.view.uid)
        self._tested.pop(name, None)
        self._to_attend.discard(name)

    def _change(self, name: str, view: View | None) -> Change:
        self._revision += 1
        return Change(name, view and replace(view, revision=self._revision), self._revision)

    def _deliver(self, subscriptions: tuple[Subscription, ...]) -> None:
        """Leave what is fresh with those that were told of the Model before, and how it is now with the others."""
        fresh = sorted(self._fresh.values(), key=lambda item: item[0].revision)
        for subscription in subscriptions:
            new = subscription.take_new()
            for change, born in fresh:
                if new is not ALL and change.name not in new and subscription.covers(change.name):
                    subscription.put(change, born=born)
            if new:
                self._greet(subscription, self._known if new is ALL else new)
        self._fresh.clear()

    def _greet(self, subscription: Subscription, names: Collection[str]) -> None:
        """Leave with it how these Models are now."""
        there = [self._known[name].change for name in names if name in self._known]
        for change in sorted(there, key=lambda change: change.revision):
            subscription.put(change)
        absent = [name for name in names if name not in self._known]
        if self.link.lost:
            subscription.tell_later(absent)  # whether there is such a Model is not known
            return
        for name in absent:
            subscription.put(self._change(name, None))
