"""Scheduler and kubelet in one: brings each Pod to life, keeps it alive, ends it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import shutil
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.api.resources import PODS, Object, Ref, ref_of
from kubeai_notebook.local.api.store import Store, timestamp
from kubeai_notebook.local.engines import llamacpp
from kubeai_notebook.local.engines.base import Engine, Launch, check_loadable, check_servable

from . import statuses
from .events import Recorder
from .pods import ADDRESS_ANNOTATION, PORT_ANNOTATION, engine_of, features_of, lacking, url_of, user_arguments_of
from .pulling import Pulling
from .statuses import Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kubeai_notebook.local.weights import Weights

FIRST_BACK_OFF_SECONDS = 10
MAX_BACK_OFF_SECONDS = 300
HEALTHY_SECONDS = 600.0
"""A run as long as this forgets earlier crashes."""

log = logging.getLogger("kubeai-local")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a ready Pod's engine answers, and what it wants as bearer token."""

    address: str
    key: str


class Kubelet:
    """Runs one task for each Pod; ``endpoints`` holds those that answer, by Pod uid."""

    def __init__(self, store: Store, *, weights: Weights, folder: Path, environment: Mapping[str, str]) -> None:
        self._store = store
        self._weights = weights
        self._folder = folder
        self._environment = environment
        self._recorder = Recorder(store)
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
        if missing := lacking(pod):
            message = (
                f"0/1 nodes are available: 1 Insufficient {missing}. "
                "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
            )
            self._store.patch(ref, statuses.unscheduled(message, self._moment()))
            self._recorder.note(pod, "FailedScheduling", message, warning=True)
            await asyncio.Event().wait()
        self._store.patch(ref, statuses.scheduled(pod, self._moment()))
        place = f"Successfully assigned {ref.namespace}/{ref.name} to this-machine"
        self._recorder.note(pod, "Scheduled", place)
        (self._folder / uid).mkdir(parents=True)
        back_off, last = FIRST_BACK_OFF_SECONDS, None
        for number in itertools.count():
            run, began, started = Run(ref, uid, number, last), time.monotonic(), self._moment()
            code = await self._contain(run, started)
            if time.monotonic() - began > HEALTHY_SECONDS:
                back_off = FIRST_BACK_OFF_SECONDS
            last = statuses.termination(run, code, started=started, moment=self._moment())
            await self._back_off(run, last, back_off)
            back_off = min(2 * back_off, MAX_BACK_OFF_SECONDS)

    async def _contain(self, run: Run, started: str) -> int:
        """One run of the container; its exit code."""
        pod = self._store.get(run.ref)
        path = self._folder / run.uid / str(run.number)
        path.touch()
        self._store.patch(run.ref, statuses.running(pod, run, started=started, moment=started, ready=False))
        self._recorder.note(pod, "Created", "Created container: server")
        self._recorder.note(pod, "Started", "Started container server")
        try:
            engine = await self._engine(pod, path)
        except llamacpp.EngineEndedError as error:
            return error.code
        except LocalError as error:
            _say(path, f"Error: {error}")
            return 1
        try:
            self._answers(run, engine, started)
            return await engine.wait()
        finally:
            self.endpoints.pop(run.uid, None)
            await engine.stop()

    async def _engine(self, pod: Object, path: Path) -> Engine:
        """Fetch the weights and start the engine on them. LocalError when one of the two cannot be had."""
        say, container = partial(_say, path), pod["spec"]["containers"][0]
        asked, url = engine_of(pod), url_of(pod)
        check_servable(asked, features_of(pod))
        say(f"{container['image']} answers here, standing in for {asked}.")
        check_loadable(asked, url, self._weights.known())
        if "envFrom" in container:
            say("Ignored, because this machine does not read it yet: envFrom")
        environment = {**self._environment, **{item["name"]: item["value"] for item in container["env"]}}
        weights = await self._pulled(pod, url, path)
        launch = Launch(weights, tuple(user_arguments_of(pod)), environment, path)
        return await llamacpp.start(launch, name=pod["metadata"]["labels"]["model"])

    async def _pulled(self, pod: Object, url: str, path: Path) -> Path:
        say, note = partial(_say, path), partial(self._recorder.note, pod)
        found = self._weights.present(url)
        if found is not None:
            message = f'Weights "{url}" were already on this machine'
        else:
            pulling = Pulling(url, note=partial(note, "Pulling", update=True), say=say)
            pulling.begin()
            found = await self._weights.fetch(url, pulling)
            message = pulling.end()
        say(message)
        note("Pulled", message)
        return found

    def _answers(self, run: Run, engine: Engine, started: str) -> None:
        self.endpoints[run.uid] = Endpoint(engine.address, engine.key)
        pod, port = self._store.get(run.ref), engine.address.rpartition(":")[2]
        patch = statuses.running(pod, run, started=started, moment=self._moment(), ready=True)
        where = {ADDRESS_ANNOTATION: "127.0.0.1", PORT_ANNOTATION: port}
        self._store.patch(run.ref, patch | {"metadata": {"annotations": where}})

    async def _back_off(self, run: Run, how: Object, seconds: int) -> None:
        pod = self._store.get(run.ref)
        self._store.patch(run.ref, statuses.ended(pod, run, how, moment=self._moment()))
        pod = self._store.get(run.ref)
        self._store.patch(run.ref, statuses.backing_off(pod, run, how, seconds=seconds))
        where = f"{run.ref.name}_{run.ref.namespace}({run.uid})"
        message = f"Back-off restarting failed container server in pod {where}"
        self._recorder.note(pod, "BackOff", message, warning=True)
        await asyncio.sleep(seconds)

    def _moment(self) -> str:
        return timestamp(self._store.now())


def _say(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text + "\n")
