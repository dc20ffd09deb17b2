"""A Pod's adapters: each is loaded after the start, and its label says so; the base serves on where one fails."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from kubeai_notebook.core.kubeai.labels import ADAPTER_LABEL, ADAPTER_WEIGHTS
from kubeai_notebook.core.kubeai.pods import safe_hash
from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.kinds import MODELS, Ref

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from kubeai_notebook.local.api.store import Store
    from kubeai_notebook.local.emulation.kubelet_states import ContainerRun
    from kubeai_notebook.local.engines.process import Engine


FIRST_RETRY_SECONDS = 1.0
MAX_RETRY_SECONDS = 1000.0
"""As long as KubeAI's operator waits at most."""


async def keep_adapters(
    store: Store,
    run: ContainerRun,
    engine: Engine,
    *,
    pull: Callable[[str], Awaitable[Path]],
    digest: Callable[[Path | None], Awaitable[str]],
    changed: Callable[[], None],
    say: Callable[[str], None],
) -> None:
    """Load and unload what the Model lists, until cancelled; ``changed`` is called when the engine has others.

    Whatever comes behind one that fails waits until that one is loaded or taken out of the list.
    Source: KubeAI 0.22.1, the model controller's adapters.
    """
    patience = FIRST_RETRY_SECONDS
    while True:
        wanted, failed = _wanted(store, run.ref), False
        for name, url in _steps(wanted, store.get(run.ref)["metadata"]["labels"], engine.adapters):
            try:
                path = await pull(url) if url else None
                weights = await digest(path)
                await engine.load(name, path)
            except LocalError as error:
                failed = True
                say(f'Error: the adapter "{name}" was not loaded: {error}')
                break
            changed()
            label = {ADAPTER_LABEL + name: safe_hash(url) if url else None}
            annotation = {ADAPTER_WEIGHTS + name: weights or None}
            store.patch(run.ref, {"metadata": {"labels": label, "annotations": annotation}})
        patience = min(2 * patience, MAX_RETRY_SECONDS) if failed else FIRST_RETRY_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(patience if failed else None):
                while _wanted(store, run.ref) == wanted:
                    await store.changed(store.version)


def _steps(wanted: Mapping[str, str], labels: Mapping[str, str], loaded: Sequence[str]) -> list[tuple[str, str | None]]:
    """What to load, by name and url in the list's order, and (None) to unload, which comes last.

    An engine keeps what it has under a name and says that this is loaded already, so a changed url is unloaded first.
    """
    steps: list[tuple[str, str | None]] = []
    for name, url in wanted.items():
        if labels.get(ADAPTER_LABEL + name) != safe_hash(url):
            steps += [(name, None), (name, url)] if name in loaded else [(name, url)]
    return steps + [(name, None) for name in loaded if name not in wanted]


def _wanted(store: Store, pod: Ref) -> dict[str, str]:
    """Url by name of the adapters that the Pod's Model lists."""
    name = store.get(pod)["metadata"]["labels"]["model"]
    model = store.find(Ref(MODELS, pod.namespace, name)) or {}
    return {adapter["name"]: adapter["url"] for adapter in model.get("spec", {}).get("adapters") or ()}
