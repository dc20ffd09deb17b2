"""Settings: what a user may set once, as a value; and the only place in the client that reads the environment.

The user writes traits (`KubeAI`, by ``%config``) and variables of the environment. A Session gets neither: it gets a
`Settings`, made of both at one moment. Read anew inside each call, a trait that changed would have sent a handle that
was made for one cluster to another one.
"""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from traitlets import Bool, Float, Unicode
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
    wait_timeout_seconds = Float(900.0, min=0.0, help="How long wait() waits unless told.").tag(config=True)
    show_waiting = Bool(True, help="Whether a call shows what it waits for.").tag(config=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a Session works by; `current` makes it of the user's configuration and the environment."""

    context: str = ""
    kubeconfig: str = ""
    """Path that the user or $KUBECONFIG states (several, joined as there); ``""``: the usual place."""
    namespace: str = ""
    endpoint: str = ""
    """The gateway's address that the user stated."""
    platform_endpoint: str = ""
    """The gateway's address of $KUBEAI_ENDPOINT; that of a cluster's own configuration goes before it."""
    default_profile: str = "cpu"
    wait_timeout_seconds: float = 900.0
    person: str = ""
    """Who works here, as JupyterHub or the image says: it tells those apart who share one login."""
    show_waiting: bool = True
    """Whether a call shows what it waits for."""

    def __repr__(self) -> str:
        from kubeai_notebook.core.masking import masked_repr  # (whose patterns %load_ext need not wait for)

        return masked_repr(self)

    @property
    def kubeconfig_path(self) -> str | None:
        """The kubeconfig to read, or ``None`` where there is none."""
        usual = _usual_kubeconfig()
        return self.kubeconfig or (str(usual) if usual.is_file() else None)

    @property
    def place(self) -> dict[str, str]:
        """The settings that select cluster, namespace or gateway, by their names."""
        names = ("context", "kubeconfig", "namespace", "endpoint", "platform_endpoint")
        return {name: getattr(self, name) for name in names}


_configurable: list[KubeAI] = []


def configurable() -> KubeAI:
    """The traits in force: IPython's own if the extension is loaded, otherwise defaults."""
    if not _configurable:
        _configurable.append(KubeAI())
    return _configurable[0]


def install(traits: KubeAI) -> None:
    """Make these the traits in force."""
    _configurable[:] = [traits]


def current() -> Settings:
    """The traits in force and the environment, as they are now."""
    traits = configurable()
    return Settings(
        context=traits.context,
        kubeconfig=traits.kubeconfig or os.environ.get("KUBECONFIG", ""),
        namespace=traits.namespace,
        endpoint=traits.endpoint,
        platform_endpoint=os.environ.get("KUBEAI_ENDPOINT", ""),
        default_profile=traits.default_profile,
        wait_timeout_seconds=traits.wait_timeout_seconds,
        person=os.environ.get("JUPYTERHUB_USER") or os.environ.get("NB_USER", ""),
        show_waiting=traits.show_waiting,
    )


def system_user() -> str:
    """The user's name in this system; ``""`` where there is none, as a container may have it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def hub() -> str:
    """Where models are looked up, as the hub's own library has it; ``""`` where it may not be asked."""
    is_offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}
    return "" if is_offline else os.environ.get("HF_ENDPOINT") or "https://huggingface.co"


def notebook() -> str:
    """The path of the notebook that this kernel is of, where its server tells."""
    return os.environ.get("JPY_SESSION_NAME", "")


def in_cluster() -> bool:
    """Whether this process runs in a Pod with a service account."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and _SERVICE_ACCOUNT.is_file()


def kubeconfig_of_terminal() -> str:
    """What kubectl reads in a terminal that was started beside this process."""
    return os.environ.get("KUBECONFIG") or str(_usual_kubeconfig())


def _usual_kubeconfig() -> Path:
    return Path.home() / ".kube" / "config"


def absolute_paths(kubeconfig: str) -> str:
    """The files of a kubeconfig's path, joined as there, whatever the folder and however it was written."""
    return os.pathsep.join(str(Path(part).expanduser().absolute()) for part in kubeconfig.split(os.pathsep) if part)


def environment() -> dict[str, str]:
    """All variables, for a login plugin: it finds its own configuration by them."""
    return dict(os.environ)


def local_command(*arguments: str) -> list[str]:
    """How ``kubeai-local`` of this environment is called, on PATH or not.

    ``-P``: a notebook's folder may hold a ``yaml.py`` of anybody's. A checkout that is not installed is named outright.
    """
    root = Path(__file__).parents[1]
    if root.name in ("site-packages", "dist-packages"):
        return [sys.executable, "-P", "-m", "kubeai_notebook.local", *arguments]
    run = "from kubeai_notebook.local.__main__ import main; sys.exit(main())"
    return [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(root)!r}); {run}", *arguments]
