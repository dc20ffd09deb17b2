"""Cluster: the verbs that a Session needs, on one namespace."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from kubernetes.client.rest import should_bypass_proxies

from kubeai_notebook.core.access import Access
from kubeai_notebook.core.foreign import origin_of
from kubeai_notebook.core.objects import maps_at, number_at, text_at

from .api import BATCH, CORE, MODELS, Api
from .objects import ObjectVerbs
from .operator import SERVICE, operator_of, service_of
from .pods import PodVerbs
from .rights import Rights, rights_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from kubeai_notebook.core.observation import Operator
    from kubeai_notebook.settings import Settings

    from .kubeconfig import Gateway

__all__ = ["BATCH", "CORE", "MODELS", "Api", "Cluster"]

GATEWAY_PORT = 80


class Cluster(ObjectVerbs, PodVerbs):
    """One namespace of one Kubernetes cluster."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        *,
        gateway: Callable[[], Gateway | None] = lambda: None,
        notes: tuple[str, ...] = (),
        kubectl: tuple[str, ...] = ("kubectl",),
        settings: Settings | None = None,
    ) -> None:
        super().__init__(api, namespace)
        self.settings = settings
        """The settings by which it was connected."""
        self.kubectl = kubectl
        """How kubectl is called in a terminal so that it reaches this cluster."""
        self._notes = notes
        self._gateway = gateway
        self._rights: Rights | None = None

    @property
    def is_this_machine(self) -> bool:
        """Whether engines run on this machine: only our own daemon's kubeconfig names a gateway."""
        return self._gateway() is not None

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
