"""Whether a Model that this client serves really answers: one small request, once for each kind of Pod it runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from kubeai_notebook.calls.endpoint import Endpoint, access_of
from kubeai_notebook.calls.probe import Probe
from kubeai_notebook.core.objects import Pod, name_of, texts_at, uid_of
from kubeai_notebook.errors import CallError, ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.core.access import Access
    from kubeai_notebook.core.observation import Answer
    from kubeai_notebook.core.view import View

_Key = tuple[str, str]
"""A Model's uid, and the hash of its Pods."""


def access_to(cluster: Cluster) -> Access:
    """How the gateway of a cluster is reached; nothing is sent to find what is configured."""
    return access_of(cluster.near(), cluster.access, cluster.namespace)


class Answers:
    """The answers so far; ``on_change`` gets the name of the Model that has a new one."""

    def __init__(self, cluster: Cluster, on_change: Callable[[str], None]) -> None:
        self._cluster, self._on_change = cluster, on_change
        self._lock = threading.Lock()
        self._answers: dict[_Key, Answer | None] = {}
        self._asking: dict[_Key, tuple[Probe | None, threading.Thread]] = {}
        self._closed = False

    def of(self, model: Mapping[str, Any], pods: tuple[Mapping[str, Any], ...]) -> Answer | None:
        """What the Model answered as it runs now, if it was asked."""
        return self._answers.get(_key(model, pods))

    def look(self, view: View | None) -> None:
        """Ask a Model that has become ready; a sleeping one is left asleep."""
        if view is None:
            return
        if view.status.phase != "Ready":
            self._forget_failed(uid_of(view.model))
            return
        key = _key(view.model, view.observation.pods)
        with self._lock:
            if self._closed or not key[1] or key in self._answers or key in self._asking:
                return
            name = name_of(view.model)
            arguments = (key, name, texts_at(view.model, "spec", "features"))
            thread = threading.Thread(target=self._ask, args=arguments, name=f"kubeai-probe {name}", daemon=True)
            self._asking[key] = (None, thread)
        thread.start()

    def _forget_failed(self, uid: str) -> None:
        """Pods that were replaced may do better, also where their hash is the same."""
        with self._lock:
            kept = {key: one for key, one in self._answers.items() if key[0] != uid or (one and one.status == 200)}
            self._answers = kept

    def _ask(self, key: _Key, name: str, features: tuple[str, ...]) -> None:
        answer: Answer | None = None
        try:
            endpoint = Endpoint(access_to(self._cluster), name)
            probe = Probe(endpoint, features)
            with self._lock:
                if self._closed:
                    return
                self._asking[key] = (probe, self._asking[key][1])
            answer = probe.run()
        except (CallError, ClusterError):
            pass  # no way to the gateway is known here: that says nothing about the Model
        finally:
            with self._lock:
                self._asking.pop(key, None)
                self._answers[key] = answer
        self._on_change(name)

    def close(self) -> None:
        """End what is being asked."""
        with self._lock:
            self._closed = True
            asking = tuple(self._asking.values())
        for probe, _ in asking:
            if probe is not None:
                probe.cancel()
        for _, thread in asking:
            if thread is not threading.current_thread():
                thread.join(timeout=3)


def _key(model: Mapping[str, Any], pods: tuple[Mapping[str, Any], ...]) -> _Key:
    hashes = {pod.hash for pod in map(Pod, pods) if pod.ready}
    return uid_of(model), hashes.pop() if len(hashes) == 1 else ""
