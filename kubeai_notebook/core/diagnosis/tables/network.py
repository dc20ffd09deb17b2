"""The way to the hub or store: certificates, proxies, networks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import value_of
from kubeai_notebook.core.diagnosis.engine.remedies import advise, drop_argument, drop_env, set_env
from kubeai_notebook.core.diagnosis.engine.rule import Rule

from .hosts import did_you_mean, meant_host
from .hub import HOST

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case

PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")
UNREACHABLE = (
    "name resolution",
    "[Errno 111] Connection refused",
    "Network is unreachable",
    "connect timeout=",
    "Could not connect to the endpoint URL",
    "Connect timeout on endpoint URL",
    "httpx.ConnectTimeout",
    "httpcore.ConnectTimeout",
    "ClientConnectorDNSError",
    "Could not resolve host",
    "failed to lookup address information",
    "Error: … dns error",
    "Error: … tcp connect error",
    "getaddrinfo failed",
    "[Errno -2] Name or service not known",
    "[Errno -5] No address associated with hostname",
    "[Errno 110] Connection timed out",
    "[Errno 113] No route to host",
    "SSLEOFError",
    "SSLZeroReturnError",
    "[SSL: UNEXPECTED_EOF_WHILE_READING]",
    "Connection reset by peer'))",
    "ConnectError: All connection attempts failed",
)
# The library's wrapper around seven different failures: only when nothing else in the whole log speaks.
WRAPPED = ("LocalEntryNotFoundError", "couldn't connect to '")
RESTARTED = "Then start kubeai-local again from there: kubeai-local stop, then kubeai-local start."
"""Its own environment says how the network is reached on this machine; a Model's is not asked."""
_OTHER_PROXY = (
    advise(f"Correct HTTPS_PROXY in your shell. {RESTARTED}", only="this machine"),
    advise("Correct env.HTTPS_PROXY.", only="cluster"),
    drop_env("HTTPS_PROXY", "https_proxy"),
)
_OWN_NETWORK = (
    advise(
        "Check the network of this machine, and HTTPS_PROXY where you need one; it is tried again.",
        only="this machine",
    ),
    advise('Or use a file you have: kubeai-local add "{url}=FILE.gguf".', only="this machine"),
)
_without_xet = set_env("HF_HUB_DISABLE_XET", "1", "Download without the Xet storage: env.{variable}.")


_OF_TOOLS = "--tool-server"
_BESIDE = ("--otlp-traces-endpoint", "--master-addr", "--data-parallel-address", _OF_TOOLS)
"""Arguments of vLLM that name another program which it asks as it starts."""


def _beside(case: Case) -> dict[str, str]:
    """The argument that names what cannot be reached, where that is another program and no source of weights."""
    host = next((match["host"] for source in HOST if (match := re.search(source, case.line))), "")
    for name in _BESIDE:
        address = value_of(case.scene.args, name)
        if address and ((host and host in address) or (name == _OF_TOOLS and "add_tool_server" in case.above(60))):
            return {"asked_by": name, "address": address}
    return {}


def _proxied(case: Case) -> bool:
    return any(case.scene.variable(name) for name in PROXIES)


NETWORK: tuple[Rule, ...] = (
    Rule(
        code="TlsCertificate",
        seen=(
            "CERTIFICATE_VERIFY_FAILED",
            "certificate verify failed",
            "unable to get local issuer certificate",
            "self signed certificate",
            "self-signed certificate",
            "Error: … certificate has expired",
            "doesn't match either of",
            "x509:",
            "invalid peer certificate",
            "InvalidCertificate(",
            "UnknownIssuer",
            "tlsv1 alert unknown ca",
            "SSL certificate problem",
            "SSLCertVerificationError: hostname",
            "suitable TLS CA certificate bundle",
        ),
        take=HOST,
        message=(
            "The certificate of {host} is not trusted on {machine}.",
            "The certificate of the weights' source is not trusted on {machine}.",
            "The certificate of {host} is not trusted inside the container.",
            "The certificate of the weights' source is not trusted inside the container.",
        ),
        who="admin",
        remedies=(
            advise(
                "Set SSL_CERT_FILE to a file that holds the certificate authority. " + RESTARTED, only="this machine"
            ),
            advise(
                "Build the certificate authority into the image, or mount it and point SSL_CERT_FILE at it.",
                only="cluster",
            ),
            advise(
                "Or point env.HF_ENDPOINT (hub) or env.AWS_ENDPOINT_URL (S3) at a host whose certificate fits.",
                only="cluster",
            ),
        ),
    ),
    Rule(
        code="ProxyUnreachable",
        seen=("Proxy Authentication Required", "Tunnel connection failed: 407"),
        message=("The proxy asks for a user and a password.",),
        who="user",
        remedies=(
            advise(f"Write them into HTTPS_PROXY in your shell. {RESTARTED}", only="this machine"),
            advise(
                "Put HTTPS_PROXY, with the user and the password in it, into a Secret, and name that in envFrom.",
                only="cluster",
            ),
        ),
    ),
    Rule(
        code="ProxyUnreachable",
        seen=("Tunnel connection failed: 40", "Tunnel connection failed: 5"),
        take=(r"ConnectionPool\(host=\\*'(?P<host>[\w.-]+)", r"failed: (?P<status>\d+ [\w ]+)"),
        message=(
            "The proxy does not let {host} through: it answers {status}.",
            "The proxy does not let the request through.",
        ),
        who="admin",
        remedies=(
            advise("Ask that the proxy lets {host} through.", "Ask that the proxy lets the weights' source through."),
            *_OTHER_PROXY,
        ),
    ),
    Rule(
        code="ProxyUnreachable",
        seen=(
            "Unable to connect to proxy",
            "Failed to connect to proxy",
            "Cannot connect to proxy",
            "proxyconnect tcp",
        ),
        take=(r"host=\\*'(?P<proxy>[\w.-]+)\\*', port=\d+\): failed", r"lookup (?P<proxy>[\w.-]+)"),
        message=("The proxy {proxy} cannot be reached.", "The proxy cannot be reached."),
        who="user",
        remedies=_OTHER_PROXY,
    ),
    Rule(
        code="BadArgumentValue",
        seen=UNREACHABLE,
        only=lambda case: case.has_ended and bool(_beside(case)),
        derive=_beside,
        message=(
            "The engine reaches nothing at {address}, which {asked_by} names.",
            "The engine reaches nothing at the address that one of its settings names.",
        ),
        who="user",
        remedies=(
            drop_argument("{asked_by}", title="Do without it: remove {argument}."),
            advise("Start what {asked_by} names, or correct the address.", "Correct the address."),
        ),
    ),
    Rule(
        code="ProxyUnreachable",
        seen=UNREACHABLE,
        unless=("dial tcp", "localhost:", "load_lora_adapter"),
        only=_proxied,
        message=('The proxy that "{name}" is told to use (HTTPS_PROXY) cannot be reached.',),
        who="user",
        remedies=_OTHER_PROXY,
    ),
    Rule(
        code="SourceUnreachable",
        seen=("missing an 'http://' or 'https://' protocol", "No scheme supplied", "MissingSchema: Invalid URL"),
        take=(r"Invalid URL '(?P<url_asked>[^'\s]{1,200})'",),
        message=(
            'The address "{url_asked}" of the weights\' source lacks its http:// or https://.',
            "The address of the weights' source lacks its http:// or https://.",
        ),
        who="user",
        remedies=(advise("Begin env.HF_ENDPOINT (or env.AWS_ENDPOINT_URL) with https:// or http://."),),
    ),
    Rule(
        code="ProxyUnreachable",
        seen=("Unknown scheme for proxy URL", "Proxy URL had no scheme", "Unable to determine SOCKS version"),
        message=("The address of the proxy (HTTPS_PROXY) lacks its http://, or has another scheme than is known.",),
        who="user",
        remedies=_OTHER_PROXY,
    ),
    Rule(
        # The hub itself has let this download in: its files lie elsewhere.
        code="SourceUnreachable",
        seen=(
            "403 Client Error: Forbidden for url: https://cdn-lfs",
            "403 Client Error: Forbidden for url: https://cas-bridge",
            "Client error '403 Forbidden' for url 'https://cdn-lfs",
            "Client error '403 Forbidden' for url 'https://cas-bridge",
            "403, … xethub.hf.co",
        ),
        only=lambda case: case.has_ended,
        take=HOST,
        message=(
            "The hub gives the model out, but {host}, where its files lie, refuses them: mostly a firewall or proxy.",
            "The hub gives the model out, but the host where its files lie refuses them: mostly a firewall or proxy.",
        ),
        who="admin",
        remedies=(
            advise("Open the way out to {host} too: *.hf.co and *.xethub.hf.co.", "Open the way out to *.hf.co too."),
            advise("Or name a mirror in env.HF_ENDPOINT, or put the weights on a volume and use a pvc:// url."),
        ),
    ),
    Rule(
        code="DownloadInterrupted",
        seen=("CAS service error", "CAS client error"),
        message=("The download broke off in the hub's Xet storage.",),
        who="user",
        remedies=(_without_xet,),
    ),
    Rule(
        code="DownloadInterrupted",
        seen=(
            "ReadTimeout: ",
            "ConnectionError: … Read timed out",
            "Error: max retries exceeded … EOF",
            "Error: digest mismatch",
            "Read timeout on endpoint URL",
            "Consistency check failed: file should be of size",
            "IncompleteRead(",
            "Response payload is not completed",
            "peer closed connection without sending complete message body",
            "Error: max retries exceeded … reset",
            "416 Client Error",
            "Client error '416",
            "408 Client Error",
            "Error: max retries exceeded … TLS handshake timeout",
        ),
        take=HOST,
        message=("The download from {host} broke off.", "The download of the weights broke off."),
        who="nobody",
        remedies=(
            advise("Wait: it is tried again. If it goes on, ask whether a firewall or proxy cuts long downloads."),
        ),
    ),
    Rule(
        code="SourceUnreachable",
        seen=UNREACHABLE,
        unless=("dial tcp", "localhost:", "load_lora_adapter"),
        take=HOST,
        far=(r"ConnectionPool\(host=\\*'(?P<host>[\w.-]+)", r"connect to '(?:https?://)?(?P<host>[^'/]+)"),
        message=(
            "{host} cannot be reached from {place}.",
            "The source of the weights cannot be reached from {place}.",
        ),
        who="admin",
        derive=meant_host,
        remedies=(
            *did_you_mean("env", "url"),
            *_OWN_NETWORK,
            advise(
                "Open the way out to {host}, or name a mirror in env.HF_ENDPOINT or a proxy in env.HTTPS_PROXY.",
                "Open the way out, or name a mirror in env.HF_ENDPOINT or a proxy in env.HTTPS_PROXY.",
                only="cluster",
            ),
            advise("Or put the weights on a volume and use a pvc:// url.", only="cluster"),
        ),
    ),
)

LAST_RESORT: tuple[Rule, ...] = (
    Rule(
        code="ProxyUnreachable",
        seen=WRAPPED,
        only=_proxied,
        message=('"{name}" got no answer through the proxy that it is told to use (HTTPS_PROXY).',),
        who="user",
        remedies=_OTHER_PROXY,
    ),
    Rule(
        code="SourceUnreachable",
        seen=WRAPPED,
        take=(r"connect to '(?:https?://)?(?P<host>[^'/]+)", *HOST),
        message=("{host} gave no usable answer.", "The source of the weights gave no usable answer."),
        who="admin",
        derive=meant_host,
        remedies=(
            *did_you_mean("env", "url"),
            *_OWN_NETWORK,
            advise("Check the way out of the cluster, or name a mirror in env.HF_ENDPOINT.", only="cluster"),
        ),
    ),
)
