from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.numpy import save_file

from kubeai_notebook.local.engines.gguf_files import adapter_file
from kubeai_notebook.local.weights import shipped_packages
from tests.support.daemon import MODELS, Daemon, processes_of
from tests.support.lora import write_lora
from tests.support.waiting import until

BASE = "hf://HuggingFaceTB/SmolLM2-135M-Instruct"
PROMPT = {"prompt": "The capital of France is", "max_tokens": 12, "temperature": 0}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A daemon that knows three adapters by ``--weights``, and a Model with two of them."""
    folder = tmp_path_factory.mktemp("loras")
    mapped = {
        "hf://me/loud": write_lora(folder / "loud", seed=1),
        "hf://me/quiet": write_lora(folder / "quiet", seed=2),
        "hf://me/foreign": write_lora(folder / "foreign", seed=3, hidden=64),
    }
    mapped |= {f"hf://me/{name}": path for name, path in damaged_loras(folder)}
    options = [part for url, path in mapped.items() for part in ("--weights", f"{url}={path}")]
    daemon = Daemon(tmp_path_factory.mktemp("home"), *options)
    daemon.start()
    adapters = [{"name": name, "url": f"hf://me/{name}"} for name in ("loud", "quiet")]
    daemon.create("tuned", engine="VLLM", url=BASE, adapters=adapters)
    daemon.create("plain", engine="VLLM", url=BASE)
    yield daemon
    daemon.stop()


def damaged_loras(folder):
    """Adapters of careless or hostile hubs: each of another kind."""
    for name, config in {"empty": "{}", "list": "[]", "null": '{"lora_alpha": null, "r": 4}', "no-json": "{"}.items():
        path = write_lora(folder / name, seed=4)
        (path / "adapter_config.json").write_text(config)
        yield name, path
    garbage = write_lora(folder / "garbage", seed=4)
    (garbage / "adapter_model.safetensors").write_bytes(b"garbage")
    yield "garbage", garbage
    flat = write_lora(folder / "flat", seed=4)
    names = [f"base_model.model.model.layers.0.self_attn.q_proj.lora_{side}.weight" for side in "AB"]
    save_file({name: np.zeros(4, "float32") for name in names}, flat / "adapter_model.safetensors")
    yield "flat", flat


def said(daemon, model):
    status, text = daemon.ask("/completions", {"model": model, **PROMPT})
    assert status == 200, text
    return json.loads(text)


def test_changes_what_the_model_says_and_not_what_its_base_says(tuned):
    base = said(tuned, "plain")["choices"][0]["text"]
    assert "Paris" in base
    loud, quiet = said(tuned, "tuned_loud"), said(tuned, "tuned_quiet")
    assert len({base, loud["choices"][0]["text"], quiet["choices"][0]["text"]}) == 3
    assert loud["model"] == "loud"
    assert said(tuned, "tuned")["choices"][0]["text"] == base
    assert said(tuned, "tuned_loud")["choices"][0]["text"] == loud["choices"][0]["text"]


def test_labels_the_pod_with_the_adapters_it_has_loaded(tuned):
    pod = tuned.ready_pod("tuned")
    until(lambda: len(adapter_labels(tuned.ready_pod("tuned"))) == 2, 30)
    labels = adapter_labels(tuned.ready_pod("tuned"))
    assert set(labels) == {"loud", "quiet"}
    assert all(labels.values())
    annotations = tuned.ready_pod("tuned")["metadata"]["annotations"]
    names = ("kubeai-notebook/weights", "weights.kubeai-notebook/loud", "weights.kubeai-notebook/quiet")
    assert len({annotations[name] for name in names}) == 3
    assert tuned.events(pod)["Pulled"].startswith('Weights "hf://')


def test_ends_a_completion_after_vllms_16_tokens(tuned):
    status, text = tuned.ask("/completions", {"model": "plain", "prompt": "Once upon a time", "ignore_eos": True})
    assert (status, json.loads(text)["usage"]["completion_tokens"]) == (200, 16)


def adapter_labels(pod):
    mark = "adapter.kubeai.org/"
    return {key.removeprefix(mark): value for key, value in pod["metadata"]["labels"].items() if key.startswith(mark)}


def test_lists_adapters_behind_their_model(tuned):
    tuned.ready_pod("tuned")
    names = [item["id"] for item in json.loads(tuned.ask("/models")[1])["data"]]
    assert names[names.index("tuned") :][:3] == ["tuned", "tuned_loud", "tuned_quiet"]


def test_knows_no_adapter_that_the_model_has_not(tuned):
    assert tuned.ask("/completions", {"model": "tuned_foreign", **PROMPT})[0] == 404


def test_leaves_the_base_and_the_adapters_before_alone_when_one_fails(tuned):
    adapters = [{"name": name, "url": f"hf://me/{name}"} for name in ("loud", "foreign", "quiet")]
    tuned.create("wrong", engine="VLLM", url=BASE, adapters=adapters)
    until(lambda: adapter_labels(tuned.ready_pod("wrong")), 30)
    pod = tuned.ready_pod("wrong")
    until(lambda: 'Error: the adapter "foreign" was not loaded: ' in tuned.log(pod), 30)
    assert set(adapter_labels(tuned.ready_pod("wrong"))) == {"loud"}
    # The engine's own words come by another pipe, perhaps a moment later.
    until(lambda: "has incorrect shape (hint: maybe wrong base model?)" in tuned.log(pod))
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    assert said(tuned, "wrong_loud")["model"] == "loud"
    tuned.delete("wrong")


def test_goes_on_serving_when_adapters_are_damaged(tuned):
    damaged = ("empty", "list", "null", "no-json", "garbage", "flat")
    loud = {"name": "loud", "url": "hf://me/loud"}
    tuned.create("careless", engine="VLLM", url=BASE, adapters=[loud])
    until(lambda: adapter_labels(tuned.ready_pod("careless")), 60)
    pod = tuned.ready_pod("careless")
    for name in damaged:  # one at a time: whatever stands behind one that fails waits
        tuned.api(
            "PATCH", f"{MODELS}/careless", {"spec": {"adapters": [loud, {"name": name, "url": f"hf://me/{name}"}]}}
        )
        until(lambda name=name: f'the adapter "{name}" was not loaded: ' in tuned.log(pod), 30)
    pod = tuned.ready_pod("careless")
    assert set(adapter_labels(pod)) == {"loud"}
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    assert said(tuned, "careless_loud")["model"] == "loud"
    assert "Paris" in said(tuned, "careless")["choices"][0]["text"]
    tuned.delete("careless")


def test_loads_a_changed_list_of_adapters_into_the_running_pod(tuned):
    before = tuned.ready_pod("tuned")["metadata"]["name"]
    patch = {"spec": {"adapters": [{"name": "quiet", "url": "hf://me/quiet"}]}}
    assert tuned.api("PATCH", f"{MODELS}/tuned", patch)[0] == 200
    until(lambda: [set(adapter_labels(pod)) for pod in tuned.pods("tuned")] == [{"quiet"}], 60)
    assert tuned.ready_pod("tuned")["metadata"]["name"] == before
    assert tuned.ask("/completions", {"model": "tuned_loud", **PROMPT})[0] == 404
    assert said(tuned, "tuned_quiet")["model"] == "quiet"


def test_cuts_no_stream_when_adapters_change_and_then_lets_the_servers_before_go(tuned):
    every = [{"name": name, "url": f"hf://me/{name}"} for name in ("quiet", "loud")]
    asked = {"prompt": "Once upon a time", "max_tokens": 250, "ignore_eos": True, "stream": True}
    with (
        tuned.gateway_request("/completions", {"model": "tuned", **asked}) as base,
        tuned.gateway_request("/completions", {"model": "tuned_quiet", **asked}) as adapted,
    ):
        beginnings = [stream.readline() for stream in (base, adapted)]
        for adapters in (every[:1], every):
            tuned.api("PATCH", f"{MODELS}/tuned", {"spec": {"adapters": adapters}})
            names = {adapter["name"] for adapter in adapters}
            until(lambda names=names: set(adapter_labels(tuned.ready_pod("tuned"))) == names, 60)
            assert said(tuned, "tuned_quiet")["model"] == "quiet"
        for beginning, stream in zip(beginnings, (base, adapted), strict=True):
            events = (beginning + stream.read()).split(b"\n\n")
            assert events[-2:] == [b"data: [DONE]", b""]
            assert sum(b'"text":' in event for event in events) >= 250
    until(lambda: len(listening(tuned, "tuned")) == 1, 30)


def listening(daemon, model):
    """The ports on which the Model's engine listens."""
    engines = map(psutil.Process, processes_of(daemon.home))
    (engine,) = (engine for engine in engines if f"--alias {model} " in " ".join(engine.cmdline()))
    return [used.laddr.port for used in engine.net_connections("tcp") if used.status == psutil.CONN_LISTEN]


def test_replaces_the_pod_for_its_first_adapter(tuned):
    before = tuned.ready_pod("plain")["metadata"]["name"]
    patch = {"spec": {"adapters": [{"name": "quiet", "url": "hf://me/quiet"}]}}
    tuned.api("PATCH", f"{MODELS}/plain", patch)
    until(lambda: [set(adapter_labels(pod)) for pod in tuned.pods("plain")] == [{"quiet"}], 60)
    assert tuned.ready_pod("plain")["metadata"]["name"] != before


def test_converts_an_adapter_in_bfloat16_to_the_same_file(tuned, tmp_path):
    tuned.ready_pod("plain")
    base = Path(os.environ["KUBEAI_CACHE"]) / shipped_packages()[BASE].kept_as
    files = []
    for bfloat16 in (False, True):
        folder = write_lora(tmp_path / str(bfloat16), seed=1, bfloat16=bfloat16)
        files.append(adapter_file(folder, base=base, target=tmp_path / f"{bfloat16}.gguf").read_bytes())
    assert files[0] == files[1]


def test_has_the_base_by_its_real_name():
    assert BASE in shipped_packages()
