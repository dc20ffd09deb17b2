"""No node takes the Pod."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.cleaning import excerpt
from kubeai_notebook.core.diagnosis.engine.remedies import FEWER_UNITS, OTHER_PROFILE, STOP_ANOTHER, advise, run
from kubeai_notebook.core.diagnosis.engine.rule import Rule, first, stated
from kubeai_notebook.core.diagnosis.engine.text_source import Passage, condition_passage, event_passage
from kubeai_notebook.core.notice import Evidence
from kubeai_notebook.core.objects import LONG_AGO, Event, Pod, maps_at, text_at

from .placement import (
    AND_RULES,
    BETWEEN_PODS,
    DEVICE_CLAIMS,
    GPU_RESOURCES,
    GPU_TAINTS,
    KEPT_BY_RULES,
    PORTS,
    TAINTS,
    TOLERATE,
    taint_of,
)
from .storage import ZONES

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case
    from kubeai_notebook.core.diagnosis.engine.scene import Scene
    from kubeai_notebook.core.notice import Finding

_SCALE_UP = ("TriggeredScaleUp", "Nominated")
_UNSCHEDULED = ("FailedScheduling", "Unschedulable", "SchedulerError")
_NOT_SCALED = ("NotTriggerScaleUp", "FailedScaleUp")
_NO_QUOTA = ("quota exceeded", "QuotaExceeded", "VcpuLimitExceeded", "exceeding approved … quota")
_SOLD_OUT = (
    "out of resources",
    "resource pool exhausted",
    "ZONE_RESOURCE_POOL_EXHAUSTED",
    "stockout",
    "InsufficientInstanceCapacity",
    "SkuNotAvailable",
    "AllocationFailed",
    "OverconstrainedZonalAllocation",
)
_POOL = (
    # Of many node pools the one with the accelerators counts.
    r"(?:nodepool|provisioner) \\?\"(?P<pool>[\w.-]+)\\?\"[^;]*\\?\"(?:nvidia|amd|habana|aws\.amazon)\.",
    r"(?:nodepool|provisioner) \\?\"(?P<pool>[\w.-]+)",
)
_SHORT = (r"(?P<short>\d+) Insufficient (?P<resource>[\w./-]*\w)", r"0/(?P<nodes>\d+) nodes")
_ACCELERATOR = re.compile(r"insufficient \S*(?:gpu|npu|tpu|xpu|mlu|gcu|dcu|hpu|cuda)")
"""The resource of a vendor who is not among those, by what accelerators are called."""


def _from_karpenter(case: Case) -> bool:
    # Karpenter's reason is FailedScheduling too; without a source its own words decide.
    source = case.passage.source
    return "karpenter" in source or (not source and "failed to schedule pod" in case.passage.haystack)


SCALING: tuple[Rule, ...] = (
    Rule(
        code="WaitingForNode",
        seen=("pod triggered scale-up", "Pod should schedule on"),
        reasons=_SCALE_UP,
        message=('A node is being added for "{name}"; that takes some minutes.',),
        who="nobody",
    ),
    Rule(
        code="AutoscalerAtLimit",
        seen=_NO_QUOTA,
        reasons=_NOT_SCALED,
        message=("The cloud refused to add a node: the account's quota is used up.",),
        who="admin",
        remedies=(OTHER_PROFILE, *FEWER_UNITS, STOP_ANOTHER, advise("Ask the cloud for more quota.")),
    ),
    Rule(
        code="AutoscalerAtLimit",
        seen=_SOLD_OUT,
        reasons=_NOT_SCALED,
        message=("The cloud refused to add a node: machines of this kind are sold out there at the moment.",),
        who="admin",
        remedies=(
            advise("Wait: it is tried again. Or add a node group in another zone, or of another machine type."),
            OTHER_PROFILE,
            *FEWER_UNITS,
            STOP_ANOTHER,
        ),
    ),
    Rule(
        code="AutoscalerAtLimit",
        seen=("in backoff after failed scale-up", "associated with this pod failed"),
        reasons=_NOT_SCALED,
        message=("The cloud refused to add a node: it is sold out, or the account's quota is used up.",),
        who="admin",
        remedies=(OTHER_PROFILE, *FEWER_UNITS, STOP_ANOTHER, advise("Ask for more quota, or add another node group.")),
    ),
    Rule(
        code="AutoscalerAtLimit",
        seen=("max node group size reached", "max total nodes in cluster", "exceed limits for nodepool"),
        take=(
            r"(?P<limit>max node group size|max total nodes in cluster)",
            r"(?P<limit>limits for nodepool \\?\"?[\w-]*\w)",
        ),
        message=("The cluster may not grow further: {limit} is reached.", "The cluster may not grow further."),
        who="admin",
        remedies=(OTHER_PROFILE, *FEWER_UNITS, STOP_ANOTHER, advise("Raise the autoscaler's limit.")),
    ),
)

_NO_HELP: tuple[Rule, ...] = (
    Rule(
        code="AutoscalerCannotHelp",
        seen=("didn't trigger scale-up", "wouldn't fit if a new node is added"),
        take=(r"scale-up[^:]{0,120}: (?P<reasons>.+)",),
        message=(
            "No node that the cluster could add would take the Pod: {reasons}.",
            "No node that the cluster could add would take the Pod.",
        ),
        who="user",
        remedies=(
            OTHER_PROFILE,
            *FEWER_UNITS,
            advise(
                "Or the admin adds a node group that fits profile {profile_name}.",
                "Or the admin adds a node group that fits.",
            ),
        ),
    ),
    Rule(
        code="AutoscalerCannotHelp",
        seen=("required offering",),
        only=_from_karpenter,
        take=_POOL,
        message=(
            'Karpenter\'s node pool "{pool}" has machines that would take the Pod, and gets none now: they are sold '
            "out, or not offered in its zones and capacity types.",
            "Karpenter has machines that would take the Pod, and gets none now: they are sold out, or not offered in "
            "the zones and capacity types of its node pools.",
        ),
        who="admin",
        remedies=(
            advise("Wait: Karpenter tries again. Or let the node pool choose among more machine types and zones."),
            *FEWER_UNITS,
        ),
    ),
    Rule(
        code="AutoscalerCannotHelp",
        seen=("no instance type",),
        only=_from_karpenter,
        take=_POOL,
        message=(
            'No machine that Karpenter\'s node pool "{pool}" may choose is large enough for the Pod.',
            "No machine that Karpenter could add would take the Pod.",
        ),
        who="user",
        remedies=(
            OTHER_PROFILE,
            *FEWER_UNITS,
            advise(
                "Or the admin adds a node pool that fits profile {profile_name}, or lets one choose larger machines.",
                "Or the admin adds a node pool that fits.",
            ),
        ),
    ),
)

_OF_POOLS: tuple[Rule, ...] = (
    Rule(
        code="UntoleratedTaint",
        seen=("did not tolerate",),
        only=_from_karpenter,
        derive=taint_of,
        message=(
            "Karpenter's node pools keep off Pods without a toleration for {taint}.",
            "Karpenter's node pools keep off Pods without a toleration for their taint.",
        ),
        who="admin",
        remedies=(TOLERATE, OTHER_PROFILE),
    ),
    Rule(
        code="NodeSelectorMismatch",
        seen=("incompatible requirements", "does not have known values"),
        only=_from_karpenter,
        take=(r"incompatible requirements, (?P<why>[^;]+)",),
        message=(
            "No node pool of Karpenter makes nodes with the labels that profile {profile_name} asks for: {why}.",
            "No node pool of Karpenter makes nodes with the labels that the Pod asks for.",
        ),
        who="admin",
        remedies=(
            advise(
                "Add those values to the node pool's requirements, or correct the nodeSelector of profile "
                "{profile_name}.",
                "Add those values to the node pool's requirements.",
            ),
            OTHER_PROFILE,
        ),
    ),
)
"""What each of Karpenter's node pools has against the Pod, where it is not the size of machines."""

_GATED = "non-empty scheduling gates"
_KUEUE = "kueue.x-k8s.io/"


def _gate(case: Case) -> dict[str, str]:
    """What holds the Pod back, and the queue that it stands in."""
    gates = maps_at(case.pod.raw, "spec", "schedulingGates") if case.pod else ()
    names = [text_at(gate, "name") for gate in gates]
    queue = text_at(case.pod.labels, f"{_KUEUE}queue-name") if case.pod else ""
    return {"gate": ", ".join(name for name in names if name), "queue": queue}


def _by_kueue(case: Case) -> bool:
    return _KUEUE in _gate(case)["gate"] or bool(_gate(case)["queue"] and not _gate(case)["gate"])


QUEUES: tuple[Rule, ...] = (
    Rule(
        code="WaitingInQueue",
        seen=(_GATED,),
        only=_by_kueue,
        derive=_gate,
        message=('The Pod waits in Kueue\'s queue "{queue}" for its turn.', "The Pod waits in a queue of Kueue's."),
        who="nobody",
        remedies=(
            run("See what the queue waits for.", "kubectl -n {namespace} get workloads.kueue.x-k8s.io"),
            *FEWER_UNITS,
            STOP_ANOTHER,
            advise("If the queue does not exist, or its quota has no such resource, the admin sets it up."),
        ),
    ),
    Rule(
        code="WaitingInQueue",
        seen=(_GATED,),
        derive=_gate,
        message=(
            "The Pod may not be placed until somebody lifts the gate {gate}.",
            "The Pod may not be placed until somebody lifts its gates.",
        ),
        who="admin",
        remedies=(advise("Find what set the gate {gate}, and why it is not lifted.", "Find what set the gates."),),
    ),
    Rule(
        code="WaitingInQueue",
        seen=(
            "queue resource quota insufficient",
            "pod group is not ready",
            "insufficient unused quota",
            "is over quota",
        ),
        message=("The scheduler keeps the Pod in its queue, whose share is used up or whose group is not complete.",),
        who="nobody",
        remedies=(
            *FEWER_UNITS,
            STOP_ANOTHER,
            advise("Or the admin raises the share of the queue, or takes the Model's Pods out of it."),
        ),
    ),
)
"""Whoever decides before the scheduler may: waiting there is no fault."""

_SHORT_OF_GPUS = (
    "Profile {profile} needs more {resource} than is free on {short} of {nodes} nodes.",
    "No node has enough free {resource}.",
    "No node has enough free GPUs.",
)
_WHERE_OFFERED = run(
    "See which nodes offer it at all; if none does, the admin installs the device plugin or adds a node.",
    "kubectl get nodes -o custom-columns='NAME:.metadata.name,ALLOCATABLE:.status.allocatable'",
)

SHORT: tuple[Rule, ...] = (
    Rule(
        code="InsufficientGpu",
        seen=tuple(f"Insufficient {resource}" for resource in GPU_RESOURCES),
        take=(
            r"(?P<short>\d+) Insufficient (?P<resource>\S+\.(?:com|ai)/[\w.-]*\w)",
            r"0/(?P<nodes>\d+) nodes",
            KEPT_BY_RULES,
        ),
        message=_SHORT_OF_GPUS,
        who="user",
        remedies=(OTHER_PROFILE, *FEWER_UNITS, STOP_ANOTHER, _WHERE_OFFERED, AND_RULES),
    ),
    Rule(
        code="InsufficientCpuOrMemory",
        seen=("Insufficient memory", "Insufficient cpu", "Insufficient ephemeral-storage"),
        take=(r"(?P<short>\d+) Insufficient (?P<resource>memory|cpu|ephemeral-storage)", *_SHORT, KEPT_BY_RULES),
        message=(
            "Profile {profile} needs more {resource} than is free on {short} of {nodes} nodes.",
            "No node has enough free {resource}.",
            "No node has enough free processors, memory or disk.",
        ),
        who="user",
        remedies=(OTHER_PROFILE, *FEWER_UNITS, STOP_ANOTHER, advise("Or the admin adds a node."), AND_RULES),
    ),
    Rule(
        code="InsufficientCpuOrMemory",
        seen=("Too many pods", "Insufficient pods"),
        message=("The nodes run as many Pods already as they may.",),
        who="user",
        remedies=(STOP_ANOTHER, advise("Or ask for fewer replicas."), advise("Or the admin adds a node.")),
    ),
)
"""What is short on nodes that the Pod may go to."""

KEPT_OFF: tuple[Rule, ...] = (
    Rule(
        code="NodeUnavailable",
        seen=("no nodes available to schedule",),
        message=("The cluster has no node yet that takes Pods.",),
        who="admin",
        remedies=(run("Add a node, or see why those that should be there are not.", "kubectl get nodes"),),
    ),
    Rule(
        code="NodeUnavailable",
        seen=("taint {node.kubernetes.io/", "were unschedulable"),
        take=(r"taint \{(?P<taint>node\.kubernetes\.io/[\w-]+)",),
        message=(
            "The node that would fit is out of order ({taint}).",
            "The node that would fit takes no Pods at the moment.",
        ),
        who="admin",
        remedies=(run("Repair or uncordon the node.", "kubectl get nodes"),),
    ),
    *TAINTS,
    Rule(
        code="NodeSelectorMismatch",
        seen=(
            "match Pod's node affinity/selector",
            "match node selector",
            "does not have known values",
        ),
        message=(
            "No node has the labels that profile {profile_name} asks for.",
            "No node has the labels that the profile asks for.",
        ),
        who="admin",
        remedies=(
            run(
                "Compare the nodes' labels with the profile's nodeSelector; label a node or change the profile.",
                "kubectl get nodes --show-labels",
            ),
            OTHER_PROFILE,
        ),
    ),
    Rule(
        code="AutoscalerCannotHelp",
        seen=("Failed to schedule pod",),
        only=_from_karpenter,
        message=("Karpenter finds no machine that would take the Pod.",),
        who="user",
        remedies=(*FEWER_UNITS, advise("Or the admin adds a node pool that fits.")),
    ),
)

_DISPLACED = Rule(
    code="Preempted",
    seen=("Preempted by",),
    reasons=("Preempted",),
    take=(r"Preempted by (?P<by>(?:pod )?\S+)",),
    message=(
        "The Pod had to give way to {by}, which has a higher priority.",
        "The Pod had to give way to one of higher priority.",
    ),
    who="user",
    remedies=(advise("Set priorityClassName to a class that is not displaced."), *FEWER_UNITS),
)
BEFORE_STORAGE: tuple[Rule, ...] = (*QUEUES, *SCALING, *GPU_TAINTS, *_NO_HELP, *_OF_POOLS, *DEVICE_CLAIMS, *SHORT)
# A Pod that gave way had a node: what keeps the next one off all nodes, but for a lack, follows from that.
BEHIND_ZONES: tuple[Rule, ...] = (_DISPLACED, *BETWEEN_PODS, *PORTS, *KEPT_OFF)
SCHEDULING: tuple[Rule, ...] = (*BEFORE_STORAGE, *BEHIND_ZONES)


def unscheduled(pod: Pod) -> bool:
    """Whether no node was found for the Pod yet."""
    if pod.node or pod.phase not in ("", "Pending"):
        return False
    return pod.condition("PodScheduled").get("status") != "True"


def scheduling_passages(scene: Scene, pod: Pod) -> tuple[Passage, ...]:
    """What schedulers and autoscalers said last; a scale-up that is under way overrules older refusals."""
    events = [event for event in scene.events_of(pod) if event.reason in (*_SCALE_UP, *_UNSCHEDULED, *_NOT_SCALED)]
    refused = max((event.time for event in events if event.reason not in _SCALE_UP), default=LONG_AGO)
    coming = [
        event for event in events if event.reason in _SCALE_UP and (event.time >= refused or event.time == LONG_AGO)
    ]
    if coming:
        return tuple(event_passage(event) for event in coming)
    latest: dict[tuple[str, ...], Event] = {}
    for event in events:
        latest.setdefault((event.reason, event.source, event.message.partition(" ")[0]), event)
    condition = condition_passage(pod, "PodScheduled")
    passages = [*(event_passage(event) for event in latest.values() if event.reason not in _SCALE_UP), condition]
    return tuple(_without_preemption(passage) for passage in passages if passage)


def _without_preemption(passage: Passage) -> Passage:
    # Preemption is the scheduler's second try, not a reason.
    text = passage.lines[0].partition("preemption:")[0].rstrip()
    return Passage(passage.kind, passage.where, (text,), passage.reason, passage.source)


_STEPS_AFTER = {
    "FailedScheduling": ("Scheduled", "SuccessfulAttachVolume", "Pulling", "Pulled", "Created", "Started"),
    "FailedAttachVolume": ("SuccessfulAttachVolume", "Pulling", "Pulled", "Created", "Started"),
    "FailedMount": ("Pulling", "Pulled", "Created", "Started"),
    "FailedPrepareDynamicResources": ("Pulling", "Pulled", "Created", "Started"),
    "NetworkNotReady": ("Pulling", "Pulled", "Created", "Started"),
    "FailedCreatePodSandBox": ("Pulling", "Pulled", "Created", "Started"),
    "Failed": ("Started",),
}


def still_true(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """Events without those that a later step of the same Pod has overtaken: a mount that failed once, and then not."""
    return tuple(
        event
        for event in events
        if not any(step.reason in _STEPS_AFTER.get(event.reason, ()) and step.time >= event.time for step in events)
    )


def displaced(scene: Scene) -> tuple[Passage, ...]:
    """Events of the Model's Pods that had to give way; those Pods are gone."""
    prefix = f"model-{scene.name}-"
    events = (event for event in scene.events if event.reason == "Preempted" and event.name.startswith(prefix))
    return tuple(event_passage(event) for event in events)


def why_unscheduled(scene: Scene, pod: Pod, more: tuple[Rule, ...], *, behind: tuple[Passage, ...]) -> Finding | None:
    """The first reason that can be cured; ``more`` are rules that stand below these, ``behind`` what claims say."""
    passages = (*scheduling_passages(scene, pod), *behind, *displaced(scene))
    return first((*BEFORE_STORAGE, *ZONES, *BEHIND_ZONES, *more), passages, scene, pod=pod)


_OTHER_RESOURCES: tuple[Rule, ...] = (
    Rule(
        code="InsufficientGpu",
        seen=("Insufficient …/",),
        only=lambda case: bool(_ACCELERATOR.search(case.passage.lowered[case.index])),
        take=(r"(?P<short>\d+) Insufficient (?P<resource>\S+/[\w.-]*(?:gpu|npu|tpu|xpu|mlu|gcu|dcu|hpu|cuda)[\w.-]*)",),
        message=_SHORT_OF_GPUS,
        who="user",
        remedies=(*FEWER_UNITS, STOP_ANOTHER, _WHERE_OFFERED),
    ),
    Rule(
        # Huge pages, fast network cards and whatever else a node can offer.
        code="InsufficientCpuOrMemory",
        seen=(" Insufficient ",),
        take=_SHORT,
        message=(
            "Profile {profile} needs more {resource} than is free on {short} of {nodes} nodes.",
            "No node has enough free {resource}.",
            "No node has enough of a resource that the Pod asks for.",
        ),
        who="user",
        remedies=(*FEWER_UNITS, STOP_ANOTHER, _WHERE_OFFERED),
    ),
)
"""Resources that no row above names."""
_REASONS = re.compile(r"nodes are available: *(?P<reasons>[^.\s].*)")
_NO_REASON = re.compile(r"\d+/\d+ nodes are available[.:]?\s*")
_UNPLACED = Rule(
    code="Unknown",
    seen=(),
    message=("The scheduler finds no node for the Pod: {reasons}", "The scheduler finds no node for the Pod."),
    who="admin",
    remedies=(
        advise(
            "Compare what it says with the nodes, and with modelServerPods and profile {profile_name} in kubeai-config."
        ),
        run("Look at the Pod and its Events.", "kubectl -n {namespace} describe pod {pod}"),
    ),
)


def unplaced(scene: Scene, pod: Pod) -> Finding | None:
    """A Pod for which no node was found, by the scheduler's own words: behind all rows that know them."""
    if not unscheduled(pod):
        return None
    passages = scheduling_passages(scene, pod)
    if short := first(_OTHER_RESOURCES, passages, scene, pod=pod):
        return short
    for passage in passages:
        text = passage.lines[0]
        if text and passage.reason not in _SCALE_UP and not _NO_REASON.fullmatch(text):
            match = _REASONS.search(text)
            evidence = Evidence(passage.kind, passage.where, excerpt(text))
            return stated(_UNPLACED, scene, evidence, pod=pod, reasons=match["reasons"] if match else text)
    return None
