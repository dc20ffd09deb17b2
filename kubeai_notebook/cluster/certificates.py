"""TLS as kubectl does it, and what is wrong with a client certificate before it is sent.

An intermediate CA alone may stand in a kubeconfig: Go trusts what it is given, OpenSSL wants the root as well unless
``VERIFY_X509_PARTIAL_CHAIN`` says otherwise (Python 3.13 sets it by itself).
"""

from __future__ import annotations

import ssl
from typing import Final

from urllib3.connection import HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context, resolve_cert_reqs

_EXPIRED, _NOT_YET = 10, 9
_TURNS: Final = 4


class TrustingConnection(HTTPSConnection):
    """Trusts what it is given as far as Go does; where it is given nothing, what the system trusts.

    With a context of its own: urllib3 writes into the context at each connection (authorities, certificates, ALPN),
    which no other thread may be shaking hands with meanwhile.
    """

    def connect(self) -> None:
        """Connect, and shake hands.

        Raises:
            ssl.SSLEOFError: the other side hung up meanwhile, with a reset too: nothing was sent.
        """
        if self.ssl_context is None:
            context = self.ssl_context = create_urllib3_context(cert_reqs=resolve_cert_reqs(self.cert_reqs))
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            if not (self.ca_certs or self.ca_cert_data):
                context.load_default_certs()
        try:
            super().connect()
        except ConnectionError as error:  # urllib3 tells it as one that came after the request was sent
            raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, str(error)) from error


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
