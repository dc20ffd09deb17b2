"""What the user may do here, asked of the API itself; each missing right takes away one thing only.

One `SelfSubjectRulesReview` answers for all rights. It may be incomplete: a webhook that authorizes, as managed
clusters have, cannot list its rules. What the listed rules grant is believed then, for authorizers add up; each of
the other rights is a question of its own, a `SelfSubjectAccessReview`.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.objects import at, maps_at, texts_at
from kubeai_notebook.errors import ForbiddenError, NotFoundError, NotInstalledError

from .answer import no_api

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .api import Api

_GROUP = "authorization.k8s.io/v1"
_AT_ONCE = 6
_KEPT_TO_ITSELF = (ForbiddenError, NotFoundError, NotInstalledError)
"""An API without this question, or that does not let everybody ask it."""


@dataclass(frozen=True, slots=True)
class Right:
    """A verb on a resource (``pods/log`` for a subresource), and what cannot be done without it."""

    verb: str
    resource: str
    group: str
    purpose: str
    """A clause that begins small: what is missing then."""

    @property
    def role_line(self) -> str:
        """The rule of a Role that would grant it."""
        return _rule(self.group, [self.resource], [self.verb])

    @property
    def note(self) -> str:
        """What a user is told where it is missing."""
        denied = f"You may not {self.verb} {self.resource} here: {self.purpose}."
        return f"{denied} A Role with this rule grants it: {self.role_line}"


RIGHTS: tuple[Right, ...] = (
    Right("create", "models", "kubeai.org", "no Model can be served"),
    Right("patch", "models", "kubeai.org", "no Model can be changed, fixed or scaled"),
    Right("delete", "models", "kubeai.org", "no Model can be deleted"),
    Right("get", "models", "kubeai.org", "what a change would do cannot be told"),
    Right("list", "models", "kubeai.org", "no Model can be seen"),
    Right("watch", "models", "kubeai.org", "no Model can be followed"),
    Right("list", "pods", "", "only KubeAI's own count tells whether a Model is ready"),
    Right("watch", "pods", "", "only KubeAI's own count tells whether a Model is ready"),
    Right("delete", "pods", "", "Pods cannot be restarted"),
    Right("get", "pods/log", "", "why an engine fails cannot be read from its log"),
    Right("list", "events", "", "why a Pod waits may stay unknown"),
    Right("watch", "events", "", "why a Pod waits may stay unknown"),
    Right("get", "configmaps", "", "the cluster's resource profiles are not known, the chart's defaults are shown"),
    Right("list", "secrets", "", "whether a Secret exists cannot be checked before serving"),
    Right("create", "secrets", "", "values and single keys cannot be given as secrets"),
    Right("patch", "secrets", "", "a value that is a Secret already cannot be changed"),
    Right("get", "secrets", "", "single keys of a Secret, and a project's secrets, cannot be used"),
    Right("delete", "secrets", "", "a secret that nothing needs any more stays"),
    Right("list", "jobs", "batch", "why weights do not get into the cache may stay unknown"),
    Right("watch", "jobs", "batch", "why weights do not get into the cache may stay unknown"),
    Right("list", "persistentvolumeclaims", "", "why a volume is missing may stay unknown"),
    Right("watch", "persistentvolumeclaims", "", "why a volume is missing may stay unknown"),
    Right("get", "services/proxy", "", "the gateway cannot be asked which Models it knows"),
    Right("create", "services/proxy", "", "the gateway cannot be reached through the Kubernetes API"),
)


@dataclass(frozen=True, slots=True)
class Rights:
    """The entries of `RIGHTS` that the user lacks."""

    missing: tuple[Right, ...] = ()

    @property
    def role_rules(self) -> str:
        """The rules of a Role that would grant all that is missing, as YAML; ``""`` where nothing is."""
        return "\n".join(_joined(self.missing))


def rights_of(api: Api, namespace: str) -> Rights:
    """Ask which of `RIGHTS` the user lacks in this namespace.

    Raises:
        ClusterError: there was no answer. An API without these questions (or that keeps them to itself) grants all.
    """
    rules, incomplete = _rules(api, namespace)
    missing = [right for right in RIGHTS if not any(grants(rule, right) for rule in rules)]
    if missing and incomplete:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="kubeai-rights") as pool:
            granted = list(pool.map(lambda right: _is_granted(api, namespace, right), missing))
        missing = [right for right, is_granted in zip(missing, granted, strict=True) if not is_granted]
    return Rights(tuple(missing))


def right_to(verb: str, resource: str) -> Right:
    """The row of `RIGHTS`."""
    return next(right for right in RIGHTS if (right.verb, right.resource) == (verb, resource))


def grants(rule: Mapping[str, Any], right: Right) -> bool:
    """Whether a ResourceRule of a `SelfSubjectRulesReview` grants this right on every object.

    A rule with ``resourceNames`` is for those objects only. ``*/log`` is everybody's log; ``pods/*`` means nothing.

    >>> grants({"verbs": ["get"], "apiGroups": ["*"], "resources": ["*/log"]}, right_to("get", "pods/log"))
    True

    Source: Kubernetes' ``VerbMatches``, ``APIGroupMatches`` and ``ResourceMatches`` (pkg/apis/rbac/v1).
    """
    _, slash, subresource = right.resource.partition("/")
    resources = {right.resource, "*", *([f"*/{subresource}"] if slash else [])}
    wanted = (("verbs", {right.verb, "*"}), ("apiGroups", {right.group, "*"}), ("resources", resources))
    return not rule.get("resourceNames") and all(fitting & {*texts_at(rule, key)} for key, fitting in wanted)


def _rules(api: Api, namespace: str) -> tuple[list[Mapping[str, Any]], bool]:
    """The rules for this namespace, and whether there may be more than the API can list."""
    try:
        answer = _review(api, "SelfSubjectRulesReview", {"namespace": namespace})
    except _KEPT_TO_ITSELF:
        return [], True
    incomplete = at(answer, "status", "incomplete")
    if not isinstance(incomplete, bool):
        raise no_api(api.where.address, "it does not say what you may do")
    return list(maps_at(answer, "status", "resourceRules")), incomplete


def _is_granted(api: Api, namespace: str, right: Right) -> bool:
    resource, _, subresource = right.resource.partition("/")
    asked = {"verb": right.verb, "group": right.group, "resource": resource, "subresource": subresource}
    try:
        answer = _review(api, "SelfSubjectAccessReview", {"resourceAttributes": {"namespace": namespace, **asked}})
    except _KEPT_TO_ITSELF:
        return True
    allowed = at(answer, "status", "allowed")
    if not isinstance(allowed, bool):
        raise no_api(api.where.address, "it does not say what you may do")
    return allowed


def _review(api: Api, kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    review = {"apiVersion": _GROUP, "kind": kind, "spec": spec}
    return api.request("POST", f"apis/{_GROUP}/{kind.lower()}s", body=review)


def _joined(rights: tuple[Right, ...]) -> Iterator[str]:
    """One rule for resources of one group that lack the same verbs."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for right in rights:
        verbs.setdefault((right.group, right.resource), []).append(right.verb)
    rules: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), asked in verbs.items():
        rules.setdefault((group, tuple(asked)), []).append(resource)
    for (group, needed), resources in rules.items():
        yield _rule(group, resources, needed)


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> str:
    lists: Mapping[str, Sequence[str]] = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    written = (f"{key}: [{', '.join(json.dumps(item) for item in items)}]" for key, items in lists.items())
    return f"- {{{', '.join(written)}}}"
