"""Which variables a container has."""

from __future__ import annotations

import pytest

from kubeai_notebook.local.emulation.environment import ConfigError, environment_of

DATA = {"secret": {"A": "secret", "B": "other"}, "configMap": {"A": "map", "C": "plain", "key": "content"}}


def variables(**container):
    pod = {"metadata": {"namespace": "default"}, "spec": {"containers": [container]}}
    return environment_of(pod, lambda kind, reference: DATA[kind] if reference["name"] == "mine" else None)


def key_of(name, key, **more):
    return {"valueFrom": {"secretKeyRef": {"name": name, "key": key, **more}}}


def test_lets_env_win_over_env_from_and_the_last_of_equal_names():
    sources = [{"secretRef": {"name": "mine"}}, {"configMapRef": {"name": "mine"}, "prefix": "P_"}]
    env = [{"name": "B", "value": "first"}, {"name": "B", "value": "last"}]
    found = variables(envFrom=sources, env=env)
    assert found == {"A": "secret", "B": "last", "P_A": "map", "P_C": "plain", "P_key": "content"}


def test_lets_a_system_token_win_and_skips_one_that_is_missing():
    user = {"name": "HF_TOKEN", "value": "user"}
    missing = {"name": "HF_TOKEN", **key_of("none", "token", optional=True)}
    system = {"name": "HF_TOKEN", **key_of("mine", "A", optional=True)}
    assert variables(env=[user, missing]) == {"HF_TOKEN": "user"}
    assert variables(env=[user, system]) == {"HF_TOKEN": "secret"}


def test_passes_over_optional_sources():
    assert variables(envFrom=[{"secretRef": {"name": "x", "optional": True}}]) == {}


def test_leaves_out_variables_that_no_process_can_have():
    env = [{"name": "A=B", "value": "x"}, {"name": "N", "value": "a\0b"}, {"name": "E", "value": "a=b"}]
    assert variables(env=env) == {"E": "a=b"}


def test_refuses_variables_that_double_each_other_and_names_the_one_that_is_too_long():
    doubling = [{"name": f"A{at}", "value": f"$(A{at - 1})$(A{at - 1})"} for at in range(1, 23)]
    with pytest.raises(ConfigError, match=r'^The variable "A15" comes, .* shorten it'):
        variables(env=[{"name": "A0", "value": "x" * 20}, *doubling])


def test_refuses_one_source_that_is_taken_again_and_again_under_other_names(monkeypatch):
    monkeypatch.setitem(DATA["configMap"], "key", "x" * 300_000)
    sources = [{"configMapRef": {"name": "mine"}, "prefix": f"{letter}_"} for letter in "abcd"]
    assert len(variables(envFrom=sources[:3])) == 9
    with pytest.raises(ConfigError, match='The variable "key"'):
        variables(envFrom=sources)


def test_takes_what_an_object_can_hold():
    long = {"name": "A", "value": "x" * 400_000}
    assert len(variables(env=[long, {"name": "B", "value": "$(A)!"}])["B"]) == 400_001
