"""The API server refuses the Pods; KubeAI tells only its own log."""

from __future__ import annotations

import re
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.cleaning import excerpt
from kubeai_notebook.core.diagnosis.engine.remedies import (
    FEWER_UNITS,
    LOOK_AGAIN,
    MORE_UNITS,
    STOP_ANOTHER,
    advise,
    run,
    set_field,
)
from kubeai_notebook.core.diagnosis.engine.rule import Rule, first, stated
from kubeai_notebook.core.diagnosis.engine.text_source import Passage
from kubeai_notebook.core.notice import Evidence, Finding
from kubeai_notebook.core.objects import number_at
from kubeai_notebook.core.rules.quantity import quantity_of
from kubeai_notebook.errors import SpecError

from .loader_pods import reaching_the_loader
from .policies import POLICIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.diagnosis.engine.case import Case
    from kubeai_notebook.core.diagnosis.engine.scene import Scene

_WEBHOOK = (r"webhook \\?\"(?P<policy>[^\"\\]+)",)
_LIMIT_RANGE = (
    r"(?:maximum|minimum) (?P<resource>\S+) usage per (?P<each>\w+) is (?P<allowed>[\w.]+), but (?:limit|request) is "
    r"(?P<asked>[\w.]+)",
)
_NONE = Fraction(0)
_GROWS = re.compile(r"(?:requests\.|limits\.)?(?:cpu|memory|ephemeral-storage|[\w.-]+/[\w.-]+)")
"""What a Pod asks more of with each unit of its profile; of others, such as ``pods``, it does not."""


def _fitting(case: Case) -> Mapping[str, str]:
    """The most units of the profile that a quota, or a LimitRange's maximum, still allows, in the place of half."""
    name, count = case.scene.profile
    if "limited" in case.values:
        requested, used, limited = (_amounts(case.values.get(key, "")) for key in ("requested", "used", "limited"))
        left = {resource: limited.get(resource, _NONE) - used.get(resource, _NONE) for resource in requested}
    else:
        key = case.values.get("resource", "")
        requested, left = (_amounts(f"{key}={case.values.get(word, '')}") for word in ("asked", "allowed"))
    units = [left[resource] * count // asked for resource, asked in requested.items() if resource in left and asked > 0]
    if not count or not units:
        return {}
    fits = min(units) if all(_GROWS.fullmatch(resource) for resource in requested) else 0
    enough = str(fits) if 0 < fits < count else ""
    spread = enough if case.scene.resized.get("half_spread") else ""
    return {"half_profile": f"{name}:{enough}" if enough else "", "half_spread": spread}


def _amounts(text: str) -> dict[str, Fraction]:
    """The resources in ``cpu=4,memory=8Gi``; nothing of one whose amount cannot be read."""
    amounts = {}
    for part in text.split(","):
        resource, _, amount = part.strip().partition("=")
        with suppress(SpecError):
            amounts[resource] = quantity_of(amount.rstrip("."))
    return amounts


REFUSALS: tuple[Rule, ...] = (
    Rule(
        code="QuotaExceeded",
        seen=("exceeded quota:",),
        take=(
            r"exceeded quota: (?P<quota>[\w.-]+)",
            r"requested: (?P<requested>[^,]+(?:,(?! used)[^,]+)*)",
            r"used: (?P<used>[^,]+(?:,(?! limited)[^,]+)*)",
            r"limited: (?P<limited>.+)",
        ),
        derive=_fitting,
        message=(
            'The quota "{quota}" is used up: {requested} requested, {used} used, {limited} allowed.',
            "The namespace's quota is used up.",
        ),
        who="user",
        remedies=(
            *FEWER_UNITS,
            STOP_ANOTHER,
            advise('The admin can raise the quota "{quota}".', "The admin can raise the quota."),
            LOOK_AGAIN,
        ),
    ),
    Rule(
        code="QuotaExceeded",
        seen=("max limit to request ratio",),
        take=(
            r"(?P<resource>\S+) max limit to request ratio per \w+ is (?P<allowed>[\d.]+)",
            r"provided ratio is (?P<asked>\d+(?:\.\d*[1-9])?)",
        ),
        message=(
            "A LimitRange lets the limit of {resource} be {allowed} times its request; the profile makes it {asked}.",
            "A LimitRange of the namespace wants limits nearer to the requests than the profile has them.",
        ),
        who="admin",
        remedies=(
            advise(
                "Set request and limit nearer to each other in resource profile {profile_name} in kubeai-config.",
                "Set request and limit nearer to each other in the resource profile.",
            ),
            LOOK_AGAIN,
        ),
    ),
    Rule(
        code="QuotaExceeded",
        seen=("maximum … usage per",),
        take=_LIMIT_RANGE,
        derive=_fitting,
        message=(
            "A LimitRange allows {allowed} of {resource} per {each}, and the profile asks for {asked}.",
            "A LimitRange of the namespace allows less than the profile asks for.",
        ),
        who="user",
        remedies=(*FEWER_UNITS, advise("Or the admin raises the LimitRange of the namespace."), LOOK_AGAIN),
    ),
    Rule(
        code="QuotaExceeded",
        seen=("minimum … usage per",),
        take=_LIMIT_RANGE,
        message=(
            "A LimitRange wants {allowed} of {resource} per {each} at least, and the profile asks for {asked}.",
            "A LimitRange of the namespace wants more than the profile asks for.",
        ),
        who="user",
        remedies=(MORE_UNITS, advise("Or the admin lowers the LimitRange of the namespace."), LOOK_AGAIN),
    ),
    Rule(
        code="QuotaNeedsRequests",
        seen=("failed quota: … must specify … for: loader",),
        unless=("for: loader,",),
        take=(r"failed quota: (?P<quota>[\w.-]+)", r"must specify (?P<resources>[\w.,/-]+) for"),
        message=(
            'The quota "{quota}" wants every container to say {resources}, and the one that loads adapters says none.',
            "The quota wants requests or limits, and the container that loads adapters has none.",
        ),
        who="admin",
        remedies=(
            advise("Add a LimitRange with defaults to the namespace: no profile reaches the loader."),
            LOOK_AGAIN,
        ),
    ),
    Rule(
        code="QuotaNeedsRequests",
        seen=("failed quota: … must specify",),
        take=(r"failed quota: (?P<quota>[\w.-]+)", r"must specify (?P<resources>[\w.,/-]+)"),
        message=(
            'The quota "{quota}" wants every Pod to say {resources}, which the profile does not.',
            "The quota wants requests or limits that the profile does not have.",
        ),
        who="admin",
        remedies=(
            advise(
                "Set {resources} in resource profile {profile_name}; for a cache or adapters, add a LimitRange.",
                "Set them in the resource profile; for a cache or adapters, add a LimitRange.",
            ),
            LOOK_AGAIN,
        ),
    ),
    Rule(
        code="NvidiaRuntimeMissing",
        seen=("RuntimeClass … not found",),
        take=(r"RuntimeClass \\?\"(?P<runtime>[\w.-]+)",),
        message=(
            'The profile asks for the RuntimeClass "{runtime}", which the cluster does not have.',
            "The profile asks for a RuntimeClass that the cluster does not have.",
        ),
        who="admin",
        remedies=(
            advise(
                "Install what brings it (NVIDIA's operator), or correct runtimeClassName of profile {profile_name}.",
                "Install what brings it (NVIDIA's operator), or correct runtimeClassName of the profile.",
            ),
            LOOK_AGAIN,
        ),
    ),
    Rule(
        code="PriorityClassMissing",
        seen=("no PriorityClass with name",),
        take=(r"PriorityClass with name (?P<priority>[\w.-]*\w)",),
        message=('There is no PriorityClass "{priority}".', "The PriorityClass does not exist."),
        who="user",
        remedies=(
            set_field("priorityClassName", None, "Remove priorityClassName."),
            run("Or choose one that exists.", "kubectl get priorityclass"),
            LOOK_AGAIN,
        ),
    ),
    Rule(
        code="PriorityClassMissing",
        seen=("priorityClass is not permitted in", "quota to match these scopes"),
        take=(r"pods with (?P<priority>[\w.-]+) priorityClass", r"PriorityClass In \[(?P<priority>[^\[\]]+)\]"),
        message=(
            'Pods of this namespace may not have the PriorityClass "{priority}".',
            "Pods of this namespace may not have that PriorityClass.",
        ),
        who="user",
        remedies=(
            set_field("priorityClassName", None, "Remove priorityClassName."),
            advise("Or the admin makes a ResourceQuota here whose scope lets that class in."),
            LOOK_AGAIN,
        ),
    ),
    Rule(
        code="PolicyDenied",
        seen=("failed calling webhook … x509", "failed calling webhook … certificate"),
        take=_WEBHOOK,
        message=(
            'The certificate of the webhook "{policy}", which has to agree to every Pod, is not trusted.',
            "The certificate of a webhook that has to agree to every Pod is not trusted.",
        ),
        who="admin",
        remedies=(
            advise(
                "Renew the certificate, or the caBundle in the webhook's configuration (cert-manager's cainjector)."
            ),
            LOOK_AGAIN,
        ),
    ),
    Rule(
        code="PolicyDenied",
        seen=("failed calling webhook",),
        take=_WEBHOOK,
        message=(
            'The webhook "{policy}", which has to agree to every Pod, does not answer.',
            "A webhook that has to agree to every Pod does not answer.",
        ),
        who="admin",
        remedies=(
            advise("Bring the webhook back, or take this namespace out of its scope; Models wait until it answers."),
            LOOK_AGAIN,
        ),
    ),
    *POLICIES,
    Rule(
        code="PodInvalid",
        seen=("is invalid: metadata … must be no more than 63", "is invalid: metadata.name"),
        message=('The name "{name}" is too long, or not one that Kubernetes takes, for the labels of its Pods.',),
        who="user",
        remedies=(advise("Serve the Model under a shorter name, of small letters, digits and dashes."),),
    ),
    Rule(
        code="PodInvalid",
        seen=("is invalid: spec.", "is invalid: metadata.", "must be equal to … limit"),
        take=(r"(?P<field>spec\.[\w.\[\]]{1,200}(?:\[[^\]]*\])?): (?P<why>.+)",),
        message=(
            "KubeAI's Pod for profile {profile} is not valid: {field}: {why}",
            "The Pod that KubeAI makes for this profile is not valid.",
        ),
        who="admin",
        remedies=(
            advise(
                "Correct resource profile {profile_name} in kubeai-config; GPUs need request = limit.",
                "Correct the resource profile; GPUs need request = limit.",
            ),
            LOOK_AGAIN,
        ),
    ),
)

_NO_ACCOUNT = Rule(
    code="CreationRefused",
    seen=("looking up service account", "serviceaccount … not found"),
    take=(r"service ?account (?P<account>[\w./-]*\w)",),
    message=(
        "The Model's Pods are to run as service account {account}, which does not exist.",
        "The service account as which the Model's Pods are to run does not exist.",
    ),
    who="admin",
    remedies=(
        advise(
            "Make the service account {account}, or correct modelServerPods.serviceAccountName in KubeAI's values.",
            "Make the service account.",
        ),
        LOOK_AGAIN,
    ),
)
_NO_RIGHT = Rule(
    code="CreationRefused",
    seen=('User "system:serviceaccount:… cannot create resource "pods"',),
    take=(r"serviceaccount:(?P<account>[\w.:-]*\w)",),
    message=(
        "The service account {account} may not create Pods in namespace {namespace}.",
        "KubeAI's service account may not create Pods there.",
    ),
    who="admin",
    remedies=(
        advise("Give it back the Role that KubeAI's chart makes: run helm upgrade, or compare Role and RoleBinding."),
        LOOK_AGAIN,
    ),
)
_NAMESPACE_GOES = Rule(
    code="CreationRefused",
    seen=("because it is being terminated",),
    message=("Namespace {namespace} is being deleted: nothing can be made in it.", "The namespace is being deleted."),
    who="user",
    remedies=(advise("Serve the Model in another namespace, or wait until this one is gone and made again."),),
)
_API_FAILS = Rule(
    code="CreationRefused",
    seen=(
        "etcdserver:",
        "conversion webhook for",
        "unable to handle the request",
        "Internal error occurred",
        "request timed out",
        "context deadline exceeded",
        "too many requests",
    ),
    take=(r"(?P<why>\S.{0,200})",),
    message=(
        "The API server could not make the Model's Pods: {why}",
        "The API server could not make the Model's Pods.",
    ),
    who="admin",
    remedies=(
        advise("Wait: KubeAI tries again. If it goes on, look at the API server, its etcd and the webhook it names."),
        LOOK_AGAIN,
    ),
)
_REFUSED_SO = Rule(
    code="CreationRefused",
    seen=(),
    message=('The API server refuses the Pods of "{name}": {why}',),
    who="admin",
    remedies=(
        advise(
            "Correct what it names, in resource profile {profile_name} or in modelServerPods of kubeai-config.",
            "Correct what it names, in the resource profile or in modelServerPods of kubeai-config.",
        ),
        LOOK_AGAIN,
    ),
)
_OTHERS = (_NO_ACCOUNT, _NO_RIGHT, _NAMESPACE_GOES, _API_FAILS)
_REFUSED = Rule(
    code="CreationRefused",
    seen=(),
    message=('KubeAI should run Pods for "{name}" and cannot make them.',),
    who="admin",
    remedies=(
        run("Read the refusal in the operator's log.", "kubectl -n {operator_ns} logs deploy/kubeai --tail=200"),
        LOOK_AGAIN,
    ),
)


def _only_warned(message: str) -> bool:
    """The API only warns of PodSecurity where the namespace does not enforce it."""
    low = message.lower()
    return "violates podsecurity" in low and "forbidden" not in low


def refused(scene: Scene) -> Finding | None:
    """What the API server said to a dry run, or to the cache's Job."""
    refused = [event for event in scene.events if event.reason == "FailedCreate" and event.kind in ("Job", "")]
    texts = [Passage("event", f"FailedCreate {event.name}", (event.message,)) for event in refused if not scene.loaders]
    if isinstance(scene.observation.refusal, str) and scene.observation.refusal:
        message = " ".join(scene.observation.refusal.split())
        texts.insert(0, Passage("refusal", "dry run of the Model's Pod", (message,)))
    texts = [text for text in texts if not _only_warned(text.lines[0])]
    finding = first((*REFUSALS, *_OTHERS), tuple(texts), scene)
    if finding or not texts:
        of_job = finding is not None and finding.evidence[0].kind == "event"
        return reaching_the_loader(finding, scene) if finding and of_job else finding
    said = texts[0].lines[0]
    why = said.partition(" is forbidden: ")[2] or said
    return stated(_REFUSED_SO, scene, Evidence(texts[0].kind, texts[0].where, said), why=excerpt(why))


def no_pods(scene: Scene) -> Finding | None:
    """Pods are wanted and the Model's own status counts none."""
    counted = number_at(scene.model, "status", "replicas", "all")
    if not scene.desired or counted != 0 or not scene.settled or scene.all_pods or scene.spec.get("cacheProfile"):
        return None
    text = f"spec.replicas {scene.desired}, status.replicas.all 0"
    return stated(_REFUSED, scene, Evidence("field", f"Model {scene.name}", text))


ALL: tuple[Rule, ...] = (*REFUSALS, *_OTHERS, _REFUSED_SO, _REFUSED)
