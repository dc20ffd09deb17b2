"""Cluster: the verbs that a Session needs, on one namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubernetes.client.rest import should_bypass_proxies

from kubeai_notebook.core.access import Access

from .api import BATCH, CORE, MODELS, Api
from .objects import ObjectVerbs
from .operator import SERVICE, operator_of, service_of
from .pods import PodVerbs
from .rights import Rights, rights_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from kubeai_notebook.core.observation import Operator

__all__ = ["BATCH", "CORE", "MODELS", "Api", "Cluster"]

GATEWAY_PORT = 80


class Cluster(ObjectVerbs, PodVerbs):
    """One namespace of one Kubernetes cluster."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        *,
        gateway: str | None = None,
        notes: tuple[str, ...] = (),
        kubectl: str = "kubectl",
    ) -> None:
        super().__init__(api, namespace)
        self.kubectl = kubectl
        """How kubectl is called in a terminal so that it reaches this cluster."""
        self.notes = notes
        """What a user should know about how this cluster was chosen."""
        self._gateway = gateway
        self._rights: Rights | None = None

    @property
    def is_this_machine(self) -> bool:
        """Whether engines run on this machine: only our own daemon's kubeconfig names a gateway."""
        return self._gateway is not None

    def rights(self) -> Rights:
        """What the user may not do here; asked again only as long as something is missing."""
        if self._rights is None or self._rights.missing:
            self._rights = rights_of(self.api, self.namespace)
        return self._rights

    def operator(self) -> Operator:
        """The KubeAI installation, as far as it may be read."""
        return operator_of(self.api, self.namespace)

    def access(self) -> Access:
        """How the gateway is reached: by the address in the configuration, or through the API server."""
        if self._gateway:
            return Access(base_url=self._gateway)
        service = service_of(self.api, self.namespace)
        namespace = service["metadata"]["namespace"] if service else self.namespace
        where = f"namespaces/{namespace}/services/http:{SERVICE}:{_port_of(service)}"
        configuration = self.api.configuration
        certificate = self.api.login.certificate()
        bypassed = should_bypass_proxies(self.api.host, configuration.no_proxy or "")
        return Access(
            base_url=f"{self.api.host}/{CORE}/{where}/proxy/openai/v1",
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
    ports = ((service or {}).get("spec") or {}).get("ports") or []
    by_rank = sorted(ports, key=lambda port: (port.get("name") != "http", port.get("port") != GATEWAY_PORT))
    return int(by_rank[0]["port"]) if by_rank else GATEWAY_PORT
