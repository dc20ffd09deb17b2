"""An update that does not come to its end: what answers meanwhile, and a new Pod that waits for the old one's room."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import run
from kubeai_notebook.core.diagnosis.engine.rule import Rule, stated
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.notice import Evidence, Finding
from kubeai_notebook.core.objects import text_at
from kubeai_notebook.core.rollout import answering_pod, answering_spec, rollback_to

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.scene import Scene

STUCK = Rule(
    code="RolloutStuck",
    seen=(),
    message=(
        'The change of "{name}" waits: its new Pod finds no node while the old Pod {old} keeps serving.',
        "The change waits: the new Pod finds no node while the old one keeps serving.",
    ),
    who="user",
    remedies=(
        run(
            "Make room: delete the old Pod; the Model is away until the new one is ready.",
            "kubectl -n {namespace} delete pod {old}",
        ),
        run(
            # Scaling to 0 would not do: KubeAI keeps minReplicas at once.
            "Or delete all its old Pods at once.",
            "kubectl -n {namespace} delete pod -l model={name},pod-hash={old_hash}",
        ),
    ),
)


def meanwhile(scene: Scene, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The Findings of an update that fails, the first with what answers meanwhile and the way back to that."""
    pods = scene.observation.pods
    if not findings or answering_pod(pods) is None:
        return findings
    first, *others = findings
    spec = answering_spec(scene.model, pods)
    who = f"{masked(text_at(spec, 'url'), scene.secrets)}, from before the update," if spec else "What was there before"
    back = rollback_to(scene.model, spec) if spec and first.who != "nobody" else None
    remedies = (*((back,) if back else ()), *first.remedies)
    return replace(first, message=f"{first.message} {who} answers meanwhile.", remedies=remedies), *others


def rollout_stuck(scene: Scene, cause: Finding | None) -> Finding | None:
    """Two hashes, the old one ready, the new one unschedulable and no node on its way."""
    old = next((pod for pod in scene.pods if pod.hash != scene.pods[0].hash and pod.ready), None)
    if old is None or (cause and cause.code == "WaitingForNode"):
        return None
    for pod in scene.current:
        scheduled = pod.condition("PodScheduled")
        if scheduled.get("status") == "False" and not pod.node:
            evidence = Evidence("condition", f"{pod.name} PodScheduled", text_at(scheduled, "message"))
            return stated(STUCK, scene, evidence, pod=pod, old=old.name, old_hash=old.hash)
    return None
