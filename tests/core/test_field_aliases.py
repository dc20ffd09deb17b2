from typing import Any

import pytest
from pydantic import SecretStr

from kubeai_notebook.core.field_aliases import fields_of
from kubeai_notebook.core.manifest import own_secret_entries, to_manifest
from kubeai_notebook.core.spec import ModelSpec, spec_of
from kubeai_notebook.errors import SpecError

URL = {"url": "hf://a/b"}


def spec(**fields: Any) -> ModelSpec:
    return spec_of({**URL, **fields})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"model_name": "m"}, {"name": "m"}),
        ({"modelName": "m"}, {"name": "m"}),
        ({"profile": "x", "processors": 2}, {"resource_profile": "x:2"}),
        ({"processors": 3}, {"resource_profile": "cpu:3"}),
        ({"profile": "1xa100", "processors": 1}, {"resource_profile": "1xa100:1"}),
        ({"caching_profile": "efs"}, {"cache_profile": "efs"}),
        ({"cacheProfile": "efs"}, {"cache_profile": "efs"}),
        ({"envs": {"A": "1"}}, {"env": {"A": "1"}}),
        ({"envs": [{"name": "A", "value": "1"}]}, {"env": {"A": "1"}}),
        ({"env": {"A": 1}}, {"env": {"A": "1"}}),
        ({"features": "TextEmbedding"}, {"features": ["TextEmbedding"]}),
        ({"adapters": {"c": "hf://c/d"}}, {"adapters": [{"name": "c", "url": "hf://c/d"}]}),
        ({"files": {"/a": "text"}}, {"files": [{"path": "/a", "content": "text"}]}),
        ({"min_replicas": 0, "maxReplicas": 2}, {"scaling": {"min_replicas": 0, "max_replicas": 2}}),
        ({"scaling": {"target_request": 5}}, {"scaling": {"target_requests": 5}}),
        ({"scaling": {"targetRequests": 5}}, {"scaling": {"target_requests": 5}}),
        (
            {"loadBalancing": {"strategy": "PrefixHash", "prefixHash": {"meanLoadFactor": 150}}},
            {"scaling": {"load_balancing": {"strategy": "PrefixHash", "mean_load_factor": 150}}},
        ),
        ({"secrets": "hub"}, {"secrets": ["hub"]}),
        ({"secrets": {"b", "a"}}, {"secrets": ["a", "b"]}),
    ],
)
def test_reads_every_spelling_as_the_same_field(given: dict[str, Any], meant: dict[str, Any]) -> None:
    assert to_manifest(spec(**given)) == to_manifest(spec(**meant))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"cache_profile": "a", "caching_profile": "b"}, '"cache_profile" and "caching_profile" are the same field.'),
        ({"profile": "x:2", "processors": 2}, "The profile says already how many times it is taken."),
        ({"processors": 0}, '"processors" must be a whole number from 1 up'),
        ({"processors": True}, '"processors" must be a whole number from 1 up'),
        ({"secrets": {"HF_TOKEN": "hf_abcdef"}}, "The secret for HF_TOKEN does not name a key of a Secret."),
        ({"secrets": 3}, "Each of secrets must be the name of a Secret"),
        ({"scaling": 3}, 'The field "scaling" must be a mapping'),
        ({"scaling": {"load_balancing": {"prefix_hash": 3}}}, 'has no field "scaling.load_balancing.prefix_hash"'),
        ({"env": [1]}, 'The field "env" must be a mapping'),
        ({"scaling": {"replicas": "lots"}}, 'The field "scaling.replicas" must be a whole number, not text.'),
        ({"env": "API_KEY=hf_abcdef"}, "must be a mapping of names to values, not text: environment variables of"),
        (
            {"args": "--api-key=hf_abcdef"},
            'The field "args" must be a list, not text: arguments of the engine, such as ["--max-model-len=8192"].',
        ),
    ],
)
def test_refuses_what_has_two_meanings_or_none(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError) as raised:
        spec(**given)
    assert sentence in str(raised.value)
    assert "hf_abcdef" not in str(raised.value)


def test_refuses_a_field_whose_name_is_no_text() -> None:
    with pytest.raises(SpecError, match="must be text, not int"):
        spec_of({**URL, 1: 2})  # type: ignore[dict-item]  # the very mistake


def test_refers_to_a_secret_by_its_name() -> None:
    manifest = to_manifest(spec(secrets=["hub", "store"]))
    assert manifest["spec"]["envFrom"] == [{"secretRef": {"name": "hub"}}, {"secretRef": {"name": "store"}}]


def test_refers_to_a_key_of_the_same_name_through_its_secret() -> None:
    served = spec(secrets={"HF_TOKEN": "hub:HF_TOKEN"})
    assert to_manifest(served)["spec"]["envFrom"] == [{"secretRef": {"name": "hub"}}]
    assert own_secret_entries(served) == ()


def test_puts_other_keys_and_values_into_the_models_own_secret() -> None:
    served = spec(name="m", secrets={"HF_TOKEN": "hub:token", "API_KEY": SecretStr("very-secret")})
    assert to_manifest(served)["spec"]["envFrom"] == [{"secretRef": {"name": "m-secrets"}}]
    assert [entry.env for entry in own_secret_entries(served)] == ["HF_TOKEN", "API_KEY"]


def test_never_shows_the_value_of_a_secret() -> None:
    served = spec(secrets={"API_KEY": SecretStr("very-secret")})
    assert "very-secret" not in f"{served!r} {served} {served.model_dump()} {to_manifest(served)}"
    assert "very-secret" not in served.model_dump_json()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("embedding", ["TextEmbedding"]),
        ("text-embedding", ["TextEmbedding"]),
        (["chat"], ["TextGeneration"]),
        ("Text_Generation, reranker", ["TextGeneration", "Reranking"]),
        ("speech to text", ["SpeechToText"]),
        ("Vision", ["Vision"]),
    ],
)
def test_reads_features_as_people_write_them(written: Any, meant: list[str]) -> None:
    assert fields_of({"features": written}) == {"features": meant}
