"""What a policy of the cluster has against a Pod: PodSecurity, admission webhooks, admission policies, OpenShift."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import FEWER_UNITS, LOOK_AGAIN, advise
from kubeai_notebook.core.diagnosis.engine.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.diagnosis.engine.case import Case

_denied = partial(
    Rule,
    code="PolicyDenied",
    seen=(
        "violates PodSecurity",
        "admission webhook … denied",
        "validate against any security context constraint",
        "ValidatingAdmissionPolicy … denied request",
        "image policy webhook backend denied",
    ),
    take=(
        # Gatekeeper and GKE name the policy behind the webhook.
        r"\[denied by (?P<policy>[\w.-]+)\](?:\\?\":\[\\?\"| )(?P<why>[^\"\\\[]+)",
        r"violates PodSecurity \\?\"(?P<policy>[^\"\\]+)\\?\": (?P<why>.+)",
        r"admission webhook \\?\"(?P<policy>[^\"\\]+)\\?\" denied the request: (?P<why>.+)",
        r"ValidatingAdmissionPolicy '(?P<policy>[^']+)' .*denied request: (?P<why>.+)",
    ),
    message=(
        'The policy "{policy}" forbids the Model\'s Pods: {why}',
        "A policy of the cluster forbids the Model's Pods.",
    ),
    who="admin",
)
_ABOUT: Mapping[str, tuple[str, ...]] = {
    "signature": (
        "signature",
        "not signed",
        "unsigned",
        "cosign",
        "attest",
        "notary",
        "failed to verify image",
        "unverified image",
        "trust data",
    ),
    "security": (
        "podsecurity",
        "security context",
        "securitycontext",
        "privilege",
        "runas",
        "run as",
        r"(?<![a-z])root",
        "nonroot",
        "rootfilesystem",
        "capabilit",
        "seccomp",
        "hostpath",
        "host port",
        "hostport",
        "hostnetwork",
        "hostpid",
        "hostipc",
    ),
    "image": (
        "image reg",
        "image repo",
        "images must",
        "image must",
        "image tag",
        "latest tag",
        "/image/",
    ),
    "placement": ("node selector", "nodeselector", "toleration", "node affinity", "nodeaffinity", "runtimeclass"),
    "limits": (
        r"(?<![a-z])limit",
        "podlimit",
        "containerlimit",
        "resources",
        "request>",
        "cpu request",
        "memory request",
    ),
    "labels": ("label", "annotation"),
}
"""What a policy is about, by the words of its refusal, as patterns; the first that fits."""


def _refusal(case: Case) -> str:
    """The policy's own words, without the names of what it refuses: a Model may be called "unlimited" or "groot"."""
    words = case.passage.lowered[case.index].partition("denied the request:")
    name = re.escape(case.scene.name.lower())
    pod = f"|{re.escape(case.pod.name.lower())}" if case.pod and case.pod.name else ""
    own = rf"(?<![\w.-])model-{name}(?![a-z0-9])[\w.-]*|(?<=[\"'/]){name}(?=[\"'\s\\])"
    return re.sub(own + pod, " ", words[2] or words[0])


def _is_about(subject: str, case: Case) -> bool:
    low = _refusal(case)
    return next((about for about, known in _ABOUT.items() if re.search("|".join(known), low)), "") == subject


_TOO_MUCH = ("higher than", "exceed", "maximum", "greater than", "max allowed", "more than", "larger than")


def _wants_less(case: Case) -> bool:
    return any(words in _refusal(case) for words in _TOO_MUCH)


POLICIES: tuple[Rule, ...] = (
    _denied(
        seen=("validate against any security context constraint",),
        take=(r"provider \"?restricted[\w-]*\"?: (?P<why>(?!Forbidden).+?)(?:, provider|\]$)",),
        message=(
            "No security context constraint of OpenShift lets the Model's Pods in: {why}.",
            "No security context constraint of OpenShift lets the Model's Pods in.",
        ),
        remedies=(
            advise(
                "Give the Pods' service account a security context constraint that allows it, such as anyuid or "
                "nonroot-v2 (oc adm policy add-scc-to-user)."
            ),
            advise("Or take runAsUser and fsGroup out of modelServerPods in kubeai-config: OpenShift chooses them."),
            LOOK_AGAIN,
        ),
    ),
    _denied(
        only=lambda case: _is_about("signature", case),
        remedies=(
            advise("Sign the engine's image with a key that the policy knows, or exempt it from the policy."),
            advise("Or set image to a signed copy of it."),
            LOOK_AGAIN,
        ),
    ),
    _denied(
        only=lambda case: _is_about("image", case),
        who="user",
        remedies=(
            advise("Set image to the engine's image in a registry, and with a tag, that the policy allows."),
            advise("Or the admin sets modelServers' images in kubeai-config so, for all Models."),
            LOOK_AGAIN,
        ),
    ),
    _denied(
        only=lambda case: _is_about("placement", case),
        remedies=(
            advise(
                "Set the nodeSelector, tolerations and runtimeClassName that it wants in resource profile "
                "{profile_name} in kubeai-config.",
                "Set the nodeSelector, tolerations and runtimeClassName that it wants in the resource profile.",
            ),
            LOOK_AGAIN,
        ),
    ),
    _denied(
        only=lambda case: _is_about("limits", case) and _wants_less(case),
        remedies=(
            *FEWER_UNITS,
            advise(
                "Set smaller limits and requests in resource profile {profile_name} in kubeai-config, or raise the "
                "policy's maximum.",
                "Set smaller limits and requests in the resource profile, or raise the policy's maximum.",
            ),
            LOOK_AGAIN,
        ),
    ),
    _denied(
        only=lambda case: _is_about("limits", case),
        remedies=(
            advise(
                "Set the limits and requests that it wants in resource profile {profile_name} in kubeai-config.",
                "Set the limits and requests that it wants in the resource profile.",
            ),
            LOOK_AGAIN,
        ),
    ),
    _denied(
        only=lambda case: _is_about("labels", case),
        remedies=(
            advise("Add the labels or annotations that it wants by modelServerPods.jsonPatches in kubeai-config."),
            advise("Or exempt the Model's Pods from the policy."),
            LOOK_AGAIN,
        ),
    ),
    _denied(
        only=lambda case: _is_about("security", case),
        remedies=(
            advise(
                "Set modelServerPods' securityContext in kubeai-config as the policy wants it, or change the policy."
            ),
            LOOK_AGAIN,
        ),
    ),
    _denied(
        remedies=(
            advise("Do what the policy says, in modelServerPods of kubeai-config, or exempt the Model's Pods from it."),
            LOOK_AGAIN,
        ),
    ),
)
