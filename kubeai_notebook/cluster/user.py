"""Who the API server takes us for: its own name for the login, which no kubeconfig tells.

A kubeconfig may hold a token, a plugin or a certificate; only the server knows whom they mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.objects import text_at
from kubeai_notebook.errors import ForbiddenError, NotFoundError, NotInstalledError

if TYPE_CHECKING:
    from .api import Api

_GROUP = "authentication.k8s.io"
_VERSIONS = ("v1", "v1beta1", "v1alpha1")
"""Kubernetes has had the question since 1.28, 1.27 and 1.26."""


def login_of(api: Api) -> str:
    """The API server's name for our login; ``""`` where it has none to tell, as before 1.26 or where it may not.

    Raises:
        ClusterError: there was no answer, an error, or the login was refused: who we are is not known *now*.
    """
    for version in _VERSIONS:
        review = {"apiVersion": f"{_GROUP}/{version}", "kind": "SelfSubjectReview"}
        try:
            answer = api.request("POST", f"apis/{_GROUP}/{version}/selfsubjectreviews", body=review)
        except (NotFoundError, NotInstalledError):
            continue
        except ForbiddenError:
            return ""
        return text_at(answer, "status", "userInfo", "username")
    return ""
