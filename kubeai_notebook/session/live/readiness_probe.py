"""Whether a Model that this client serves really answers: one small request, once for each kind of Pod it runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from kubeai_notebook.calls.probe import Probe
from kubeai_notebook.core.objects import Pod, texts_at, uid_of
from kubeai_notebook.errors import CallError, ClusterError, SessionClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kubeai_notebook.calls.endpoint import Endpoint
    from kubeai_notebook.core.objects import KubernetesObject
    from kubeai_notebook.core.observation import HttpAnswer
    from kubeai_notebook.core.view import View

    from .pool import Pool


class ReadinessProbes:
    """The answers so far, by the Model's uid and its Pods' hash; ``on_change`` gets the name of the Model."""

    def __init__(self, endpoint: Callable[[], Endpoint], on_change: Callable[[str], None], pool: Pool) -> None:
        self._endpoint, self._on_change, self._pool = endpoint, on_change, pool
        self._lock = threading.Lock()
        self._answers: dict[str, dict[str, HttpAnswer | None]] = {}
        """Only Models that this client serves have an entry: to others nothing is ever sent."""
        self._asking: dict[tuple[str, str], Probe | None] = {}
        self._closed = False

    def expect(self, uid: str) -> None:
        """Note that this client serves the Model: it is to be asked when it is Ready, and again after a rollout."""
        with self._lock:
            self._answers.setdefault(uid, {})

    def forget(self, uid: str) -> None:
        """The Model is gone."""
        with self._lock:
            self._answers.pop(uid, None)

    def of(self, model: KubernetesObject, pods: Sequence[KubernetesObject]) -> HttpAnswer | None:
        """What the Model answered as it runs now, if it was asked."""
        return self._answers.get(uid_of(model), {}).get(_hash_of(pods))

    def look(self, view: View) -> None:
        """Ask a Model that has become ready; a sleeping one is left asleep."""
        uid, pods = view.uid, _hash_of(view.observation.engine_pods)
        with self._lock:
            answers = self._answers.get(uid)
            if answers is None or self._closed:
                return
            if view.status.phase != "Ready":
                # Pods that were replaced may do better, also where their hash is the same.
                self._answers[uid] = {
                    key: answer
                    for key, answer in answers.items()
                    if answer and answer.status == 200 and not answer.body
                }
                return
            if not pods or pods in answers or (uid, pods) in self._asking:
                return
            self._asking[uid, pods] = None
        self._pool.submit("probe", uid, lambda: self._ask(view, pods))

    def _ask(self, view: View, pods: str) -> None:
        answer: HttpAnswer | None = None
        try:
            probe = Probe(self._endpoint(), view.name, texts_at(view.model, "spec", "features"))
            with self._lock:
                if self._closed or view.uid not in self._answers:
                    return
                self._asking[view.uid, pods] = probe
            answer = probe.run()
        except (CallError, ClusterError, SessionClosedError, ReferenceError):
            pass  # no way to the gateway is known here, or the Session has ended: that says nothing about the Model
        finally:
            with self._lock:
                self._asking.pop((view.uid, pods), None)
                if view.uid in self._answers:
                    self._answers[view.uid][pods] = answer
        self._on_change(view.name)

    def close(self) -> None:
        """End what is being asked."""
        with self._lock:
            self._closed = True
            asking = tuple(self._asking.values())
        for probe in asking:
            if probe is not None:
                probe.cancel()


def _hash_of(pods: Sequence[KubernetesObject]) -> str:
    """The hash that all ready Pods have; ``""`` in the middle of a rollout, and where none is ready."""
    hashes = {pod.hash for pod in map(Pod, pods) if pod.ready}
    return hashes.pop() if len(hashes) == 1 else ""
