"""Settings: one traitlets Configurable, and the only place in the client that reads the environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from traitlets import Float, Unicode
from traitlets.config import Configurable

LOCAL = "local"
"""The name of the context that means this machine."""

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class KubeAI(Configurable):
    """What a user may set once for all magics and calls, by ``%config KubeAI.<name> = …``."""

    context = Unicode("", help='Context of the kubeconfig, or "local" for this machine.').tag(config=True)
    kubeconfig = Unicode("", help="Path of the kubeconfig; empty: $KUBECONFIG, then ~/.kube/config.").tag(config=True)
    namespace = Unicode("", help="Namespace of the Models; empty: the context's.").tag(config=True)
    default_profile = Unicode("cpu", help="Resource profile of a Model that names none.").tag(config=True)
    endpoint = Unicode("", help="The gateway's address; empty: $KUBEAI_ENDPOINT, then found.").tag(config=True)
    wait_timeout_seconds = Float(900.0, help="How long wait() waits unless told.").tag(config=True)


_current: list[KubeAI] = []


def current() -> KubeAI:
    """The settings in force: IPython's own if the extension is loaded, otherwise defaults."""
    if not _current:
        _current.append(KubeAI())
    return _current[0]


def install(settings: KubeAI) -> None:
    """Make these the settings in force."""
    _current[:] = [settings]


def kubeconfig_path(settings: KubeAI) -> str | None:
    """The kubeconfig to read (several, joined as in $KUBECONFIG), or ``None`` where there is none."""
    stated = settings.kubeconfig or os.environ.get("KUBECONFIG", "")
    if stated:
        return stated
    usual = Path.home() / ".kube" / "config"
    return str(usual) if usual.is_file() else None


def in_cluster() -> bool:
    """Whether this process runs in a Pod with a service account."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and _SERVICE_ACCOUNT.is_file()


def stated_endpoint(settings: KubeAI) -> str:
    """The gateway's address that the user or the platform stated, or ``""``."""
    return settings.endpoint or os.environ.get("KUBEAI_ENDPOINT", "")


def local_command() -> list[str]:
    """How the single-machine KubeAI of this environment is started; prints the kubeconfig's path last.

    ``-P``: a notebook's folder may hold a ``yaml.py`` of anybody's. A checkout that is not installed is named outright.
    """
    root = Path(__file__).parents[1]
    if root.name in ("site-packages", "dist-packages"):
        return [sys.executable, "-P", "-m", "kubeai_notebook.local", "start"]
    run = "from kubeai_notebook.local.__main__ import main; sys.exit(main())"
    return [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(root)!r}); {run}", "start"]
