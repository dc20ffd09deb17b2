"""Cluster: the verbs that a Session needs, on one namespace."""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from kubernetes.client.rest import should_bypass_proxies

from kubeai_notebook.core.access import Access
from kubeai_notebook.core.catalog.machine import CONFIG_MAP, machine_catalog_of
from kubeai_notebook.core.foreign import origin_of
from kubeai_notebook.core.kubeai.model_schema import ModelSchema, schema_of
from kubeai_notebook.core.objects import maps_at, number_at, text_at
from kubeai_notebook.core.rules.schema import GROUP, VERSION
from kubeai_notebook.core.whereabouts import THIS_MACHINE
from kubeai_notebook.errors import ClusterError, ConflictError, NotFoundError, SpecError, UnreachableError
from kubeai_notebook.settings import LOCAL

from .api import BATCH, CORE, JSON, MODELS, NAMES_ONLY, Api
from .operator import SERVICE, operator_of, service_of
from .pod_logs import TAIL_LINES, LogStream, PodLogs
from .requests import FIELD_MANAGER, Requests
from .rights import Rights, rights_of
from .user import login_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from kubeai_notebook.core.catalog.machine import MachineCatalog
    from kubeai_notebook.core.observation import Operator
    from kubeai_notebook.core.whereabouts import Whereabouts
    from kubeai_notebook.settings import Settings

    from .api import Query
    from .kubeconfig import Gateway

__all__ = ["BATCH", "CORE", "MODELS", "Api", "Cluster"]

GATEWAY_PORT = 80
_STRICT = {"fieldValidation": "Strict", "fieldManager": FIELD_MANAGER}
_OURS = {"fieldManager": FIELD_MANAGER}
_DRY = {"dryRun": "All"}
_MAY_NOT_CREATE = re.compile(r'cannot create resource "pods"|not found|the server does not allow')


class Cluster:
    """One namespace of one Kubernetes cluster."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        *,
        gateway: Callable[[], Gateway | None] = lambda: None,
        kubectl: tuple[str, ...] = ("kubectl",),
        settings: Settings | None = None,
    ) -> None:
        self.api = api
        self.namespace = namespace
        self.requests = Requests(api, namespace)
        self.settings = settings
        """The settings by which it was connected."""
        self.kubectl = kubectl
        """How kubectl is called in a terminal so that it reaches this cluster."""
        self._notes: tuple[str, ...] = ()
        self._gateway = gateway
        self._rights: Rights | None = None

    def path(self, group: str, plural: str, name: str = "") -> str:
        """Path of a collection of this namespace, or of one object in it."""
        return self.requests.path(group, plural, name)

    def listed(self, path: str, *, query: Query | None = None, accept: str = JSON) -> list[dict[str, Any]]:
        """All objects of a collection, page by page."""
        return self.requests.listed(path, query=query, accept=accept)

    def patch(self, path: str, patch: Mapping[str, Any], *, query: Query | None = None) -> dict[str, Any]:
        """Apply a JSON merge patch to an object."""
        return self.requests.patch(path, patch, query=query)

    def check_namespace(self) -> None:
        """Refuse a namespace that is not there: an API server lists it as an empty one. Few may ask; then it may be.

        Raises:
            NotFoundError: it is not there.
        """
        try:
            self.requests.get(f"{CORE}/namespaces/{quote(self.namespace, safe='')}")
        except NotFoundError as error:
            if not error.message.startswith("There is no namespace"):
                return
            if self.is_this_machine:
                error.hint = 'Models on this machine are in "default".'
            raise
        except ClusterError:
            return

    def create_model(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Create a Model; ``Strict``, so that a misspelt field is refused and not dropped."""
        return self.requests.create(self.path(MODELS, "models"), manifest, query=_STRICT | (_DRY if dry_run else {}))

    def model(self, name: str) -> dict[str, Any]:
        """Read one Model."""
        return self.requests.get(self.path(MODELS, "models", name))

    def models(self) -> list[dict[str, Any]]:
        """All Models of the namespace."""
        return self.requests.listed(self.path(MODELS, "models"))

    def models_in(self, namespace: str) -> list[dict[str, Any]]:
        """All Models of another namespace, or with ``""`` of the whole cluster."""
        return self.requests.listed(f"{MODELS}/namespaces/{namespace}/models" if namespace else f"{MODELS}/models")

    def model_schema(self) -> ModelSchema:
        """What the API server's own schema lets a Model say."""
        return schema_of(self.api.request("GET", f"openapi/v3/apis/{GROUP}/{VERSION}"))

    def patch_model(self, name: str, patch: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Apply a JSON merge patch to a Model; one that names a ``resourceVersion`` applies to that version only."""
        query = _STRICT | (_DRY if dry_run else {})
        return self.requests.patch(self.path(MODELS, "models", name), patch, query=query)

    def delete_model(self, name: str, uid: str = "") -> None:
        """Delete a Model; its Pods go with it. ``uid``: that one only, and none that took its name meanwhile.

        Raises:
            ConflictError: another Model has this name now.
        """
        query = {"propagationPolicy": "Background"}
        self.requests.delete(self.path(MODELS, "models", name), query=query, uid=uid)

    def secret(self, name: str) -> dict[str, Any]:
        """Read a Secret; its ``data`` is never to be shown."""
        return self.requests.get(self.path(CORE, "secrets", name))

    def secret_names(self) -> tuple[str, ...]:
        """The names of the namespace's Secrets; their values do not even leave the server."""
        return _names(self.requests.listed(self.path(CORE, "secrets"), accept=NAMES_ONLY))

    def write_secret(self, manifest: Mapping[str, Any]) -> bool:
        """Create a Secret, or change data, labels, annotations and owners of the one that is there; True: created."""
        path = self.path(CORE, "secrets")
        try:
            self.requests.create(path, manifest, query=_OURS)
        except ConflictError:
            metadata = manifest["metadata"]
            kept = {key: metadata[key] for key in ("labels", "annotations", "ownerReferences") if key in metadata}
            patch = {"metadata": kept, **{key: manifest[key] for key in ("data", "stringData") if key in manifest}}
            self.patch_secret(metadata["name"], patch)
            return False
        return True

    def patch_secret(self, name: str, patch: Mapping[str, Any]) -> None:
        """Apply a JSON merge patch to a Secret."""
        self.requests.patch(self.path(CORE, "secrets", name), patch, query=_OURS)

    def delete_secret(self, name: str) -> None:
        """Delete a Secret."""
        self.requests.delete(self.path(CORE, "secrets", name))

    def config_map(self, name: str, namespace: str | None = None) -> dict[str, Any]:
        """Read a ConfigMap, by default of the Session's namespace."""
        return self.requests.get(Requests(self.api, namespace or self.namespace).path(CORE, "configmaps", name))

    def machine_catalog(self, namespace: str) -> MachineCatalog | None:
        """What the daemon says of its machine and of the models there; ``None`` where it is not the cluster."""
        if not self.is_this_machine:
            return None
        return machine_catalog_of(self.config_map(CONFIG_MAP, namespace))

    def priority_classes(self) -> tuple[str, ...]:
        """The names of the cluster's PriorityClasses."""
        return _names(self.requests.listed("apis/scheduling.k8s.io/v1/priorityclasses", accept=NAMES_ONLY))

    def resource_quotas(self) -> list[dict[str, Any]]:
        """The namespace's ResourceQuotas, with what is used of them."""
        return self.requests.listed(self.path(CORE, "resourcequotas"))

    def try_pod(self, manifest: Mapping[str, Any]) -> str | None:
        """Dry-run a Pod: the API server's objection, or ``None`` where it has none or the user may not ask."""
        try:
            self.requests.send("POST", self.path(CORE, "pods"), query=_DRY, body=manifest)
        except UnreachableError:
            raise
        except ClusterError as error:
            return None if _MAY_NOT_CREATE.search(error.server_message) else error.server_message or None
        except SpecError as error:
            return error.message
        return None

    def delete_pod(self, name: str) -> None:
        """Delete a Pod; KubeAI makes a new one in its place."""
        self.requests.delete(self.path(CORE, "pods", name))

    def pod_log(
        self, pod: str, *, container: str = "server", tail_lines: int = TAIL_LINES, previous: bool = False
    ) -> str:
        """The end of a container's log, ``""`` when there is none yet."""
        logs = PodLogs(self.api, self.namespace)
        return logs.read(pod, container=container, tail_lines=tail_lines, previous=previous)

    def follow_log(self, pod: str, *, container: str = "server", tail_lines: int = TAIL_LINES) -> LogStream:
        """The last lines of a container's log, and each new one until the container ends."""
        return PodLogs(self.api, self.namespace).follow(pod, container=container, tail_lines=tail_lines)

    @property
    def where(self) -> Whereabouts:
        """The cluster and the namespace, in words."""
        return replace(self.api.where, namespace=self.namespace)

    @property
    def context(self) -> str:
        """The setting that leads here: a context, ``local`` for this machine, ``""`` for the Pod's own account."""
        return LOCAL if self.is_this_machine else self.api.where.context

    @property
    def is_this_machine(self) -> bool:
        """Whether engines run on this machine: only our own daemon's kubeconfig names a gateway."""
        return self._gateway() is not None

    @property
    def identity(self) -> str:
        """What this namespace of this cluster is known by, also after a new login, context or address.

        A cluster is known by its certificate authority, and by its address only where that is a public one.
        """
        if self.is_this_machine:
            return f"{THIS_MACHINE}/{self.namespace}"
        authority = self.api.configuration.ssl_ca_cert
        try:
            known_by = sha256(Path(authority).read_bytes()).hexdigest() if authority else self.api.host
        except OSError:
            known_by = self.api.host
        return f"{known_by}/{self.namespace}"

    def login(self) -> str:
        """The API server's name for the user; ``""`` where it tells none."""
        return login_of(self.api)

    def rights(self) -> Rights:
        """What the user may not do here; asked again only as long as something is missing."""
        if self._rights is None or self._rights.missing:
            self._rights = rights_of(self.api, self.namespace)
        return self._rights

    def operator(self) -> Operator:
        """The KubeAI installation, as far as it may be read."""
        return operator_of(self.api, self.namespace)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about how this cluster was chosen and where its gateway is."""
        self.api.login.look()
        gateway = self._gateway()
        if gateway is None or not gateway.moved_from:
            return self._notes
        before, now = origin_of(gateway.moved_from), origin_of(gateway.url)
        moved = f"The gateway of this machine is at {now} now, no longer at {before}: what listens there is not ours."
        return (*self._notes, f"{moved} Give other programs the new address.")

    def note(self, sentence: str) -> None:
        """Add to what a user should know."""
        self._notes += (sentence,)

    def near(self) -> Access | None:
        """How the gateway is reached where the configuration itself says it: on this machine. No request is sent.

        Other programs are told the plain address. Our own requests go to the API's port, whose certificate
        and token tell it from whoever took a port meanwhile; ``renewed`` finds it where the daemon has moved.
        """
        self.api.login.look()
        gateway = self._gateway()
        if gateway is None:
            return None
        access = self._through_api(gateway.path.lstrip("/"), base_url=gateway.url)
        return replace(access, proxied_by_api=False, this_machine=True, renewed=lambda: self.near() or access)

    def access(self) -> Access:
        """How the gateway is reached: as the configuration says, or through the API server."""
        near = self.near()
        if near is not None:
            return near
        service = service_of(self.api, self.namespace)
        namespace = text_at(service, "metadata", "namespace") or self.namespace
        where = f"namespaces/{quote(namespace, safe='')}/services/http:{SERVICE}:{_port_of(service)}"
        return self._through_api(f"{CORE}/{where}/proxy/openai/v1")

    def _through_api(self, path: str, *, base_url: str = "") -> Access:
        configuration = self.api.configuration
        certificate = self.api.login.certificate()
        bypassed = should_bypass_proxies(self.api.host, configuration.no_proxy or "")
        url = f"{self.api.host}/{path}"
        return Access(
            base_url=base_url or url,
            own_url=url,
            proxied_by_api=True,
            ca_file=configuration.ssl_ca_cert,
            client_certificate=(certificate[0], certificate[1]) if certificate[0] and certificate[1] else None,
            token=self.api.login.token,
            verify=configuration.verify_ssl,
            server_name=configuration.tls_server_name,
            proxy=None if bypassed else configuration.proxy,
        )

    def close(self) -> None:
        """End all connections at once."""
        self.api.close()


def _port_of(service: Mapping[str, Any] | None) -> int:
    """The Service's port for HTTP: the one of that name, the chart's own number, or the first."""
    ports = maps_at(service, "spec", "ports")
    by_rank = sorted(ports, key=lambda port: (port.get("name") != "http", port.get("port") != GATEWAY_PORT))
    return (number_at(by_rank[0], "port") if by_rank else None) or GATEWAY_PORT


def _names(items: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(sorted(item["metadata"]["name"] for item in items))
