"""How a container ended, by its status alone: out of memory, killed from outside, stopped by its processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import MORE_UNITS, advise, drop_argument, run, set_env
from kubeai_notebook.core.diagnosis.engine.rule import Rule, first, stated
from kubeai_notebook.core.diagnosis.engine.text_source import log_passage, worded
from kubeai_notebook.core.notice import Evidence, Finding
from kubeai_notebook.core.objects import map_at, number_at, text_at

from .nodes import NODE_LOST
from .this_machine import CONTEXT_MAY_NOT_FIT

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.scene import Scene
    from kubeai_notebook.core.objects import Pod

_OOM = Rule(
    code="OomKilled",
    seen=(),
    message=(
        '"{name}" needed more memory than its limit of {limit}.',
        '"{name}" needed more memory than its Pod may have.',
    ),
    who="user",
    remedies=(
        MORE_UNITS,
        set_env(
            "LLAMA_ARG_CACHE_RAM",
            "{ollama_cache}",
            "For Ollama from 0.30 on, keep no prompt cache in memory: env.{variable}.",
        ),
        advise("Or choose a smaller or quantized model."),
    ),
)
_KILLED = Rule(
    code="Killed",
    seen=(),
    message=(
        'The engine of "{name}" was killed from outside (137): {machine} may be short of memory.',
        'The container of "{name}" was killed from outside (137), and not for its memory limit.',
    ),
    who="admin",
    remedies=(
        advise("Close what takes memory, or serve a smaller model; the engine is started again.", only="this machine"),
        run(
            "Look for the reason among the Events of Pod and node.",
            "kubectl -n {namespace} describe pod {pod}",
            only="cluster",
        ),
    ),
)
ILLEGAL_INSTRUCTION = Rule(
    code="CpuLacksInstructions",
    seen=("Illegal instruction",),
    message=("The processor lacks instructions (AVX-512) that this engine was built for.",),
    who="user",
    remedies=(
        drop_argument("--device"),
        advise("Serve the model by engine OLlama.", only="this machine"),
        advise("Serve the model by engine OLlama, or set image to a build for this processor.", only="cluster"),
        advise("Or the admin provides nodes with AVX-512.", only="cluster"),
    ),
)


def ended_run(scene: Scene, pod: Pod) -> Finding | None:
    """What the newest ended run of a container proves by itself: out of memory, or a lost node."""
    for container in pod.containers:
        run_ = container.last_run
        reason, message = text_at(run_, "reason"), text_at(run_, "message")
        evidence = Evidence(
            "status",
            f"{pod.name}/{container.name} terminated",
            worded(f"{reason}, exit code {run_.get('exitCode')}", message),
        )
        if reason == "OOMKilled":
            log = log_passage(scene, pod)
            if log and (finding := first((CONTEXT_MAY_NOT_FIT,), (log,), scene, pod=pod)):
                return finding
            limit = text_at(map_at(pod.resource("limits")), "memory")
            ollama = "0" if scene.engine == "OLlama" else ""
            return stated(_OOM, scene, evidence, pod=pod, limit=limit, ollama_cache=ollama)
        if reason == "ContainerStatusUnknown" and not container.running:
            return stated(NODE_LOST, scene, evidence, pod=pod)
    return None


def exit_code(scene: Scene, pod: Pod) -> Finding | None:
    """What the exit code says once no text did."""
    code = number_at(pod.main.ended, "exitCode")
    evidence = Evidence(
        "status", f"{pod.name}/{pod.main.name} terminated", f"{text_at(pod.main.ended, 'reason')}, exit code {code}"
    )
    rule = {132: ILLEGAL_INSTRUCTION, 137: _KILLED}.get(code or 0)
    return stated(rule, scene, evidence, pod=pod) if rule else None
