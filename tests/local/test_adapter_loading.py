"""Which adapters an engine is told to load and to unload, against one that answers as vLLM does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from kubeai_notebook.core.kubeai.labels import ADAPTER_LABEL
from kubeai_notebook.core.kubeai.pods import safe_hash
from kubeai_notebook.local.api.store import Store
from kubeai_notebook.local.emulation.kinds import MODELS, NAMESPACES, PODS, ref_of
from kubeai_notebook.local.engines.process import Engine
from kubeai_notebook.local.operator.adapters import keep_adapters
from tests.support.http_server import HttpServer, json_answer


class Vllm:
    """Keeps what it has under a name, as vLLM does."""

    def __init__(self) -> None:
        self.loaded: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []

    def answer(self, request):
        name, path = request.json["lora_name"], request.json.get("lora_path")
        self.asked.append(("load" if path else "unload", name))
        if path and name in self.loaded:
            return json_answer({"message": f"The lora adapter '{name}' has already been loaded."}, 400)
        if not path and self.loaded.pop(name, None) is None:
            return json_answer({"message": f"The lora adapter '{name}' cannot be found."}, 400)
        if path:
            self.loaded[name] = path
        return json_answer({})


def model(url):
    spec = {"url": "hf://org/base", "engine": "VLLM", "adapters": [{"name": "tuned", "url": url}]}
    return {"metadata": {"name": "m", "namespace": "default"}, "spec": spec}


def pod(**labels):
    return {"metadata": {"name": "m-1", "namespace": "default", "labels": {"model": "m", **labels}}, "spec": {}}


async def kept(store, stored, engine, *, until, name="tuned", complaint="", is_over=lambda: True):
    """Keep the engine's adapters until the Pod's label, a complaint and ``is_over`` say so; and a moment longer."""

    async def pull(url):
        return Path("/weights") / url.removeprefix("hf://")

    async def digest(path):
        return str(path or "")

    said = []
    doing = {"pull": pull, "digest": digest, "changed": lambda: None, "say": said.append}
    keeping = asyncio.create_task(keep_adapters(store, SimpleNamespace(ref=ref_of(PODS, stored)), engine, **doing))
    try:
        async with asyncio.timeout(10):
            while store.get(ref_of(PODS, stored))["metadata"]["labels"].get(f"{ADAPTER_LABEL}{name}") != until:
                await store.changed(store.version)
            while complaint not in "".join(said) or not is_over():
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
    return said


@pytest.mark.parametrize("ends", [False, True])
def test_unloads_an_adapter_before_it_loads_another_under_its_name(ends):
    vllm = Vllm()

    async def story(server):
        store = Store()
        store.create(NAMESPACES, {"metadata": {"name": "default"}})
        changed = store.create(MODELS, model("hf://me/old"))
        stored = store.create(PODS, pod())
        engine = Engine(None, None, SimpleNamespace(port=server.port))
        await kept(store, stored, engine, until=safe_hash("hf://me/old"))
        assert vllm.loaded == {"tuned": "/weights/me/old"}
        if ends:  # somebody has unloaded it meanwhile
            vllm.loaded.clear()
        store.patch(ref_of(MODELS, changed), {"spec": model("hf://me/new")["spec"]})
        said = await kept(store, stored, engine, until=safe_hash("hf://me/new"))
        assert vllm.loaded == {"tuned": "/weights/me/new"}
        assert vllm.asked == [("load", "tuned"), ("unload", "tuned"), ("load", "tuned")]
        assert said == []

    with HttpServer(vllm.answer) as server:
        asyncio.run(story(server))


class Picky(Vllm):
    """Has no place for one adapter."""

    def __init__(self, refused):
        super().__init__()
        self.refused = refused

    def answer(self, request):
        answered = super().answer(request)
        return json_answer({"message": "no"}, 500) if request.json["lora_name"] == self.refused else answered


def test_loads_nothing_behind_an_adapter_that_failed_and_unloads_nothing():
    """As the operator, whose pass over a Pod's adapters ends with the first error."""
    vllm = Picky("broken")
    vllm.loaded["gone"] = "/weights/me/gone"

    async def story(server):
        store = Store()
        store.create(NAMESPACES, {"metadata": {"name": "default"}})
        adapters = [{"name": name, "url": f"hf://me/{name}"} for name in ("tuned", "broken", "later")]
        changed = store.create(MODELS, {**model(""), "spec": {**model("")["spec"], "adapters": adapters}})
        stored = store.create(PODS, pod(**{f"{ADAPTER_LABEL}gone": safe_hash("hf://me/gone")}))
        engine = Engine(None, None, SimpleNamespace(port=server.port))
        engine.adapters = ["gone"]
        await kept(store, stored, engine, until=safe_hash("hf://me/tuned"), complaint='"broken" was not loaded')
        assert vllm.asked == [("load", "tuned"), ("load", "broken")]
        store.patch(ref_of(MODELS, changed), {"spec": {"adapters": [adapters[0], adapters[2]]}})
        unloaded = partial(vllm.asked.__contains__, ("unload", "gone"))
        await kept(store, stored, engine, until=safe_hash("hf://me/later"), name="later", is_over=unloaded)
        assert vllm.asked[2:] == [("load", "later"), ("unload", "gone")]

    with HttpServer(vllm.answer) as server:
        asyncio.run(story(server))
