"""What a node did to a Pod: refused it, evicted it, lost it, or could not connect it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import DELETE_POD, DOWNLOAD_ONCE, MORE_UNITS, advise
from kubeai_notebook.core.diagnosis.engine.rule import Rule, first, stated
from kubeai_notebook.core.diagnosis.engine.text_source import Passage, worded
from kubeai_notebook.core.notice import Evidence, Finding
from kubeai_notebook.core.objects import text_at

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.scene import Scene
    from kubeai_notebook.core.objects import Pod


_SANDBOX = Rule(
    code="PodSandboxFailed",
    seen=("Failed to create pod sandbox",),
    message=("Node {node} cannot set up the Pod's network.", "The node cannot set up the Pod's network."),
    who="admin",
    remedies=(advise("Look at the node's network plugin."), DELETE_POD),
)
_NO_ADDRESS = Rule(
    code="PodSandboxFailed",
    seen=(
        "failed to assign an IP address",
        "failed to allocate for range",
        "no IP addresses available",
        "no more IPs",
        "no available IP",
        "Insufficient … IP",
        "InsufficientFreeAddresses",
        "IP pool … exhausted",
    ),
    message=(
        "Node {node} has no network address left for the Pod.",
        "The node has no network address left for the Pod.",
    ),
    who="admin",
    remedies=(
        advise("Free addresses, or add some: a larger subnet, or fewer Pods on a node (the network plugin's limits)."),
        DELETE_POD,
    ),
)
_SANDBOX_TRIES = 2
"""A new node fails once or twice before its network is up."""

NODE_LOST = Rule(
    code="NodeLost",
    seen=(
        "imminent node shutdown",
        "which was running pod … is unresponsive",
        "could not be located",
        "node is shutting down",
        "node no longer exists",
        "deleting due to NoExecute taint",
    ),
    message=("Node {node} went away under the Pod.", "The Pod's node went away."),
    who="user",
    remedies=(DELETE_POD,),
)
FAILED_PODS: tuple[Rule, ...] = (
    NODE_LOST,
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
        seen=("The node was low on resource", "The node had condition", "Evicted"),
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
_GPU_LOST = Rule(
    code="NodeRefusedPod",
    seen=(),
    message=(
        "Node {node} took the Pod and refused it: a device that it offers is broken.",
        "A node took the Pod and refused it: a device that it offers is broken.",
    ),
    who="admin",
    remedies=(
        advise("Drain the node, then reset its GPU or reboot it; its kernel log (Xid) says more."),
        DELETE_POD,
    ),
)
_LOST = ("gpu is lost", "no healthy devices", "fallen off the bus")
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


def failed_phase(scene: Scene, pod: Pod) -> Finding | None:
    """Why a Pod is in phase Failed, by its own status."""
    reason, message = text_at(pod.raw, "status", "reason"), text_at(pod.raw, "status", "message")
    disruption = pod.condition("DisruptionTarget")
    if not reason and pod.phase == "Failed":
        reason, message = text_at(disruption, "reason"), message or text_at(disruption, "message")
    if not reason or (pod.phase != "Failed" and reason != "Preempted"):
        return None
    evidence = Evidence("status", f"{pod.name} status.reason", worded(reason, message))
    if reason.startswith("OutOf") or reason in _REFUSALS:
        lost = any(words in message.lower() for words in _LOST)
        return stated(_GPU_LOST if lost else _REFUSED, scene, evidence, pod=pod, reason=reason)
    if reason.startswith("Preempt"):
        return stated(_PREEMPTED, scene, evidence, pod=pod, by=message.removeprefix("Preempted by "))
    return first(FAILED_PODS, (Passage("status", evidence.where, (evidence.text,)),), scene, pod=pod)


def sandbox(scene: Scene, pod: Pod, passages: tuple[Passage, ...]) -> Finding | None:
    """A Pod whose network failed more than twice."""
    events = (event for event in scene.events_of(pod) if event.reason == "FailedCreatePodSandBox")
    tries = sum(event.count for event in events)
    return first((_NO_ADDRESS, _SANDBOX), passages, scene, pod=pod) if tries > _SANDBOX_TRIES else None
