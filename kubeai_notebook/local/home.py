"""What outlives the daemon: its folder with locks, certificate, and the kubeconfig that says how it is reached.

Files are damaged by full disks, by restores of backups and by hand. What can be made anew here is made anew, and said;
what cannot (the user's Models, see `api.journal`) is left as it lies.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import secrets
import ssl
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from filelock import FileLock

from kubeai_notebook.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_TRIES = 10
_SERVER = re.compile(r"https://127\.0\.0\.1:([0-9]{1,5})")
_GATEWAY = re.compile(r"http://127\.0\.0\.1:([0-9]{1,5})/openai/v1")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,}", re.ASCII)
_HANDSHAKE_TURNS = 4
_FILES = ("daemon.lock", "start.lock", "kubeconfig", "server.pem", "daemon.log", "ports.json", "notes", "weights.json")


@dataclass(frozen=True, slots=True)
class DaemonAccess:
    """How a daemon is reached; ``token`` is a secret."""

    api: str
    gateway: str
    """The OpenAI base url of the plain port, for the user's other programs."""
    token: str
    authority: str
    """The certificate (PEM) of its own CA."""
    moved_from: str = ""
    """The plain port's former base url, where another program had taken that port at the last start."""

    @property
    def ports(self) -> tuple[int, int]:
        """Those of API and gateway. ValueError when there is none in a url."""
        matches = _SERVER.fullmatch(self.api), _GATEWAY.fullmatch(self.gateway)
        numbers = tuple(int(match[1]) if match else 0 for match in matches)
        if not all(0 < number < 1 << 16 for number in numbers):
            raise ValueError("no port")
        return numbers[0], numbers[1]


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
    def added_weights(self) -> Path:
        """What ``kubeai-local add`` keeps; see `mappings`."""
        return self.folder / "weights.json"

    @property
    def log(self) -> Path:
        """The daemon's own log."""
        return self.folder / "daemon.log"

    def access(self) -> DaemonAccess | None:
        """What the kubeconfig says; None before the first start, or when it is damaged."""
        try:
            config = yaml.safe_load(self.kubeconfig.read_text(encoding="utf-8"))
            cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
            authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
            gateway = cluster["extensions"][0]["extension"]
            moved_from = str(gateway.get("moved_from", ""))
            access = DaemonAccess(cluster["server"], gateway["url"], user["token"], authority, moved_from)
            whole = access.ports and _TOKEN.fullmatch(access.token) and ssl.create_default_context(cadata=authority)
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, yaml.YAMLError):
            return None
        return access if whole else None

    def ports(self) -> tuple[int, int]:
        """Those of API and gateway in the daemon's last life; 0 where there was none.

        They are kept in a file of their own as well: the user's programs know the gateway by its port, which must not
        be lost with a damaged kubeconfig.
        """
        if access := self.access():
            return access.ports
        try:
            kept = json.loads((self.folder / "ports.json").read_text(encoding="utf-8"))
            numbers = int(kept["api"]), int(kept["gateway"])
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            return 0, 0
        return numbers if all(0 < number < 1 << 16 for number in numbers) else (0, 0)

    def renewed(self, api_port: int, gateway_port: int) -> tuple[DaemonAccess, list[str]]:
        """Keep (or make) CA, token and certificate, and write the kubeconfig with these ports; what is worth saying."""
        old, (old_api, old_gateway), notes = self.access(), self.ports(), []
        token, authority = (old.token, old.authority) if old else (secrets.token_urlsafe(32), "")
        if self.kubeconfig.exists() and not old:
            notes.append(f"{self.kubeconfig} was damaged and was made anew, with a new token and certificate.")
        if not old or not _fits(self.certificate, authority):
            if old:
                notes.append(f"{self.certificate} was damaged and was made anew, with a new authority.")
            authority = self._certified()
        notes += _lost("API", old_api, api_port) + _lost("gateway", old_gateway, gateway_port)
        api, gateway = f"https://127.0.0.1:{api_port}", _gateway_url(gateway_port)
        moved_from = _gateway_url(old_gateway) if old_gateway not in (0, gateway_port) else ""
        access = DaemonAccess(api, gateway, token, authority, moved_from)
        write_secret(self.kubeconfig, yaml.safe_dump(_kubeconfig(access), sort_keys=False))
        write_secret(self.folder / "ports.json", json.dumps({"api": api_port, "gateway": gateway_port}))
        return access, notes

    def note(self, notes: list[str]) -> None:
        """Keep what is worth saying of this start, for ``start`` and ``status``."""
        write_secret(self.folder / "notes", "".join(f"{note}\n" for note in notes))

    def notes(self) -> list[str]:
        """What was worth saying of the last start."""
        with suppress(OSError, ValueError):
            return (self.folder / "notes").read_text(encoding="utf-8").splitlines()
        return []

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Hold while starting or stopping, so that two at once are one after the other. LocalError."""
        self.prepare()
        with FileLock(self.folder / "start.lock"):
            yield

    def prepare(self) -> None:
        """Make the folder. LocalError when it, or a file in it, cannot be used."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            if not os.access(self.folder, os.W_OK):
                raise PermissionError(13, "Permission denied")
        except OSError as error:
            reason = error.strerror or type(error).__name__
            step = "Name another one: --home, or KUBEAI_LOCAL_HOME."
            raise LocalError(f"The folder {self.folder} cannot be used: {reason}.", step) from error
        for path in map(self.folder.joinpath, _FILES):
            if path.is_dir():
                raise LocalError(f"{path} is a folder where a file should be.", "Move it away.")
        if (pods := self.folder / "pods").exists() and not pods.is_dir():
            raise LocalError(f"{pods} is a file where a folder should be.", "Move it away.")

    def claim(self) -> bool:
        """Take the lock of the daemon's life; False when another daemon has it.

        It is never given back by hand: it is free when the process is gone, and ``stop`` waits for just that. It is
        no `filelock`, which has no shared lock: two that asked for the pid at once would take each other for a daemon.
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
        """The running daemon's process id. The lock tells, so a reused id is never mistaken for it. LocalError."""
        path = self.folder / "daemon.lock"
        try:
            with path.open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(file.read() or "0") or None
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, ValueError) as error:
            raise LocalError(
                f"{path} does not tell which daemon runs: {error}.", "End it, then move that away."
            ) from None
        return None

    def _certified(self) -> str:
        """Write a new certificate; the authority that vouches for it."""
        import trustme

        ca = trustme.CA(organization_name="kubeai-local")
        own = ca.issue_cert("127.0.0.1", "localhost")
        write_secret(self.certificate, own.private_key_and_cert_chain_pem.bytes().decode())
        return ca.cert_pem.bytes().decode()


def server_tls(certificate: Path) -> ssl.SSLContext:
    """TLS with a certificate and its key. OSError (ssl.SSLError) when they do not load or do not fit each other."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # With a password at hand, or an encrypted key would make OpenSSL ask for one in the terminal.
    tls.load_cert_chain(certificate, password="")
    return tls


def _fits(certificate: Path, authority: str) -> bool:
    """Whether a client that trusts the authority would accept the certificate: the two shake hands in memory."""
    with suppress(OSError, ValueError):
        trusting = ssl.create_default_context(cadata=authority)
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = server_tls(certificate).wrap_bio(to_server, to_client, server_side=True)
        client = trusting.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
        for _ in range(_HANDSHAKE_TURNS):
            for end in (client, server):
                with suppress(ssl.SSLWantReadError):
                    end.do_handshake()
        return client.version() is not None
    return False


def _lost(whose: str, old: int, new: int) -> list[str]:
    if old in (0, new):
        return []
    return [
        f"Another program has taken the {whose}'s port {old}; it is {new} now. Do not send anything to the old one."
    ]


def _gateway_url(port: int) -> str:
    return f"http://127.0.0.1:{port}/openai/v1"


def write_secret(path: Path, text: str) -> None:
    """Write whole or not at all, readable by the owner only from the first byte on."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def _kubeconfig(access: DaemonAccess) -> dict[str, Any]:
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
