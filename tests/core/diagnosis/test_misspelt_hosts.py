"""A host that cannot be reached, and is like a known one, is corrected by the first fix."""

import pytest

from kubeai_notebook.core.diagnosis import diagnose

from .scenes import NOW, container, crash, merged, model, pod, seen

UNRESOLVED = "HTTPSConnectionPool(host='hugginface.co', port=443): [Errno -2] Name or service not known"


def first_fix(observation):
    (finding,) = diagnose(observation, now=NOW)
    return finding.code, finding.remedies[0]


def pulling(image):
    message = f'failed to pull image "{image}": Head "https://ghrc.io/v2/": dial tcp: lookup ghrc.io: no such host'
    waits = container(waiting="ErrImagePull", message=message)
    return seen(model(image=image), pod("model-m-abc-1", waits, phase="Pending"))


@pytest.mark.parametrize(
    ("observation", "code", "title", "field", "value"),
    [
        (
            crash(UNRESOLVED, model(env={"HF_ENDPOINT": "https://hugginface.co"})),
            "SourceUnreachable",
            "Did you mean huggingface.co? Set env.HF_ENDPOINT=https://huggingface.co.",
            "env",
            {"HF_ENDPOINT": "https://huggingface.co"},
        ),
        (
            pulling("ghrc.io/org/vllm:1"),
            "RegistryUnreachable",
            "Did you mean ghcr.io? Set image to ghcr.io/org/vllm:1.",
            "image",
            "ghcr.io/org/vllm:1",
        ),
        (
            crash(
                'Error: Could not reach https://hf.coo to fetch "hf.coo/a/b": [Errno -2] Name or service not known',
                model(url="ollama://hf.coo/a/b", engine="OLlama"),
            ),
            "SourceUnreachable",
            "Did you mean hf.co? Use ollama://hf.co/a/b.",
            "url",
            "ollama://hf.co/a/b",
        ),
    ],
    ids=["variable", "image", "url"],
)
def test_corrects_the_field_that_names_the_host(observation, code, title, field, value):
    found, remedy = first_fix(observation)
    assert (found, remedy.title) == (code, title)
    assert merged(observation.model, remedy.patch(observation.model))["spec"][field] == value


def test_says_it_where_no_field_of_the_model_names_the_host():
    _, remedy = first_fix(crash(UNRESOLVED))
    assert remedy.title == "Did you mean huggingface.co? Correct it where hugginface.co is written."
    assert remedy.kind == "advice"


@pytest.mark.parametrize("host", ["huggingface.co", "registry.corp", "hub.test"])
def test_takes_no_host_for_another_that_may_well_exist(host):
    _, remedy = first_fix(crash(UNRESOLVED.replace("hugginface.co", host)))
    assert "Did you mean" not in remedy.title
