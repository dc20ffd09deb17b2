"""What is wrong with one context of a kubeconfig, as far as that is seen without a request.

Left to a library, a wrong word ends as an error of TLS, of base64 or of HTTP that quotes a secret and names no field.
"""

from __future__ import annotations

import base64
import binascii
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubeai_notebook.errors import UnauthorizedError
from kubeai_notebook.text import one_line

from .certificates import out_of_time
from .kubeconfig_files import FILES, unusable, why

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubernetes.client import Configuration

_DATA = ("certificate-authority-data", "client-certificate-data", "client-key-data")


def check_cluster(path: str, cluster: Mapping[str, Any]) -> None:
    """Check the addresses of the cluster's entry; raises KubeconfigError."""
    server = cluster.get("server")
    if not isinstance(server, str) or not server:
        raise unusable(path, "names no server" if server is None else "has a server that is no text")
    try:
        parts = urlsplit(server)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not server.isprintable() or " " in server:
        raise unusable(path, "has a server that is no address such as https://host:6443")
    proxy = cluster.get("proxy-url")
    if proxy is not None and (not isinstance(proxy, str) or "://" not in proxy):
        raise unusable(path, "has a proxy-url that is no address such as http://host:3128")


def check_login(path: str, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> None:
    """Check what both entries hold for the login: files, certificates, words; raises KubeconfigError."""
    for part in (cluster, user):
        for key in FILES:
            if part.get(key) is not None and f"{key}-data" not in part and not (key == "tokenFile" and "token" in part):
                _check_file(path, key, part[key])
    for part in (cluster, user):
        for key in _DATA:
            if part.get(key) and not _is_base64(part[key]):
                raise unusable(path, f"has {key} that is no base64")
    _check_words(path, user)


def _check_words(path: str, user: Mapping[str, Any]) -> None:
    for key in ("token", "username", "password"):
        value = user.get(key)
        if value is not None and not isinstance(value, str):
            raise unusable(path, f"has a {key} that is no text")
        if value and not value.strip().isprintable():
            raise unusable(path, f"has a {key} with a line break or another control character")
        if value and not value.isascii():
            raise unusable(path, f"has a {key} with a letter that no HTTP header can carry")


def _check_file(kubeconfig: str, key: str, name: Any) -> None:
    if not isinstance(name, str):
        raise unusable(kubeconfig, f"has a {key} that is no path")
    try:
        content = Path(name).read_bytes()
    except (OSError, ValueError) as error:
        message = f"names a {key} that cannot be read: {one_line(name)}: {why(error)}"
        raise unusable(kubeconfig, message) from None
    if not content.strip():
        raise unusable(kubeconfig, f"names a {key} that is empty")


def check_certificates(path: str, configuration: Configuration) -> None:
    """Check that the certificates can be used, together and now.

    Raises:
        KubeconfigError: they cannot be read.
        UnauthorizedError: the client's is out of its time.
    """
    try:
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    except (OSError, ValueError):
        raise unusable(path, "has a certificate-authority that is no certificate") from None
    if not configuration.cert_file:
        return
    try:
        context.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
    except (OSError, ValueError):
        raise unusable(path, "has a client certificate and key that cannot be used together") from None
    if state := out_of_time(configuration.cert_file, configuration.key_file or configuration.cert_file):
        step = "Log in again, or copy the cluster's kubeconfig anew; or is this machine's clock wrong?"
        raise UnauthorizedError(f"The client certificate of the kubeconfig {one_line(path)} {state}.", step)


def _is_base64(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(base64.b64decode("".join(value.split()), validate=True))
    except (ValueError, binascii.Error):
        return False
