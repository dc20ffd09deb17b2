import re
from typing import Any

import pytest

from kubeai_notebook.core.field_aliases import to_snake
from kubeai_notebook.core.manifest import to_manifest, to_yaml
from kubeai_notebook.core.spec import ModelSpec, spec_of, spec_of_yaml
from kubeai_notebook.errors import SpecError


def problems(**fields: Any) -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as raised:
        spec_of(fields)
    return [(problem.field, str(problem)) for problem in raised.value.notices]


def test_infers_name_engine_feature_and_profile_and_says_why() -> None:
    spec = spec_of({"url": "ollama://smollm2:135m"}, default_profile="cpu:2")
    assert (spec.name, spec.engine, spec.features) == ("smollm2-135m", "OLlama", ("TextGeneration",))
    assert spec.resource_profile == "cpu:2"
    assert [(one.field, one.value) for one in spec.inferred] == [
        ("name", "smollm2-135m"),
        ("features", "TextGeneration"),
        ("engine", "OLlama"),
        ("resource_profile", "cpu:2"),
    ]


@pytest.mark.parametrize(
    ("url", "engine", "feature"),
    [
        ("hf://Qwen/Qwen2.5-0.5B-Instruct", "VLLM", "TextGeneration"),
        ("hf://BAAI/bge-small-en-v1.5", "Infinity", "TextEmbedding"),
        ("hf://sentence-transformers/all-MiniLM-L6-v2", "Infinity", "TextEmbedding"),
        ("ollama://nomic-embed-text", "OLlama", "TextEmbedding"),
        ("hf://BAAI/bge-reranker-base", "Infinity", "Reranking"),
        ("hf://Systran/faster-whisper-medium.en", "FasterWhisper", "SpeechToText"),
        ("s3://bucket/llama", "VLLM", "TextGeneration"),
    ],
)
def test_knows_families_by_their_names(url: str, engine: str, feature: str) -> None:
    spec = spec_of({"url": url})
    assert (spec.engine, spec.features) == (engine, (feature,))


def test_accepts_any_letter_case_of_engine_and_feature() -> None:
    spec = spec_of({"url": "ollama://a", "engine": "ollama", "features": ["textgeneration"]})
    assert (spec.engine, spec.features) == ("OLlama", ("TextGeneration",))


def test_names_the_nearest_engine() -> None:
    [(field, message)] = problems(url="hf://a/b", engine="Vlm")
    assert field == "engine"
    assert message == 'There is no engine "Vlm". KubeAI has OLlama, VLLM, FasterWhisper, Infinity. Did you mean "VLLM"?'


def test_says_that_the_fields_of_a_spec_stand_by_themselves() -> None:
    assert problems(url="hf://a/b", spec={"minReplicas": 2}) == [
        ("spec", 'A Model has no field "spec". Its fields stand here by themselves, without spec above them.'),
    ]


def test_names_the_nearest_field() -> None:
    assert problems(url="hf://a/b", engin="VLLM") == [
        ("engin", 'A Model has no field "engin". Did you mean "engine"?'),
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("minReplica", "minReplicas"), ("min_replica", "min_replicas"), ("resourceProfil", "resourceProfile")],
)
def test_names_a_field_as_it_was_written_and_the_nearest(written: str, meant: str) -> None:
    message = f'A Model has no field "{written}". Did you mean "{meant}"?'
    assert problems(**{"url": "hf://a/b", written: 0}) == [(written, message)]
    inside = to_snake(f"scaling.{written}")
    [(field, message)] = problems(url="hf://a/b", scaling={written: 0})
    assert field == inside
    assert "Did you mean" in message


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("kind: Model\nspec: {url: 'hf://a/b'}", '"apiVersion: kubeai.org/v1"'),
        ("apiVersion: kubeai.org/v1\nspec: {url: 'hf://a/b'}", '"kind: Model"'),
    ],
)
def test_says_which_line_a_whole_model_needs(text: str, lines: str) -> None:
    with pytest.raises(SpecError) as raised:
        spec_of_yaml(text)
    assert str(raised.value) == f"A whole Model of Kubernetes needs the line {lines}. Add it."


def test_needs_a_url() -> None:
    [(field, message)] = problems(name="a")
    assert field == "url"
    assert "ollama://smollm2:135m" in message


def test_refuses_an_engine_that_cannot_load_the_url() -> None:
    [(field, message)] = problems(url="ollama://a", engine="VLLM")
    assert field == "url"
    assert message == "VLLM cannot load ollama:// urls; its Pods would never become ready. Use engine OLlama."


def test_refuses_a_feature_that_the_engine_does_not_have() -> None:
    [(field, message)] = problems(url="hf://a/b", engine="Infinity", features=["TextGeneration"])
    assert field == "features[0]"
    assert "Use engine OLlama or VLLM for TextGeneration." in message


@pytest.mark.parametrize(
    ("resources", "profile"),
    [
        ({"cpu": 2}, "cpu:2"),
        ({"cpu": 1, "memory": "6Gi"}, "cpu:3"),
        ({"gpu": 1, "cpu": 6, "memory": "24Gi"}, "nvidia-gpu-l4:1"),
        ({"gpu": 2, "memory": "48Gi"}, "nvidia-gpu-l4:2"),
    ],
)
def test_answers_a_resource_specification_with_the_smallest_profile(resources: Any, profile: str) -> None:
    assert spec_of({"url": "hf://a/b", "resources": resources}).resource_profile == profile


def test_names_the_nearest_profile_where_none_covers_the_resources() -> None:
    [(field, message)] = problems(url="hf://a/b", resources={"gpu": 1, "nvme": "1Ti"})
    assert field == "resource_profile"
    assert "The nearest is" in message


@pytest.mark.parametrize("given", [{"resources": 3}, {"resources": {"cpu": 1}, "profile": "cpu"}])
def test_refuses_resources_that_say_nothing_or_twice(given: dict[str, Any]) -> None:
    assert [field for field, _ in problems(url="hf://a/b", **given)] == ["resources"]


def test_reads_yaml_in_our_short_form_and_as_a_model() -> None:
    short = spec_of_yaml("url: hf://a/b\nname: m\nminReplicas: 0\nenv: {A: 1}\n")
    assert (short.name, short.scaling.min_replicas, short.env) == ("m", 0, {"A": "1"})
    assert spec_of_yaml(to_yaml(to_manifest(short))).url == "hf://a/b"


@pytest.mark.parametrize(
    "text",
    [
        "url: [",
        "!!python/object/apply:os.system ['true']",
        "- a\n- b",
        "a: &a [x, x]\n" + "".join(f"k{n}: &k{n} [*a, *a, *a, *a]\n" for n in range(300)),
        "[" * 5000,
        "x" * 2_000_000,
        "a: \x00",
    ],
)
def test_refuses_yaml_that_is_broken_or_meant_to_break(text: str) -> None:
    with pytest.raises(SpecError) as raised:
        spec_of_yaml(text)
    assert str(raised.value).startswith("The YAML ")
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"args": "--x"}, "args"),
        ({"env": ["A=1"]}, "env"),
        ({"scaling": {"min_replicas": "1"}}, "scaling.min_replicas"),
        ({"adapters": [{"name": "A B", "url": "hf://a/b"}]}, "adapters[0].name"),
        ({"files": [{"path": "relative", "content": ""}]}, "files[0].path"),
        ({"resource_profile": "cpu:-1"}, "resource_profile"),
        ({"name": "My_Model"}, "name"),
    ],
)
def test_names_the_wrong_field(fields: dict[str, Any], field: str) -> None:
    assert [found for found, _ in problems(url="hf://a/b", **fields)] == [field]


def test_reports_every_problem_at_once() -> None:
    assert {field for field, _ in problems(url="hf://a/b", name="A", args=1, env=2)} == {"name", "args", "env"}


def test_never_shows_a_value_that_may_be_a_secret() -> None:
    said = problems(url="hf://a/b", env={"HF_TOKEN": ["hf_secret"]}, labels="hf_secret", args={"x": "hf_secret"})
    assert len(said) == 3
    assert "hf_secret" not in str(said)


def test_is_frozen() -> None:
    spec = spec_of({"url": "hf://a/b"})
    with pytest.raises(ValueError, match="frozen"):
        spec.name = "other"  # type: ignore[misc]  # the very mistake
    assert isinstance(spec, ModelSpec)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("ollama://smollm2:135m", "smollm2-135m"),
        ("ollama://smollm2:360m", "smollm2-360m"),
        ("ollama://qwen2.5:0.5b-instruct-q4_K_M", "qwen2-5-0-5b-instruct-q4-k-m"),
        ("ollama://phi:latest", "phi"),
        (
            "ollama://hf.co/org/a-model-with-a-long-name-of-its-own-GGUF:Q4_K_M",
            "a-model-with-a-long-name-of-its-q4-k-m",
        ),
        ("ollama://x:" + "a1" * 30, "x-" + "a1" * 15),
        ("hf://Qwen/Qwen2.5-0.5B-Instruct", "qwen2-5-0-5b-instruct"),
        ("ollama://_:7b", "model-7b"),
    ],
)
def test_names_a_model_by_its_url_and_its_tag(url: str, name: str) -> None:
    spec = spec_of({"url": url})
    assert spec.name == name
    assert len(name) <= 40
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)


@pytest.mark.parametrize(
    ("scaling", "bounds", "why"),
    [
        ({"replicas": 2}, (2, None, None), "replicas 2 stay, and autoscaling may add to them"),
        ({"replicas": 0}, (0, None, None), "it sleeps while nobody asks it"),
        ({"replicas": 2, "max_replicas": 5}, (2, 5, None), "replicas 2 stay, and autoscaling may add to them"),
        ({"replicas": 3, "max_replicas": 1}, (3, 3, None), "replicas 3 stay, so max_replicas is 3 and not 1"),
        ({"replicas": 3, "min_replicas": 1}, (1, None, 3), None),
        ({"replicas": 3, "autoscaling_disabled": True}, (1, None, 3), None),
    ],
)
def test_takes_replicas_for_the_lower_bound_and_says_so(
    scaling: dict[str, Any], bounds: tuple[int | None, ...], why: str | None
) -> None:
    for fields in (scaling, {"scaling": scaling}):
        spec = spec_of({"url": "ollama://smollm2:135m", **fields})
        assert (spec.scaling.min_replicas, spec.scaling.max_replicas, spec.scaling.replicas) == bounds
        assert [one.why for one in spec.inferred if one.field == "scaling.min_replicas"] == ([why] if why else [])
