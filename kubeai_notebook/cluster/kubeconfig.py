"""One context of a kubeconfig: what is wrong with it, said in a sentence, and what it leads to.

The ``kubernetes`` package gets one context in the end, with the login already in it. Left alone with the files, it
fails on a damaged one with errors of Python that quote tokens, lets the last file of several win where kubectl takes
the first, and asks plugins and issuers in ways of its own (`exec_plugin`, `oidc`).
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml
from kubernetes import config
from kubernetes.client import Configuration

from kubeai_notebook.core.foreign import origin_of
from kubeai_notebook.core.messages import nearest
from kubeai_notebook.core.objects import map_at, maps_at, text_at
from kubeai_notebook.errors import KubeconfigError, UnauthorizedError
from kubeai_notebook.settings import environment
from kubeai_notebook.text import one_line

from .certificates import out_of_time
from .credentials import UNREADABLE
from .exec_plugin import ExecPlugin, Given
from .oidc import OidcLogin, expiry_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GATEWAY_EXTENSION = "kubeai-notebook/gateway"
_HINT = "Correct it, or name another context."
_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_DATA = ("certificate-authority-data", "client-certificate-data", "client-key-data")
_PLUGINS = {"gcp": "gke-gcloud-auth-plugin", "azure": "kubelogin"}
_MOST_NAMES = 10


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
        self.path, self._context = path, context
        self._read()

    def _read(self) -> None:
        seen = self._signature()
        documents = [(file, _document(file)) for file in self._files()]
        if not documents:
            message = f"There is no kubeconfig {one_line(self.path)}."
            raise KubeconfigError(message, "Correct KUBECONFIG or the setting KubeAI.kubeconfig.")
        # As in kubectl, the first file that says something has the last word.
        current = next((name for _, document in documents if (name := text_at(document, "current-context"))), "")
        name = self._context or current
        if not name:
            raise self._wrong(f"names no current context{self._others(documents, 'contexts', '')}")
        self._context = name
        self.context = self._entry(documents, "contexts", name)[1]
        cluster = text_at(self.context, "cluster")
        file, self._cluster = self._entry(documents, "clusters", cluster)
        # Our daemon moves, and only it writes its entry; any other cluster is where it is.
        self._identity = (str(file), cluster) if self.gateway else (text_at(self._cluster, "server"),)
        self._user_name = text_at(self.context, "user")
        nobody: tuple[Path, Mapping[str, Any]] = (file, {})
        named = self._user_name
        self._user_file, self._user = self._entry(documents, "users", named) if named else nobody
        self._seen = seen

    def _files(self) -> list[Path]:
        files = [Path(part).expanduser() for part in self.path.split(os.pathsep) if part]
        return [file for file in files if file.exists()]

    def _signature(self) -> tuple[Any, ...]:
        told = [(file.stat(), file) for file in self._files()]
        return tuple((file, stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat, file in told)

    def _wrong(self, what: str) -> KubeconfigError:
        return KubeconfigError(f"The kubeconfig {one_line(self.path)} cannot be used: it {what}.", _HINT)

    def _entry(
        self, documents: list[tuple[Path, Mapping[str, Any]]], kind: str, name: str
    ) -> tuple[Path, Mapping[str, Any]]:
        """The file and the content of the first entry of this name, with its paths made whole."""
        for file, document in documents:
            entries = document.get(kind)
            if entries is not None and not isinstance(entries, list):
                raise self._wrong(f"has {kind} that are no list")
            if not all(isinstance(entry, dict) and "name" in entry for entry in entries or ()):
                raise self._wrong(f"has an entry without a name in its {kind}")
            named = [entry for entry in entries or () if entry["name"] == name]
            if len(named) > 1:
                raise self._wrong(f'has {len(named)} {kind} of the name "{one_line(name)}"')
            if named:
                content = named[0].get(kind[:-1])
                if not isinstance(content, dict):
                    raise self._wrong(f'has nothing in "{one_line(name)}" of its {kind}')
                return file, {key: _whole_path(file, key, value) for key, value in content.items() if value is not None}
        if name:
            raise self._wrong(f'has no {kind[:-1]} "{one_line(name)}"{self._others(documents, kind, name)}')
        raise self._wrong(f"names no {kind[:-1]} in its context")

    @staticmethod
    def _others(documents: list[tuple[Path, Mapping[str, Any]]], kind: str, name: str) -> str:
        """The nearest of the names that there are, or all contexts, as a part of a sentence."""
        names = [text_at(entry, "name") for _, document in documents for entry in maps_at(document, kind)]
        if name and (near := nearest(name, names)):
            return f'; did you mean "{one_line(near)}"?'
        listed = ", ".join(one_line(other) for other in names[:_MOST_NAMES])
        return f"; there is {listed}" if kind == "contexts" and names else ""

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
        for one in maps_at(self._cluster, "extensions"):
            if one.get("name") == GATEWAY_EXTENSION and (url := text_at(one, "extension", "url")):
                tls = text_at(one, "extension", "tls")
                namespace = self.namespace or "default"
                through = f"/api/v1/namespaces/{namespace}/services/http:kubeai:80/proxy/openai/v1"
                # The token is for the API's origin alone; another address in there is not followed.
                near = origin_of(tls) == origin_of(text_at(self._cluster, "server"))
                path = urlsplit(tls).path.rstrip("/") if tls and near else through
                return Gateway(url, path, text_at(one, "extension", "moved_from"))
        return None

    def moved(self) -> bool:
        """Whether the daemon has written the file anew since it was read; a file of anybody else never moves."""
        if self.gateway is None:
            return False
        try:
            return bool(self._files()) and self._signature() != self._seen
        except OSError:
            return False

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
            raise self._wrong(f'leads to another cluster now in its context "{one_line(self._context)}"')
        return anew

    def configuration(self) -> Configuration:
        """What it leads to, as it was read; raises as `load`."""
        self._check_server()
        self._check_user()
        login = self._login()
        configuration = Configuration()
        try:
            config.load_kube_config_from_dict(self._of_one(login), client_configuration=configuration)
        except UNREADABLE as error:
            # What the error says may quote a secret.
            raise self._wrong(f"has a cluster or a user that cannot be read ({type(error).__name__})") from None
        if login.expires_at_seconds != float("inf"):
            # The package's stubs know no function there.
            vars(configuration)["refresh_api_key_hook"] = self._renewing(login.expires_at_seconds)
        self._check_certificates(configuration)
        if self.gateway:
            # A proxy of the environment is never on the way to this machine itself.
            configuration.proxy = None
        return configuration

    def _check_server(self) -> None:
        server = self._cluster.get("server")
        if not isinstance(server, str) or not server:
            raise self._wrong("names no server" if server is None else "has a server that is no text")
        try:
            parts = urlsplit(server)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or not server.isprintable() or " " in server:
            raise self._wrong("has a server that is no address such as https://host:6443")
        proxy = self._cluster.get("proxy-url")
        if proxy is not None and (not isinstance(proxy, str) or "://" not in proxy):
            raise self._wrong("has a proxy-url that is no address such as http://host:3128")

    def _check_user(self) -> None:
        for part in (self._cluster, self._user):
            for key in _FILES:
                if (
                    part.get(key) is not None
                    and f"{key}-data" not in part
                    and not (key == "tokenFile" and "token" in part)
                ):
                    self._check_file(key, part[key])
        for part in (self._cluster, self._user):
            for key in _DATA:
                if part.get(key) and not _is_base64(part[key]):
                    raise self._wrong(f"has {key} that is no base64")
        self._check_words()

    def _check_words(self) -> None:
        for key in ("token", "username", "password"):
            value = self._user.get(key)
            if value is not None and not isinstance(value, str):
                raise self._wrong(f"has a {key} that is no text")
            if value and not value.strip().isprintable():
                raise self._wrong(f"has a {key} with a line break or another control character")
            if value and not value.isascii():
                raise self._wrong(f"has a {key} with a letter that no HTTP header can carry")

    def _check_file(self, key: str, name: Any) -> None:
        if not isinstance(name, str):
            raise self._wrong(f"has a {key} that is no path")
        path = Path(name)
        try:
            content = path.read_bytes()
        except (OSError, ValueError) as error:
            message = f"names a {key} that cannot be read: {one_line(name)}: {_why(error)}"
            raise self._wrong(message) from None
        if not content.strip():
            raise self._wrong(f"names a {key} that is empty")

    def _login(self) -> Given:
        """What a plugin or an issuer gives for this user; nothing where the file itself holds the login."""
        provider, plugin = self._user.get("auth-provider"), self._user.get("exec")
        if provider is not None and plugin is not None:
            raise self._wrong("has a user with both a login plugin (exec) and an auth-provider")
        if any(self._user.get(key) for key in ("token", "tokenFile")):
            return Given()
        if plugin is not None:
            if not text_at(plugin, "command"):
                raise self._wrong("has a login plugin (exec) without a command")
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

    def _check_certificates(self, configuration: Configuration) -> None:
        try:
            context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        except (OSError, ValueError):
            raise self._wrong("has a certificate-authority that is no certificate") from None
        if not configuration.cert_file:
            return
        try:
            context.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
        except (OSError, ValueError):
            raise self._wrong("has a client certificate and key that cannot be used together") from None
        if state := out_of_time(configuration.cert_file, configuration.key_file or configuration.cert_file):
            step = "Log in again, or copy the cluster's kubeconfig anew; or is this machine's clock wrong?"
            raise UnauthorizedError(f"The client certificate of the kubeconfig {one_line(self.path)} {state}.", step)


def _document(file: Path) -> Mapping[str, Any]:
    def wrong(what: str) -> KubeconfigError:
        return KubeconfigError(f"The kubeconfig {one_line(str(file))} cannot be used: it {what}.", _HINT)

    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise wrong(f"cannot be read: {_why(error)}") from None
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise wrong(f"has broken YAML{line}") from None
    except (UnicodeDecodeError, yaml.YAMLError):
        raise wrong("is no text") from None
    except (ValueError, TypeError, RecursionError):
        raise wrong("has broken YAML") from None
    if not isinstance(document, dict):
        raise wrong("is empty" if document is None else "is no mapping with clusters, users and contexts")
    return document


def _why(error: Exception) -> str:
    return error.strerror or "" if isinstance(error, OSError) and error.strerror else "no such path"


def _is_base64(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(base64.b64decode("".join(value.split()), validate=True))
    except (ValueError, binascii.Error):
        return False


def _whole_path(file: Path, key: str, value: Any) -> Any:
    """A path of an entry is meant from the folder of its own file."""
    return str(file.parent / value) if key in _FILES and isinstance(value, str) and value else value
