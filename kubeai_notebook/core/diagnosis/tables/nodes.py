"""What a node did to a Pod: refused it, evicted it, lost it, or could not connect it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import DELETE_POD, DOWNLOAD_ONCE, FEWER_UNITS, MORE_UNITS, advise
from kubeai_notebook.core.diagnosis.engine.rule import Rule, first, stated
from kubeai_notebook.core.diagnosis.engine.text_source import Passage, worded
from kubeai_notebook.core.notice import Evidence, Finding
from kubeai_notebook.core.objects import text_at

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.scene import Scene
    from kubeai_notebook.core.objects import Pod

_OF_RUNTIME = (
    "shim",
    "runc",
    "cgroup",
    "systemd",
    "seccomp",
    "apparmor",
    "RuntimeHandler",
    "no runtime for",
    "sandbox image",
    "name … is reserved",
    "no space left",
)
"""What speaks of the runtime under the Pod and not of its network."""

_SANDBOX = Rule(
    code="PodSandboxFailed",
    seen=("Failed to create pod sandbox", "Failed create pod sandbox", "network is not ready:"),
    unless=("containerd.sock", "crio.sock", "cri-dockerd.sock", *(f"sandbox … {word}" for word in _OF_RUNTIME)),
    message=("Node {node} cannot set up the Pod's network.", "The node cannot set up the Pod's network."),
    who="admin",
    remedies=(advise("Look at the node's network plugin."), DELETE_POD),
)
_NO_RUNTIME = Rule(
    code="PodSandboxFailed",
    seen=("Failed to create pod sandbox", "Failed create pod sandbox"),
    take=(r"desc = (?P<why>.+)",),
    message=(
        "The container runtime of node {node} cannot start the Pod: {why}",
        "The container runtime of the node cannot start the Pod.",
    ),
    who="admin",
    remedies=(
        advise(
            "Look at the runtime on node {node} (journalctl -u containerd or crio, and kubelet); restart it, or drain "
            "the node.",
            "Look at the node's container runtime; restart it, or drain the node.",
        ),
        DELETE_POD,
    ),
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
        "allocate IP",
        "assign IP",
        "postIpamFailure",
        "no free IP",
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
_NO_SANDBOX = ("FailedCreatePodSandBox", "NetworkNotReady")
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
        seen=("EvictionByEvictionAPI", "Eviction API: evicting"),
        message=("The Pod was moved off node {node}, which is being drained.", "The Pod's node is being drained."),
        who="user",
        remedies=(DELETE_POD,),
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
_MISALIGNED = Rule(
    code="NodeRefusedPod",
    seen=(),
    message=(
        "Node {node} took the Pod and refused it: it cannot give processors, memory and GPUs from one NUMA node.",
        "A node took the Pod and refused it: it cannot give processors, memory and GPUs from one NUMA node.",
    ),
    who="admin",
    remedies=(
        *FEWER_UNITS,
        advise("Set the kubelet's topologyManagerPolicy to best-effort on GPU nodes, or ask for fewer processors."),
        DELETE_POD,
    ),
)
_DEVICE_PLUGIN = Rule(
    code="NodeRefusedPod",
    seen=(),
    message=(
        "Node {node} took the Pod and refused it: its device plugin gave no device: {why}",
        "A node took the Pod and refused it: its device plugin gave no device: {why}",
        "A node took the Pod and refused it: its device plugin gave no device.",
    ),
    who="admin",
    remedies=(advise("Restart the device plugin on the node, and look at its log and at the driver."), DELETE_POD),
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
        return stated(_refusal(reason, message), scene, evidence, pod=pod, reason=reason, why=_innermost(message))
    if reason.startswith("Preempt"):
        return stated(_PREEMPTED, scene, evidence, pod=pod, by=message.removeprefix("Preempted by "))
    return first(FAILED_PODS, (Passage("status", evidence.where, (evidence.text,)),), scene, pod=pod)


def _refusal(reason: str, message: str) -> Rule:
    low = message.lower()
    if reason == "TopologyAffinityError":
        return _MISALIGNED
    if any(words in low for words in _LOST):
        return _GPU_LOST
    return _DEVICE_PLUGIN if "device plugin" in low else _REFUSED


def _innermost(message: str) -> str:
    """What a device plugin said, without the kubelet's words around it."""
    return message.rpartition("desc = ")[2].removesuffix(", which is unexpected")


def sandbox(scene: Scene, pod: Pod, passages: tuple[Passage, ...]) -> Finding | None:
    """A Pod whose network failed more than twice."""
    events = (event for event in scene.events_of(pod) if event.reason in _NO_SANDBOX)
    tries = sum(event.count for event in events)
    return first((_NO_ADDRESS, _SANDBOX, _NO_RUNTIME), passages, scene, pod=pod) if tries > _SANDBOX_TRIES else None
