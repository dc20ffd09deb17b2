"""Starts that took longer than somebody waits: the kubelet by its probes, or the engine itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.cleaning import excerpt
from kubeai_notebook.core.diagnosis.engine.remedies import DOWNLOAD_ONCE, READ_LOG, advise, set_env
from kubeai_notebook.core.diagnosis.engine.rule import Rule, first
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.notice import Evidence, Finding

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.scene import Scene
    from kubeai_notebook.core.diagnosis.engine.text_source import Passage
    from kubeai_notebook.core.objects import Pod

TIMEOUTS: tuple[Rule, ...] = (
    Rule(
        code="EngineStartTimeout",
        seen=("timed out waiting for llama",),
        take=(r"progress (?P<progress>[\d.]+)",),
        message=(
            "Loading took longer than Ollama waits (it had got to {progress}).",
            "Loading took longer than Ollama waits.",
        ),
        who="user",
        remedies=(set_env("OLLAMA_LOAD_TIMEOUT", "30m"),),
    ),
    Rule(
        code="EngineStartTimeout",
        seen=("Timed out waiting for engine core processes to start",),
        take=(r"Waited (?P<seconds>\d+)s",),
        message=("Loading took longer than the {seconds} s that vLLM waits.", "Loading took longer than vLLM waits."),
        who="user",
        remedies=(set_env("VLLM_ENGINE_READY_TIMEOUT_S", "3600"), DOWNLOAD_ONCE),
    ),
)
_PROBE = Rule(
    code="ProbeKilledContainer",
    seen=("failed startup probe, will be restarted", "failed liveness probe"),
    reasons=("Killing",),
    take=(r"failed (?P<probe>startup|liveness) probe",),
    message=(
        '"{name}" was stopped because its {probe} probe failed: it was not ready in time, or hung.',
        '"{name}" was stopped because a probe failed.',
    ),
    who="user",
    remedies=(
        DOWNLOAD_ONCE,
        advise("Choose a smaller model, or hardware that loads it faster."),
        READ_LOG,
    ),
)


def probe(scene: Scene, pod: Pod, passages: tuple[Passage, ...]) -> Finding | None:
    """A container that the kubelet restarted; the Event is Normal, and the only word about it."""
    finding = first((_PROBE,), passages, scene, pod=pod)
    unhealthy = next((passage for passage in passages if passage.reason == "Unhealthy"), None)
    if finding is None or unhealthy is None:
        return finding
    last_words = Evidence(unhealthy.kind, unhealthy.where, excerpt(masked(unhealthy.lines[0], scene.secrets)))
    return replace(finding, evidence=(*finding.evidence, last_words))
