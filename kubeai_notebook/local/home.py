"""What outlives the daemon: its folder with locks, certificate, and the kubeconfig that says how it is reached."""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_TRIES = 10


@dataclass(frozen=True, slots=True)
class Access:
    """How a daemon is reached; ``token`` is a secret."""

    api: str
    gateway: str
    """The OpenAI base url of the plain port, for the user's other programs."""
    token: str
    authority: str
    """The certificate (PEM) of its own CA."""
    moved_from: str = ""
    """The plain port's former base url, where another program had taken that port at the last start."""


@dataclass(frozen=True, slots=True)
class Home:
    """The daemon's folder; nothing in it may be read by others."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """The file that clients are given."""
        return self.folder / "kubeconfig"

    @property
    def certificate(self) -> Path:
        """The API's certificate, with its key."""
        return self.folder / "server.pem"

    @property
    def log(self) -> Path:
        """The daemon's own log."""
        return self.folder / "daemon.log"

    def access(self) -> Access | None:
        """What the kubeconfig says; None before the first start, or when it cannot be read."""
        try:
            config = yaml.safe_load(self.kubeconfig.read_text())
            cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
            authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
            gateway = cluster["extensions"][0]["extension"]
            return Access(cluster["server"], gateway["url"], user["token"], authority, gateway.get("moved_from", ""))
        except (FileNotFoundError, ValueError, TypeError, LookupError, yaml.YAMLError):
            return None

    def ports(self) -> tuple[int, int]:
        """Those of API and gateway in the daemon's last life; 0 where there was none."""
        access = self.access()
        urls = (access.api, access.gateway) if access else ("", "")
        return urlsplit(urls[0]).port or 0, urlsplit(urls[1]).port or 0

    def renewed(self, api_port: int, gateway_port: int) -> Access:
        """Keep (or make) CA and token, and write the kubeconfig with these ports."""
        old = self.access()
        token, authority = (old.token, old.authority) if old else (secrets.token_urlsafe(32), "")
        if not old or not self.certificate.exists():
            import trustme

            ca = trustme.CA(organization_name="kubeai-local")
            own, authority = ca.issue_cert("127.0.0.1", "localhost"), ca.cert_pem.bytes().decode()
            _write_secret(self.certificate, own.private_key_and_cert_chain_pem.bytes().decode())
        api, gateway = f"https://127.0.0.1:{api_port}", f"http://127.0.0.1:{gateway_port}/openai/v1"
        moved_from = old.gateway if old and old.gateway != gateway else ""
        access = Access(api, gateway, token, authority, moved_from)
        _write_secret(self.kubeconfig, yaml.safe_dump(_kubeconfig(access), sort_keys=False))
        return access

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Hold while starting or stopping, so that two at once are one after the other."""
        self.prepare()
        with (self.folder / "start.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def prepare(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    def claim(self) -> bool:
        """Take the lock of the daemon's life; False when another daemon has it.

        It is never given back by hand: it is free when the process is gone, and ``stop`` waits for just that.
        """
        descriptor = os.open(self.folder / "daemon.lock", os.O_RDWR | os.O_CREAT, 0o600)
        # A few tries, because whoever asks for the pid holds it for a moment.
        for _ in range(LOCK_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.02)
            else:
                os.truncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
                return True
        os.close(descriptor)
        return False

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


def _write_secret(path: Path, text: str) -> None:
    """Write whole or not at all, readable by the owner only from the first byte on."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def _kubeconfig(access: Access) -> dict[str, Any]:
    name = "kubeai-local"
    authority = base64.b64encode(access.authority.encode()).decode()
    gateway = {"url": access.gateway, "tls": f"{access.api}/openai/v1"}
    gateway |= {"moved_from": access.moved_from} if access.moved_from else {}
    extension = {"name": "kubeai-notebook/gateway", "extension": gateway}
    cluster = {"server": access.api, "certificate-authority-data": authority, "extensions": [extension]}
    context = {"cluster": name, "user": name, "namespace": "default"}
    entries = {"cluster": cluster, "user": {"token": access.token}, "context": context}
    lists = {f"{kind}s": [{"name": name, kind: entry}] for kind, entry in entries.items()}
    return {"apiVersion": "v1", "kind": "Config", **lists, "current-context": name}
