"""YAML as people have it: what is taken, and what is said of the rest."""

import time
from pathlib import Path

import pytest
import yaml

from kubeai_notebook.core.documents import described_in
from kubeai_notebook.core.facts import ClusterFacts
from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.core.manifest import to_manifest, to_yaml
from kubeai_notebook.core.pasted import fields_of_text
from kubeai_notebook.core.spec import draft_of, specs_of_yaml
from kubeai_notebook.errors import SpecError

CASES = yaml.safe_load((Path(__file__).parents[1] / "golden" / "manifests.yaml").read_text())


@pytest.fixture(params=CASES, ids=lambda case: case["name"])
def case(request):
    return request.param


def served(text):
    """The specs, and every sentence on the text, errors or warnings."""
    try:
        specs = specs_of_yaml(text)
    except SpecError as error:
        return [], [str(notice) for notice in error.notices]
    drafts = [draft_of(model.fields) for model in described_in(text) if model.enabled]
    return specs, [str(notice) for draft in drafts for notice in draft.notices if notice.severity != "info"]


def test_serves_it_or_says_all_that_is_wrong_at_once(case):
    specs, said = served(case["text"])
    assert [spec.name for spec in specs] == case.get("serves", [])
    for words in case.get("says", ()):
        assert any(all(str(word) in sentence for word in words) for sentence in said), (words, said)
    assert len(said) == len(case.get("says", ())), said
    assert not [sentence for sentence in said for word in case.get("never", ()) if word in sentence]


def test_keeps_to_the_last_field_what_a_manifest_says(case):
    specs, _ = served(case["text"])
    documents = [model.fields for model in described_in(case["text"]) if model.enabled]
    for spec, document in zip(specs, documents, strict=bool(specs)):
        if "kind" in document:
            assert to_manifest(spec) == document
            again = yaml.safe_load(to_yaml(document))["metadata"].get("annotations", {})
            assert again == case.get("keeps", {})


def test_leaves_out_of_yaml_what_machines_wrote():
    made = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kubeai-notebook/served-by": "x", "own/x": "1"}
    model = {"metadata": {"name": "m", "annotations": made}, "spec": {}}
    assert yaml.safe_load(to_yaml(model))["metadata"]["annotations"] == {"own/x": "1"}


def test_says_the_same_of_a_key_that_stands_twice_where_it_is_pasted():
    with pytest.raises(SpecError, match=r'"env" stands in lines 2 and 3'):
        fields_of_text("url: hf://a/b\nenv: {A: '1'}\nenv: {B: '2'}\n")


def test_reads_helm_values_that_are_pasted():
    text = "catalog:\n  smol:\n    enabled: true\n    url: ollama://smollm2:135m\n"
    assert fields_of_text(text) == {"name": "smol", "url": "ollama://smollm2:135m", "min_replicas": 0}


def test_names_the_field_that_a_wrong_keys_value_belongs_to():
    fields = {"url": "hf://org/repo", "kind": "Model", "apiVersion": "kubeai.org/v1", "metadata": {"name": "m"}}
    fields["spec"] = {"url": fields.pop("url"), "server": "VLLM", "resourceProfile": "cpu:1", "features": []}
    messages = [notice.message for notice in draft_of(fields).notices if notice.code == "UnknownField"]
    assert messages == ['A Model of KubeAI 0.22 has no field "spec.server". Did you mean "engine"?']


def test_writes_the_engine_that_a_wrong_key_names_and_looks_at_the_profile_beside_it():
    spec = {"url": "hf://org/repo", "server": "VLLM", "resourceProfile": "NVIDIA_GPU_L4:1", "features": []}
    manifest = {"kind": "Model", "apiVersion": "kubeai.org/v1", "metadata": {"name": "m"}, "spec": spec}
    draft = draft_of(manifest, ClusterFacts(operator_config=operator_config_of(None)))
    steps = {notice.field: [remedy.title for remedy in notice.remedies] for notice in draft.notices}
    assert steps["spec.server"] == ["Write engine: VLLM in its place."]
    assert steps["resource_profile"] == ["Write nvidia-gpu-l4:1."]


@pytest.mark.parametrize("unit", ["k{}: v\n", "- [{}]\n"])
def test_looks_at_so_many_entries_and_at_no_more(unit):
    def seconds(count):
        text = "".join(unit.format(number) for number in range(count))
        began = time.process_time()
        with pytest.raises(SpecError, match=r"more than [\d,]+ entries"):
            specs_of_yaml(text)
        return time.process_time() - began

    # Three times as many take as long, since the rest is not read.
    assert seconds(90_000) < 2 * seconds(30_000)
