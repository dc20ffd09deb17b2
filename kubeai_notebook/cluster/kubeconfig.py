"""One context of a kubeconfig: what is wrong with it, said in a sentence, and what it leads to.

The ``kubernetes`` package reads the file in the end. It fails on a damaged one with errors of Python that quote
tokens, or only logs that a login plugin failed; so the file is looked at here first.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
import shutil
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml
from kubernetes import config
from kubernetes.client import Configuration

from kubeai_notebook.core.foreign import origin_of
from kubeai_notebook.core.objects import maps_at, text_at
from kubeai_notebook.errors import ClusterError, NotInstalledError, UnauthorizedError
from kubeai_notebook.text import one_line

from .credentials import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GATEWAY_EXTENSION = "kubeai-notebook/gateway"
_HINT = "Correct it, or name a context."
_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_DATA = ("certificate-authority-data", "client-certificate-data", "client-key-data")
_SHOWN = 500


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
            raise NotInstalledError(f"There is no kubeconfig {one_line(self.path)}.", "Correct KUBECONFIG.")
        current = next((named for _, one in reversed(documents) if (named := text_at(one, "current-context"))), "")
        name = self._context or current
        if not name:
            raise self._wrong("names no current context")
        self._context = name
        self.context = self._entry(documents, "contexts", name)[1]
        cluster = text_at(self.context, "cluster")
        file, self._cluster = self._entry(documents, "clusters", cluster)
        self._folder = file.parent
        # Our daemon moves, and only it writes its entry; any other cluster is where it is.
        self._identity = (str(file), cluster) if self.gateway else (text_at(self._cluster, "server"),)
        user = text_at(self.context, "user")
        self._user: Mapping[str, Any] = self._entry(documents, "users", user)[1] if user else {}
        self._seen = seen

    def _files(self) -> list[Path]:
        files = [Path(part).expanduser() for part in self.path.split(os.pathsep) if part]
        return [file for file in files if file.exists()]

    def _signature(self) -> tuple[Any, ...]:
        told = [(file.stat(), file) for file in self._files()]
        return tuple((file, stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat, file in told)

    def _wrong(self, what: str) -> ClusterError:
        return NotInstalledError(f"The kubeconfig {one_line(self.path)} cannot be used: it {what}.", _HINT)

    def _entry(
        self, documents: list[tuple[Path, Mapping[str, Any]]], kind: str, name: str
    ) -> tuple[Path, Mapping[str, Any]]:
        """The file and the content of the first entry of this name."""
        for file, document in documents:
            entries = document.get(kind)
            if entries is not None and not isinstance(entries, list):
                raise self._wrong(f"has {kind} that are no list")
            for entry in entries or ():
                if not isinstance(entry, dict) or "name" not in entry:
                    raise self._wrong(f"has an entry without a name in its {kind}")
                if entry["name"] == name:
                    found = entry.get(kind[:-1])
                    if not isinstance(found, dict):
                        raise self._wrong(f'has nothing in "{one_line(name)}" of its {kind}')
                    return file, found
        raise self._wrong(f'has no {kind[:-1]} "{one_line(name)}"' if name else f"names no {kind[:-1]} in its context")

    @property
    def context_name(self) -> str:
        """The context in use: the one that was asked for, or the file's current one."""
        return self._context

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
            NotInstalledError: it cannot be used, and why, or it leads to another cluster now.
            UnauthorizedError: its plugin gives no login, in the plugin's own words.
        """
        found = Kubeconfig(self.path, self._context)
        if found._identity != self._identity:
            raise self._wrong(f'leads to another cluster now in its context "{one_line(self._context)}"')
        configuration = found.configuration()
        vars(self).update(vars(found))
        return configuration

    def configuration(self) -> Configuration:
        """What it leads to, as it was read; raises as `load`."""
        self._check_server()
        self._check_user()
        configuration = Configuration()
        with _overheard() as said:
            try:
                config.load_kube_config(self.path, context=self._context, client_configuration=configuration)
            except UNREADABLE as error:
                # What the error says may quote a secret.
                raise self._wrong(f"has a cluster or a user that cannot be read ({type(error).__name__})") from None
        self._check_login(configuration, said)
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
        if "exec" in self._user:
            self._check_plugin(self._user["exec"])

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
        path = self._folder / Path(name)
        try:
            content = path.read_bytes()
        except (OSError, ValueError) as error:
            raise self._wrong(f"names a {key} that cannot be read: {_why(error)}") from None
        if not content.strip():
            raise self._wrong(f"names a {key} that is empty")

    def _check_plugin(self, plugin: Any) -> None:
        command = text_at(plugin, "command")
        if not command:
            raise self._wrong("has a login plugin (exec) without a command")
        beside = self._folder / command
        if shutil.which(command) is None and not (os.sep in command and beside.is_file()):
            raise UnauthorizedError(
                f'The kubeconfig {one_line(self.path)} logs in by "{one_line(command)}", which is not installed.',
                one_line(text_at(plugin, "installHint"), _SHOWN) or "Install it, or name another context.",
            )

    def _check_login(self, configuration: Configuration, said: list[str]) -> None:
        if "exec" not in self._user or configuration.api_key or configuration.cert_file:
            return
        plugin = one_line(text_at(self._user, "exec", "command"))
        reason = one_line(said[-1], _SHOWN).removeprefix("exec: ").rstrip(".") if said else "it gives no reason"
        message = f'The kubeconfig {one_line(self.path)} logs in by "{plugin}", which fails: {reason}.'
        raise UnauthorizedError(
            message, one_line(text_at(self._user, "exec", "installHint"), _SHOWN) or "Log in again."
        )

    def _check_certificates(self, configuration: Configuration) -> None:
        try:
            context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        except (OSError, ValueError):
            raise self._wrong("has a certificate-authority that is no certificate") from None
        if configuration.cert_file:
            try:
                context.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
            except (OSError, ValueError):
                raise self._wrong("has a client certificate and key that cannot be used together") from None


def _document(file: Path) -> Mapping[str, Any]:
    def wrong(what: str) -> ClusterError:
        return NotInstalledError(f"The kubeconfig {one_line(str(file))} cannot be used: it {what}.", _HINT)

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


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """What the package logs meanwhile: that a plugin fails is no error to it, only a line in the log."""
    said: list[str] = []
    here = threading.get_ident()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == here and record.levelno >= logging.ERROR:
                said.append(record.getMessage())

    root, ear = logging.getLogger(), Ear()
    root.addHandler(ear)
    try:
        yield said
    finally:
        root.removeHandler(ear)
