"""What outlives the daemon: its folder, ports, CA, token, and the kubeconfig made of them."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_TRIES = 10


@dataclass(frozen=True, slots=True)
class Access:
    """How this daemon is reached; ``ca_key`` and ``token`` are secrets."""

    api_port: int
    gateway_port: int
    token: str
    ca_certificate: str
    ca_key: str

    @property
    def api(self) -> str:
        """The API's address."""
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def gateway(self) -> str:
        """The OpenAI base url."""
        return f"http://127.0.0.1:{self.gateway_port}/openai/v1"


@dataclass(frozen=True, slots=True)
class Home:
    """The daemon's folder; nothing in it may be read by others."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """The file that clients are given."""
        return self.folder / "kubeconfig"

    @property
    def log(self) -> Path:
        """The daemon's own log."""
        return self.folder / "daemon.log"

    def prepare(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    def access(self) -> Access | None:
        """What an earlier daemon wrote; None at the first start or when it cannot be read."""
        try:
            return Access(**json.loads((self.folder / "access.json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def renewed(self, access: Access | None, *, api_port: int, gateway_port: int) -> Access:
        """Keep (or make) CA and token, note the ports, and write the kubeconfig."""
        if access is None:
            import trustme

            ca = trustme.CA(organization_name="kubeai-local")
            certificate, key = ca.cert_pem.bytes().decode(), ca.private_key_pem.bytes().decode()
            access = Access(api_port, gateway_port, secrets.token_urlsafe(32), certificate, key)
        access = replace(access, api_port=api_port, gateway_port=gateway_port)
        _write_secret(self.folder / "access.json", json.dumps(asdict(access)))
        _write_secret(self.kubeconfig, yaml.safe_dump(_kubeconfig(access), sort_keys=False))
        return access

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Hold while starting or stopping, so that two at once are one after the other."""
        self.prepare()
        with (self.folder / "start.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def claim(self) -> bool:
        """Take the lock of the daemon's life; False when another daemon has it.

        It is never given back by hand: it is free when the process is gone, and ``stop`` waits for just that.
        """
        descriptor = os.open(self.folder / "daemon.lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not _locked(descriptor):
            os.close(descriptor)
            return False
        os.truncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        return True

    def pid(self) -> int | None:
        """The running daemon's process id. The lock tells, so a reused id is never mistaken for it."""
        try:
            with (self.folder / "daemon.lock").open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(file.read() or "0") or None
        except FileNotFoundError:
            pass
        return None


def _locked(descriptor: int) -> bool:
    """Take the lock; a few tries, because whoever asks for the pid holds it for a moment."""
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def _write_secret(path: Path, text: str) -> None:
    """Write whole or not at all, readable by the owner only from the first byte on."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def _kubeconfig(access: Access) -> dict[str, object]:
    name = "kubeai-local"
    authority = base64.b64encode(access.ca_certificate.encode()).decode()
    extension = {"name": "kubeai-notebook/gateway", "extension": {"url": access.gateway}}
    cluster = {"server": access.api, "certificate-authority-data": authority, "extensions": [extension]}
    context = {"cluster": name, "user": name, "namespace": "default"}
    entries = {"cluster": cluster, "user": {"token": access.token}, "context": context}
    lists = {f"{kind}s": [{"name": name, kind: entry}] for kind, entry in entries.items()}
    return {"apiVersion": "v1", "kind": "Config", **lists, "current-context": name}
