"""What a container runtime is in a cluster: gathers all that an engine needs, and starts the right one."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from kubeai_notebook.local.api.resources import MODELS, PODS, Object, Ref, ref_of
from kubeai_notebook.local.engines import external, infinity, llamacpp, ollama, vllm
from kubeai_notebook.local.engines.base import (
    STAND_IN_ANNOTATION,
    Engine,
    Launch,
    check_loadable,
    check_servable,
    command_of,
    embeds,
    wrong_routes,
)

from .container import expanded, inherited, threads_of
from .pods import adapters_of, engine_of, features_of, url_of, user_arguments_of
from .pulling import Pulling

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kubeai_notebook.local.api.store import Store
    from kubeai_notebook.local.weights import Weights

    from .events import Recorder
    from .runlog import RunLog

_RECIPES = {"OLlama": ollama.recipe, "VLLM": vllm.recipe, "Infinity": infinity.recipe}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a ready Pod's engine answers, and what it wants as bearer token."""

    address: str
    key: str
    adapters: tuple[str, ...] = ()
    """Those that a request must ask for by number, as llama.cpp wants it."""
    wrong: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """What the engine asked for would answer on routes where its stand-in would do something else."""


class Runtime:
    """Starts engines for the kubelet."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        *,
        weights: Weights,
        folder: Path,
        environment: Mapping[str, str],
        test_engine: Path | None,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._weights = weights
        self._folder = folder
        self._environment = environment
        self._test_engine = test_engine

    async def launch(
        self, pod: Object, environment: dict[str, str], *, files: Mapping[str, Path], log: RunLog
    ) -> Launch:
        """Fetch the weights and gather what starting takes. LocalError when they cannot be had."""
        metadata, asked, url = pod["metadata"], engine_of(pod), url_of(pod)
        real = self._real(asked, url)
        environment = {**inherited(self._environment), **environment}
        arguments = [expanded(text, environment) for text in user_arguments_of(pod)]
        if not real:
            check_servable(asked, features_of(pod))
            log.say(f"{pod['spec']['containers'][0]['image']} answers here, standing in for {asked}.")
            check_loadable(asked, url, known=self._weights.known(), lacking=self._weights.lacking(url))
        model = self._store.find(Ref(MODELS, metadata["namespace"], metadata["labels"]["model"]))
        if unused := (model or {}).get("spec", {}).get("image"):
            log.say(f'The image "{unused}" is not used: this machine runs a process of its own, no container.')
        for path, place in files.items():
            log.say(f"The file {path} lies at {place}: a process has no file system of its own.")
            arguments = [text.replace(path, str(place)) for text in arguments]
            environment = {name: value.replace(path, str(place)) for name, value in environment.items()}
        pull = partial(self._pulled, pod, log=log, environment=environment)
        weights = self._weights.present(url) if real else await pull(url)
        adapters = {name: await pull(source, kind="adapter") for name, source in adapters_of(pod).items()}
        return Launch(
            name=metadata["labels"]["model"],
            url=url,
            features=tuple(features_of(pod)),
            weights=weights,
            arguments=tuple(arguments),
            environment=environment,
            folder=self._folder / metadata["uid"],
            cache=self._weights.cache,
            log=log.write,
            threads=threads_of(pod),
            adapters=adapters,
        )

    def _real(self, engine: str, url: str) -> str | None:
        """The program of the engine asked for, if this machine has it and it can use the weights mapped to the url."""
        mapped = self._weights.is_mapped(url) and not url.startswith("pvc://")
        return None if self._test_engine or (engine == "OLlama" and mapped) else command_of(engine, self._environment)

    async def start(self, pod: Object, launch: Launch) -> Engine:
        """Start what the Pod asks for, or its stand-in. EngineEndedError when it ends before it answers."""
        asked = engine_of(pod)
        if (program := self._real(asked, launch.url)) is None:
            embedding = embeds(asked, launch.features)
            return await llamacpp.start(launch, embedding=embedding, program=self._test_engine)
        image = {"containers": [{**pod["spec"]["containers"][0], "image": program}]}
        self._store.patch(ref_of(PODS, pod), {"spec": image, "metadata": {"annotations": {STAND_IN_ANNOTATION: None}}})
        port = external.free_port()
        return await external.start(launch, _RECIPES[asked](launch, program, port), port=port)

    def endpoint(self, pod: Object, engine: Engine) -> Endpoint:
        """How the gateway asks an engine that answers."""
        asked, name = engine_of(pod), pod["metadata"]["labels"]["model"]
        if self._real(asked, url_of(pod)):
            return Endpoint(engine.address, engine.key)
        wrong = wrong_routes(asked, features_of(pod), name)
        return Endpoint(engine.address, engine.key, adapters=tuple(adapters_of(pod)), wrong=wrong)

    async def _pulled(
        self, pod: Object, url: str, *, log: RunLog, environment: Mapping[str, str], kind: str = "model"
    ) -> Path:
        note = partial(self._recorder.note, pod)
        found, pulling = self._weights.present(url), None
        if found is None:
            pulling = Pulling(url, note=partial(note, "Pulling", update=True), say=log.say)
            pulling.begin()
            found = await self._weights.fetch(url, pulling, kind=kind, environment=environment)
        message = pulling.end() if pulling and pulling.moved else f'Weights "{url}" were already on this machine'
        log.say(message)
        note("Pulled", message)
        return found
