"""Which variables a container has."""

from __future__ import annotations

from kubeai_notebook.local.emulation.environment import environment_of

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
