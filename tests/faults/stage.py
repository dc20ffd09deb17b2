"""A stage for faults: one daemon with the scripted engine, one scripted node, one Session that watches them all."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from kubeai_notebook.core.diagnosis import diagnose
from kubeai_notebook.errors import UsageError
from tests.support.daemon import MODELS, PODS, Daemon
from tests.support.repository import ROOT

from .node import Node
from .remedies import labels_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from kubeai_notebook.core.remedy import Remedy
    from kubeai_notebook.core.view import View
    from kubeai_notebook.session.model import Model
    from kubeai_notebook.session.session import Session

    from .table import Fault

NAMED_SECONDS, FIX_SECONDS, CURED_SECONDS = 30.0, 15.0, 45.0
PROFILES = {
    "gpu": {"requests": {"cpu": "100m", "gpu": 1}},
    "small": {"requests": {"cpu": "100m"}, "limits": {"memory": "120Mi"}},
    "node": {"imageName": "nvidia-gpu", "limits": {"played.test/gpu": 1}},
    "taken": {"imageName": "nvidia-gpu", "limits": {"nvidia.com/gpu": 1}},
}
"""What this machine can have (``gpu`` is a word only), what the scripted node has, and what nobody has."""
_PLACEHOLDERS = {
    "<token>": "hf_of_an_account_with_access",
    "<key>=<value>": "HF_TOKEN=hf_x",
    "<id>": "AKIA",
    "<secret>": "s",
    "<value>": "v",
    "<size>": "20Gi",
}


@dataclass(frozen=True)
class Outcome:
    """How a fault went; the seconds are those from its evidence to the listener's View that names it."""

    seconds: float
    """From the newest run's log: the kubelet's restart hides that of the run before."""
    all_seconds: float
    """From the first run's log, so with the time in which the engine failed a second time."""
    codes: tuple[str, ...]
    label: str
    after: tuple[str, ...] = ()
    phase: str = ""
    failure: str = ""


class Watcher:
    """What is new about a Model, and when it was."""

    def __init__(self, session: Session, name: str) -> None:
        self._changes = session.publisher.subscribe([name])
        self._name = name

    def until(self, holds: Callable[[View | None], bool], seconds: float) -> tuple[float, Any]:
        """The first View from now on for which this holds, that of now included, and its moment."""
        view = self._changes.latest(self._name)
        if not holds(view):
            change = self._changes.until(lambda change: holds(change.view), seconds)
            if change is None:
                raise AssertionError(f"not within {seconds:.0f} s; last: {self._last()}")
            view = change.view
        return time.time(), view

    def _last(self) -> str:
        view = self._changes.latest(self._name)
        seen = [(finding.code, finding.evidence[0].text) for finding in view.findings] if view else "nothing"
        return f"{view.status.phase if view else 'gone'}, {seen}"

    def close(self) -> None:
        self._changes.close()


class Stage:
    """Plays faults, each from its Model's creation to its cure."""

    def __init__(self, folder: Path, urls: Iterable[str]) -> None:
        self.scripts = folder / "faults"
        self.scripts.mkdir()
        self.daemon = Daemon(
            folder / "home", *_options(folder, urls), KUBEAI_LOCAL_TESTING="1", FAULTS=str(self.scripts)
        )
        self.daemon.start()
        self.kubeconfig = self.daemon.home / "kubeconfig"
        (self.scripts / "api").write_text(json.dumps(_access(self.daemon)))
        self.node = Node(self.daemon)
        self._shared: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def close(self) -> None:
        self.node.close()
        self.daemon.stop()

    def play(self, fault: Fault, session: Session) -> Outcome:
        """The whole way of one fault; of those that share a Secret only one at a time."""
        secret = fault.script.get("secret")
        if secret is None:
            return self._play(fault, session)
        with self._shared[secret]:
            self.daemon.api("DELETE", f"/api/v1/namespaces/default/secrets/{secret}")
            return self._play(fault, session)

    def _play(self, fault: Fault, session: Session) -> Outcome:
        watcher, label, codes = Watcher(session, fault.name), "", ()
        seconds = all_seconds = -1.0
        try:
            began = self._begin(fault, session, watcher)
            moment, view = watcher.until(lambda view: fault.code in codes_of(view), NAMED_SECONDS)
            codes = codes_of(view)
            evidence = [when for when in self._evidence(fault, view, began) if when <= moment]
            seconds, all_seconds = moment - evidence[-1], moment - evidence[0]
            label = self._fix(fault, session)
            gone, ready = fault.script.get("gone"), fault.script.get("ready") is not False
            if fault.script.get("cures") is False:
                return Outcome(seconds, all_seconds, codes, label, phase="unchanged")

            def cured(view: View | None) -> bool:
                if view is None or gone:
                    return view is None
                return fault.code not in codes_of(view) and (view.status.phase == "Ready" or not ready)

            _, view = watcher.until(cured, CURED_SECONDS)
            phase = view.status.phase if view else "gone"
            return Outcome(seconds, all_seconds, codes, label, after=codes_of(view), phase=phase)
        except Exception as error:  # noqa: BLE001  (outermost frame of a worker: the fault's test shows it)
            return Outcome(seconds, all_seconds, codes, label, failure=f"{type(error).__name__}: {error}")
        finally:
            watcher.close()
            with suppress(AssertionError):
                self.remove(fault.name)

    def remove(self, name: str) -> None:
        """Delete a Model, whatever holds it."""
        self.daemon.api("PATCH", f"{MODELS}/{name}", {"metadata": {"finalizers": None}})
        self.daemon.api("DELETE", f"{MODELS}/{name}")

    def _begin(self, fault: Fault, session: Session, watcher: Watcher) -> float:
        """Make the Model, and do to it what the fault says; the moment before the last of this."""
        if fault.player == "engines":
            (self.scripts / f"{fault.name}.json").write_text(json.dumps(fault.played))
        if fault.player == "nodes":
            self.node.play(fault)
        for item in fault.script.get("objects", ()):
            plural = {"PersistentVolumeClaim": "persistentvolumeclaims", "Secret": "secrets"}[item["kind"]]
            self.daemon.api("POST", f"/api/v1/namespaces/default/{plural}", item)
        began = time.time()
        status, answer = self.daemon.api("POST", MODELS, fault.manifest)
        assert status == 201, answer
        if "answer" in fault.script:
            uid = answer["metadata"]["uid"]
            watcher.until(lambda view: view is not None and view.uid == uid, NAMED_SECONDS)
            session.publisher.test(fault.name, uid)
        if "then" in fault.script:
            watcher.until(lambda view: view is not None and view.status.phase == "Ready", NAMED_SECONDS)
            began = time.time()
            self.daemon.api("PATCH", f"{MODELS}/{fault.name}", {"spec": fault.script["then"]})
        if fault.script.get("delete"):
            began = time.time()
            self.daemon.api("DELETE", f"{MODELS}/{fault.name}")
        return began

    def _evidence(self, fault: Fault, view: View, began: float) -> list[float]:
        """When the fault could be known: the status, or in each run the last line of the log, was written."""
        if "memory_mib" in fault.script:
            (status,) = view.observation.pods[0]["status"]["containerStatuses"]
            ended = (status["state"].get("terminated") or status["lastState"]["terminated"])["finishedAt"]
            return [datetime.fromisoformat(ended).timestamp()]
        if fault.player == "nodes":
            return [self.node.evidence.get(fault.name, began)]  # the Model may tell it before its Pod
        seen = self.scripts / f"{fault.name}.seen"
        return [float(line.split()[0]) for line in seen.read_text().splitlines()] if seen.exists() else [began]

    def _fix(self, fault: Fault, session: Session) -> str:
        """Apply the Remedy that the fault names, as the user would; its label."""
        model, deadline = session.attach(fault.name), time.monotonic() + FIX_SECONDS
        while True:
            findings = diagnose(model.view.observation, now=datetime.now(UTC))
            found = [(remedy, labels_of(finding, remedy)) for finding in findings for remedy in finding.remedies]
            chosen = [(number, remedy) for number, (remedy, labels) in enumerate(found, 1) if fault.fix in labels]
            # Between two runs of the engine the Finding may be away.
            with suppress(UsageError):
                for number, remedy in chosen[:1]:
                    self._apply(model, number, remedy)
                    return fault.fix
            assert time.monotonic() < deadline, f"no remedy by {fault.fix}, only {[labels for _, labels in found]}"
            time.sleep(0.05)

    def _apply(self, model: Model, number: int, remedy: Remedy) -> None:
        if remedy.changes:
            model.fix(number, yes=True)
            return
        line = remedy.command.line if remedy.command else ""
        done = self.shell(line)
        assert done.returncode == 0, f"{line}: {done.stderr}"

    def shell(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a Remedy's command in a terminal, with what only the user knows put in."""
        for word, value in _PLACEHOLDERS.items():
            command = command.replace(word, value)
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.scripts)}
        shell = ["/bin/sh", "-c", command]
        return subprocess.run(shell, env=environment, capture_output=True, text=True, timeout=60, check=False)


def codes_of(view: View | None) -> tuple[str, ...]:
    return tuple(finding.code for finding in view.findings) if view else ()


def _options(folder: Path, urls: Iterable[str]) -> list[str]:
    (folder / "empty.gguf").touch()
    (folder / "system.yaml").write_text(yaml.safe_dump({"resourceProfiles": PROFILES}))
    (folder / "claim").mkdir()
    (folder / "claim" / "empty.gguf").touch()
    options = ["--test-engine", str(ROOT / "tests" / "support" / "scripted_engine.py")]
    options += ["--config", str(folder / "system.yaml"), "--weights", f"pvc://weights={folder / 'claim'}"]
    mapped = {url for url in urls if not re.match("pvc://", url)}
    return [*options, *(part for url in sorted(mapped) for part in ("--weights", f"{url}={folder / 'empty.gguf'}"))]


def _access(daemon: Daemon) -> tuple[str, str, str, str]:
    """Address, token, certificate authority and path with which an engine finds its own Pod."""
    config = daemon.kubeconfig
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    return urlsplit(cluster["server"]).netloc, user["token"], authority, PODS
