"""What keeps the weights from getting into the cache."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.case import Case
from kubeai_notebook.core.diagnosis.engine.causes import cause
from kubeai_notebook.core.diagnosis.engine.remedies import advise, remedy_of, run
from kubeai_notebook.core.diagnosis.engine.rule import Rule, first, stated
from kubeai_notebook.core.diagnosis.engine.text_source import Passage, worded
from kubeai_notebook.core.diagnosis.engine.unknown import UNKNOWN
from kubeai_notebook.core.notice import Evidence, Finding
from kubeai_notebook.core.objects import at, maps_at, number_at, text_at, texts_at

from .loader_pods import reaching_the_loader
from .nodes import FAILED_PODS
from .operator_rejections import FINALIZER, RELEASE
from .storage import waiting_claim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.diagnosis.engine.scene import Scene

JOB_FAILED = Rule(
    code="CacheJobFailed",
    seen=(),
    message=('The weights of "{name}" could not be loaded into the cache, and the loader\'s log does not say why.',),
    who="user",
    remedies=(
        run("Watch the loader's next try.", "kubectl -n {namespace} logs -f job/load-cache-{name}"),
        advise(
            'Check the url "{url}" and the token or keys it needs.', "Check the url and the token or keys it needs."
        ),
    ),
)


def findings(scene: Scene) -> Iterator[Finding]:
    """Why the cache is not loaded."""
    if at(scene.model, "status", "cache", "loaded") is True:
        return
    finding = _of_loader(scene) or waiting_claim(scene) or _of_job(scene)
    if finding:
        yield finding


def obstacle_to_deletion(scene: Scene) -> Finding | None:
    """Why the Job that clears a deleted Model's cache cannot run; KubeAI waits for it, however long."""
    if FINALIZER not in texts_at(scene.model, "metadata", "finalizers"):
        return None
    finding = _of_loader(scene) or waiting_claim(scene)
    release = finding and remedy_of(RELEASE, Case(scene, Passage("field", "", ("",))))
    return replace(finding, remedies=(*finding.remedies, release)) if finding and release else finding


def _of_loader(scene: Scene) -> Finding | None:
    loader = scene.loaders[0] if scene.loaders else None
    finding = cause(scene, loader) if loader else None
    if finding and finding.code == UNKNOWN.code and finding.evidence[0].kind != "log":
        return stated(JOB_FAILED, scene, finding.evidence[0], pod=loader)
    return finding and reaching_the_loader(finding, scene, loader)


def _of_job(scene: Scene) -> Finding | None:
    for job in scene.observation.jobs:
        name = text_at(job, "metadata", "name")
        conditions = [item for item in maps_at(job, "status", "conditions") if item.get("status") == "True"]
        failed = next((item for item in conditions if item.get("type") in ("Failed", "FailureTarget")), None)
        text = worded(text_at(failed, "reason"), text_at(failed, "message")) if failed else "status.failed"
        if failed is None and not number_at(job, "status", "failed"):
            continue
        passage = Passage("status", f"Job {name}", (text,))
        late = first((rule for rule in FAILED_PODS if rule.code == "DeadlineExceeded"), (passage,), scene)
        return late or stated(JOB_FAILED, scene, Evidence("status", f"Job {name}", text))
    return None
