"""Explained failures: ``diagnose`` turns an Observation into Findings with Remedies.

KubeAI writes no Events and no conditions, so a failure has to be read from what others wrote: the API server, the
scheduler, the kubelet, the engine's own log. The same failure is often told by several of them, and each of them
tells failures that are none, so the order in which they are believed is half of the diagnosis:

- ``tables/`` holds the failures, one file a family, each failure a row of data that can be read without code;
- ``engine/`` says how a row is recognised in text (``rule``), in which order one Pod's evidence counts (``causes``),
  and what is no failure at all (``harmless``).

Every function is pure: the time comes in as an argument. A rule that raises costs that rule only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kubeai_notebook.core.catalog.known import KNOWN
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.near_urls import misspelt_url
from kubeai_notebook.core.objects import is_going
from kubeai_notebook.core.remedy import Remedy, SetField

from .engine.causes import cause, ready_cause
from .engine.cleaning import clean
from .engine.rule import spared
from .engine.scene import Scene
from .tables import cache, operator_rejections, pod_admission, responses
from .tables.overridden_settings import reserved
from .tables.rollout import meanwhile, rollout_stuck

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from kubeai_notebook.core.notice import Finding
    from kubeai_notebook.core.observation import HttpAnswer, Observation

__all__ = ["clean", "diagnose", "explanation_of"]

_YIELD_TO_RESERVED = frozenset(
    {"BadArgumentValue", "ModelUnknownToEngine", "ProbeKilledContainer", "ReadyButNotAnswering", "Unknown"}
)
"""What an overridden setting explains better."""


_NOT_ASKED = frozenset({"RegistryUnreachable", "SourceUnreachable"})
"""The source of the weights gave no answer."""
_VAGUE = frozenset({"CacheJobFailed", "Unknown"})


def diagnose(observation: Observation, *, now: datetime) -> tuple[Finding, ...]:
    """What is wrong with a Model, the most certain cause first; empty while nothing is."""
    scene = Scene(observation, now)
    unique: dict[str, Finding] = {}
    for finding in _findings(scene):
        unique.setdefault(finding.code, _meant(finding, scene))
    return tuple(_hidden(finding, scene.secrets) for finding in unique.values())


def explanation_of(answer: HttpAnswer, observation: Observation, *, now: datetime) -> Finding | None:
    """Why a call got this answer, by the rows that explain the test request; ``None`` where none of them knows it."""
    scene = Scene(replace(observation, answer=answer), now)
    finding = spared("explanation", responses.explanation, scene, answer)
    return _hidden(finding, scene.secrets) if finding else None


def _meant(finding: Finding, scene: Scene) -> Finding:
    """With a known url first, where the one that could not be asked for is that in a misspelling.

    Nobody answered that there is no such model, so the slip is told by the urls that we know.
    """
    if finding.code not in _NOT_ASKED or not scene.observation.this_machine:
        return finding
    meant = misspelt_url(scene.url, KNOWN)
    if not meant:
        return finding
    change = Remedy(title=f"Did you mean {meant}? Set url to it.", changes=(SetField(name="url", value=meant),))
    return replace(finding, remedies=(change, *finding.remedies))


def _hidden(finding: Finding, secrets: tuple[str, ...]) -> Finding:
    """The Finding as anybody may see it; only the changes, which are sent and not shown, keep what they hold."""
    return replace(
        finding,
        message=masked(finding.message, secrets),
        evidence=tuple(replace(evidence, text=masked(evidence.text, secrets)) for evidence in finding.evidence),
        remedies=tuple(
            replace(
                remedy,
                title=masked(remedy.title, secrets),
                command=remedy.command and remedy.command.worded(lambda word: masked(word, secrets)),
            )
            for remedy in finding.remedies
        ),
    )


def _findings(scene: Scene) -> Iterator[Finding]:
    if is_going(scene.model):
        yield from _seen(operator_rejections.deletion_stuck, scene) or _seen(cache.obstacle_to_deletion, scene)
        return
    nobody = _seen(operator_rejections.no_spec, scene) or _seen(operator_rejections.unmanaged, scene)
    if nobody:
        yield from nobody
        return
    certain = spared("wrong_spec", operator_rejections.wrong_spec, scene) or ()
    yield from certain
    if certain:
        # The operator stops there; what older Pods say is worth telling only where it is clear.
        yield from (finding for finding in (*_of_cache(scene), *_of_pods(scene)) if finding.code not in _VAGUE)
        return
    refused = _seen(pod_admission.refused, scene) or _seen(pod_admission.no_pods, scene)
    cached = _of_cache(scene)
    if refused:
        # That its Pods are refused is why the Job failed.
        cached = tuple(finding for finding in cached if finding.code not in _VAGUE)
    findings = (*refused, *cached, *_of_pods(scene)) or _seen(responses.answer, scene)
    yield from spared("reserved", _with_reserved, scene, findings) or findings
    if not findings:
        yield from _seen(operator_rejections.infinity_chat, scene)


def _of_cache(scene: Scene) -> tuple[Finding, ...]:
    return spared("cache", lambda: tuple(cache.findings(scene))) or ()


def _of_pods(scene: Scene) -> tuple[Finding, ...]:
    findings = tuple(_why_pods_wait(scene))
    return spared("meanwhile", meanwhile, scene, findings) or findings


def _why_pods_wait(scene: Scene) -> Iterator[Finding]:
    waiting = [pod for pod in scene.current if not pod.ready and pod.phase not in ("Succeeded", "Failed")]
    why_waiting = next((finding for finding in (cause(scene, pod) for pod in waiting) if finding), None)
    yield from _present(spared("rollout_stuck", rollout_stuck, scene, why_waiting))
    yield from _present(why_waiting)
    for pod in scene.pods:
        if pod.phase == "Failed":
            yield from _present(cause(scene, pod))
    if not why_waiting:
        for pod in scene.current:
            if pod.ready:
                yield from _present(spared("ready_cause", ready_cause, scene, pod))


def _with_reserved(scene: Scene, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Put ReservedArgument in the place of what it explains, or where nothing else explains an unready Model."""
    explained = all(finding.code in _YIELD_TO_RESERVED for finding in findings)
    serving = any(pod.ready for pod in scene.current) if scene.pods else False
    own = reserved(scene) if explained and (findings or not serving) else None
    return (own,) if own else findings


def _seen(rule: Callable[[Scene], Finding | None], scene: Scene) -> tuple[Finding, ...]:
    return _present(spared(rule.__name__, rule, scene))


def _present(finding: Finding | None) -> tuple[Finding, ...]:
    return (finding,) if finding else ()
