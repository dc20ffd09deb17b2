"""Serving again, as kubectl apply does: what was said last, what is said now, and what is there."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from kubeai_notebook.core.manifest import to_manifest
from kubeai_notebook.core.merge_patch import merged
from kubeai_notebook.core.served import LAST_SERVED, last_stated_fields, served_by, three_way, to_remember, user_name
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.core.spec_diff import changed_fields, patch_of

URL = "ollama://smollm2:135m"


def served(patch: dict[str, Any] | None = None, /, **fields: Any) -> dict[str, Any]:
    """The Model that serving these fields makes, after somebody else's ``patch``."""
    spec = spec_of({"name": "smol", "url": URL, **fields})
    model = merged(to_manifest(spec), {"metadata": {"annotations": {LAST_SERVED: to_remember({}, spec)}}})
    return merged(model, patch or {})


def again(model: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """What serving these fields then changes, as ``{field: (now, wanted)}``."""
    return changed_fields(model, three_way(model, spec_of({"name": "smol", "url": URL, **fields})))


def test_takes_away_what_was_said_last_and_is_left_out_now() -> None:
    model = served(args=["--ctx-size=512"], env={"A": "1", "B": "2"}, max_replicas=3, min_replicas=2)
    assert again(model, env={"A": "1"}) == {
        "args": (["--ctx-size=512"], None),
        "env": ({"A": "1", "B": "2"}, {"A": "1"}),
        "maxReplicas": (3, None),
        "minReplicas": (2, 1),
    }


@pytest.mark.parametrize(
    "theirs",
    [
        {"args": ["--ctx-size=512"]},
        {"image": "mine"},
        {"resourceProfile": "cpu:4"},
        {"env": {"THEIRS": "1"}},
        {"minReplicas": 2, "replicas": 2},
        {"maxReplicas": 9},
        {"features": ["TextGeneration", "TextEmbedding"]},
        {"priorityClassName": "high"},
    ],
)
def test_leaves_what_others_set_and_no_line_ever_said(theirs: dict[str, Any]) -> None:
    assert again(served({"spec": theirs})) == {}


def test_counts_what_was_said_in_another_spelling_as_said() -> None:
    model = served(url="HuggingFaceTB/SmolLM2-135M-Instruct", args=["--max-model-len=512"])
    assert "args" in again(model, url="HuggingFaceTB/SmolLM2-135M-Instruct")


def test_joins_its_variables_with_those_of_others() -> None:
    model = served({"spec": {"env": {"THEIRS": "1"}}}, env={"MINE": "1"})
    assert again(model, env={"MINE": "2"})["env"][1] == {"THEIRS": "1", "MINE": "2"}
    assert again(model)["env"][1] == {"THEIRS": "1"}


def test_says_again_what_others_changed() -> None:
    model = served({"spec": {"args": ["--theirs"]}}, args=["--mine"])
    assert again(model, args=["--mine"]) == {"args": (["--theirs"], ["--mine"])}


@pytest.mark.parametrize("said", [{}, {"min_replicas": 1}, {"replicas": 1}, {"min_replicas": 1, "max_replicas": 2}])
def test_does_not_scale_back_what_was_scaled_since(said: dict[str, Any]) -> None:
    scaled = served({"spec": {"minReplicas": 3, "maxReplicas": 3, "replicas": 3}}, **said)
    assert again(scaled, **said) == {}


def test_scales_where_the_line_says_something_new() -> None:
    scaled = served({"spec": {"minReplicas": 3, "maxReplicas": 3, "replicas": 3}})
    assert again(scaled, min_replicas=1) == {"minReplicas": (3, 1)}
    assert again(scaled, min_replicas=5) == {"minReplicas": (3, 5), "maxReplicas": (3, 5)}


def test_follows_the_url_with_what_it_infers_from_it() -> None:
    changes = again(served(), url="hf://org/model")
    assert (changes["engine"], changes["url"]) == (("OLlama", "VLLM"), (URL, "hf://org/model"))


def test_goes_back_to_what_is_inferred() -> None:
    assert again(served(resource_profile="cpu:2")) == {"resourceProfile": ("cpu:2", "cpu:1")}


def test_changes_labels_and_leaves_those_of_others() -> None:
    model = served({"metadata": {"labels": {"theirs": "1"}}}, labels={"team": "ds", "old": "x"})
    changes = again(model, labels={"team": "xy"})
    assert changes == {"labels": ({"team": "ds", "old": "x"}, {"team": "xy"})}
    after = merged(model, patch_of(changes))
    assert after["metadata"]["labels"] == {"theirs": "1", "team": "xy"}
    assert again(merged(served(), {"metadata": {"labels": {"theirs": "1"}}})) == {}


def test_takes_nothing_away_where_only_a_few_fields_are_to_change() -> None:
    model = served(args=["--a"], env={"A": "1"})
    there = {"url": URL, "engine": "OLlama", "features": ["TextGeneration"], "resource_profile": "cpu:1"}
    few = spec_of({"name": "smol", "env": {"B": "2"}}, there=there)
    assert changed_fields(model, three_way(model, few)) == {"env": ({"A": "1"}, {"A": "1", "B": "2"})}
    remembered = merged(model, {"metadata": {"annotations": {LAST_SERVED: to_remember(model, few)}}})
    assert set(last_stated_fields(remembered)) == {"url", "args", "env"}
    assert last_stated_fields(remembered)["env"] == ["A", "B"]


def test_remembers_no_value_that_may_be_a_secret() -> None:
    hush = "hf_" + "x" * 30
    kept = to_remember(
        {},
        spec_of(
            {
                "name": "smol",
                "url": URL,
                "args": [f"--api-key={hush}"],
                "env": {"HF_TOKEN": hush, "PLAIN": hush},
                "secrets": {"API_KEY": SecretStr(hush)},
                "files": {"/etc/x": hush},
                "labels": {"team": "ds"},
            }
        ),
    )
    assert hush not in kept
    assert "HF_TOKEN" in kept


@pytest.mark.parametrize(
    "text", ["", "no json", "[1]", "null", '{"env": 7, "args": {}, "labels": {"a": []}}', "[" * 9999]
)
def test_takes_no_harm_from_what_somebody_else_wrote_there(text: str) -> None:
    model = merged(served(), {"metadata": {"annotations": {LAST_SERVED: text}}})
    assert again(model) == {}


@pytest.mark.parametrize(
    ("login", "person", "name"),
    [
        ("alice", "", "alice"),
        ("alice", "jovyan", "alice"),
        ("system:serviceaccount:hub:default", "alice", "alice (system:serviceaccount:hub:default)"),
        ("system:serviceaccount:hub:default", "", "system:serviceaccount:hub:default"),
        ("system:anonymous", "alice", "alice (system:anonymous)"),
        ("", "alice", "alice"),
        ("", "", "an unknown user"),
    ],
)
def test_names_the_login_and_the_person_where_many_share_one(login: str, person: str, name: str) -> None:
    assert user_name(login, person) == name


@pytest.mark.parametrize("annotations", [None, {}, [], {"kubeai-notebook/served-by": 7}])
def test_knows_nobody_where_nobody_wrote(annotations: Any) -> None:
    assert served_by({"metadata": {"annotations": annotations}}) == ""


BALANCED = {"strategy": "PrefixHash", "prefixHash": {"meanLoadFactor": 150, "prefixCharLength": 50, "replication": 256}}
BY_KUBECTL = {
    "apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": {"name": "smol", "labels": {"team": "a"}},
    "spec": {
        "url": URL, "engine": "OLlama", "features": ["TextGeneration"], "resourceProfile": "cpu:2", "minReplicas": 2,
        "maxReplicas": 4, "args": ["--x"], "env": {"A": "1", "B": "2"}, "envFrom": [{"secretRef": {"name": "login"}}],
        "files": [{"path": "/a", "content": "x"}], "image": "mine", "priorityClassName": "high", "targetRequests": 7,
        "scaleDownDelaySeconds": 9, "loadBalancing": BALANCED, "owner": "me",
    },
}  # fmt: skip


def edited(theirs: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """What serving these fields changes of a Model that kubectl made, once somebody has read it."""
    now = merged(BY_KUBECTL, theirs or {})
    spec = spec_of({"name": "smol", "url": URL, "minReplicas": 2, **fields})
    return changed_fields(now, three_way(now, spec, seen=BY_KUBECTL))


def test_takes_away_what_an_editor_saw_and_left_out() -> None:
    gone = edited(env={"A": "1"}, scaling={"load_balancing": {"strategy": "PrefixHash"}})
    assert {key: wanted for key, (_, wanted) in gone.items() if key != "loadBalancing"} == {
        "args": None, "env": {"A": "1"}, "envFrom": None, "files": None, "image": None, "labels": {},
        "maxReplicas": None, "priorityClassName": None, "resourceProfile": "cpu:1", "scaleDownDelaySeconds": None,
        "targetRequests": None,
    }  # fmt: skip
    assert gone["loadBalancing"][1] == {
        "strategy": "PrefixHash",
        "prefixHash": {"meanLoadFactor": 125, "prefixCharLength": 100},
    }
    assert edited()["loadBalancing"][1] == {"strategy": "LeastLoad"}


def test_leaves_what_came_after_an_editor_had_looked() -> None:
    theirs = {
        "metadata": {"labels": {"new": "x"}},
        "spec": {"env": {"C": "3"}, "adapters": [{"name": "a", "url": "hf://b/c"}]},
    }
    changes = edited(theirs)
    assert changes["env"][1] == {"C": "3"}
    assert "adapters" not in changes
    assert "owner" not in changes
    assert changes["labels"] == ({"team": "a"}, {})


def test_keeps_what_autoscaling_set_since_where_the_editor_left_it() -> None:
    assert "minReplicas" not in edited({"spec": {"minReplicas": 3}})
