"""Rules between Pods and nodes that keep a Pod from nodes with room for it: spread, affinity, ports, taints, claims.

The scheduler asks a node for taints first, then for labels and ports, then for room, and only then for the rules
between Pods. So a node that is refused for one of these last has the room, while one that is short of GPUs may just be
a node without any.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import (
    DELETE_POD,
    FEWER_UNITS,
    OTHER_PROFILE,
    STOP_ANOTHER,
    advise,
    run,
)
from kubeai_notebook.core.diagnosis.engine.rule import Rule

from .gpu_memory import is_gpu_profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.diagnosis.engine.case import Case

GPU_RESOURCES = (
    "nvidia.com/",  # gpu, gpu.shared, mig-1g.10gb
    "amd.com/",
    "google.com/tpu",
    "habana.ai/",
    "gpu.intel.com/",
    "aws.amazon.com/neuron",
    "huawei.com/",
    "intel.com/",
    "cambricon.com/",
    "aliyun.com/gpu",
)


def _kept_off_by(rule: str) -> tuple[str, str]:
    """How many nodes the scheduler refused for this rule between Pods."""
    return rf"(?P<kept>\d+) node\(s\) (?:didn't|did not) (?:match|satisfy) {rule}", r"0/(?P<nodes>\d+) nodes"


KEPT_BY_RULES = _kept_off_by(r"(?:pod |existing pods )(?:topology|(?:affinity/)?anti-affinity)")[0]
AND_RULES = advise(
    "Or the admin softens the rule that keeps the Pod off {kept} of the nodes, which have room (podAntiAffinity, "
    "topologySpreadConstraints)."
)
"""Beside nodes that are short of something."""

BETWEEN_PODS: tuple[Rule, ...] = (
    Rule(
        code="SpreadUnsatisfied",
        seen=("topology spread constraints (missing required label)",),
        message=("The Pod is to be spread over nodes by a label that the nodes with room do not have.",),
        who="admin",
        remedies=(
            run(
                "Compare the nodes' labels with the topologyKey of the Pod's topologySpreadConstraints.",
                "kubectl get nodes --show-labels",
            ),
            advise("Label the nodes, or take the constraint out of modelServerPods in kubeai-config."),
        ),
    ),
    Rule(
        code="SpreadUnsatisfied",
        seen=("match pod topology spread constraints", "satisfy pod topology spread constraints"),
        take=_kept_off_by("pod topology"),
        message=(
            "There is room on {kept} of {nodes} nodes, but a rule that spreads Pods (topologySpreadConstraints) keeps "
            "the Pod off them.",
            "Nodes have room for the Pod, but a rule that spreads Pods (topologySpreadConstraints) keeps it off them.",
        ),
        who="admin",
        remedies=(
            advise(
                "Set whenUnsatisfiable: ScheduleAnyway in the topologySpreadConstraints of modelServerPods in "
                "kubeai-config, or have them honor only the nodes of profile {profile_name} (nodeAffinityPolicy, "
                "nodeTaintsPolicy).",
                "Set whenUnsatisfiable: ScheduleAnyway in the Pods' topologySpreadConstraints.",
            ),
            advise("Or add a node in the zone that has the fewest of these Pods."),
        ),
    ),
    Rule(
        code="PodAffinityUnsatisfied",
        seen=("existing pods anti-affinity rules",),
        take=_kept_off_by("existing pods"),
        message=(
            "There is room on {kept} of {nodes} nodes, but Pods that run there do not let the Pod in (their "
            "podAntiAffinity).",
            "Nodes have room for the Pod, but Pods that run there do not let it in (their podAntiAffinity).",
        ),
        who="admin",
        remedies=(
            advise("Make the podAntiAffinity of those other Pods narrower, or a preferred one."),
            advise("Or add a node for profile {profile_name}.", "Or add a node."),
        ),
    ),
    Rule(
        code="PodAffinityUnsatisfied",
        seen=("pod anti-affinity rules", "pod affinity/anti-affinity rules"),
        take=_kept_off_by("pod (?:affinity/)?anti-affinity"),
        message=(
            "There is room on {kept} of {nodes} nodes, but the Pod may not stand beside Pods that run there "
            "(podAntiAffinity).",
            "Nodes have room for the Pod, but its podAntiAffinity keeps it off them.",
        ),
        who="admin",
        remedies=(
            advise("Add a node: each of the Pods wants one of its own."),
            advise(
                "Or make it a preferred podAntiAffinity where it was set: profile {profile_name} or modelServerPods in "
                "kubeai-config.",
                "Or make it a preferred podAntiAffinity.",
            ),
        ),
    ),
    Rule(
        code="PodAffinityUnsatisfied",
        seen=("pod affinity rules",),
        message=("The Pod may only stand beside other Pods (podAffinity), and no node with room has these.",),
        who="admin",
        remedies=(
            advise(
                "Start the Pods that it wants to stand beside, or correct the podAffinity where it was set: profile "
                "{profile_name} or modelServerPods in kubeai-config.",
                "Start the Pods that it wants to stand beside, or correct its podAffinity.",
            ),
        ),
    ),
)
"""What the scheduler asks last: such a node has room."""

PORTS: tuple[Rule, ...] = (
    Rule(
        code="HostPortTaken",
        seen=("have free ports for the requested pod ports",),
        message=("The Pod wants a port of its node (hostPort or hostNetwork) that another Pod there holds.",),
        who="admin",
        remedies=(
            advise("Take hostPort and hostNetwork out of modelServerPods in kubeai-config: KubeAI needs neither."),
            advise("Or add a node: with hostPort each takes one such Pod."),
        ),
    ),
)

_LOOK_AT_DEVICES = run(
    "See whether the driver of the devices runs and offers any.", "kubectl get deviceclasses,resourceslices"
)
_KINDS = {
    "resourceclaim": "ResourceClaim",
    "resourceclaimtemplate": "ResourceClaimTemplate",
    "deviceclass": "DeviceClass",
    "device class": "DeviceClass",
}


def _device_claim(case: Case) -> Mapping[str, str]:
    return {"kind": _KINDS.get(case.values.get("kind", "").lower(), "")}


DEVICE_CLAIMS: tuple[Rule, ...] = (
    Rule(
        code="InsufficientGpu",
        seen=("cannot allocate all claims", "cannot allocate claim", "could not be allocated"),
        message=("No node has free devices as the Pod's ResourceClaims ask for them.",),
        who="admin",
        remedies=(
            _LOOK_AT_DEVICES,
            advise("Then free devices (stop a Model), or have the claim's selectors ask for less."),
        ),
    ),
    Rule(
        code="InsufficientGpu",
        seen=("NodeUnfitPod", "node unregistered", "CardInsufficient", "NodeInsufficientDevice", "do not meet"),
        only=lambda case: "hami" in case.passage.source or "nodeunfit" in case.passage.haystack,
        message=("No node has a GPU with as large a share of memory and cores free as the Pod asks for (HAMi).",),
        who="user",
        remedies=(
            *FEWER_UNITS,
            STOP_ANOTHER,
            advise(
                "Or the admin sets smaller gpumem and gpucores in profile {profile_name}, and sees that HAMi's device "
                "plugin runs on each GPU node.",
                "Or the admin sees that HAMi's device plugin runs on each GPU node.",
            ),
        ),
    ),
    Rule(
        code="ClaimNotFound",
        seen=(
            "resourceclaim … not found",
            "resourceclaimtemplate … not found",
            "to create the resourceclaim",
            "resource claim to be created",
            "resourceclaim not created yet",
            "deviceclass … not found",
            "device class … does not exist",
        ),
        take=(
            r"(?P<kind>resourceclaimtemplate|resourceclaim|deviceclass)[\w.]{0,40} \\?\"(?P<missing>[^\"\\]+)",
            r"(?P<kind>device class) (?P<missing>[\w.-]*\w)",
        ),
        derive=_device_claim,
        message=(
            'There is no {kind} "{missing}", by which the Pod asks for its device.',
            "The ResourceClaim by which the Pod asks for its device does not exist yet.",
        ),
        who="admin",
        remedies=(
            _LOOK_AT_DEVICES,
            advise("Correct the resourceClaims in modelServerPods or the profile, or install the devices' DRA driver."),
        ),
    ),
)
"""Devices that are asked for by a ResourceClaim (dynamic resource allocation), and shares of GPUs (HAMi)."""

PREPARED: tuple[Rule, ...] = (
    Rule(
        code="NodeRefusedPod",
        seen=("Failed to prepare dynamic resources",),
        reasons=("FailedPrepareDynamicResources",),
        take=(
            r"DRA driver (?P<driver>\S+) is not registered",
            r"dynamic resources: (?:prepare dynamic resources: )?(?P<why>.+)",
        ),
        message=(
            "Node {node} cannot give the Pod its device: the DRA driver {driver} does not run there.",
            "Node {node} cannot give the Pod its device: {why}",
            "The node cannot give the Pod its device.",
        ),
        who="admin",
        remedies=(
            advise("Start {driver} on node {node}: its DaemonSet may lack a toleration or a label for it."),
            advise("Read the log of the devices' DRA driver on node {node}.", "Read the log of the node's DRA driver."),
            DELETE_POD,
        ),
    ),
)
"""What the kubelet says of a device that the scheduler chose."""

_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_NEVER_MEANT = (*_CONTROL_PLANE, "criticaladdonsonly", "eks.amazonaws.com/compute-type", "virtual-kubelet.io/provider")
"""Nodes that are kept for something else: a Model's Pod is not to go there."""
_STARTING = (
    "uninitialized",
    "agent-not-ready",
    "karpenter.sh/unregistered",
    "node.cilium.io/agent-not-ready",
    "startup-taint",
    "node.gke.io/not-ready",
)
_LEAVING = (
    "karpenter.sh/disrupted",
    "karpenter.sh/disruption",
    "tobedeletedbyclusterautoscaler",
    "deletioncandidateofclusterautoscaler",
    "impending-node-termination",
    "aws-node-termination-handler/",
    "remediation.azure.com/",
)
_TAINT = re.compile(
    r"(?:(?<!\d)(?P<count>\d{1,9}) node\(s\) )?had (?:untolerated )?taint \{(?P<key>[^:}]+): ?(?P<value>[^}]*)\}"
    r"|did not tolerate (?:taint )?\(?(?:taint=)?\\?\"?(?P<named>[\w./-]+)(?:=(?P<given>[\w./-]*))?",
    re.IGNORECASE,
)


def _taints(case: Case) -> list[tuple[int, str, str]]:
    """How many nodes have each taint of the line, with its key and value; those that could be meant first."""
    found = [
        (int(match["count"] or 1), (match["key"] or match["named"]).strip(), match["value"] or match["given"] or "")
        for match in _TAINT.finditer(case.line)
    ]
    return sorted(found, key=lambda taint: (taint[1].lower().startswith(_NEVER_MEANT), not _of_gpus(*taint), -taint[0]))


def _of_gpus(_count: int, key: str, value: str) -> bool:
    """Whether the taint marks nodes with GPUs; ``gpu: no`` marks those without."""
    names_them = key.lower().startswith(GPU_RESOURCES) or "gpu" in (key.lower(), value.lower())
    return names_them and value.lower() not in ("no", "none", "false", "0")


def taint_of(case: Case) -> Mapping[str, str]:
    """The taint that keeps the Pod off nodes which are meant for it."""
    taints = _taints(case)
    if not taints:
        return {}
    _, key, value = taints[0]
    return {"taint": f"{key}: {value}" if value else key}


def _asks_for_the_tainted(case: Case) -> bool:
    """Whether nodes with GPUs are kept for who tolerates that, and the Pod asks for GPUs and does not."""
    low = case.passage.lowered[case.index]
    asked = any(f"insufficient {key}" in low or f'"{key}' in low for key in GPU_RESOURCES) or is_gpu_profile(case)
    return asked and any(_of_gpus(*taint) for taint in _taints(case))


def _all_are(words: tuple[str, ...], case: Case) -> bool:
    """Whether each taint that could be meant holds one of the words."""
    meant = [key.lower() for _, key, _ in _taints(case) if not key.lower().startswith(_NEVER_MEANT)]
    return bool(meant) and all(any(word in key for word in words) for key in meant)


def _only_control_plane(case: Case) -> bool:
    taints = _taints(case)
    return bool(taints) and all(key.lower() in _CONTROL_PLANE for _, key, _ in taints)


TOLERATE = advise(
    "Add a toleration for {taint} to resource profile {profile_name} in kubeai-config.",
    "Add the toleration to the profile.",
)
_KEPT_OFF = (
    "The nodes keep off Pods without a toleration for {taint}.",
    "The nodes keep off Pods without a toleration for their taint.",
)
_SEEN = ("had untolerated taint", "had taint {", "did not tolerate")

GPU_TAINTS: tuple[Rule, ...] = (
    Rule(
        code="UntoleratedTaint",
        seen=_SEEN,
        only=_asks_for_the_tainted,
        derive=taint_of,
        message=(
            "The nodes with GPUs keep off Pods without a toleration for {taint}.",
            "The nodes with GPUs keep off Pods without a toleration for their taint.",
        ),
        who="admin",
        remedies=(TOLERATE, OTHER_PROFILE),
    ),
)
"""That other nodes are short of GPUs says nothing then: they have none."""

TAINTS: tuple[Rule, ...] = (
    Rule(
        code="NodeUnavailable",
        seen=_SEEN,
        only=lambda case: _all_are(_STARTING, case),
        derive=taint_of,
        message=(
            "The node that would fit is not set up yet ({taint}).",
            "The node that would fit is not set up yet.",
        ),
        who="admin",
        remedies=(
            advise(
                "Wait some minutes; if the taint stays, see that what takes it away runs there: the cloud's "
                "controller, or the agent of the network or the storage."
            ),
            run("See how the nodes are.", "kubectl get nodes"),
        ),
    ),
    Rule(
        code="NodeUnavailable",
        seen=_SEEN,
        only=lambda case: _all_are(_LEAVING, case),
        derive=taint_of,
        message=(
            "The node that would fit is about to be taken away ({taint}).",
            "The node that would fit is about to be taken away.",
        ),
        who="admin",
        remedies=(
            advise("Wait for its successor, which the autoscaler adds; if none comes, add a node for {profile_name}."),
            run("See how the nodes are.", "kubectl get nodes"),
        ),
    ),
    Rule(
        code="UntoleratedTaint",
        seen=_SEEN,
        only=_only_control_plane,
        derive=taint_of,
        message=("No node but those of the control plane would take the Pod.",),
        who="admin",
        remedies=(
            advise("Add a worker node that fits profile {profile_name}.", "Add a worker node."),
            run(
                "Or, on a cluster for trying things out, let Pods on the control plane.",
                "kubectl taint nodes --all node-role.kubernetes.io/control-plane-",
            ),
        ),
    ),
    Rule(
        code="UntoleratedTaint",
        seen=_SEEN,
        derive=taint_of,
        message=_KEPT_OFF,
        who="admin",
        remedies=(TOLERATE, OTHER_PROFILE),
    ),
)
