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
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.kubeai.labels import IGNORED_ANNOTATION, WEIGHTS_ANNOTATION
from kubeai_notebook.core.kubeai.pods import ADDRESS_ANNOTATION, PORT_ANNOTATION
from kubeai_notebook.core.kubeai.this_machine import code_refusal
from kubeai_notebook.core.objects import text_at
from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.api.store import Store, timestamp
from kubeai_notebook.local.emulation import kubelet_states as states
from kubeai_notebook.local.emulation.environment import ConfigError, environment_of
from kubeai_notebook.local.emulation.kinds import PODS, Object, Ref, ref_of
from kubeai_notebook.local.emulation.kubelet_states import ContainerRun
from kubeai_notebook.local.engines.process import Engine, EngineEndedError

from .adapters import keep_adapters
from .container import MountError, data_of, files_of, kill_over
from .pods import engine_spec_of
from .recorder import RunLog

if TYPE_CHECKING:
    from pathlib import Path

    from .runtime import EngineEndpoint, Runtime

FIRST_BACK_OFF_SECONDS = 10
MAX_BACK_OFF_SECONDS = 300
HEALTHY_SECONDS = 600.0
"""A run as long as this forgets earlier crashes."""
KEPT_RUNS = 2
"""The present log and the previous one, as ``kubectl logs --previous`` wants them."""
MOST_PODS = 110
"""Of a node, unless its kubelet is told another number."""
MEMORY_SECONDS = 1.0
RETRY_SECONDS = 5.0
"""Until what a full disk refused is tried again."""

log = logging.getLogger("kubeai-local")


@dataclass(slots=True)
class _Ending:
    code: int = 1
    out_of_memory: bool = False


class Kubelet:
    """Runs one task for each Pod; ``endpoints`` holds those that answer, by Pod uid.

    ``most_pods`` may run at a time, as each node has its most; more wait until one is gone.
    """

    def __init__(self, store: Store, runtime: Runtime, *, most_pods: int) -> None:
        self._store = store
        self._runtime = runtime
        self._folder = runtime.folder
        self._recorder = runtime.recorder
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(most_pods)
        self.endpoints: dict[str, EngineEndpoint] = {}
        shutil.rmtree(self._folder, ignore_errors=True)

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
        """Begin a life for each new Pod; end those whose Pod is deleted. A Pod that cannot be read costs itself."""
        pods = {pod["metadata"]["uid"]: pod for pod in self._store.items(PODS)}
        for uid, pod in pods.items():
            if uid not in self._lives:
                self._lives[uid] = asyncio.create_task(self._live(pod), name=f"pod {uid}")
                self._lives[uid].add_done_callback(partial(self._buried, uid, ref_of(PODS, pod)))
        for uid, life in self._lives.items():
            doomed = uid not in pods or "deletionTimestamp" in pods[uid]["metadata"]
            # Cancelling twice would break off the orderly end of the engine.
            if doomed and not life.cancelling():
                life.cancel()
                if uid in pods and text_at(pods[uid], "spec", "nodeName"):
                    self._tell(pods[uid], "Killing", "Stopping container server")

    def _tell(self, pod: Object, reason: str, message: str) -> None:
        """An Event that nothing depends on."""
        try:
            self._recorder.note(pod, reason, message)
        except Exception:  # (an Event or a Pod that a client wrote may be odd, and the disk full)
            log.exception("an Event could not be written: %s", reason)

    def _buried(self, uid: str, ref: Ref, life: asyncio.Task[None]) -> None:
        """Take a dead Pod out of the API, now that its engine is gone; where the disk refuses, try again."""
        shutil.rmtree(self._folder / uid, ignore_errors=True)
        try:
            if not life.cancelled() and (error := life.exception()):
                log.error("the life of a Pod broke", exc_info=error)
            if self._store.find(ref) is not None:
                self._store.remove(ref)
        except Exception:  # (outermost frame of a Pod's end: it must not stay for ever)
            log.exception("a Pod could not be removed; it is tried again")
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._buried, uid, ref, life)
        else:
            self._lives.pop(uid, None)

    async def _live(self, pod: Object) -> None:
        """A Pod's life; ends only by cancellation. What the disk refuses is tried again; what cannot be is shown."""
        while True:
            try:
                await self._lived(pod)
            except OSError as error:
                log.warning("Pod %s: %s; it is tried again", pod["metadata"]["name"], error)
                waiting = {"reason": "CreateContainerError", "message": str(error)}
                self._show(ContainerRun(ref_of(PODS, pod), pod["metadata"]["uid"], 0), {"waiting": waiting})
                await asyncio.sleep(RETRY_SECONDS)
            except Exception as error:  # (outermost frame of this task: the Pod shows it)
                log.exception("the life of a Pod broke")
                message = f"This Pod cannot be run here: {type(error).__name__}: {error}"
                failed = {"phase": "Failed", "reason": "KubeletError", "message": message}
                self._store.patch(ref_of(PODS, pod), {"status": failed})
                await asyncio.Event().wait()

    async def _lived(self, pod: Object) -> None:
        """From its node to its last back-off."""
        ref, uid = ref_of(PODS, pod), pod["metadata"]["uid"]
        if message := states.unschedulable(pod, self._runtime.weights.missing_claim(engine_spec_of(pod).url)):
            self._unscheduled(pod, message)
            await asyncio.Event().wait()
        if self._places.locked():
            self._unscheduled(pod, states.NO_PLACE)
        async with self._places:
            self._store.patch(ref, states.scheduled(pod, self._moment()))
            place = f"Successfully assigned {ref.namespace}/{ref.name} to this-machine"
            self._recorder.note(pod, "Scheduled", place)
            (self._folder / uid).mkdir(parents=True, exist_ok=True)
            logs = deque[RunLog]()
            try:
                await self._run_again(ref, uid, logs)
            finally:
                for log in logs:
                    log.close()

    def _unscheduled(self, pod: Object, message: str) -> None:
        self._store.patch(ref_of(PODS, pod), states.unscheduled(message, self._moment()))
        self._recorder.note(pod, "FailedScheduling", message, warning=True)

    async def _run_again(self, ref: Ref, uid: str, logs: deque[RunLog]) -> None:
        """Run the container, and again whenever it has ended; ``logs`` are those of the runs that are kept."""
        crashes, last = 0, None
        for number in itertools.count():
            run, began, started = ContainerRun(ref, uid, number, last), time.monotonic(), self._moment()
            logs.append(RunLog(self._folder / uid / str(number)))
            if len(logs) > KEPT_RUNS:
                logs.popleft().forget()
            ending = await self._contain(run, started, log=logs[-1])
            crashes = 0 if time.monotonic() - began > HEALTHY_SECONDS else crashes
            last = states.termination(run, ending.code, started=started, moment=self._moment())
            last |= {"reason": "OOMKilled"} if ending.out_of_memory else {}
            self._show(run, {"terminated": last})
            # As the kubelet does: at once the first time, then later and later.
            if crashes:
                seconds = min(FIRST_BACK_OFF_SECONDS << (crashes - 1), MAX_BACK_OFF_SECONDS)
                await self._back_off(replace(run, last=last), seconds)
            crashes += 1

    async def _contain(self, run: ContainerRun, started: str, *, log: RunLog) -> _Ending:
        """One run of the container, and how it ended."""
        pod = self._store.get(run.ref)
        environment, files = await self._configured(pod, run)
        self._show(run, {"running": {"startedAt": started}})
        self._recorder.note(pod, "Created", "Created container: server")
        self._recorder.note(pod, "Started", "Started container server")
        ending, limit = _Ending(), states.memory_limit_of(pod)
        tasks: list[asyncio.Task[Any]] = []

        def spawned(pid: int) -> None:
            if limit is not None:
                tasks.append(asyncio.create_task(_killed_over(limit, pid, ending)))

        try:
            launch = await self._runtime.launch(pod, environment, files=files, log=log)
            tasks.append(digest := asyncio.create_task(self._runtime.weights.digest(launch.weights)))
            engine = await self._runtime.start(pod, replace(launch, spawned=spawned))
            try:
                self._answers(run, engine, started, weights=await digest)
                if launch.asked.adapted:
                    tasks.append(asyncio.create_task(self._adapters(run, engine, environment, log=log)))
                ending.code = await engine.wait()
            finally:
                self.endpoints.pop(run.uid, None)
                await engine.stop()
        except EngineEndedError as error:
            ending.code = error.code
            self._runtime.weights.doubt(launch.asked.url)
        except LocalError as error:
            log.say(f"Error: {error}")
        finally:
            for task in tasks:
                task.cancel()
            log.flush()
        return ending

    async def _configured(self, pod: Object, run: ContainerRun) -> tuple[dict[str, str], dict[str, Path]]:
        """Environment and files, once all that they come from exists; until then the Pod says what is missing."""
        while True:
            version = self._store.version
            try:
                environment = environment_of(pod, partial(data_of, self._store, namespace=run.ref.namespace))
                if refusal := code_refusal(environment):
                    raise ConfigError(refusal)
                return environment, files_of(pod, self._store, self._folder / run.uid / "files")
            except MountError as error:
                self._recorder.note(pod, "FailedMount", error.message, warning=True)
            except ConfigError as error:
                self._show(run, {"waiting": {"reason": "CreateContainerConfigError", "message": error.message}})
                self._recorder.note(pod, "Failed", f"Error: {error.message}", warning=True)
            await self._store.changed(max(version, self._store.version))

    def _answers(self, run: ContainerRun, engine: Engine, started: str, *, weights: str) -> None:
        """Ready: the gateway may send requests."""
        self.endpoints[run.uid] = self._runtime.endpoint(self._store.get(run.ref), engine)
        port = engine.address.rpartition(":")[2]
        notes = {ADDRESS_ANNOTATION: "127.0.0.1", PORT_ANNOTATION: port, IGNORED_ANNOTATION: engine.ignored or None}
        notes[WEIGHTS_ANNOTATION] = weights or None
        self._show(run, {"running": {"startedAt": started}}, ready=True, metadata={"annotations": notes})

    async def _adapters(self, run: ContainerRun, engine: Engine, environment: dict[str, str], *, log: RunLog) -> None:
        pod = self._store.get(run.ref)

        def changed() -> None:
            self.endpoints[run.uid] = self._runtime.endpoint(pod, engine)
            where = {PORT_ANNOTATION: engine.address.rpartition(":")[2]}
            self._store.patch(run.ref, {"metadata": {"annotations": where}})

        pull = partial(self._runtime.pull, pod, log=log, environment=environment, kind="adapter")
        try:
            digest = self._runtime.weights.digest
            await keep_adapters(self._store, run, engine, pull=pull, digest=digest, changed=changed, say=log.say)
        except Exception as error:  # noqa: BLE001  (outermost frame of this task: the Pod's log shows it)
            log.say(f"Error: adapters are no longer looked after: {error!r}")

    async def _back_off(self, run: ContainerRun, seconds: int) -> None:
        self._show(run, states.backing_off(run, seconds))
        where = f"{run.ref.name}_{run.ref.namespace}({run.uid})"
        message = f"Back-off restarting failed container server in pod {where}"
        self._recorder.note(self._store.get(run.ref), "BackOff", message, warning=True)
        await asyncio.sleep(seconds)

    def _show(self, run: ContainerRun, state: Object, *, ready: bool = False, metadata: Object | None = None) -> None:
        patch = states.in_state(self._store.get(run.ref), run, state, moment=self._moment(), ready=ready)
        self._store.patch(run.ref, {**patch, "metadata": metadata or {}})

    def _moment(self) -> str:
        return timestamp(self._store.now())


async def _killed_over(limit: int, pid: int, ending: _Ending) -> None:
    """Watch a process' memory until it is killed for it."""
    while not ending.out_of_memory:
        await asyncio.sleep(MEMORY_SECONDS)
        ending.out_of_memory = await asyncio.to_thread(kill_over, limit, pid)
