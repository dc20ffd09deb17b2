"""Scheduler and kubelet in one: brings each Pod to life, keeps it alive, ends it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import shutil
import time
from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.api.resources import PODS, Object, Ref, ref_of
from kubeai_notebook.local.api.store import Store, timestamp
from kubeai_notebook.local.engines.base import Engine, EngineEndedError

from . import statuses
from .container import ConfigError, environment_of, files_of, kill_over, memory_limit_of
from .events import Recorder
from .pods import ADDRESS_ANNOTATION, PORT_ANNOTATION, adapters_of, lacking, safe_hash, url_of
from .runlog import RunLog
from .runtime import Endpoint, Runtime
from .statuses import Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kubeai_notebook.local.weights import Weights

FIRST_BACK_OFF_SECONDS = 10
MAX_BACK_OFF_SECONDS = 300
HEALTHY_SECONDS = 600.0
"""A run as long as this forgets earlier crashes."""
KEPT_RUNS = 2
"""The present log and the previous one, as ``kubectl logs --previous`` wants them."""
MEMORY_SECONDS = 1.0

log = logging.getLogger("kubeai-local")


@dataclass(slots=True)
class _Ending:
    code: int = 1
    out_of_memory: bool = False


class Kubelet:
    """Runs one task for each Pod; ``endpoints`` holds those that answer, by Pod uid."""

    def __init__(
        self,
        store: Store,
        *,
        weights: Weights,
        folder: Path,
        environment: Mapping[str, str],
        test_engine: Path | None = None,
    ) -> None:
        self._store = store
        self._weights = weights
        self._folder = folder
        self._recorder = Recorder(store)
        self._runtime = Runtime(
            store, self._recorder, weights=weights, folder=folder, environment=environment, test_engine=test_engine
        )
        self._lives: dict[str, asyncio.Task[None]] = {}
        self.endpoints: dict[str, Endpoint] = {}
        shutil.rmtree(folder, ignore_errors=True)

    async def run(self) -> None:
        """Work until cancelled; every engine is gone when this returns."""
        try:
            while True:
                version = self._store.version
                self._sync()
                await self._store.changed(version)
        finally:
            lives = list(self._lives.values())
            for life in lives:
                life.cancel()
            await asyncio.gather(*lives, return_exceptions=True)

    def _sync(self) -> None:
        """Begin a life for each new Pod; end those whose Pod is deleted."""
        pods = {pod["metadata"]["uid"]: pod for pod in self._store.items(PODS)}
        for uid in pods.keys() - self._lives.keys():
            self._lives[uid] = asyncio.create_task(self._live(pods[uid]), name=f"pod {uid}")
            self._lives[uid].add_done_callback(partial(self._buried, uid, ref_of(PODS, pods[uid])))
        for uid, life in self._lives.items():
            doomed = uid not in pods or "deletionTimestamp" in pods[uid]["metadata"]
            # Cancelling twice would break off the orderly end of the engine.
            if doomed and not life.cancelling():
                if uid in pods and "nodeName" in pods[uid]["spec"]:
                    self._recorder.note(pods[uid], "Killing", "Stopping container server")
                life.cancel()

    def _buried(self, uid: str, ref: Ref, _life: asyncio.Task[None]) -> None:
        """Take a dead Pod out of the API, now that its engine is gone."""
        del self._lives[uid]
        shutil.rmtree(self._folder / uid, ignore_errors=True)
        if self._store.find(ref) is not None:
            self._store.remove(ref)

    async def _live(self, pod: Object) -> None:
        """A Pod's life; ends only by cancellation."""
        try:
            await self._lived(pod)
        except Exception as error:  # (outermost frame of this task: the Pod shows it)
            log.exception("the life of a Pod broke")
            failed = {"phase": "Failed", "reason": "KubeletError", "message": str(error)}
            self._store.patch(ref_of(PODS, pod), {"status": failed})
            await asyncio.Event().wait()

    async def _lived(self, pod: Object) -> None:
        """From its node to its last back-off."""
        ref, uid = ref_of(PODS, pod), pod["metadata"]["uid"]
        if why := self._unschedulable(pod):
            message = f"0/1 nodes are available: {why}"
            self._store.patch(ref, statuses.unscheduled(message, self._moment()))
            self._recorder.note(pod, "FailedScheduling", message, warning=True)
            await asyncio.Event().wait()
        self._store.patch(ref, statuses.scheduled(pod, self._moment()))
        place = f"Successfully assigned {ref.namespace}/{ref.name} to this-machine"
        self._recorder.note(pod, "Scheduled", place)
        (self._folder / uid).mkdir(parents=True)
        crashes, last, logs = 0, None, deque[RunLog]()
        for number in itertools.count():
            run, began, started = Run(ref, uid, number, last), time.monotonic(), self._moment()
            logs.append(RunLog(self._folder / uid / str(number)))
            if len(logs) > KEPT_RUNS:
                logs.popleft().forget()
            ending = await self._contain(run, started, log=logs[-1])
            crashes = 0 if time.monotonic() - began > HEALTHY_SECONDS else crashes
            last = statuses.termination(run, ending.code, started=started, moment=self._moment())
            last |= {"reason": "OOMKilled"} if ending.out_of_memory else {}
            self._store.patch(ref, statuses.ended(self._store.get(ref), run, last, moment=self._moment()))
            # As the kubelet does: at once the first time, then later and later.
            if crashes:
                await self._back_off(run, last, min(FIRST_BACK_OFF_SECONDS << (crashes - 1), MAX_BACK_OFF_SECONDS))
            crashes += 1

    def _unschedulable(self, pod: Object) -> str | None:
        """Why the scheduler finds no place for the Pod, in its own words."""
        if missing := lacking(pod):
            preempted = "1 No preemption victims found for incoming pod."
            return f"1 Insufficient {missing}. preemption: 0/1 nodes are available: {preempted}"
        if claim := self._weights.missing_claim(url_of(pod)):
            preempted = "1 Preemption is not helpful for scheduling."
            found = f'persistentvolumeclaim "{claim}" not found'
            return f"{found}. preemption: 0/1 nodes are available: {preempted}"
        return None

    async def _contain(self, run: Run, started: str, *, log: RunLog) -> _Ending:
        """One run of the container, and how it ended."""
        pod = self._store.get(run.ref)
        environment, files = await self._configured(pod, run)
        self._store.patch(run.ref, statuses.running(pod, run, started=started, moment=started, ready=False))
        self._recorder.note(pod, "Created", "Created container: server")
        self._recorder.note(pod, "Started", "Started container server")
        ending, watch = _Ending(), None
        limit = memory_limit_of(pod)

        def spawned(pid: int) -> None:
            nonlocal watch
            if limit is not None:
                watch = asyncio.create_task(_killed_over(limit, pid, ending))

        try:
            launch = await self._runtime.launch(pod, environment, files=files, log=log)
            engine = await self._runtime.start(pod, replace(launch, spawned=spawned))
            try:
                self._answers(run, engine, started)
                ending.code = await engine.wait()
            finally:
                self.endpoints.pop(run.uid, None)
                await engine.stop()
        except EngineEndedError as error:
            ending.code = error.code
        except LocalError as error:
            log.say(f"Error: {error}")
            ending.code = 1
        finally:
            if watch:
                watch.cancel()
        return ending

    async def _configured(self, pod: Object, run: Run) -> tuple[dict[str, str], dict[str, Path]]:
        """Environment and files, once all that they come from exists; until then the Pod says what is missing."""
        while True:
            version = self._store.version
            try:
                folder = self._folder / run.uid / "files"
                return environment_of(pod, self._store), files_of(pod, self._store, folder)
            except ConfigError as error:
                status = statuses.scheduled(pod, self._moment())["status"]
                waiting = {"reason": "CreateContainerConfigError", "message": error.message}
                status["containerStatuses"][0] |= {"state": {"waiting": waiting}, "restartCount": run.number}
                self._store.patch(run.ref, {"status": status})
                self._recorder.note(pod, "Failed", f"Error: {error.message}", warning=True)
            await self._store.changed(max(version, self._store.version))

    def _answers(self, run: Run, engine: Engine, started: str) -> None:
        """Ready: the gateway may send requests, and the adapters' labels say that they are loaded."""
        pod, port = self._store.get(run.ref), engine.address.rpartition(":")[2]
        self.endpoints[run.uid] = self._runtime.endpoint(pod, engine)
        patch = statuses.running(pod, run, started=started, moment=self._moment(), ready=True)
        where = {ADDRESS_ANNOTATION: "127.0.0.1", PORT_ANNOTATION: port}
        self._store.patch(run.ref, patch | {"metadata": {"annotations": where}})
        # They are loaded with the engine here; in a cluster their labels come a little later.
        loaded = {f"adapter.kubeai.org/{name}": safe_hash(url) for name, url in adapters_of(pod).items()}
        self._store.patch(run.ref, {"metadata": {"labels": loaded}})

    async def _back_off(self, run: Run, how: Object, seconds: int) -> None:
        pod = self._store.get(run.ref)
        self._store.patch(run.ref, statuses.backing_off(pod, run, how, seconds=seconds))
        where = f"{run.ref.name}_{run.ref.namespace}({run.uid})"
        message = f"Back-off restarting failed container server in pod {where}"
        self._recorder.note(pod, "BackOff", message, warning=True)
        await asyncio.sleep(seconds)

    def _moment(self) -> str:
        return timestamp(self._store.now())


async def _killed_over(limit: int, pid: int, ending: _Ending) -> None:
    """Watch a process' memory until it is killed for it."""
    while not ending.out_of_memory:
        await asyncio.sleep(MEMORY_SECONDS)
        ending.out_of_memory = await asyncio.to_thread(kill_over, limit, pid)
