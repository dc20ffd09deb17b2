"""What a container runtime is in a cluster: gathers all that an engine needs, and starts the right one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.kubeai.this_machine import kept
from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.environment import Room, expanded
from kubeai_notebook.local.emulation.kinds import PODS, Object, ref_of
from kubeai_notebook.local.emulation.kubelet_states import memory_limit_of, threads_of
from kubeai_notebook.local.emulation.stand_in import (
    ANNOTATION,
    check_loadable,
    check_servable,
    defaults_of,
    here_for,
    wrong_routes,
)
from kubeai_notebook.local.engines import recipes
from kubeai_notebook.local.engines.process import Engine, Launch, start
from kubeai_notebook.local.environment import inherited
from kubeai_notebook.local.weights.registry import NotHereError

from .container import placed_in
from .pods import IMAGE_ANNOTATION, engine_spec_of
from .recorder import Pulling

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kubeai_notebook.local.api.store import Store
    from kubeai_notebook.local.weights import Weights

    from .recorder import Recorder, RunLog


@dataclass(frozen=True, slots=True)
class EngineEndpoint:
    """Where a ready Pod's engine answers, and what it wants as bearer token."""

    address: str
    key: str
    adapters: tuple[str, ...] = ()
    """Those that a request must ask for by number, as llama.cpp wants it."""
    wrong: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """What the engine asked for would answer on routes where its stand-in would do something else."""
    defaults: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Fields by route that a request has where its client leaves them out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Starts engines for the kubelet."""

    store: Store
    recorder: Recorder
    weights: Weights
    folder: Path
    environment: Mapping[str, str]
    test_engine: Path | None = None

    async def launch(
        self, pod: Object, environment: dict[str, str], *, files: Mapping[str, Path], log: RunLog
    ) -> Launch:
        """Fetch the weights and gather what starting takes. LocalError when they cannot be had."""
        metadata, asked = pod["metadata"], engine_spec_of(pod)
        real = self._real(pod)
        given_text = partial(expanded, environment=environment, room=Room())
        arguments = [
            placed_in(given_text(text, what=f"args[{number}]"), files) for number, text in enumerate(asked.arguments)
        ]
        environment = {name: placed_in(value, files) for name, value in environment.items()}
        placed = [str(place) for place in files.values()]
        given = kept(asked.engine if real else "llama.cpp", arguments, environment, files=placed)
        arguments, environment = list(given.arguments), dict(given.environment)
        for notice in given.notices:
            log.say(notice)
        if not real:
            check_servable(asked.engine, asked.features)
            log.say(f"{pod['spec']['containers'][0]['image']} answers here, standing in for {asked.engine}.")
            lacking = self.weights.lacking(asked.url)
            check_loadable(asked.engine, asked.url, known=self.weights.known(), lacking=lacking)
        if unused := metadata["annotations"].get(IMAGE_ANNOTATION):
            log.say(f'The image "{unused}" is not used: this machine runs a process of its own, no container.')
        for path, place in files.items():
            log.say(f"The file {path} lies at {place}: a process has no file system of its own.")
        pull = partial(self.pull, pod, log=log, environment=environment)
        return Launch(
            asked=replace(asked, arguments=tuple(arguments)),
            # A real engine fetches what is not here itself.
            weights=await pull(asked.url) if not real or self.weights.has(asked.url) else None,
            environment=environment,
            # A test speaks to its own engine by the environment.
            inherited=self.environment if self.test_engine else inherited(self.environment),
            folder=self.folder / metadata["uid"],
            log=log.write,
            threads=threads_of(pod, os.cpu_count() or 1),
            memory_bytes=memory_limit_of(pod),
        )

    async def start(self, pod: Object, launch: Launch) -> Engine:
        """Start what the Pod asks for, or its stand-in. EngineEndedError when it ends before it answers."""
        if (program := self._real(pod)) is None:
            own = recipes.stand_in(launch, self.environment.get("PYTHONPATH", ""), self.test_engine)
            return await start(launch, own)
        image = {"containers": [{**pod["spec"]["containers"][0], "image": program}]}
        self.store.patch(ref_of(PODS, pod), {"spec": image, "metadata": {"annotations": {ANNOTATION: None}}})
        return await start(launch, recipes.real(launch, program))

    def endpoint(self, pod: Object, engine: Engine) -> EngineEndpoint:
        """How the gateway asks an engine that answers."""
        asked = engine_spec_of(pod)
        if self._real(pod):
            return EngineEndpoint(engine.address, engine.key)
        wrong = wrong_routes(asked.engine, asked.features, asked.name)
        return EngineEndpoint(engine.address, engine.key, engine.numbered, wrong, defaults_of(asked.engine))

    async def pull(
        self, pod: Object, url: str, *, log: RunLog, environment: Mapping[str, str], kind: str = "model"
    ) -> Path:
        """The weights of a model or an adapter, fetched if need be. LocalError when they cannot be had."""
        note = partial(self.recorder.note, pod)
        weights, message = self.weights.present(url), f'Weights "{url}" were already on this machine'
        if weights is None:
            pulling = Pulling(url, note=partial(note, "Pulling", update=True), say=log.say)

            def damaged(text: str) -> None:
                pulling.remark(text)
                note("WeightsDamaged", text, warning=True)

            given: dict[str, Any] = {"kind": kind, "environment": environment, "say": damaged, "note": pulling.remark}
            try:
                weights = await self.weights.fetch(url, pulling, **given)
            except NotHereError as error:
                here = here_for(engine_spec_of(pod).engine, self.weights.known(), url)
                raise LocalError(error.message, f"{error.hint} {here}".strip()) from error
            message = message if pulling.total is None else f'Weights "{url}" are here: {pulling.end()}'
        log.say(message)
        note("Pulled", message)
        return weights

    def _real(self, pod: Object) -> str | None:
        """The program of the engine asked for, if this machine has it and it can use the weights mapped to the url."""
        asked = engine_spec_of(pod)
        mapped = self.weights.is_mapped(asked.url) and not asked.url.startswith("pvc://")
        usable = not self.test_engine and not (asked.engine == "OLlama" and mapped)
        return recipes.program_of(asked.engine, self.environment) if usable else None
