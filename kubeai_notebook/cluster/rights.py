"""What the user may do here, asked of the API itself; each missing right takes away one thing only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeai_notebook.core.objects import at
from kubeai_notebook.errors import ForbiddenError, NotFoundError, NotInstalledError

from .answer import no_api

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .api import Api

REVIEWS = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_AT_ONCE = 6


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
    Right("list", "jobs", "batch", "why weights do not get into the cache may stay unknown"),
    Right("list", "persistentvolumeclaims", "", "why a volume is missing may stay unknown"),
    Right("create", "services/proxy", "", "the gateway cannot be reached through the Kubernetes API"),
)


@dataclass(frozen=True, slots=True)
class Rights:
    """What of `RIGHTS` the user has not."""

    missing: tuple[Right, ...] = ()

    @property
    def role_rules(self) -> str:
        """The rules of a Role that would grant all that is missing, as YAML; ``""`` where nothing is."""
        return "\n".join(_joined(self.missing))


def rights_of(api: Api, namespace: str) -> Rights:
    """Ask for each of `RIGHTS`, side by side.

    Raises:
        ClusterError: there was no answer. An API without this question (or that keeps it to itself) grants all.
    """
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="kubeai-rights") as pool:
        granted = list(pool.map(lambda right: _granted(api, namespace, right), RIGHTS))
    return Rights(tuple(right for right, has in zip(RIGHTS, granted, strict=True) if not has))


def right_to(verb: str, resource: str) -> Right:
    """The row of `RIGHTS`."""
    return next(right for right in RIGHTS if (right.verb, right.resource) == (verb, resource))


def _granted(api: Api, namespace: str, right: Right) -> bool:
    resource, _, subresource = right.resource.partition("/")
    wanted = {"verb": right.verb, "group": right.group, "resource": resource, "subresource": subresource}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"namespace": namespace, **wanted}},
    }
    try:
        answer = api.request("POST", REVIEWS, body=review)
    except (ForbiddenError, NotFoundError, NotInstalledError):
        return True
    allowed = at(answer, "status", "allowed")
    if not isinstance(allowed, bool):
        raise no_api(api.host, "it does not say what you may do")
    return allowed


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
    said = ", ".join(f"{key}: [{', '.join(_quoted(item) for item in items)}]" for key, items in lists.items())
    return f"- {{{said}}}"


def _quoted(item: str) -> str:
    return f'"{item}"'
