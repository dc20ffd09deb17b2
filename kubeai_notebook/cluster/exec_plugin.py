"""A login plugin of a kubeconfig (``exec``): what it gives, or in its own words why it gives nothing.

The ``kubernetes`` package runs plugins too. There one that fails is a line in the log, and the next request goes out
without a login: then "refused your credentials", or on a cluster that lets anonymous requests in, "you may not". One
that waits for a browser or a password hangs the kernel. Here a plugin has no terminal, since a notebook has none; it
has a bound in time; and what it writes to stderr is what the reader is told. Rules: client-go's
``plugin/pkg/client/auth/exec``, and ``v1alpha1``, which kubectl read until 1.23.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from kubeai_notebook.core.foreign import shown
from kubeai_notebook.core.masking import is_secret_name, masked
from kubeai_notebook.core.messages import sentence_of
from kubeai_notebook.core.objects import map_at, maps_at, text_at
from kubeai_notebook.errors import UnauthorizedError
from kubeai_notebook.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLUGIN_SECONDS = 60.0
"""Enough for somebody to click through a browser's login; then the cell says what the plugin waits for."""
_GROUP: Final = "client.authentication.k8s.io"
_VERSIONS: Final = tuple(f"{_GROUP}/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
_SHOWN, _READ = 500, 20_000
_CLUSTER_KEYS: Final = (
    "server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url",
)  # fmt: skip
"""What client-go tells a plugin of the cluster."""


@dataclass(frozen=True, slots=True)
class Given:
    """A login that a plugin gave: a token, or a certificate with its key (PEM), or both."""

    token: str = field(default="", repr=False)
    certificate: str = ""
    key: str = field(default="", repr=False)
    expires_at_seconds: float = float("inf")
    """Unix time."""


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """The ``exec`` of a kubeconfig's user; ``folder`` is the kubeconfig's, ``kubeconfig`` names it in sentences."""

    entry: Mapping[str, Any]
    cluster: Mapping[str, Any]
    folder: Path
    kubeconfig: str

    def ask(self, environment: Mapping[str, str], seconds: float = PLUGIN_SECONDS) -> Given:
        """Run it, and read its answer.

        Raises:
            UnauthorizedError: it gives no login, and why.
        """
        self._check()
        try:
            done = subprocess.run(
                [self._program, *map(str, self.entry.get("args") or ())],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
                env={**environment, **self._variables, "KUBERNETES_EXEC_INFO": json.dumps(self._order)},
                # Without a terminal of its own: one that asks for a password there would spoil that of IPython.
                start_new_session=True,
            )
        except FileNotFoundError:
            raise self._failure(
                "is not installed", usual=f"Install it where this kernel runs ({self._name})."
            ) from None
        except OSError as error:
            raise self._failure(f"cannot be run: {(error.strerror or type(error).__name__).lower()}") from None
        except subprocess.TimeoutExpired as error:
            words = self._last_words(error.stderr or b"")
            waits = f' and waits: "{words}"' if words else ""
            step = f"Log in in a terminal first: {self._name} can ask there."
            raise self._failure(f"did not end within {seconds:.0f} s{waits}", usual=step) from None
        if done.returncode:
            words = self._last_words(done.stderr) or "it gives no reason"
            raise self._failure(f"fails with exit code {done.returncode}: {words}")
        return self._given(done.stdout)

    @property
    def _name(self) -> str:
        return one_line(text_at(self.entry, "command"), _SHOWN)

    @property
    def _program(self) -> str:
        """A command with a folder in it is meant from the kubeconfig's own; any other is looked up on PATH."""
        command = text_at(self.entry, "command")
        return str(self.folder / command) if os.sep in command else command

    @property
    def _variables(self) -> dict[str, str]:
        return {text_at(item, "name"): text_at(item, "value") for item in maps_at(self.entry, "env")}

    @property
    def _order(self) -> dict[str, Any]:
        spec: dict[str, Any] = {"interactive": False}
        if self.entry.get("provideClusterInfo") is True:
            mine = (item for item in maps_at(self.cluster, "extensions") if item.get("name") == f"{_GROUP}/exec")
            settings = next(mine, {}).get("extension")
            told = {key: self.cluster[key] for key in _CLUSTER_KEYS if key in self.cluster}
            spec["cluster"] = told | ({"config": settings} if settings else {})
        return {"apiVersion": self.entry["apiVersion"], "kind": "ExecCredential", "spec": spec}

    def _check(self) -> None:
        version = self.entry.get("apiVersion")
        if version not in _VERSIONS:
            wrong = (
                f'has the apiVersion "{one_line(str(version), _SHOWN)}", which is unknown'
                if version
                else "has no apiVersion"
            )
            step = (
                f"Write {_VERSIONS[0]} or {_VERSIONS[1]} there, as the plugin's manual says; often a new one is needed."
            )
            raise self._failure(wrong, usual=step)
        if self.entry.get("interactiveMode") == "Always":
            step = "Log in in a terminal, and name a user with that token; or set interactiveMode to IfAvailable."
            raise self._failure(
                "wants to ask in a terminal (interactiveMode: Always), and a notebook has none", usual=step
            )

    def _given(self, text: str) -> Given:
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            raise self._failure("writes no ExecCredential") from None
        if not isinstance(answer, dict) or answer.get("kind") != "ExecCredential":
            raise self._failure("writes no ExecCredential")
        if answer.get("apiVersion") != self.entry["apiVersion"]:
            given = one_line(str(answer.get("apiVersion")), _SHOWN)
            wanted = one_line(str(self.entry["apiVersion"]), _SHOWN)
            raise self._failure(f"answers in apiVersion {given}, and the kubeconfig asks for {wanted}")
        status = map_at(answer, "status")
        certificate, key = text_at(status, "clientCertificateData"), text_at(status, "clientKeyData")
        token = text_at(status, "token")
        if not token and not (certificate and key):
            raise self._failure("gives neither a token nor a certificate with its key")
        return Given(token, certificate if key else "", key, _unix_time(text_at(status, "expirationTimestamp")))

    def _last_words(self, stderr: str | bytes) -> str:
        """What it wrote for a reader, in one line and without secrets; the end of it where it is long."""
        # After a time-out Python gives bytes, whatever was asked for.
        text = stderr.decode(errors="replace") if isinstance(stderr, bytes) else stderr
        mine = [value for name, value in self._variables.items() if is_secret_name(name) and value]
        words = one_line(masked(text[-_READ:], mine))
        return words if len(words) <= _SHOWN else f"…{words[-_SHOWN:]}"

    def _failure(self, what: str, usual: str = "Log in again.") -> UnauthorizedError:
        hint = one_line(sentence_of(shown(text_at(self.entry, "installHint")).strip()), _SHOWN)
        message = f'The kubeconfig {one_line(self.kubeconfig)} logs in by "{self._name}", which {what.rstrip(".")}.'
        return UnauthorizedError(message, hint or usual)


def _unix_time(text: str) -> float:
    """The moment, as Unix time; never, where there is none that can be read."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return float("inf")
