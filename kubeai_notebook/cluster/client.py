"""One connection to a Kubernetes API: plain requests, plain dicts, a time-out on every call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client.rest import RESTClientObject

from kubeai_notebook.core.access import Access
from kubeai_notebook.errors import ClusterError, ConflictError, NotFoundError, UnreachableError

from .errors import error_of

if TYPE_CHECKING:
    from kubernetes.client import Configuration

MODELS = "apis/kubeai.org/v1"
CORE = "api/v1"
FIELD_MANAGER = "kubeai-notebook"

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
# A write is never repeated blindly: the first may have arrived. A read may, but only while connecting.
_NO_RETRY = urllib3.Retry(0)
_RETRY_CONNECT = urllib3.Retry(total=2, connect=2, read=0, status=0, redirect=0, backoff_factor=0.2)

Query = Mapping[str, str | int | bool]


class Api:
    """HTTP to one API server, with the credentials of one configuration.

    The generated classes of ``kubernetes`` are left out on purpose: they drop the body of
    answers they do not expect and have no default time-out.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._pool = RESTClientObject(configuration).pool_manager

    @property
    def host(self) -> str:
        """Base url of the API server."""
        return str(self.configuration.host).rstrip("/")

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        read_seconds: float = READ_SECONDS,
    ) -> Any:
        """Send one request and return the decoded JSON answer.

        Raises:
            ClusterError: of the kind that the answer means; UnreachableError when there was none.
        """
        answer = self.open(method, path, query=query, body=body, read_seconds=read_seconds)
        try:
            data = answer.read()
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error
        finally:
            answer.release_conn()
        return json.loads(data) if data else {}

    def open(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        read_seconds: float = READ_SECONDS,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request and return the answer unread: the caller reads or closes it."""
        # Asking for each request lets an exec plugin or OIDC renew the token.
        login: Mapping[str, Any] = self.configuration.auth_settings()
        headers = {setting["key"]: setting["value"] for setting in login.values()}
        headers["Accept"] = "application/json"
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            answer = self._pool.request(
                method,
                f"{self.host}/{path}{'?' + urlencode(query) if query else ''}",
                body=None if body is None else json.dumps(body),
                headers=headers,
                preload_content=False,
                redirect=False,
                retries=_RETRY_CONNECT if method == "GET" else _NO_RETRY,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds),
            )
            if answer.status >= 400:
                raise error_of(answer.status, answer.read())
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error
        return answer

    def close(self) -> None:
        """Close all idle connections."""
        self._pool.clear()

    def _unreachable(self, error: Exception) -> UnreachableError:
        cause = getattr(error, "reason", None) or error
        return UnreachableError(
            f"The Kubernetes API at {self.host} does not answer ({type(cause).__name__}).",
            "Check the network and the kubeconfig's context.",
        )


class Cluster:
    """The verbs that a Session needs, on one namespace."""

    def __init__(self, api: Api, namespace: str, *, gateway: str | None = None, notes: tuple[str, ...] = ()) -> None:
        self.api = api
        self.namespace = namespace
        self.notes = notes
        """What a user should know about how this cluster was chosen."""
        self._gateway = gateway

    def path(self, group: str, plural: str, name: str = "") -> str:
        """Path of a collection of this namespace, or of one object in it."""
        return f"{group}/namespaces/{self.namespace}/{plural}{'/' + name if name else ''}"

    def create_model(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Create a Model; ``Strict``, so that a misspelt field is refused and not dropped."""
        query = {"fieldValidation": "Strict", "fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if dry_run else {})}
        return self._object("POST", self.path(MODELS, "models"), query=query, body=manifest)

    def model(self, name: str) -> dict[str, Any]:
        """Read one Model."""
        return self._object("GET", self.path(MODELS, "models", name))

    def patch_model(self, name: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Apply a JSON merge patch to a Model."""
        query = {"fieldValidation": "Strict", "fieldManager": FIELD_MANAGER}
        return self._object("PATCH", self.path(MODELS, "models", name), query=query, body=patch)

    def scale_model(self, name: str, replicas: int) -> None:
        """Set ``replicas`` through the scale subresource."""
        self._object("PATCH", self.path(MODELS, "models", name) + "/scale", body={"spec": {"replicas": replicas}})

    def delete_model(self, name: str) -> None:
        """Delete a Model; its Pods go with it."""
        self._object("DELETE", self.path(MODELS, "models", name), query={"propagationPolicy": "Background"})

    def secret(self, name: str) -> dict[str, Any]:
        """Read a Secret; its ``data`` is never to be shown."""
        return self._object("GET", self.path(CORE, "secrets", name))

    def write_secret(self, manifest: Mapping[str, Any]) -> None:
        """Create a Secret, or replace the data of the one that is there."""
        query = {"fieldManager": FIELD_MANAGER}
        try:
            self._object("POST", self.path(CORE, "secrets"), query=query, body=manifest)
        except ConflictError:
            name = manifest["metadata"]["name"]
            self._object("PATCH", self.path(CORE, "secrets", name), query=query, body={"data": manifest["data"]})

    def own_secret(self, name: str, owner: Mapping[str, Any]) -> None:
        """Tie a Secret to a Model, so that it goes with it."""
        body = {"metadata": {"ownerReferences": [owner]}}
        self._object("PATCH", self.path(CORE, "secrets", name), body=body)

    def delete_secret(self, name: str) -> None:
        """Delete a Secret."""
        self._object("DELETE", self.path(CORE, "secrets", name))

    def pod_log(self, pod: str, *, tail_lines: int = 400, previous: bool = False) -> str:
        """The end of the engine's log, ``""`` when there is none yet."""
        query: Query = {"container": "server", "tailLines": tail_lines, "previous": str(previous).lower()}
        try:
            answer = self.api.open("GET", self.path(CORE, "pods", pod) + "/log", query=query)
        except NotFoundError:
            return ""
        except ClusterError as error:
            # The API's 400 for a container that has no log: not created yet, or no run before this one.
            if "waiting to start" in error.message or "not found" in error.message:
                return ""
            raise
        try:
            return answer.read().decode(errors="replace")
        finally:
            answer.release_conn()

    def access(self) -> Access | None:
        """The gateway's address as this cluster's configuration states it, if it does."""
        return Access(base_url=self._gateway) if self._gateway else None

    def close(self) -> None:
        """Close all connections."""
        self.api.close()

    def _object(self, method: str, path: str, *, query: Query | None = None, body: Any = None) -> dict[str, Any]:
        answer = self.api.request(method, path, query=query, body=body)
        return answer if isinstance(answer, dict) else {}
