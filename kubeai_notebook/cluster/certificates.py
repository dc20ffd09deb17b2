"""TLS as kubectl does it, and what is wrong with a client certificate before it is sent.

An intermediate CA alone may stand in a kubeconfig: Go trusts what it is given, OpenSSL wants the root as well unless
``VERIFY_X509_PARTIAL_CHAIN`` says otherwise (Python 3.13 sets it by itself).
"""

from __future__ import annotations

import ssl
from typing import Final

import urllib3.util

_EXPIRED, _NOT_YET = 10, 9
_TURNS: Final = 4


def trusting(*, verify: bool) -> ssl.SSLContext:
    """urllib3's own context, which trusts a certificate that it is given as far as Go does."""
    context = urllib3.util.create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if verify else ssl.CERT_NONE)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def out_of_time(certificate_file: str, key_file: str) -> str:
    """How a client certificate stands in time: ``has expired``, ``is not valid yet``, or ``""``.

    Python reads no certificate by itself, but verifies one: two ends shake hands in memory, both with this
    certificate, and the one that plays the server trusts nothing else. Only its verdict on the time counts.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.verify_mode = ssl.CERT_REQUIRED
    server.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    try:
        server.load_verify_locations(certificate_file)
        for context in (server, client):
            context.load_cert_chain(certificate_file, key_file, password="")
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        ends = client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)
        for _ in range(_TURNS):
            for end in ends:
                _advance(end)
    except ssl.SSLCertVerificationError as error:
        return {_EXPIRED: "has expired", _NOT_YET: "is not valid yet"}.get(error.verify_code, "")
    except (OSError, ValueError):
        return ""  # whatever else is wrong with it, the API server says
    return ""


def _advance(end: ssl.SSLObject) -> None:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return
