"""Where one configuration leads and with which credentials, and how both are renewed."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import urllib3
from kubernetes.config import ConfigException

from kubeai_notebook.core.whereabouts import Whereabouts
from kubeai_notebook.errors import KubeAIError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubernetes.client import Configuration

# A login that is refused for good must not run an exec plugin at each try of each watch.
RENEWAL_PAUSE_SECONDS = 10.0
_UNKNOWN_PLACE = Whereabouts()
_SENDABLE = re.compile(r"[\x20-\x7e]*")
UNREADABLE = (
    ConfigException, KubeAIError, OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError,
    urllib3.exceptions.HTTPError,
)  # fmt: skip
"""What loading a configuration, or asking a plugin or an OIDC server for a token, may raise."""

Load = Callable[[], "Configuration"]
"""Reads the configuration anew: the file, the plugin, the account's token."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one request is sent with: its headers, and the place and certificate of its connection."""

    headers: Mapping[str, str] = field(repr=False)
    place: tuple[Any, ...] = field(repr=False)
    configuration: Configuration = field(compare=False, repr=False)

    @property
    def host(self) -> str:
        """Base url of the API server."""
        return str(self.place[0]).rstrip("/")


def place_of(here: Configuration) -> tuple[Any, ...]:
    """What connections are made with: where it is different, they are made anew."""
    tls = (here.ssl_ca_cert, here.verify_ssl, here.tls_server_name, here.cert_file, here.key_file)
    return (here.host, here.proxy, *tls)


class Login:
    """Credentials for one API server, shared by its connections and renewed after a 401.

    ``moved`` tells whether the server has another address now than the configuration says: that of the
    daemon on this machine, which writes its own kubeconfig. Any other address is for ever.
    ``where`` is what its reader calls it; the server's address in there is not used.
    """

    def __init__(
        self,
        configuration: Configuration,
        load: Load | None = None,
        *,
        moved: Callable[[], bool] = lambda: False,
        where: Whereabouts = _UNKNOWN_PLACE,
    ) -> None:
        self.configuration = configuration
        self.where = where
        self._load, self._moved = load, moved
        self._lock = threading.Lock()
        self._renewed_at = float("-inf")

    def look(self) -> None:
        """Follow a server that has moved; where that cannot be read, its certificate still tells it from a thief."""
        with self._lock:
            if self._load is not None and self._moved():
                try:
                    self.configuration = self._load()
                except UNREADABLE:
                    return

    def credentials(self) -> Credentials:
        """Those for one request; an exec plugin, OIDC or the token's file is asked when its time is over.

        Raises:
            UnauthorizedError: there is no token, or none that can be sent; it is never shown.
        """
        with self._lock:
            try:
                here = self.configuration
                settings: Mapping[str, Any] = here.auth_settings()
                place = place_of(here)
            except KubeAIError:
                raise  # a plugin's own words
            except UNREADABLE as error:
                message = f"The login of the kubeconfig cannot be renewed ({type(error).__name__})."
                raise UnauthorizedError(message, "Log in to the cluster again.") from None
        # A token's file ends in a line feed, which kubectl leaves out as well.
        headers = {setting["key"]: str(setting["value"] or "").strip() for setting in settings.values()}
        if not all(_SENDABLE.fullmatch(value) for value in headers.values()):
            message = "The token in the kubeconfig holds a character that no HTTP header can carry."
            raise UnauthorizedError(message, "Copy it again, as one line of plain letters and digits.")
        return Credentials(headers, place, here)

    def token(self) -> str | None:
        """The value of the header ``Authorization``, where there is one."""
        return self.credentials().headers.get("authorization")

    def renewed(self, refused: Credentials) -> bool:
        """After a 401: read the credentials anew; whether there are others now than those that were refused.

        Raises:
            UnauthorizedError: a plugin gives no login any more, in its own words.
        """
        if self.credentials() != refused:
            return True
        with self._lock:
            # Who waits here while another thread reads them finds the new ones below.
            if self._load is not None and time.monotonic() - self._renewed_at >= RENEWAL_PAUSE_SECONDS:
                self._renewed_at = time.monotonic()
                try:
                    self.configuration = self._load()
                except UnauthorizedError:
                    raise
                except UNREADABLE:
                    return False
        return self.credentials() != refused

    def certificate(self) -> tuple[str | None, str | None]:
        """The files of the client certificate and its key."""
        return self.configuration.cert_file, self.configuration.key_file
