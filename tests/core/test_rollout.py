"""Which spec answers while an update is under way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubeai_notebook.core.objects import APPLIED
from kubeai_notebook.core.rollout import answering_spec, rollback_to

OLD = {"url": "ollama://smollm2:135m", "engine": "OLlama", "args": ["--a=1"], "env": {"X": "1"}}
FAILED = {**OLD, "url": "ollama://llama3.2:1b"}
NOW = {**OLD, "url": "ollama://nothing:1b"}


def model(*earlier: dict[str, Any], **spec: Any) -> dict[str, Any]:
    annotations = {APPLIED: json.dumps(earlier)} if earlier else {}
    return {"metadata": {"name": "swap", "annotations": annotations}, "spec": {**NOW, **spec}}


def pod(name: str, spec: dict[str, Any], *, ready: bool, at: str = "2026-11-22T20:00:00Z") -> dict[str, Any]:
    probe = {"exec": {"command": ["bash", "-c", f"/bin/ollama pull {spec['url'].partition('://')[2]}"]}}
    env = [{"name": key, "value": value} for key, value in spec["env"].items()]
    container = {"name": "server", "args": [*spec["args"]], "env": env, "startupProbe": probe}
    return {
        "metadata": {"name": name, "labels": {"pod-hash": name}, "creationTimestamp": at},
        "spec": {"containers": [container]},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


NEW = pod("new", NOW, ready=False, at="2026-11-22T20:05:00Z")


@pytest.mark.parametrize("earlier", [[OLD], [OLD, FAILED], [FAILED, OLD, FAILED, FAILED]])
def test_finds_the_spec_of_the_pods_that_answer(earlier: list[dict[str, Any]]) -> None:
    assert answering_spec(model(*earlier), [pod("old", OLD, ready=True), NEW]) == OLD


def test_tells_apart_specs_of_one_url() -> None:
    other = {**OLD, "args": ["--b=2"]}
    assert answering_spec(model(OLD, other, url=OLD["url"]), [pod("old", OLD, ready=True), NEW]) == OLD


@pytest.mark.parametrize(
    "pods",
    [
        [],
        [NEW],
        [pod("old", OLD, ready=True)],
        [pod("old", OLD, ready=False), NEW],
        [pod("old", OLD, ready=True), {**pod("new", NOW, ready=True), "metadata": NEW["metadata"]}],
    ],
    ids=["no Pod", "only the new", "only the old", "nobody", "the new as well"],
)
def test_finds_none_where_the_present_spec_answers_or_nobody(pods: list[dict[str, Any]]) -> None:
    assert answering_spec(model(OLD), pods) == {}


def test_finds_none_where_no_spec_fits_the_pods() -> None:
    assert answering_spec(model(FAILED), [pod("old", OLD, ready=True), NEW]) == {}
    assert answering_spec(model(), [pod("old", OLD, ready=True), NEW]) == {}


def test_takes_the_pod_that_is_not_ready_for_the_newer_of_one_second() -> None:
    pods = [pod("old", OLD, ready=True), pod("new", NOW, ready=False)]
    assert answering_spec(model(OLD), pods) == answering_spec(model(OLD), pods[::-1]) == OLD


def test_goes_back_by_a_remedy_that_removes_what_came_since() -> None:
    changed = model(OLD, env={"X": "1", "Y": "2"}, args=["--a=1", "--b=2"])
    remedy = rollback_to(changed, OLD)
    assert remedy is not None
    assert remedy.kind == "change"
    assert remedy.patch(changed) == {"spec": {"url": OLD["url"], "env": {"Y": None}, "args": ["--a=1"]}}
    assert rollback_to({"spec": OLD}, OLD) is None


@pytest.mark.parametrize(
    ("pod_args", "url", "fits"),
    [
        (["--model=Qwen/Qwen2.5-7B-Instruct", "--served-model-name=swap"], "hf://Qwen/Qwen2.5-7B", False),
        (["--model=Qwen/Qwen2.5-7B", "--served-model-name=swap"], "hf://Qwen/Qwen2.5-7B", True),
        (["--model", "Qwen/Qwen2.5-7B"], "hf://Qwen/Qwen2.5-7B", True),
        (["--model=s3://bucket/model-2"], "s3://bucket/model", False),
        (["--model=/model/qwen-long"], "pvc://claim/qwen", False),
    ],
)
def test_tells_apart_models_one_of_whose_names_begins_the_other(pod_args: list[str], url: str, fits: bool) -> None:
    spec = {"url": url, "engine": "VLLM"}
    made = pod("old", {**OLD, "args": pod_args}, ready=True)
    made["spec"]["containers"][0].pop("startupProbe")
    assert answering_spec(model(spec), [made, NEW]) == (spec if fits else {})


def test_tells_apart_tags_one_of_which_begins_the_other() -> None:
    short = {**OLD, "url": "ollama://qwen2.5:7b"}
    made = pod("old", {**OLD, "url": "ollama://qwen2.5:7b-instruct"}, ready=True)
    assert answering_spec(model(short), [made, NEW]) == {}
