"""What it means that a connection to an API server could not be made, or broke.

OpenSSL, urllib3 and the system each have a name for it, and all of them were once "does not answer, check the
network": an expired certificate, a client certificate that is refused, a port that speaks plain HTTP. What a reader
has to do differs, so each is told apart here by the numbers and names that those libraries keep stable: the
verification codes of X.509 (``x509_vfy.h``), OpenSSL's reasons, the classes of urllib3; never by their texts.
"""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Final

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    TimeoutError,  # noqa: A004 - urllib3's own
)

from kubeai_notebook.core.foreign import origin_of
from kubeai_notebook.core.whereabouts import OFFER
from kubeai_notebook.errors import LOCAL_GONE, KubeAIError, UnauthorizedError, UnreachableError

from .errors import BrokenHandshakeError, LostAnswerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.whereabouts import Whereabouts

_NEVER_SENT = (
    ConnectTimeoutError, NewConnectionError, ProxyError, urllib3.exceptions.SSLError,
    urllib3.exceptions.LocationValueError,
)  # fmt: skip
_NETWORK: Final = "Check the network, such as a VPN that is off, and whether the cluster runs."
_PERHAPS_CERTIFICATE: Final = "It may want a client certificate that the kubeconfig does not have; log in again."
_PERHAPS_TLS: Final = "Where that server speaks TLS, write https:// in the kubeconfig."
_UNKNOWN_AUTHORITY: Final = (
    "The certificate of {address} is signed by an authority that the kubeconfig does not know.",
    "Copy the cluster's kubeconfig anew, or correct its certificate-authority; another server may have this address.",
)
_NAME: Final = (
    "The certificate of {address} is for another name.",
    "Correct the server in the kubeconfig, or name the certificate's own with tls-server-name.",
)
_UNVERIFIED: Final[Mapping[int, tuple[str, str]]] = {
    9: ("The certificate of {address} is not valid yet.", "Compare this machine's clock with the cluster's."),
    10: (
        "The certificate of {address} has expired.",
        "Ask who runs the cluster to renew it; where it is new, compare this machine's clock.",
    ),
    62: _NAME,
    64: _NAME,
}
"""By OpenSSL's code; any other is a chain that leads to no authority of ours."""
_NO_TLS: Final = (
    "What answers at {address} does not speak TLS.",
    "Correct the port of the server in the kubeconfig; http:// is for a server without TLS.",
)
_NO_TLS_REASONS: Final = {
    "WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL",
}  # fmt: skip
_REFUSES_OURS: Final = re.compile(r"ALERT_(?!HANDSHAKE).*(?:CERT|UNKNOWN_CA|ACCESS_DENIED)")


def error_of_connection(error: Exception, where: Whereabouts, *, proxy: str | None = None) -> KubeAIError:
    """The error for a connection to ``where`` that failed with this one; ``proxy`` is what stands in between.

    A `LostAnswerError` where the request may have been carried out.
    """
    cause = getattr(error, "reason", None)
    cause = cause if isinstance(cause, Exception) else error
    if where.this_machine and isinstance(cause, NewConnectionError):
        return UnreachableError(*LOCAL_GONE)
    tls = next((part for part in (cause, *cause.args) if isinstance(part, ssl.SSLError)), None)
    if tls is not None and not isinstance(cause, ProxyError):
        return _of_tls(tls, where)
    message = f"{where.api} does not answer: {_why(cause, proxy)}."
    step = _PERHAPS_TLS if isinstance(cause, ProtocolError) and where.server.startswith("http:") else _NETWORK
    hint = step if where.this_machine else f"{step} {OFFER}"
    if isinstance(cause, _NEVER_SENT):
        return UnreachableError(message, hint)
    return LostAnswerError(message, hint, timed_out=isinstance(cause, TimeoutError))


def _of_tls(error: ssl.SSLError, where: Whereabouts) -> KubeAIError:
    reason = getattr(error, "reason", None) or ""  # only an error that OpenSSL raised has one
    if _REFUSES_OURS.search(reason):
        word = reason.partition("ALERT_")[2].replace("_", " ").lower()
        step = f"Log in again, or copy the cluster's kubeconfig anew. {OFFER}"
        return UnauthorizedError(f"{where.api} refused the kubeconfig's client certificate ({word}).", step)
    kind = UnreachableError
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        kind = BrokenHandshakeError
        message, step = "{api} ends the TLS connection before it answers.", _PERHAPS_CERTIFICATE
    elif isinstance(error, ssl.SSLCertVerificationError):
        message, step = _UNVERIFIED.get(error.verify_code, _UNKNOWN_AUTHORITY)
    elif reason in _NO_TLS_REASONS:
        message, step = _NO_TLS
    else:
        message, step = "{api} ends the TLS handshake ({reason}).", _PERHAPS_CERTIFICATE
    words = {
        "address": where.address,
        "api": where.api,
        "reason": reason.replace("_", " ").lower() or "no reason given",
    }
    return kind(message.format(**words), f"{step} {OFFER}")


def _why(cause: Exception, proxy: str | None) -> str:
    """What happened, as the end of a sentence."""
    if isinstance(cause, ProxyError):
        return f"the proxy {origin_of(proxy)} on the way to it does not let this through"
    if isinstance(cause, NameResolutionError):
        return "the name of its host is not known here"
    if isinstance(cause, NewConnectionError):
        system = cause.__cause__ or cause.__context__
        return (getattr(system, "strerror", None) or "no connection").lower()
    if isinstance(cause, ConnectTimeoutError):
        return "there was no connection in time"
    if isinstance(cause, TimeoutError):
        return "there was no answer in time"
    if isinstance(cause, ProtocolError):
        return "the connection ended without a whole answer"
    return type(cause).__name__
