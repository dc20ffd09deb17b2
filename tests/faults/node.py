"""A node of a cluster, scripted: it takes the Pods that this machine cannot, and says of them what the fault says."""

from __future__ import annotations

import itertools
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.support.container import Container
from tests.support.daemon import EVENTS, PODS

if TYPE_CHECKING:
    from tests.support.daemon import Daemon

    from .table import Fault

LOOK_SECONDS = 0.1
Object = dict[str, Any]


class Node:
    """Plays faults on the daemon's Pods from a thread of its own; ``evidence`` is when each was told first."""

    def __init__(self, daemon: Daemon) -> None:
        self.evidence: dict[str, float] = {}
        self._daemon = daemon
        self._faults: dict[str, Fault] = {}
        self._first: dict[str, str] = {}
        self._done: set[str] = set()
        self._numbers = itertools.count()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scripted-node")
        self._thread.start()

    def play(self, fault: Fault) -> None:
        """Take the Pods of the fault's Model from now on."""
        self._faults[fault.name] = fault

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            for pod in self._daemon.api("GET", PODS)[1]["items"] if self._faults else ():
                fault = self._faults.get(pod["metadata"]["labels"].get("model", ""))
                # The daemon's scheduler speaks first; what it said is then replaced.
                if fault and pod["metadata"]["uid"] not in self._done and pod["status"].get("conditions"):
                    self._done.add(pod["metadata"]["uid"])
                    self._take(pod, fault)

    def _take(self, pod: Object, fault: Fault) -> None:
        uid = pod["metadata"]["uid"]
        first = self._first.setdefault(fault.name, uid) == uid
        server = pod["spec"]["containers"][0]
        env = {entry["name"]: entry.get("value", "") for entry in server["env"]}
        alive = Container(server["args"][3:], env, lambda: pod, first=first).holds(fault.cause)
        self.evidence.setdefault(fault.name, time.time())
        status = self._broken(pod, fault) if alive else _running(ready=True)
        for reason, message, component, *count in fault.script.get("events", ()) if alive else ():
            self._tell(pod, {"reason": reason, "message": message, "source": {"component": component}}, count)
        code, answer = self._daemon.api("PATCH", f"{PODS}/{pod['metadata']['name']}/status", {"status": status})
        # A Pod that was deleted meanwhile needs no node any more.
        assert code in (200, 404), answer

    def _broken(self, pod: Object, fault: Fault) -> Object:
        if "log" in fault.script:
            return self._logged(pod, fault)
        if "waiting" in fault.script:
            reason, message = fault.script["waiting"]
            return _running(ready=False, state={"waiting": {"reason": reason, "message": message}}) | {
                "phase": "Pending"
            }
        if "pod" in fault.script:
            return {"conditions": _conditions(ready=False), **fault.script["pod"]}
        message = fault.script.get("unscheduled", "0/3 nodes are available.")
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        return {"phase": "Pending", "conditions": [condition]}

    def _logged(self, pod: Object, fault: Fault) -> Object:
        """Put the recording where the daemon keeps its logs."""
        uid = pod["metadata"]["uid"]
        file = self._daemon.home / "pods" / uid / "0"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(fault.log.read_bytes())
        run = {"containerID": f"local://{uid}/0"}
        if fault.script.get("ready"):
            return _running(ready=True, **run)
        ended = {"terminated": {"exitCode": fault.script.get("exit", 1), "reason": "Error", **run}}
        waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}}
        return _running(ready=False, state=waiting, lastState=ended, restartCount=1)

    def _tell(self, pod: Object, said: Object, count: list[int]) -> None:
        metadata, now = pod["metadata"], datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        about = {"kind": "Pod", "namespace": "default", "name": metadata["name"], "uid": metadata["uid"]}
        times = {"firstTimestamp": now, "lastTimestamp": now, "count": count[0] if count else 1}
        name = {"name": f"{metadata['name']}.{next(self._numbers)}", "namespace": "default"}
        event = {"metadata": name, "involvedObject": about, "type": "Warning", **said, **times}
        code, answer = self._daemon.api("POST", EVENTS, event)
        assert code == 201, answer


def _conditions(*, ready: bool) -> list[Object]:
    truth = {"PodScheduled": True, "Initialized": True, "ContainersReady": ready, "Ready": ready}
    return [{"type": kind, "status": str(holds)} for kind, holds in truth.items()]


def _running(*, ready: bool, **container: Any) -> Object:
    state: Object = {"running": {"startedAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}}
    status = {"name": "server", "state": state, "lastState": {}, "restartCount": 0, "ready": ready} | container
    return {"phase": "Running", "conditions": _conditions(ready=ready), "containerStatuses": [status]}
