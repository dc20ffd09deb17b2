"""The operator's configuration as text that may be anything, and the known Models."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from importlib import resources
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeai_notebook.core.catalog.known import KNOWN
from kubeai_notebook.core.facts import ClusterFacts
from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.core.manifest import to_manifest
from kubeai_notebook.core.rules.admission import admit
from kubeai_notebook.core.rules.lint import problems_of
from kubeai_notebook.core.rules.operator_checks import against_operator_config
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.errors import SpecError
from tests.support.kubeai_manifests import STARTERS, Starter


def test_reads_what_a_form_needs() -> None:
    config = operator_config_of("""
      resourceProfiles:
        1xa100: {imageName: nvidia-gpu, requests: {cpu: 8, memory: 80Gi}, limits: {nvidia.com/gpu: "1"}}
      cacheProfiles: {efs: {sharedFilesystem: {storageClassName: x}}}
      modelServers: {VLLM: {images: {default: a, nvidia-gpu: b}}}
      secretNames: {huggingface: hub}
      modelAutoscaling: {interval: 1m30s, timeWindow: 1h}
      unheardOf: [1]
    """)
    assert config.source == "kubeai-config"
    assert config.profiles["1xa100"].requests == {"cpu": "8", "memory": "80Gi"}
    assert config.profiles["1xa100"].gpus == 1
    assert config.cache_profiles == ("efs",)
    assert config.image_of("VLLM", "1xa100") == "b"
    assert config.image_of("VLLM", "other") == "a"
    assert config.image_of("OLlama", "1xa100") is None
    assert (config.autoscaling_interval_seconds, config.autoscaling_window_seconds) == (90, 3600)
    assert config.surge == 0  # KubeAI's own reading of a missing key.


def test_says_when_it_only_knows_the_charts_defaults() -> None:
    config = operator_config_of(None)
    assert config.source == "chart defaults"
    assert "nvidia-gpu-l4" in config.profiles
    assert (config.surge, config.autoscaling_window_seconds) == (1, 600)


def test_chart_defaults_are_those_of_the_single_machine_kubeai() -> None:
    text = (resources.files("kubeai_notebook.local.operator") / "system.yaml").read_text("utf-8")
    assert dataclasses.replace(operator_config_of(text), source="chart defaults") == operator_config_of(None)


def test_takes_nothing_for_an_empty_configuration() -> None:
    for text in ("", "{}", "resourceProfiles:\ncacheProfiles: null\n"):
        assert operator_config_of(text).profiles == {}


def bomb(levels: int, line: str) -> str:
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{level}: &a{level} {line.format(*[f'*a{level - 1}'] * 9)}" for level in range(1, levels)]
    return "\n".join(lines)


NINE = ", ".join(["{}"] * 9)


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "x" * (1 << 20),
        "[" * 60 + "]" * 60,
        bomb(10, f"[{NINE}]"),
        bomb(10, "{{<<: [" + NINE + "]}}"),
        bomb(40, f"[{NINE}]"),
        "a: &a [*a]",
        "!!python/object/apply:os.system ['true']",
        "a: !secret x",
        "a: *nothing",
        "- just\n- a list",
        "text",
        "resourceProfiles: [1]",
        "resourceProfiles: {cpu: x}",
        "resourceProfiles: {cpu: {requests: {cpu: much}}}",
        "modelRollouts: {surge: many}",
        "a: [1",
        "a: 2001-99-99",
        "\x00",
    ],
)
def test_refuses_what_is_no_configuration_in_a_sentence(text: str) -> None:
    with pytest.raises(SpecError) as refusal:
        operator_config_of(text)
    assert refusal.value.message.endswith(".")
    assert len(refusal.value.message) < 300


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(yaml.safe_dump))
def test_reads_or_refuses_any_text(text: str) -> None:
    with contextlib.suppress(SpecError):
        assert operator_config_of(text).source == "kubeai-config"


def by_name(starter: Starter) -> str:
    return starter.name


def test_reads_each_of_very_many_profiles_once() -> None:
    class Counted(dict[str, object]):
        asked = 0

        def get(self, key, default=None):
            Counted.asked += key == "resourceProfiles"
            return super().get(key, default)

    profiles = {f"p{number}": {"imageName": "cpu"} for number in range(100)}
    assert len(operator_config_of(Counted(resourceProfiles=profiles)).profiles) == 100
    assert Counted.asked == 1


def test_knows_two_dozen_models_by_different_names() -> None:
    assert len(STARTERS) >= 24
    assert len({starter.name for starter in STARTERS}) == len(STARTERS)
    assert {starter.engine for starter in STARTERS} == {"OLlama", "VLLM", "FasterWhisper", "Infinity"}
    assert sum(starter.cpu for starter in STARTERS) >= 10


def test_offers_every_model_of_kubeais_own_manifests() -> None:
    assert {starter.url for starter in STARTERS} <= KNOWN.keys()


@pytest.mark.parametrize("starter", STARTERS, ids=by_name)
def test_starter_passes_admission_traps_and_the_charts_configuration(starter: Starter) -> None:
    spec = spec_of(starter.fields)
    assert admit(to_manifest(spec)).admitted
    assert problems_of(spec) == []
    chart = operator_config_of(None)
    facts = ClusterFacts(operator_config=chart, secret_names=("kubeai-huggingface",), priority_classes=())
    assert against_operator_config(spec, facts) == []
    without_secrets = ClusterFacts(operator_config=chart, secret_names=())
    gated: Any = [notice.code for notice in against_operator_config(spec, without_secrets)]
    assert gated == (["HubTokenMissing"] if starter.gated else [])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("1h30m", 5400),
        ("1m1h", 3660),
        ("500ms", 0.5),
        ("1.5s250000us", 1.75),
        (".5m", 30),
        ("1000000µs", 1),
        ("0s", 600),
        ("0", 600),
        ("", 600),
        ("10", 600),
        ("-1s", 600),
        (10, 600),
    ],
)
def test_reads_durations_as_go_does(text, seconds) -> None:
    config = operator_config_of({"modelAutoscaling": {"timeWindow": text}})
    assert config.autoscaling_window_seconds == seconds


def test_reads_no_number_to_its_end_from_each_of_its_digits() -> None:
    began = time.process_time()
    config = operator_config_of({"modelAutoscaling": {"timeWindow": "1" * 30_000}})
    assert config.autoscaling_window_seconds == 600
    assert time.process_time() - began < 2  # eight seconds, did it so
