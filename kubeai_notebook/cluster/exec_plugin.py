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
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Final

from kubeai_notebook.core.foreign import shown
from kubeai_notebook.core.masking import masked, secret_values
from kubeai_notebook.core.messages import sentence_of
from kubeai_notebook.core.objects import map_at, maps_at, text_at
from kubeai_notebook.errors import UnauthorizedError
from kubeai_notebook.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PLUGIN_SECONDS = 60.0
"""Enough for somebody to click through a browser's login; then the cell says what the plugin waits for."""
_GROUP: Final = "client.authentication.k8s.io"
_VERSIONS: Final = tuple(f"{_GROUP}/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
_SHOWN, _READ = 500, 20_000
_MOST_BYTES: Final = 1 << 20
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

    entry: Mapping[str, Any] = field(repr=False)
    cluster: Mapping[str, Any] = field(repr=False)
    folder: Path
    kubeconfig: str

    def ask(self, environment: Mapping[str, str], seconds: float = PLUGIN_SECONDS) -> Given:
        """Run it, and read its answer.

        Raises:
            UnauthorizedError: it gives no login, and why.
        """
        self._check()
        command = [self._program, *map(str, self.entry.get("args") or ())]
        order = json.dumps(self._order, default=str)
        try:
            done = _run(command, {**environment, **self._variables, "KUBERNETES_EXEC_INFO": order}, seconds)
        except FileNotFoundError:
            raise self._failure(
                "is not installed", usual=f"Install it where this kernel runs ({self._name})."
            ) from None
        except OSError as error:
            raise self._failure(f"cannot be run: {(error.strerror or type(error).__name__).lower()}") from None
        except subprocess.TimeoutExpired as error:
            words = _last_words(error.stderr or b"", self._secrets)
            waits = f' and waits: "{words}"' if words else ""
            step = f"Log in in a terminal first: {self._name} can ask there."
            raise self._failure(f"did not end within {seconds:.0f} s{waits}", usual=step) from None
        if done.returncode:
            words = _last_words(done.stderr, self._secrets) or "it gives no reason"
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
    def _secrets(self) -> tuple[str, ...]:
        """What it may print and nobody may read: its variables, whatever their names, and the secrets in its args."""
        args = map(str, self.entry.get("args") or ())
        return (*filter(None, self._variables.values()), *secret_values({"args": [*args], "env": self._variables}))

    @property
    def _order(self) -> dict[str, Any]:
        spec: dict[str, Any] = {"interactive": False}
        if self.entry.get("provideClusterInfo") is True:
            mine = (item for item in maps_at(self.cluster, "extensions") if item.get("name") == f"{_GROUP}/exec")
            settings = next(mine, {}).get("extension")
            cluster = {key: self.cluster[key] for key in _CLUSTER_KEYS if key in self.cluster}
            spec["cluster"] = cluster | ({"config": settings} if settings else {})
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
        self._check_words()
        if self.entry.get("interactiveMode") == "Always":
            step = "Log in in a terminal, and name a user with that token; or set interactiveMode to IfAvailable."
            raise self._failure(
                "wants to ask in a terminal (interactiveMode: Always), and a notebook has none", usual=step
            )

    def _check_words(self) -> None:
        """Whether the system can start it with these words; what they are is not shown."""
        args, env = self.entry.get("args") or [], self.entry.get("env") or []
        step = "Correct it in the kubeconfig."
        if not isinstance(args, list):
            raise self._failure("has args that are no list", usual=step)
        if not isinstance(env, list) or len([*maps_at(env)]) != len(env):
            raise self._failure("has an env that is no list of names and values", usual=step)
        names = [text_at(item, "name") for item in env]
        if not all(names) or any("=" in name for name in names):
            raise self._failure("has a variable in env without a name, or with = in it", usual=step)
        if "\0" in "".join([self._program, *map(str, args), *names, *self._variables.values()]):
            raise self._failure("has a zero byte in its command, args or env", usual=step)

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

    def _failure(self, what: str, usual: str = "Log in again.") -> UnauthorizedError:
        hint = one_line(sentence_of(shown(text_at(self.entry, "installHint")).strip()), _SHOWN)
        words = masked(what.rstrip("."), self._secrets) if isinstance(self.entry.get("args") or [], list) else what
        message = f'The kubeconfig {one_line(self.kubeconfig)} logs in by "{self._name}", which {words}.'
        return UnauthorizedError(message, hint or usual)


def _run(command: list[str], environment: Mapping[str, str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run it to its end, without a terminal and reading so much only; what does not end goes with all it has started.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it did not end, with what it wrote so far.
    """
    deadline = time.monotonic() + seconds
    # Without a terminal of its own: one that asks for a password there would spoil that of IPython. And unbuffered,
    # so that a pipe can be closed in which a thread still reads.
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        bufsize=0, start_new_session=True,
    ) as process:  # fmt: skip
        texts = bytearray(), bytearray()
        streams = zip((process.stdout, process.stderr), texts, strict=True)
        readers = [threading.Thread(target=_read, args=pair, daemon=True) for pair in streams]
        try:
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join(max(deadline - time.monotonic(), 0))
            process.wait(max(deadline - time.monotonic(), 0))
            if any(reader.is_alive() for reader in readers):  # another that it has started may write there
                raise subprocess.TimeoutExpired(command, seconds)
        except BaseException as error:  # (an interrupt too: nothing that it started goes on)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                error.stderr = bytes(texts[1])
            raise
    output, words = (text.decode(errors="replace") for text in texts)
    return subprocess.CompletedProcess(command, process.returncode, output, words)


def _read(stream: IO[bytes], text: bytearray) -> None:
    """Read a stream up to the bound, and then close it: who writes without end is ended by that."""
    with suppress(OSError, ValueError), stream:
        while len(text) < _MOST_BYTES and (part := stream.read(1 << 16)):
            text += part


def _last_words(stderr: str | bytes, secrets: Iterable[str]) -> str:
    """What a plugin wrote for a reader, in one line and without secrets; the end of it where it is long."""
    # After a time-out Python gives bytes, whatever was asked for.
    text = stderr.decode(errors="replace") if isinstance(stderr, bytes) else stderr
    words = one_line(masked(text[-_READ:], secrets))
    return words if len(words) <= _SHOWN else f"…{words[-_SHOWN:]}"


def _unix_time(text: str) -> float:
    """The moment, as Unix time; never, where there is none that can be read."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return float("inf")
