"""Why there is no Pod: the API server is asked what it has against one, since KubeAI tells only its own log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.core.kubeai.pods import UnusableSpecError, pod_of
from kubeai_notebook.core.objects import count_at, text_at, uid_of
from kubeai_notebook.core.profile import ResourceProfile
from kubeai_notebook.core.rules.schema import MODEL
from kubeai_notebook.core.rules.schema_validation import check
from kubeai_notebook.errors import KubeAIError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.core.objects import KubernetesObject
    from kubeai_notebook.core.view import View

    from .pool import Pool


class PodDryRuns:
    """The refusals so far, one for each spec that KubeAI makes no Pod of; ``on_change`` gets the Model's name."""

    def __init__(self, cluster: Cluster, on_change: Callable[[str], None], pool: Pool) -> None:
        self._cluster, self._on_change, self._pool = cluster, on_change, pool
        self._refusals: dict[str, tuple[int, str | None]] = {}
        """By the Model's uid: the generation that was asked about, and what the API server has against its Pod."""
        self._asking: set[str] = set()

    def of(self, model: KubernetesObject) -> str | None:
        """What the API server has against this Model's Pod, if it was asked and refused."""
        generation, refusal = self._refusals.get(uid_of(model), (-1, None))
        return refusal if generation == _generation(model) else None

    def pending(self, uid: str) -> bool:
        """Whether the answer is still to come."""
        return uid in self._asking

    def look(self, view: View) -> bool:
        """Ask once for each spec that is blocked, and give whether that was now; a dry run changes nothing."""
        config, generation = view.observation.operator.config, _generation(view.model)
        asked = self._refusals.get(view.uid, (-1, None))[0] == generation
        if view.status.phase != "Blocked" or config is None or asked or view.uid in self._asking:
            return False
        self._refusals[view.uid] = (generation, None)
        self._asking.add(view.uid)
        self._pool.submit("dry-run", view.uid, lambda: self._ask(view, config))
        return True

    def forget(self, uid: str) -> None:
        """The Model is gone."""
        self._refusals.pop(uid, None)

    def _ask(self, view: View, config: Mapping[str, Any]) -> None:
        try:
            refusal = self._cluster.try_pod(pod_wanted(view.model, config, version=view.observation.operator.version))
            if view.uid in self._refusals:
                self._refusals[view.uid] = (_generation(view.model), refusal)
        except (KubeAIError, UnusableSpecError):
            pass  # it could not be asked: that says nothing
        finally:
            self._asking.discard(view.uid)
        self._on_change(view.name)


def pod_wanted(model: Mapping[str, Any], config: Mapping[str, Any], version: str | None = None) -> dict[str, Any]:
    """A Pod as KubeAI would make it, as far as admission looks: the API server adds what is not said."""
    if check({"spec": model["spec"]}, MODEL, ""):
        # An operator of another version let it in; what it would make of it is not known.
        raise UnusableSpecError
    operator = operator_config_of(config)
    profile = ResourceProfile(text_at(model, "spec", "resourceProfile")).name
    image = text_at(model, "spec", "image") or operator.image_of(text_at(model, "spec", "engine"), profile)
    pod = pod_of(model, operator, system=config, container={"image": image}, version=version)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": pod["metadata"], "spec": pod["spec"]}


def _generation(model: KubernetesObject) -> int:
    return count_at(model, "metadata", "generation")
