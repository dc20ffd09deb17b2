"""What the node and the container runtime did to a Pod."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.cleaning import excerpt
from kubeai_notebook.core.diagnosis.engine.remedies import (
    DELETE_POD,
    DOWNLOAD_ONCE,
    MORE_UNITS,
    READ_LOG,
    advise,
    drop_argument,
    run,
    set_env,
)
from kubeai_notebook.core.diagnosis.engine.rule import Rule, first, stated
from kubeai_notebook.core.diagnosis.engine.text_source import Passage
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.notice import Evidence, Finding
from kubeai_notebook.core.objects import map_at, number_at, text_at

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.scene import Scene
    from kubeai_notebook.core.objects import Pod

RUNTIME: tuple[Rule, ...] = (
    Rule(
        code="NvidiaDriverTooOld",
        seen=("nvidia-container-cli: requirement error",),
        take=(r"unsatisfied condition: (?P<needs>\w+ ?[<>=]+ ?[\w.]+)",),
        message=(
            "The driver of the node is too old for this image, which needs {needs}.",
            "The driver of the node is too old for this image.",
        ),
        who="admin",
        remedies=(advise("Update the node's driver, or set image to an older release of the engine."),),
    ),
    Rule(
        code="NvidiaRuntimeMissing",
        seen=(
            'no runtime for "nvidia"',
            "nvidia-container-cli:",
            "nvidia-container-runtime … executable file not found",
            "unresolvable CDI devices",
        ),
        message=(
            "Node {node} cannot start GPU containers: its NVIDIA runtime or driver is missing or broken.",
            "The node cannot start GPU containers: its NVIDIA runtime or driver is missing or broken.",
        ),
        who="admin",
        remedies=(advise("Install the NVIDIA container toolkit and driver on the node."), DELETE_POD),
    ),
)

_SANDBOX = Rule(
    code="PodSandboxFailed",
    seen=("Failed to create pod sandbox",),
    message=("Node {node} cannot set up the Pod's network.", "The node cannot set up the Pod's network."),
    who="admin",
    remedies=(advise("Look at the node's network plugin."), DELETE_POD),
)
_SANDBOX_TRIES = 2
"""A new node fails once or twice before its network is up."""

FAILED_PODS: tuple[Rule, ...] = (
    Rule(
        code="NodeLost",
        seen=(
            "imminent node shutdown",
            "could not be located",
            "node is shutting down",
            "node no longer exists",
            "deleting due to NoExecute taint",
        ),
        message=("Node {node} went away under the Pod.", "The Pod's node went away."),
        who="user",
        remedies=(DELETE_POD,),
    ),
    Rule(
        code="Evicted",
        seen=(
            "exceeds the total limit of containers",
            "exceeded its local ephemeral storage limit",
            "Usage of EmptyDir volume",
        ),
        take=(r"limit \"?(?P<limit>[\d.]+\w*)",),
        message=(
            "The Pod was evicted: it used more disk than its limit of {limit}.",
            "The Pod was evicted: it used more disk than its own limit.",
        ),
        who="user",
        remedies=(
            DELETE_POD,
            DOWNLOAD_ONCE,
            advise("The admin raises ephemeral-storage in the profile's limits."),
        ),
    ),
    Rule(
        code="Evicted",
        seen=("The node was low on resource", "The node had condition", "Evicted:"),
        take=(
            r"low on resource: (?P<resource>[\w-]+)",
            r"had condition: \[(?P<pressure>\w+)\]",
            r"available: (?P<available>\w+)",
            r"using (?P<used>\w+), request is (?P<request>\w+)",
        ),
        message=(
            "The Pod was evicted because its node ran out of {resource} ({used} used, {request} requested).",
            "The Pod was evicted because its node ran out of {resource}.",
            "The Pod was evicted because its node is under {pressure}.",
            "The Pod was evicted because its node ran out of memory or disk.",
        ),
        who="user",
        remedies=(DELETE_POD, MORE_UNITS, advise("If it was the disk: a cacheProfile, or nodes with more of it.")),
    ),
    Rule(
        code="DeadlineExceeded",
        seen=("specified deadline",),
        message=("The Pod was stopped at a deadline that somebody else set; KubeAI sets none.",),
        who="admin",
        remedies=(
            advise("Find what sets activeDeadlineSeconds (a policy, a quota) and exempt the Model's Pods."),
            DELETE_POD,
        ),
    ),
)

_REFUSED = Rule(
    code="NodeRefusedPod",
    seen=(),
    take=(),
    message=(
        "Node {node} took the Pod and refused it: {reason}.",
        "A node took the Pod and refused it: {reason}.",
        "A node took the Pod and refused it.",
    ),
    who="user",
    remedies=(DELETE_POD, advise("If it comes back, the admin looks at the node's device plugin.")),
)
_REFUSALS = ("UnexpectedAdmissionError", "TopologyAffinityError", "SMTAlignmentError", "NodeAffinity")
_PREEMPTED = Rule(
    code="Preempted",
    seen=(),
    message=(
        "The Pod had to give way to one of higher priority ({by}).",
        "The Pod had to give way to one of higher priority.",
    ),
    who="user",
    remedies=(DELETE_POD, advise("Set priorityClassName to a class that is not displaced.")),
)
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
    message=('The container of "{name}" was killed from outside (137), and not for its memory limit.',),
    who="admin",
    remedies=(
        run("Look for the reason among the Events of Pod and node.", "kubectl -n {namespace} describe pod {pod}"),
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
_SIGILL = Rule(
    code="CpuLacksInstructions",
    seen=("Illegal instruction",),
    message=("The processor lacks instructions (AVX-512) that this image was built for.",),
    who="user",
    remedies=(
        drop_argument("--device"),
        advise("Serve the model by engine OLlama, or set image to a build for this processor."),
        advise("Or the admin provides nodes with AVX-512."),
    ),
)
L_OF_NODES: tuple[Rule, ...] = (_SIGILL,)


def failed_phase(scene: Scene, pod: Pod) -> Finding | None:
    """Why a Pod is in phase Failed, by its own status."""
    reason, message = text_at(pod.raw, "status", "reason"), text_at(pod.raw, "status", "message")
    disruption = pod.condition("DisruptionTarget")
    if not reason and pod.phase == "Failed":
        reason, message = text_at(disruption, "reason"), message or text_at(disruption, "message")
    if not reason or (pod.phase != "Failed" and reason != "Preempted"):
        return None
    evidence = Evidence("status", f"{pod.name} status.reason", f"{reason}: {message}")
    if reason.startswith("OutOf") or reason in _REFUSALS:
        return stated(_REFUSED, scene, evidence, pod=pod, reason=reason)
    if reason.startswith("Preempt"):
        return stated(_PREEMPTED, scene, evidence, pod=pod, by=message.removeprefix("Preempted by "))
    return first(FAILED_PODS, (Passage("status", evidence.where, (evidence.text,)),), scene, pod=pod)


def ended_run(scene: Scene, pod: Pod) -> Finding | None:
    """What the newest ended run of a container proves by itself: out of memory, or a lost node."""
    for container in pod.containers:
        run_ = container.last_run
        reason, message = text_at(run_, "reason"), text_at(run_, "message")
        evidence = Evidence(
            "status",
            f"{pod.name}/{container.name} terminated",
            f"{reason}, exit code {run_.get('exitCode')}: {message}",
        )
        if reason == "OOMKilled":
            limit = text_at(map_at(pod.resource("limits")), "memory")
            ollama = "0" if scene.engine == "OLlama" else ""
            return stated(_OOM, scene, evidence, pod=pod, limit=limit, ollama_cache=ollama)
        if reason == "ContainerStatusUnknown" and not container.running:
            return stated(FAILED_PODS[0], scene, evidence, pod=pod)
    return None


def exit_code(scene: Scene, pod: Pod) -> Finding | None:
    """What the exit code says once no text did."""
    code = number_at(pod.main.ended, "exitCode")
    evidence = Evidence(
        "status", f"{pod.name}/{pod.main.name} terminated", f"{text_at(pod.main.ended, 'reason')}, exit code {code}"
    )
    rule = {132: _SIGILL, 137: _KILLED}.get(code or 0)
    return stated(rule, scene, evidence, pod=pod) if rule else None


def sandbox(scene: Scene, pod: Pod, passages: tuple[Passage, ...]) -> Finding | None:
    """A Pod whose network failed more than twice."""
    events = (event for event in scene.events_of(pod) if event.reason == "FailedCreatePodSandBox")
    tries = sum(event.count for event in events)
    return first((_SANDBOX,), passages, scene, pod=pod) if tries > _SANDBOX_TRIES else None


def probe(scene: Scene, pod: Pod, passages: tuple[Passage, ...]) -> Finding | None:
    """A container that the kubelet restarted; the Event is Normal, and the only word about it."""
    found = first((_PROBE,), passages, scene, pod=pod)
    if found is None:
        return None
    said = next((passage for passage in passages if passage.reason == "Unhealthy"), None)
    if said is None:
        return found
    last_words = Evidence(said.kind, said.where, excerpt(masked(said.lines[0], scene.secrets)))
    return replace(found, evidence=(*found.evidence, last_words))
