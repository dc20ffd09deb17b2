"""All that can be said of fields, at once."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from kubeai_notebook.core.facts import ClusterFacts
from kubeai_notebook.core.fields import FIELDS
from kubeai_notebook.core.kubeai.model_schema import ModelSchema
from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.core.spec import Draft, draft_of, spec_of
from kubeai_notebook.core.validation import checked
from kubeai_notebook.errors import SpecError

CATALOG = operator_config_of("""
resourceProfiles:
  cpu: {requests: {cpu: 1, memory: 2Gi}}
  l4: {limits: {nvidia.com/gpu: 1}}
modelServers:
  VLLM: {images: {default: vllm}}
  OLlama: {images: {default: ollama}}
  SGLang: {images: {default: sglang}}
secretNames: {huggingface: hub}
""")
FACTS = ClusterFacts(operator_config=CATALOG, namespace="ml", secret_names=("team",), priority_classes=("high",))


def fields_of(draft: Draft) -> list[str]:
    return [notice.field for notice in draft.errors]


def test_says_in_one_round_what_is_wrong_in_every_field() -> None:
    wrong = {"url": "smollm2", "engine": "Vlm", "args": 1, "name": "A B", "labels": {"a b": "c"}, "profile": "cpu:-1"}
    wrong |= {"min_replicas": 3, "max_replicas": 1, "cache": "x", "env": {"A": {1}}, "features": ["Texts"]}
    draft = draft_of(wrong)
    assert draft.spec is None
    assert set(fields_of(draft)) == {
        "name", "url", "engine", "features[0]", "resource_profile", "args", "env.A", "labels", "cache",
    }  # fmt: skip


def test_leaves_nothing_for_a_second_round() -> None:
    given = {"url": "smollm2", "engine": "Vlm", "args": 1, "name": "A B"}
    assert fields_of(draft_of(given)) == ["name", "url", "engine", "args"]
    mended = {"url": "hf://org/model", "engine": "VLLM", "args": ["--a"], "name": "a-b"}
    assert draft_of(mended).spec == spec_of(mended)


def test_says_what_two_fields_make_wrong_together_while_others_are_wrong_too() -> None:
    draft = draft_of({"url": "hf://org/model", "args": 1, "min_replicas": 3, "max_replicas": 1})
    assert fields_of(draft) == ["", "args"]
    assert "The fewest replicas (min_replicas) are more than the most (max_replicas)." in str(draft.errors[0])


def test_blames_no_field_for_another_that_is_left_out() -> None:
    assert fields_of(draft_of({"url": "ollama://a", "engine": "Vlm"})) == ["engine"]
    assert fields_of(draft_of({"url": "x", "engine": "OLlama", "features": ["SpeechToText"]})) == ["url"]
    assert fields_of(draft_of({"url": "hf://a/b", "profile": 3, "args": ["--tensor-parallel-size=4"]}, FACTS)) == [
        "resource_profile"
    ]


def test_orders_by_severity_and_then_by_field() -> None:
    given: dict[str, Any] = {"env": {"HF_TOKEN": "x", "OLLAMA_HOST": "y"}, "args": ["--port=1"], "url": "hf://a/b"}
    draft = draft_of(given)
    assert [(notice.severity, notice.field) for notice in draft.notices] == [
        ("error", "args[0]"), ("error", "env.OLLAMA_HOST"), ("warning", "env.HF_TOKEN"),
        ("info", "name"), ("info", "engine"), ("info", "features"), ("info", "resource_profile"),
    ]  # fmt: skip
    assert draft_of(dict(reversed(given.items()))).notices == draft.notices
    assert [notice.code for notice in draft.about("env")] == ["ReservedArgument", "SecretInPlainText"]


def test_says_what_was_inferred_and_why() -> None:
    draft = draft_of({"url": "ollama://smollm2:135m"})
    assert [(notice.field, notice.message) for notice in draft.notices] == [
        ("name", "smollm2-135m: the last part of the url."),
        ("engine", "OLlama: the url's scheme."),
        ("features", "TextGeneration: most models generate text."),
        ("resource_profile", "cpu: the default profile."),
    ]
    assert draft.spec == spec_of({"url": "ollama://smollm2:135m"})


def test_says_what_the_cluster_lacks() -> None:
    given = {"url": "hf://org/model", "profile": "l5", "priority_class": "hgh", "secrets": ["taem"]}
    assert draft_of(given).spec is not None
    draft = draft_of(given, FACTS)
    assert [(notice.field, notice.code) for notice in draft.errors] == [
        ("resource_profile", "UnknownResourceProfile"),
        ("secrets", "SecretNotFound"),
        ("priority_class_name", "PriorityClassMissing"),
    ]
    (remedy,) = draft.errors[0].remedies
    assert remedy.patch({}) == {"spec": {"resourceProfile": "l4:1"}}


def test_takes_the_clusters_profile_for_resources() -> None:
    draft = draft_of({"url": "hf://org/model", "resources": {"gpu": 2}}, FACTS)
    assert draft.spec is not None
    assert draft.spec.resource_profile == "l4:2"


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ({"url": "hf://a/b", "engine": "SGLang"}, {"engines": ("VLLM", "SGLang")}),
        ({"url": "hf://a/b", "engine": "VLLM", "features": ["Video"]}, {"features": ("TextGeneration", "Video")}),
        ({"url": "oci://host/model", "engine": "VLLM"}, {"schemes": ("hf", "oci")}),
    ],
)
def test_takes_a_value_that_only_the_cluster_knows(given: dict[str, Any], known: dict[str, Any]) -> None:
    facts = ClusterFacts(operator_config=CATALOG, schema=ModelSchema(**known))
    assert draft_of(given).spec is None
    draft = draft_of(given, facts)
    assert draft.errors == ()
    assert draft.spec is not None
    manifest = {
        "apiVersion": "kubeai.org/v1",
        "kind": "Model",
        "metadata": {"name": "m"},
        "spec": {"features": ["TextGeneration"], "resourceProfile": "cpu:1", "minReplicas": 0, **given},
    }
    manifest["spec"].setdefault("engine", "VLLM")
    assert draft_of(manifest).spec is None
    assert draft_of(manifest, facts).errors == ()


def test_refuses_a_value_that_the_cluster_does_not_know() -> None:
    facts = ClusterFacts(operator_config=CATALOG, schema=ModelSchema(engines=("VLLM",)))
    (error,) = draft_of({"url": "ollama://a", "engine": "OLlama"}, facts).errors
    assert error.message.startswith('There is no engine "OLlama".')
    assert error.message.endswith("KubeAI has VLLM.")


def test_takes_a_manifest_as_it_is_and_warns_of_what_fails_in_silence() -> None:
    manifest = {
        "apiVersion": "kubeai.org/v1",
        "kind": "Model",
        "metadata": {"name": "m"},
        "spec": {"url": "ollama://a", "engine": "VLLM", "features": ["TextGeneration"], "resourceProfile": "cpu:1"},
    }
    draft = draft_of(manifest)
    assert draft.spec is not None
    assert [(notice.severity, notice.code) for notice in draft.notices] == [("warning", "InvalidModelUrl")]


def test_is_what_spec_of_raises() -> None:
    given = {"url": "smollm2", "args": 1}
    with pytest.raises(SpecError) as raised:
        spec_of(given)
    assert raised.value.notices == draft_of(given).errors
    assert len(raised.value._render_traceback_()) == 2


def test_never_shows_a_secret() -> None:
    secret = "hunter2-very-secret"
    given = {"url": f"hf://u:{secret}@host/x", "env": {"API_KEY": secret}, "args": [f"--api-key {secret}", "--port"]}
    draft = draft_of({**given, "secrets": {"A": SecretStr(secret)}, "labels": [secret], "image": f"a:{secret} B"})
    assert len(draft.errors) > 3
    assert secret not in f"{draft!r} {' '.join(map(str, draft.notices))}"


_WORDS = st.text(max_size=12) | st.sampled_from(["hf://a/b", "ollama://a", "cpu:1", "VLLM", "OLlama", "a:b", "A=b"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _WORDS | st.binary(max_size=3) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_WORDS | st.integers(), inner, max_size=3)
        | st.sets(_WORDS, max_size=2)
        | st.tuples(inner)
    ),
    max_leaves=6,
)
_NO_ROW = ("scaling", "loadBalancing", "prefix_hash", "resources", "processors", "rest", "inferred", "kind", "spec")
_SPELLINGS = [*_NO_ROW, *(text for field in FIELDS for text in (field.name, field.place[-1], *field.aliases))]


@settings(max_examples=500, deadline=None)
@given(fields=st.dictionaries(st.sampled_from(_SPELLINGS) | _WORDS, _VALUES, max_size=6) | _VALUES)
def test_never_raises_whatever_it_is_given(fields: Any) -> None:
    for facts in (None, FACTS):
        draft = draft_of(fields, facts)
        assert (draft.spec is None) == bool(draft.errors)
        assert all(notice.code and str(notice) for notice in draft.notices)


@pytest.mark.parametrize(
    "statement", ["import kubeai_notebook.core.model_spec", "from kubeai_notebook import ModelSpec"]
)
def test_is_not_loaded_with_a_model_spec(statement: str) -> None:
    count = f"{statement}; import sys; print(len([name for name in sys.modules if name.startswith('kubeai_notebook')]))"
    done = subprocess.run([sys.executable, "-c", count], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 12


MANY = {f"mx_model_len{number}": 1 for number in range(500)}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (MANY, "UnknownField"),
        ({"url": "hf://org/a", "engine": "VLLM", "scaling": MANY}, "UnknownField"),
        (
            {"url": "hf://org/a", "engine": "VLLM", "adapters": [{"name": "a", "url": "hf://org/a", **MANY}]},
            "UnknownField",
        ),
        ({"url": "hf://org/a", "engine": "VLLM", "features": [*MANY]}, "UnsupportedValue"),
        ({"apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": {"name": "a"}, "spec": MANY}, "UnknownField"),
    ],
)
def test_tells_of_many_unknown_names_the_first_and_how_many_more(fields: dict[str, Any], code: str) -> None:
    told = [notice.message for notice in draft_of(fields).notices if notice.code == code]
    assert len([message for message in told if "mx_model_len" in message]) == 20
    assert "480 more" in told[-1]


def test_keeps_what_is_right_beside_what_is_wrong() -> None:
    spec, notices = checked({"scaling": {"min_replicas": 2, "max_replicas": "x", **MANY}, "url": "hf://org/a"})
    assert (spec.scaling.min_replicas, len(notices)) == (2, 22)


@pytest.mark.parametrize(
    ("field", "of"),
    [
        ("image", lambda count: "a:" * count),
        ("image", lambda count: "a/" + "a:" * count + "/a"),
        ("secrets", lambda count: [f"A{number}=s:k" for number in range(count // 10)]),
    ],
    ids=["registry", "path", "secrets"],
)
def test_takes_time_in_proportion_to_what_is_given(field: str, of: Any) -> None:
    def seconds(count: int) -> float:
        given = {"url": "hf://a/b", "name": "m", field: of(count)}
        began = time.process_time()
        draft_of(given)
        return time.process_time() - began

    seconds(1_000)
    # Ten times as long would be a hundred times as slow, were it quadratic; a bound that no load reaches.
    assert seconds(60_000) < max(10 * seconds(6_000) * 4, 0.4)
