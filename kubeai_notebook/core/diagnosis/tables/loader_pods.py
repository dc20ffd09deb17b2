"""What helps the Pod that loads the cache: no resource profile and no image of the Model's reach it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.case import Case
from kubeai_notebook.core.diagnosis.engine.remedies import advise, remedy_of
from kubeai_notebook.core.diagnosis.engine.text_source import Passage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.diagnosis.engine.remedies import Template
    from kubeai_notebook.core.diagnosis.engine.scene import Scene
    from kubeai_notebook.core.notice import Finding
    from kubeai_notebook.core.objects import Pod
    from kubeai_notebook.core.remedy import Remedy

_OF_ENGINES = ("resourceProfile", "image")
_OF_IMAGES = ("modelServers", "Correct image", "Set image to")
_OF_LIMITS = ("limits", "resources", "Take more", "Take less")
_OWN_IMAGE = advise(
    "Correct modelLoading.image in kubeai-config: the loader's image, which no field of the Model sets."
)
_OWN_NODE = advise("Add a node that takes any Pod: KubeAI gives the loader no tolerations and no nodeSelector.")
_DEFAULTS = advise("Set defaults for containers in a LimitRange of the namespace: the loader states none of its own.")
_INSTEAD: Mapping[str, Template] = {
    "UntoleratedTaint": _OWN_NODE,
    "OomKilled": _DEFAULTS,
    "InsufficientCpuOrMemory": _DEFAULTS,
    "QuotaNeedsRequests": _DEFAULTS,
}
"""What takes the place of Remedies that reach an engine's Pod only, by code."""


def reaching_the_loader(finding: Finding, scene: Scene, pod: Pod | None = None) -> Finding:
    """The Finding with Remedies that reach the loader's Pod, in the place of those that do not."""
    kept = tuple(remedy for remedy in finding.remedies if not _of_engines(remedy))
    lost = " ".join(remedy.title for remedy in finding.remedies if remedy not in kept)
    instead = _INSTEAD.get(finding.code) or _by_words(lost)
    if not lost or instead is None:
        return replace(finding, remedies=kept or finding.remedies)
    own = remedy_of(instead, Case(scene, Passage("field", "", ("",)), 0, pod))
    return replace(finding, remedies=(*((own,) if own else ()), *kept))


def _of_engines(remedy: Remedy) -> bool:
    changed = any(change.name in _OF_ENGINES for change in remedy.changes)
    return changed or "profile" in remedy.title or any(words in remedy.title for words in _OF_IMAGES)


def _by_words(titles: str) -> Template | None:
    if any(words in titles for words in _OF_IMAGES):
        return _OWN_IMAGE
    return _DEFAULTS if any(words in titles for words in _OF_LIMITS) else None
