"""Who a user is and what he may do, as an API server tells it: on this machine, everything that the API can do.

Which fields come back, and the refusals, are those of a kube-apiserver: a rules review keeps nothing of its spec.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.objects import map_at, text_at
from kubeai_notebook.core.rules.admission_errors import INVALID, cause

from .kinds import Resource
from .refusals import bad_request, invalid, method_not_allowed

if TYPE_CHECKING:
    from .kinds import Object

_GROUPS = {
    "SelfSubjectAccessReview": "authorization.k8s.io",
    "SelfSubjectRulesReview": "authorization.k8s.io",
    "SelfSubjectReview": "authentication.k8s.io",
}
REVIEWS = {f"/apis/{group}/v1/{kind.lower()}s": kind for kind, group in _GROUPS.items()}
"""The kind that each path takes; they can only be created, and nothing is stored."""

USER = "this-machine"
"""The one user there is: whoever may read this machine's kubeconfig."""

_EVERYTHING = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}


def reviewed(kind: str, review: Object, *, method: str, now: str | None = None) -> Object:
    """Answer a review of this kind; ``now``: the time as Kubernetes writes it. StatusError 400, 405 or 422."""
    if method != "POST":
        raise method_not_allowed()
    version, sent = f"{_GROUPS[kind]}/v1", review.get("kind", kind)
    if sent != kind or review.get("apiVersion", version) != version:
        raise bad_request(f'{sent} in version "v1" cannot be handled as a {kind}')
    head = {"kind": kind, "apiVersion": version, "metadata": {"creationTimestamp": None}}
    if kind == "SelfSubjectReview":
        user = {"username": USER, "groups": ["system:masters", "system:authenticated"]}
        return {**head, "metadata": {"creationTimestamp": now}, "status": {"userInfo": user}}
    if kind == "SelfSubjectRulesReview":
        if not text_at(review, "spec", "namespace"):
            raise bad_request("no namespace on request")
        return {**head, "spec": {}, "status": _EVERYTHING}
    if not (map_at(review, "spec", "resourceAttributes") or map_at(review, "spec", "nonResourceAttributes")):
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        missing = cause(INVALID, "spec.resourceAttributes", None, detail=why)
        raise invalid(Resource("", "", _GROUPS[kind]), "", [missing])
    return {**head, "spec": review["spec"], "status": {"allowed": True}}
