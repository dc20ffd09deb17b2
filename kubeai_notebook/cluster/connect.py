"""Where the API is: an argument, the Pod's own account, the kubeconfig, or this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import urllib3
from kubernetes import config
from kubernetes.client import Configuration

from kubeai_notebook import settings
from kubeai_notebook.errors import (
    LocalError,
    NotInstalledError,
    UnauthorizedError,
    UnreachableError,
    WaitInterruptedError,
)

from .api import MODELS, Api
from .client import Cluster
from .credentials import Login
from .kubeconfig import Kubeconfig
from .operator import service_of

if TYPE_CHECKING:
    from kubeai_notebook.settings import Settings

PROBE_SECONDS = 5.0
DEFAULT_NAMESPACE = "default"


def connect(
    context: str = "", namespace: str = "", now: Settings | None = None, *, probe_seconds: float = PROBE_SECONDS
) -> Cluster:
    """Find the API server and return a client for it.

    ``now``: the settings to go by; by default those in force.
    Order: ``context`` → the settings → the Pod's service account → the kubeconfig's current
    context → this machine. This machine is taken silently only where nothing is configured,
    and with a note where the configured cluster is not there or has no KubeAI. A cluster that
    times out or refuses the login is an error: the user's Models may well be in it.

    Namespace: ``namespace`` → the settings → the context's → the one that holds Service
    ``kubeai``, with a note where that is not the default.

    ``probe_seconds`` is how long a kubeconfig's own cluster may take to say whether it has KubeAI.

    Raises:
        ClusterError: the chosen cluster cannot be used.
        LocalError: this machine was chosen and cannot serve.
    """
    now = now or settings.current()
    context, namespace = context or now.context, namespace or now.namespace
    if context == settings.LOCAL:
        return _local(now, namespace)
    if not context and settings.in_cluster():
        own = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read_text(encoding="utf-8").strip()
        cluster = Cluster(Api(login=Login(_of_account(), _of_account)), namespace, settings=now)
        return cluster if namespace else _placed(cluster, own)
    path = now.kubeconfig_path
    if path is None:
        if context:
            raise NotInstalledError(f'There is no kubeconfig to find the context "{context}" in.', "Set KUBECONFIG.")
        return _local(now, namespace)
    cluster = _of_kubeconfig(now, path, namespace, context=context)
    passed_over = None if context else _passed_over(cluster.api, probe_seconds)
    if passed_over is None:
        return cluster if cluster.namespace else _placed(cluster, DEFAULT_NAMESPACE)
    cluster.close()
    return _local(now, namespace, notes=(f"{passed_over} Serving on this machine instead.",))


def _passed_over(api: Api, seconds: float) -> str | None:
    """Why the kubeconfig's own cluster cannot be meant, or ``None`` when it can."""
    try:
        api.request("GET", MODELS, read_seconds=seconds)
    except NotInstalledError:
        return f"The cluster at {api.host} has no KubeAI."
    except UnreachableError as error:
        if isinstance(getattr(error.__cause__, "reason", error.__cause__), urllib3.exceptions.NewConnectionError):
            return f"The cluster at {api.host} is not there."
        raise
    return None


def _of_account() -> Configuration:
    """The Pod's own service account, whose token the kubelet renews."""
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException as error:
        raise UnauthorizedError(f"This Pod's service account cannot be used: {error}.", "Set KUBECONFIG.") from None
    return configuration


def _of_kubeconfig(
    now: Settings, path: str, namespace: str, *, context: str = "", notes: tuple[str, ...] = ()
) -> Cluster:
    kubeconfig = Kubeconfig(path, context)
    ours = kubeconfig.gateway is not None
    api = Api(login=Login(kubeconfig.load(), kubeconfig.load, moved=kubeconfig.moved, this_machine=ours))
    return Cluster(
        api,
        namespace or kubeconfig.namespace,
        gateway=lambda: kubeconfig.gateway,
        notes=notes,
        kubectl=_kubectl(now, path, context, ours=ours),
        context=settings.LOCAL if ours else kubeconfig.context_name,
        settings=now,
    )


def _kubectl(now: Settings, path: str, context: str, *, ours: bool) -> tuple[str, ...]:
    """How kubectl is called so that it reaches the same cluster."""
    if ours and now.kubeconfig_path != path:
        return "kubectl", "--kubeconfig", path
    return ("kubectl", "--context", context) if context and not ours else ("kubectl",)


def _placed(cluster: Cluster, usual: str) -> Cluster:
    """Choose the one namespace that holds Service ``kubeai``: KubeAI ignores Models in any other for ever."""
    cluster.namespace = usual
    try:
        service = service_of(cluster.api, usual)
    except UnreachableError:
        return cluster  # the first request that is needed says so
    found = str(service["metadata"]["namespace"]) if service else usual
    if found != usual:
        cluster.namespace = found
        cluster.note(f'KubeAI looks after namespace "{found}", so that one is used.')
    return cluster


def _local(now: Settings, namespace: str, notes: tuple[str, ...] = ()) -> Cluster:
    """Start the single-machine KubeAI, or find the one that runs."""
    # A session of its own: an interrupt of the kernel must not reach the daemon.
    starter = subprocess.Popen(
        settings.local_command(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, said = starter.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        starter.kill()
        raise LocalError("KubeAI on this machine did not start within 60 s.", "Look at: kubeai-local logs") from None
    except KeyboardInterrupt:
        raise WaitInterruptedError(
            "Interrupted while KubeAI on this machine was starting.", "Run the cell again."
        ) from None
    if starter.returncode:
        reason = (said.strip().splitlines() or ["It gave no reason."])[-1]
        raise LocalError(reason)
    return _of_kubeconfig(now, out.strip().splitlines()[-1], namespace, notes=notes)
