"""Whatever is put into the one door comes out as a ModelSpec or as sentences that name the field."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeai_notebook.core.model_spec import ModelSpec
from kubeai_notebook.core.notice import Notice
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.errors import SpecError

HUGE = "x" * 2_000_000


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("args[0]", {"args": ["a\x00b"]}),
        ("args[0]", {"args": ["--x=\x1b[31m"]}),
        ("args[0]", {"args": ["\ud800"]}),
        ("args[0]", {"args": [HUGE]}),
        ("env.A", {"env": {"A": "\x00"}}),
        ("env.A", {"env": {"A": True}}),
        ("env.A=B", {"env": {"A=B": "1"}}),
        ("name", {"name": HUGE}),
        ("image", {"image": HUGE}),
        ("image", {"image": "a\nb"}),
        ("resource_profile", {"profile": HUGE}),
        ("files[0].content", {"files": {"/a": "x" * 200_000}}),
        ("files[0].path", {"files": {"/a\x00": "x"}}),
        ("labels", {"labels": {"a b": "1"}}),
        ("namespace", {"namespace": "A_B"}),
        ("priority_class_name", {"priority_class_name": "A B"}),
        ("secrets[0]", {"secrets": ["A B"]}),
        ("scaling.min_replicas", {"scaling": {"min_replicas": 1.5}}),
        ("scaling.min_replicas", {"scaling": {"min_replicas": float("nan")}}),
        ("maxReplicas", {"scaling": {"max_replicas": 10**30}}),
        ("min_replicas", {"scaling": {"min_replicas": 3, "max_replicas": 1}}),
        ("adapters", {"url": "ollama://a", "adapters": {"x": "hf://a/b"}}),
        ("adapters[0].url", {"adapters": {"x": "http://a/b"}}),
        ("cache_profile", {"url": "gs://a/b"}),
    ],
)
def test_names_the_field_in_a_short_sentence(field: str, given: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as raised:
        spec_of({"url": "hf://a/b", **given})
    problem = raised.value.notices[0]
    assert field in str(problem)
    assert len(str(problem)) < 400


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from([*sorted(ModelSpec.model_fields), "processors", "resources", "minReplicas", "kind", "other"])


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.dictionaries(fields, anything, max_size=5), st.booleans())
def test_answers_anything_with_a_spec_or_with_problems(mapping: dict[str, Any], with_url: bool) -> None:
    problems = problems_or_none({**mapping, "url": "hf://a/b"} if with_url else mapping)
    assert problems is None or all(problem.message for problem in problems)


model_fields = st.sampled_from(
    ["url", "engine", "features", "args", "env", "envFrom", "files", "adapters", "loadBalancing"]
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.dictionaries(model_fields, anything, max_size=5), anything)
def test_answers_any_model_with_a_spec_or_with_problems(spec: dict[str, Any], metadata: Any) -> None:
    good = {"url": "hf://a/b", "engine": "VLLM", "features": []}
    for body, about in ((spec, {"name": "m"}), ({**good, **spec}, {"name": "m"}), (good, metadata)):
        problems_or_none({"apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": about, "spec": body})


def problems_or_none(mapping: dict[str, Any]) -> tuple[Notice, ...] | None:
    try:
        spec_of(mapping)
    except SpecError as error:
        return error.notices
    return None
