"""Where the API is: an argument, the Pod's own account, the kubeconfig, or this machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from kubernetes import config
from kubernetes.client import Configuration

from kubeai_notebook import settings
from kubeai_notebook.core.whereabouts import OFFER, Whereabouts
from kubeai_notebook.errors import (
    ClusterError,
    LocalError,
    UnauthorizedError,
    UnreachableError,
    WaitInterruptedError,
)

from .api import Api
from .client import Cluster
from .credentials import Login
from .kubeconfig import Kubeconfig
from .kubeconfig_files import KubeconfigFiles, nowhere
from .operator import service_of

if TYPE_CHECKING:
    from kubeai_notebook.settings import Settings

DEFAULT_NAMESPACE = "default"


def connect(context: str = "", namespace: str = "", now: Settings | None = None) -> Cluster:
    """Find the API server and return a client for it.

    ``now``: the settings to go by; by default those in force.
    Order: ``context`` → the settings and $KUBECONFIG → the Pod's service account → the usual kubeconfig's current
    context → this machine. This machine is taken only where nothing is configured: whether a cluster is up or
    down never decides where somebody works. No request is sent to find that out; the first one that is needed says so.

    Namespace: ``namespace`` → the settings → the context's → the one that holds Service
    ``kubeai``, with a note where that is not the default.

    Raises:
        ClusterError: the chosen configuration cannot be used.
        LocalError: this machine was chosen and cannot serve.
    """
    now = now or settings.current()
    context, namespace = context or now.context, namespace or now.namespace
    if context == settings.LOCAL:
        return _local(now, namespace)
    if not context and not now.kubeconfig and settings.in_cluster():
        own = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read_text(encoding="utf-8").strip()
        cluster = Cluster(Api(login=Login(_of_account(), _of_account)), namespace, settings=now)
        return cluster if namespace else _placed(cluster, own)
    path = now.kubeconfig_path
    if path is None:
        if context:
            raise nowhere(context)
        return _local(now, namespace)
    try:
        cluster = _of_kubeconfig(now, path, namespace, context=context)
    except ClusterError as error:
        error.reword(lambda hint: f"{hint} {OFFER}")
        raise
    return cluster if cluster.namespace else _placed(cluster, DEFAULT_NAMESPACE)


def contexts_of(now: Settings) -> tuple[str, ...]:
    """The names of all contexts that `connect` takes: those of the kubeconfig, then this machine's.

    Raises:
        ClusterError: the kubeconfig cannot be read.
    """
    path = now.kubeconfig_path
    named = KubeconfigFiles(path).contexts if path else ()
    return (*named, *([] if settings.LOCAL in named else [settings.LOCAL]))


def _of_account() -> Configuration:
    """The Pod's own service account, whose token the kubelet renews."""
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException as error:
        raise UnauthorizedError(f"This Pod's service account cannot be used: {error}.", "Set KUBECONFIG.") from None
    return configuration


def _of_kubeconfig(now: Settings, path: str, namespace: str, *, context: str = "") -> Cluster:
    kubeconfig = Kubeconfig(path, context)
    ours = kubeconfig.gateway is not None
    where = Whereabouts(context=kubeconfig.name, kubeconfig=path, this_machine=ours)
    api = Api(login=Login(kubeconfig.load(), kubeconfig.load, moved=kubeconfig.moved, where=where))
    return Cluster(
        api,
        namespace or kubeconfig.namespace,
        gateway=lambda: kubeconfig.gateway,
        kubectl=_kubectl(kubeconfig),
        settings=now,
    )


def _kubectl(kubeconfig: Kubeconfig) -> tuple[str, ...]:
    """How kubectl is called so that it reaches the same cluster, whatever a terminal's own file and context are."""
    context, path = ("--context", kubeconfig.name), kubeconfig.path
    if path == settings.kubeconfig_of_terminal():
        return "kubectl", *context
    # A shell expands no "~" that is quoted, and its folder is another.
    whole = settings.absolute_paths(path)
    if os.pathsep in whole:
        return "env", f"KUBECONFIG={whole}", "kubectl", *context  # the option takes one file
    return "kubectl", "--kubeconfig", whole, *context


def _placed(cluster: Cluster, usual: str) -> Cluster:
    """Choose the one namespace that holds Service ``kubeai``: KubeAI ignores Models in any other for ever."""
    cluster.namespace = usual
    try:
        service = service_of(cluster.api, usual)
    except UnreachableError:
        return cluster  # the first request that is needed says so
    namespace_of_kubeai = str(service["metadata"]["namespace"]) if service else usual
    if namespace_of_kubeai != usual:
        cluster.namespace = namespace_of_kubeai
        cluster.note(f'KubeAI looks after namespace "{namespace_of_kubeai}", so that one is used.')
    return cluster


def _local(now: Settings, namespace: str) -> Cluster:
    """Start the single-machine KubeAI, or find the one that runs."""
    # A session of its own: an interrupt of the kernel must not reach the daemon.
    starter = subprocess.Popen(
        settings.local_command("start"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, stderr = starter.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        starter.kill()
        raise LocalError("KubeAI on this machine did not start within 60 s.", "kubeai-local logs says more.") from None
    except KeyboardInterrupt:
        raise WaitInterruptedError(
            "Interrupted while KubeAI on this machine was starting.", "Run the cell again."
        ) from None
    if starter.returncode:
        reason = (stderr.strip().splitlines() or ["It gave no reason."])[-1]
        raise LocalError(reason)
    return _of_kubeconfig(now, out.strip().splitlines()[-1], namespace)
