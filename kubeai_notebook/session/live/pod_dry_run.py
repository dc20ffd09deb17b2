"""Why there is no Pod: the API server is asked what it has against one, since KubeAI tells only its own log."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from kubeai_notebook.core.catalog.operator_catalog import catalog_of
from kubeai_notebook.core.kubeai.pods import UnusableSpecError, pod_of
from kubeai_notebook.core.objects import count_at, name_of, text_at, uid_of
from kubeai_notebook.core.profile import ResourceProfile
from kubeai_notebook.core.rules.schema import MODEL
from kubeai_notebook.core.rules.schema_validation import check
from kubeai_notebook.errors import KubeAIError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.session.view import View

_Key = tuple[str, int]
"""A Model's uid and its generation."""


class Refusals:
    """The answers so far, one for each spec that KubeAI makes no Pod of; ``on_change`` gets the Model's name."""

    def __init__(self, cluster: Cluster, on_change: Callable[[str], None]) -> None:
        self._cluster, self._on_change = cluster, on_change
        self._said: dict[_Key, str | None] = {}
        self._asking: set[threading.Thread] = set()

    def of(self, model: Mapping[str, Any]) -> str | None:
        """What the API server said against this Model's Pod, if it was asked and refused."""
        return self._said.get(_key(model))

    def look(self, view: View) -> None:
        """Ask once for each spec that is blocked; a dry run changes nothing."""
        config, key = view.observation.operator.config, _key(view.model)
        if view.status.phase != "Blocked" or config is None or key in self._said:
            return
        self._said[key] = None
        thread = threading.Thread(target=self._ask, args=(view.model, config), name="kubeai-refusal", daemon=True)
        self._asking.add(thread)
        thread.start()

    def _ask(self, model: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        try:
            said = self._cluster.try_pod(pod_wanted(model, config))
        except (KubeAIError, UnusableSpecError):
            said = None
        finally:
            self._asking.discard(threading.current_thread())
        if said:
            self._said[_key(model)] = said
            self._on_change(name_of(model))

    def close(self) -> None:
        """Wait for what is being asked; the cluster's end ends it."""
        for thread in tuple(self._asking):
            thread.join(timeout=3)


def pod_wanted(model: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """A Pod as KubeAI would make it, as far as admission looks: the API server adds what is not said."""
    if check({"spec": model["spec"]}, MODEL, ""):
        # An operator of another version let it in; what it would make of it is not known.
        raise UnusableSpecError
    catalog = catalog_of(config)
    profile = ResourceProfile(text_at(model, "spec", "resourceProfile")).name
    image = text_at(model, "spec", "image") or catalog.image_of(text_at(model, "spec", "engine"), profile)
    profiles = config.get("resourceProfiles") or {}
    pod = pod_of(model, catalog, profiles=profiles, container={"image": image})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": pod["metadata"], "spec": pod["spec"]}


def _key(model: Mapping[str, Any]) -> _Key:
    return uid_of(model), count_at(model, "metadata", "generation")
