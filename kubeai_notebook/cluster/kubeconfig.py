"""One context of a kubeconfig, and what it leads to.

The ``kubernetes`` package gets one context in the end, with the login already in it: left alone it asks plugins and
issuers in ways of its own (`exec_plugin`, `oidc`). What stands in the files is read by `kubeconfig_files`, what is
wrong with it said by `kubeconfig_checks`.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubernetes import config
from kubernetes.client import Configuration

from kubeai_notebook.core.foreign import origin_of
from kubeai_notebook.core.objects import map_at, maps_at, text_at
from kubeai_notebook.errors import UnauthorizedError
from kubeai_notebook.settings import environment
from kubeai_notebook.text import one_line

from .credentials import UNREADABLE
from .exec_plugin import ExecPlugin, Given
from .kubeconfig_checks import check_certificates, check_cluster, check_login
from .kubeconfig_files import KubeconfigFiles, unusable
from .oidc import OidcLogin, expiry_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

GATEWAY_EXTENSION = "kubeai-notebook/gateway"
_PLUGINS = {"gcp": "gke-gcloud-auth-plugin", "azure": "kubelogin"}


@dataclass(frozen=True, slots=True)
class Gateway:
    """How the daemon's kubeconfig says that its gateway is reached."""

    url: str
    """For other programs: plain HTTP, on a port that anybody may take while the daemon is away."""
    path: str
    """On the API's own origin, so with its TLS and its token: for us."""
    moved_from: str = ""
    """Where it was before another program had that port."""


class Kubeconfig:
    """One context of the files of ``path``, which are joined as in ``$KUBECONFIG``.

    Which context that is, is decided once: `load` stays with it when the current one is switched in a terminal.
    """

    def __init__(self, path: str, context: str = "") -> None:
        self.path, self._files = path, KubeconfigFiles(path)
        self._context = context or self._files.current_context()
        self.context = self._files.entry("contexts", self._context)[1]
        cluster = text_at(self.context, "cluster")
        file, self._cluster = self._files.entry("clusters", cluster)
        # Our daemon moves, and only it writes its entry; any other cluster is where it is.
        self._identity = (str(file), cluster) if self.gateway else (text_at(self._cluster, "server"),)
        self._user_name = text_at(self.context, "user")
        nobody: tuple[Path, Mapping[str, Any]] = (file, {})
        self._user_file, self._user = self._files.entry("users", self._user_name) if self._user_name else nobody

    @property
    def name(self) -> str:
        """The context's."""
        return self._context

    @property
    def server(self) -> str:
        """The API server's address."""
        return text_at(self._cluster, "server")

    @property
    def login(self) -> str:
        """Who the user is, and by what; no secret is in it."""
        means = {
            "token": "a token", "tokenFile": "a token in a file", "exec": "a login plugin", "auth-provider": "OIDC",
            "client-certificate-data": "a client certificate", "client-certificate": "a client certificate",
            "password": "a password",
        }  # fmt: skip
        kinds = [named for key, named in means.items() if self._user.get(key)]
        if plugin := text_at(self._user, "exec", "command"):
            kinds = [f"the login plugin {one_line(plugin)}" if kind == means["exec"] else kind for kind in kinds]
        by = " and ".join(dict.fromkeys(kinds)) or "no login"
        return f"{one_line(self._user_name)}, by {by}" if self._user_name else by

    @property
    def namespace(self) -> str:
        """The context's own."""
        return text_at(self.context, "namespace")

    @property
    def gateway(self) -> Gateway | None:
        """The gateway's address that our own daemon writes into its kubeconfig."""
        for item in maps_at(self._cluster, "extensions"):
            if item.get("name") == GATEWAY_EXTENSION and (url := text_at(item, "extension", "url")):
                tls = text_at(item, "extension", "tls")
                namespace = self.namespace or "default"
                through = f"/api/v1/namespaces/{namespace}/services/http:kubeai:80/proxy/openai/v1"
                # The token is for the API's origin alone; another address in there is not followed.
                near = origin_of(tls) == origin_of(text_at(self._cluster, "server"))
                path = urlsplit(tls).path.rstrip("/") if tls and near else through
                return Gateway(url, path, text_at(item, "extension", "moved_from"))
        return None

    def moved(self) -> bool:
        """Whether the daemon has written the file anew since it was read; a file of anybody else never moves."""
        return self.gateway is not None and self._files.changed()

    def load(self) -> Configuration:
        """Read it anew, ask its plugin for a login, and check what can be checked without a request.

        Where that fails, all stays as it was, and `moved` says so again: the file may be half written.

        Raises:
            KubeconfigError: it cannot be used, and why, or it leads to another cluster now.
            UnauthorizedError: its plugin gives no login, in the plugin's own words.
        """
        anew = self._anew()
        configuration = anew.configuration()
        vars(self).update(vars(anew))
        return configuration

    def _anew(self) -> Kubeconfig:
        anew = Kubeconfig(self.path, self._context)
        if anew._identity != self._identity:
            raise unusable(self.path, f'leads to another cluster now in its context "{one_line(self._context)}"')
        return anew

    def configuration(self) -> Configuration:
        """What it leads to, as it was read; raises as `load`."""
        check_cluster(self.path, self._cluster)
        check_login(self.path, self._cluster, self._user)
        login = self._login()
        configuration = Configuration()
        try:
            config.load_kube_config_from_dict(self._of_one(login), client_configuration=configuration)
        except UNREADABLE as error:
            # What the error says may quote a secret.
            raise unusable(self.path, f"has a cluster or a user that cannot be read ({type(error).__name__})") from None
        if login.expires_at_seconds != float("inf"):
            # The package's stubs know no function there.
            vars(configuration)["refresh_api_key_hook"] = self._renewing(login.expires_at_seconds)
        check_certificates(self.path, configuration)
        if self.gateway:
            # A proxy of the environment is never on the way to this machine itself.
            configuration.proxy = None
        elif proxy := text_at(self._cluster, "proxy-url"):
            # Up to its release 36.0 the client itself does not read it, and would go past the proxy.
            configuration.proxy = proxy
        return configuration

    def _login(self) -> Given:
        """What a plugin or an issuer gives for this user; nothing where the file itself holds the login."""
        provider, plugin = self._user.get("auth-provider"), self._user.get("exec")
        if provider is not None and plugin is not None:
            raise unusable(self.path, "has a user with both a login plugin (exec) and an auth-provider")
        if any(self._user.get(key) for key in ("token", "tokenFile")):
            return Given()
        if plugin is not None:
            if not text_at(plugin, "command"):
                raise unusable(self.path, "has a login plugin (exec) without a command")
            return ExecPlugin(plugin, self._cluster, self._user_file.parent, self.path).ask(environment())
        if provider is not None:
            return self._of_provider(text_at(provider, "name"), map_at(provider, "config"))
        return Given()

    def _of_provider(self, name: str, config_of_provider: Mapping[str, Any]) -> Given:
        if name != "oidc":
            message = f'The kubeconfig {one_line(self.path)} logs in by auth-provider "{one_line(name)}"'
            plugin = _PLUGINS.get(name, "the cluster's login plugin")
            raise UnauthorizedError(
                f"{message}, which Kubernetes has given up.",
                f"Install {plugin}, and have it write the kubeconfig anew.",
            )
        login = OidcLogin(config_of_provider, self._user_file, self._user_name, self.path)
        token = login.id_token(time.time())
        return Given(token, expires_at_seconds=expiry_of(token))

    def _of_one(self, login: Given) -> dict[str, Any]:
        """A kubeconfig of this one context, with the login as it was given."""
        user = {key: value for key, value in self._user.items() if key not in ("exec", "auth-provider")}
        if login.token:
            user["token"] = login.token
        if login.certificate:
            user = {key: value for key, value in user.items() if key not in ("client-certificate", "client-key")}
            for key, text in (("client-certificate-data", login.certificate), ("client-key-data", login.key)):
                user[key] = base64.b64encode(text.encode()).decode()
        parts = {"context": {"cluster": "x", "user": "x"}, "cluster": dict(self._cluster), "user": user}
        return {"current-context": "x", **{f"{kind}s": [{"name": "x", kind: part}] for kind, part in parts.items()}}

    def _renewing(self, expires_at: float) -> Callable[[Configuration], None]:
        """A hook of `Configuration` that reads the files anew when the login's time is over.

        The last renewal has written another refresh token there, or somebody has logged in again in a terminal.
        """

        def renew(configuration: Configuration) -> None:
            if time.time() >= expires_at:
                vars(configuration).update(vars(self._anew().configuration()))

        return renew
