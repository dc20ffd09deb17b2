"""What differs between two Models, the patch for it, and whether Pods restart."""

import pytest

from kubeai_notebook.core.spec_diff import changed_fields, patch_of, readable, restarts_pods

NOW = {"engine": "VLLM", "url": "hf://a/b", "args": ["--a=1"], "env": {"A": "1", "B": "2"}, "features": []}
DEFAULTS = {"targetRequests": 100, "scaleDownDelaySeconds": 30, "loadBalancing": {"strategy": "LeastLoad"}}


def changes(now=None, **wanted):
    """From NOW to NOW with other fields; ``None`` leaves a field out."""
    current = {"spec": {**NOW, **DEFAULTS, **(now or {})}}
    spec = {key: value for key, value in {**NOW, **(now or {}), **wanted}.items() if value is not None}
    return current, changed_fields(current, {"spec": spec})


def test_sees_a_variable_that_is_no_longer_wanted():
    current, found = changes(env={"A": "1"})
    assert patch_of(found) == {"spec": {"env": {"B": None}}}
    assert restarts_pods(current, found)


def test_sends_only_the_variable_that_changed():
    assert patch_of(changes(env={"A": "9", "B": "2"})[1]) == {"spec": {"env": {"A": "9"}}}


@pytest.mark.parametrize("field", ["envFrom", "targetRequests", "adapters", "cacheProfile", "image"])
def test_sees_a_field_that_is_left_out(field):
    values = {"envFrom": [{"secretRef": {"name": "s"}}], "targetRequests": 7, "adapters": [{"name": "x", "url": "u"}]}
    value = values.get(field, "set")
    assert changes(now={field: value}, **{field: None})[1] == {field: (value, None)}


def test_goes_back_to_the_default_balancing():
    balancing = {"strategy": "PrefixHash", "prefixHash": {"replication": 256}}
    assert changes(now={"loadBalancing": balancing}, loadBalancing=None)[1] == {
        "loadBalancing": (balancing, {"strategy": "LeastLoad"})
    }


@pytest.mark.parametrize(
    ("now", "wanted", "restarts"),
    [
        ({}, {"args": ["--a=2"]}, True),
        ({}, {"maxReplicas": 3}, False),
        ({}, {"adapters": [{"name": "x", "url": "hf://c/d"}]}, True),
        ({"adapters": [{"name": "x", "url": "hf://c/d"}]}, {"adapters": [{"name": "y", "url": "hf://e/f"}]}, False),
        ({"files": [{"path": "/a", "content": "1"}]}, {"files": [{"path": "/a", "content": "2"}]}, False),
        ({"files": [{"path": "/a", "content": "1"}]}, {"files": [{"path": "/b", "content": "1"}]}, True),
        ({}, {"features": ["TextGeneration"]}, False),
        ({"engine": "OLlama"}, {"features": ["TextGeneration"]}, True),
    ],
)
def test_knows_which_changes_restart_the_pods(now, wanted, restarts):
    current, found = changes(now=now, **wanted)
    assert found
    assert restarts_pods(current, found) is restarts


def test_reads_as_one_line_a_field():
    found = changes(now={"maxReplicas": 1}, args=["--b"], maxReplicas=2, image="x/y:1")[1]
    assert readable(found) == ["args: without --a=1, with --b", "maxReplicas: 1 → 2", "image: not set → x/y:1"]


def test_never_shows_a_secret():
    found = changes(env={"A": "1", "API_KEY": "hush"}, args=["--api-key=hush-hush"])[1]
    assert "hush" not in "\n".join(readable(found))


def test_names_a_file_and_not_what_is_in_it():
    found = changes(files=[{"path": "/etc/x", "content": "private"}])[1]
    assert readable(found) == ["files: with /etc/x (7 characters)"]
