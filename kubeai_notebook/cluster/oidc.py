"""A login by OpenID Connect in a kubeconfig (``auth-provider: oidc``): its id-token, renewed when its time is over.

The ``kubernetes`` package renews it too, but sends the refresh token and the client's secret to an issuer whose
certificate it does not check unless the kubeconfig names a CA, waits without end, and fails with errors of urllib3 or
goes on with the token that has expired. So this asks as kubectl does: discovery and token request over checked TLS,
no redirect, and the new tokens go back into the kubeconfig, since many issuers take a refresh token only once.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import tempfile
import threading
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

import urllib3
import yaml
from filelock import FileLock

from kubeai_notebook.core.foreign import origin_of
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.objects import map_at, maps_at, text_at
from kubeai_notebook.errors import UnauthorizedError
from kubeai_notebook.text import one_line

from .abortable_connections import Connections

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ISSUER_SECONDS: Final = 10.0
_MOST_BYTES: Final = 1 << 20
_UNREADABLE: Final = (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError)
_STEP: Final = "Log in again (kubelogin, or a new kubeconfig from the page where you got this one)."


@dataclass(frozen=True, slots=True)
class OidcLogin:
    """The ``auth-provider`` of the user ``user`` in ``file``; ``kubeconfig`` names the whole in sentences."""

    config: Mapping[str, Any] = field(repr=False)
    file: Path
    user: str
    kubeconfig: str
    seconds: float = ISSUER_SECONDS
    """For all that the issuer is asked."""

    def id_token(self, now: float) -> str:
        """The token to send; ``now`` is Unix time.

        Raises:
            UnauthorizedError: it has expired and cannot be renewed, and why.
        """
        token = text_at(self.config, "id-token")
        if token and now < expiry_of(token):
            return token
        with ExitStack() as stack:
            # Many issuers take a refresh token only once, so whoever comes second reads what the first was given.
            with suppress(OSError):  # where no lock can be written, no token can be kept either
                lock = self.file.resolve().with_name(f".{self.file.name}.lock")
                stack.enter_context(FileLock(lock, timeout=2 * self.seconds))
            return replace(self, config=self._config_now()).renewed(now)

    def _config_now(self) -> Mapping[str, Any]:
        """As it stands in the file at this moment."""
        with suppress(*_UNREADABLE):
            for entry in maps_at(yaml.safe_load(self.file.read_text(encoding="utf-8")), "users"):
                if entry.get("name") == self.user and (config := map_at(entry, "user", "auth-provider", "config")):
                    return config
        return self.config

    def renewed(self, now: float) -> str:
        """As `id_token`, where nobody else renews it meanwhile."""
        token = text_at(self.config, "id-token")
        if token and now < expiry_of(token):
            return token
        state = "has expired" if token else "is missing"
        for key in ("idp-issuer-url", "client-id", "refresh-token"):
            if not text_at(self.config, key):
                raise self._failure(f"{state} and cannot be renewed: the kubeconfig has no {key}")
        answer = self._renewed(state)
        fresh = text_at(answer, "id_token")
        if not fresh:
            raise self._failure(f"{state} and cannot be renewed: {self._issuer} gives no id_token")
        with suppress(*_UNREADABLE):  # where it is read-only, the next start asks again
            self._keep(fresh, text_at(answer, "refresh_token"))
        return fresh

    @property
    def _issuer(self) -> str:
        return origin_of(text_at(self.config, "idp-issuer-url"))

    def _failure(self, what: str) -> UnauthorizedError:
        message = f"The login (OIDC) of the kubeconfig {one_line(self.kubeconfig)} {what.rstrip('.')}."
        return UnauthorizedError(message, _STEP)

    def _renewed(self, state: str) -> dict[str, Any]:
        """The issuer's answer to the refresh token."""
        issuer, client = text_at(self.config, "idp-issuer-url").rstrip("/"), text_at(self.config, "client-id")
        try:
            with _pool_to(issuer, self._authority(), self.seconds) as pool:
                place = text_at(_asked(pool, "GET", f"{issuer}/.well-known/openid-configuration"), "token_endpoint")
                if urlsplit(place).scheme != "https" and origin_of(place) != origin_of(issuer):
                    raise _RefusedError("it names no token endpoint that is safe")
                form = {"grant_type": "refresh_token", "refresh_token": text_at(self.config, "refresh-token")}
                secret = text_at(self.config, "client-secret")
                login = urllib3.make_headers(basic_auth=f"{client}:{secret}") if secret else {}
                if not secret:
                    form["client_id"] = client
                return _asked(pool, "POST", place, form=form, headers=login)
        except _RefusedError as error:
            mine = [text_at(self.config, key) for key in ("client-secret", "refresh-token", "id-token")]
            words = one_line(masked(str(error), filter(None, mine)), 300)
            raise self._failure(f"{state}, and {self._issuer} does not renew it: {words}") from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            why = type(getattr(error, "reason", None) or error).__name__.removesuffix("Error")
            raise self._failure(f"{state} and cannot be renewed: {self._issuer} cannot be reached ({why})") from None

    def _authority(self) -> ssl.SSLContext:
        data, path = (text_at(self.config, f"idp-certificate-authority{end}") for end in ("-data", ""))
        # The folder of the file counts for its paths, as everywhere in a kubeconfig.
        named = str(self.file.parent / path) if path and not data else None
        return ssl.create_default_context(cafile=named, cadata=base64.b64decode(data).decode() if data else None)

    def _keep(self, id_token: str, refresh_token: str) -> None:
        """Write the new tokens where the old ones stood."""
        file = self.file.resolve()
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        for entry in maps_at(document, "users"):
            kept = map_at(entry, "user", "auth-provider", "config")
            if entry.get("name") == self.user and isinstance(kept, dict):
                kept |= {"id-token": id_token} | ({"refresh-token": refresh_token} if refresh_token else {})
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                yaml.safe_dump(document, out, sort_keys=False)
            Path(name).replace(file)
        except BaseException:  # (an interrupt too leaves no half file)
            Path(name).unlink(missing_ok=True)
            raise


class _RefusedError(Exception):
    """The issuer answered, and it is no answer to go on with."""


@contextmanager
def _pool_to(issuer: str, context: ssl.SSLContext, seconds: float) -> Iterator[urllib3.PoolManager]:
    """Connections to the issuer, which are cut when the time is over: a byte now and then ends no time-out."""
    timeout, parts = urllib3.Timeout(connect=seconds, read=seconds), urlsplit(issuer)
    proxy = urllib.request.getproxies().get(parts.scheme)
    bypassed = not proxy or urllib.request.proxy_bypass(parts.hostname or "")
    make = urllib3.PoolManager if bypassed else partial(urllib3.ProxyManager, proxy or "")
    connections = Connections()
    end = threading.Timer(seconds, connections.cut)
    end.daemon = True
    with make(ssl_context=context, timeout=timeout) as pool:
        connections.track(pool)
        end.start()
        try:
            yield pool
        finally:
            end.cancel()


def _asked(
    pool: urllib3.PoolManager,
    method: str,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The JSON object that the issuer answers."""
    body = urlencode(form).encode() if form else None
    kind = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
    with pool.request(
        method,
        url,
        body=body,
        headers={**kind, **(headers or {})},
        redirect=False,
        retries=False,
        preload_content=False,
    ) as answer:
        try:
            document = json.loads(answer.read(_MOST_BYTES))
        except (ValueError, RecursionError):
            document = None
    if answer.status == 200 and isinstance(document, dict):
        return document
    words = text_at(document, "error_description") or text_at(document, "error")
    raise _RefusedError(words or f"it answers {answer.status}")


def expiry_of(token: str) -> float:
    """Unix time from which on a JWT counts no more; 0 where that cannot be read, as if it were over.

    >>> expiry_of("x.eyJleHAiOiAxMH0.y")
    10.0
    """
    with suppress(ValueError, LookupError, OverflowError, RecursionError):
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        if isinstance(expires := claims.get("exp") if isinstance(claims, dict) else None, int | float):
            return float(expires)
    return 0.0
