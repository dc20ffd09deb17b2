"""The credentials of one configuration, and how they are renewed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubernetes.config import ConfigException

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubernetes.client import Configuration

# A login that is refused for good must not run an exec plugin at each try of each watch.
RENEWAL_PAUSE_SECONDS = 10.0

Load = Callable[[], "Configuration"]
"""Reads the configuration anew: the file, the plugin, the account's token."""


class Login:
    """What a request carries to be let in; shared by all connections to one API server."""

    def __init__(self, configuration: Configuration, load: Load | None = None) -> None:
        self.configuration = configuration
        self._load = load
        self._lock = threading.Lock()
        self._renewed_at = float("-inf")

    def headers(self) -> dict[str, str]:
        """The headers for one request; an exec plugin, OIDC or the token's file is asked when its time is over."""
        with self._lock:
            settings: Mapping[str, Any] = self.configuration.auth_settings()
        return {setting["key"]: setting["value"] for setting in settings.values()}

    def token(self) -> str | None:
        """The value of the header ``Authorization``, where there is one."""
        return self.headers().get("authorization")

    def renewed(self, refused: Mapping[str, str]) -> bool:
        """After a 401: read the credentials anew; whether there are others now than those that were refused."""
        if self.headers() != refused:
            return True
        with self._lock:
            if self._load is None or time.monotonic() - self._renewed_at < RENEWAL_PAUSE_SECONDS:
                return False
            self._renewed_at = time.monotonic()
            before = self.certificate()
            try:
                self.configuration = self._load()
            except (ConfigException, OSError):
                return False
            changed = self.certificate() != before
        return changed or self.headers() != refused

    def certificate(self) -> tuple[str | None, str | None]:
        """The files of the client certificate and its key."""
        return self.configuration.cert_file, self.configuration.key_file
