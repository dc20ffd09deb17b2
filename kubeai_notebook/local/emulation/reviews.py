"""What a user may do, as an API server tells it: on this machine, everything that the API can do.

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

GROUP = "authorization.k8s.io"
_KINDS = {f"{kind.lower()}s": kind for kind in ("SelfSubjectAccessReview", "SelfSubjectRulesReview")}
REVIEWS = {f"/apis/{GROUP}/v1/{plural}": kind for plural, kind in _KINDS.items()}
"""The kind that each path takes; they can only be created, and nothing is stored."""

_EVERYTHING = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}


def reviewed(kind: str, review: Object, *, method: str) -> Object:
    """Answer a review of this kind. StatusError 400, 405 or 422."""
    if method != "POST":
        raise method_not_allowed()
    sent = review.get("kind", kind)
    if sent != kind or review.get("apiVersion", f"{GROUP}/v1") != f"{GROUP}/v1":
        raise bad_request(f'{sent} in version "v1" cannot be handled as a {kind}')
    head = {"kind": kind, "apiVersion": f"{GROUP}/v1", "metadata": {"creationTimestamp": None}}
    if kind == "SelfSubjectRulesReview":
        if not text_at(review, "spec", "namespace"):
            raise bad_request("no namespace on request")
        return {**head, "spec": {}, "status": _EVERYTHING}
    if not (map_at(review, "spec", "resourceAttributes") or map_at(review, "spec", "nonResourceAttributes")):
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        missing = cause(INVALID, "spec.resourceAttributes", None, detail=why)
        raise invalid(Resource("", "", GROUP), "", [missing])
    return {**head, "spec": review["spec"], "status": {"allowed": True}}
