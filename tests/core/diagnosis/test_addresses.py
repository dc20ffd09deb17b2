"""A log says what an engine was sent, too: where weights come from is never set to what only a text names."""

import re
from string import Formatter

import pytest

from kubeai_notebook.core.diagnosis import diagnose
from kubeai_notebook.core.remedy import SetEnv, SetField

from .rules import rules
from .scenes import NOW, container, crash, merged, model, pod, seen

WRONG_VERSION = "OSError: while fetching https://{} : [SSL: WRONG_VERSION_NUMBER] wrong version number"
NOT_HERE = "Error: Did you mean {}? For engine VLLM this machine has weights for: {}."
CANNOT_REACH = "HTTPSConnectionPool(host='{}', port=443): [Errno -2] Name or service not known"
NO_ADDRESSES = {
    ("AWS_DEFAULT_REGION", "region"),
    ("VLLM_ATTENTION_BACKEND", "value_advised"),
}
"""What a text may say of a variable."""


def specs_after(observation):
    """The Model's spec as each Remedy of each Finding would make it."""
    before = observation.model
    remedies = [remedy for finding in diagnose(observation, now=NOW) for remedy in finding.remedies]
    return [merged(before, remedy.patch(before))["spec"] for remedy in remedies if remedy.changes]


def test_sets_no_variable_and_no_field_to_what_a_pattern_finds_in_a_text():
    quoted = set()
    for rule in rules():
        taken = {name for pattern in (*rule.take, *rule.far) for name in re.compile(pattern).groupindex}
        for change in (change for template in rule.remedies for change in template.changes):
            if isinstance(change, SetEnv | SetField) and isinstance(change.value, str):
                names = {name for _, name, _, _ in Formatter().parse(change.value) if name}
                quoted |= {(change.name, name) for name in names & taken}
    assert quoted <= NO_ADDRESSES


STORE = "https://minio.corp:9000"


@pytest.mark.parametrize(
    ("env", "said", "after"),
    [
        ({"AWS_ENDPOINT_URL": STORE}, "minio.corp:9000", ["http://minio.corp:9000"]),
        ({"AWS_ENDPOINT_URL": STORE}, "minio.corp", []),
        ({"AWS_ENDPOINT_URL": STORE}, "evil.test:8080", []),
        ({"AWS_ENDPOINT_URL": "https://minio.corp:9000/evil.test"}, "evil.test", []),
        ({}, "evil.test:8080", []),
    ],
)
def test_asks_no_store_that_only_a_log_names(env, said, after):
    spec = {"url": "s3://models/llama", "env": env}
    found = specs_after(crash(WRONG_VERSION.format(said), model(**spec)))
    assert [spec["env"]["AWS_ENDPOINT_URL"] for spec in found] == after
    assert diagnose(crash(WRONG_VERSION.format(said), model(**spec)), now=NOW)[0].code == "S3SettingsWrong"


@pytest.mark.parametrize(
    ("own", "said", "after"),
    [
        ("ollama://smolm2:135m", "ollama://smollm2:135m", ["ollama://smollm2:135m"]),
        ("ollama://smolm2:135m", "ollama://smollm3:135m", []),
        ("hf://org/repo", "hf://evil/backdoored-model", []),
        ("hf://meta-llama/Llama-3.1-8B", "hf://meta-Ilama/Llama-3.1-8B", []),
        ("ollama://other:1b", "ollama://smollm2:135m", []),
    ],
)
@pytest.mark.parametrize("here", [True, False])
def test_takes_no_weights_that_only_a_log_names(own, said, after, here):
    engine = "OLlama" if own.startswith("ollama") else "VLLM"
    observation = crash(NOT_HERE.format(said, said), model(url=own, engine=engine), this_machine=here)
    assert [spec["url"] for spec in specs_after(observation)] == after


@pytest.mark.parametrize(
    ("endpoint", "said", "after"),
    [
        ("https://hugginface.co", "hugginface.co", ["https://huggingface.co"]),
        ("https://hugginface.co.corp.test", "hugginface.co", []),
        ("https://mirror.test/hugginface.co", "hugginface.co", []),
    ],
)
def test_corrects_a_host_and_no_part_of_one(endpoint, said, after):
    found = specs_after(crash(CANNOT_REACH.format(said), model(env={"HF_ENDPOINT": endpoint})))
    changed = [spec["env"]["HF_ENDPOINT"] for spec in found]
    assert [address for address in changed if address != endpoint] == after


@pytest.mark.parametrize(
    ("said", "after"), [("rocm/vllm/rocm6.4.1", ["rocm/vllm:rocm6.4.1"]), ("evil/x/rocm6.4.1", [])]
)
def test_takes_no_image_that_only_a_registrys_answer_names(said, after):
    own = model(image="rocm/vllm/rocm6.4.1")
    waits = container(waiting="ErrImagePull", message=f'pulling image "{said}": name unknown')
    found = [spec.get("image") for spec in specs_after(seen(own, pod("model-m-abc-1", waits)))]
    assert [image for image in found if image and image != "rocm/vllm/rocm6.4.1"] == after


def test_names_no_package_but_our_own_to_install():
    said = "Other s3:// urls need boto3: pip install {}."
    (finding, *_) = diagnose(crash(said.format("evil-package"), this_machine=True), now=NOW)
    assert finding.code == "PythonPackageMissing"
    assert not any("evil-package" in remedy.title for remedy in finding.remedies)
    (finding, *_) = diagnose(crash(said.format('"kubeai-notebook[s3]"'), this_machine=True), now=NOW)
    assert 'pip install "kubeai-notebook[s3]"' in finding.remedies[0].title


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "VLLM_API_KEY", "VLLM_NO_USAGE_STATS", "OLLAMA_ORIGINS"])
@pytest.mark.parametrize("said", ["Invalid value for {}", "error while handling environment variable {}: invalid"])
def test_takes_away_no_variable_that_protects_because_a_log_says_so(name, said):
    other = "VLLM_PP_LAYER_PARTITION"
    own = model(env={name: "1", other: "1"})
    assert specs_after(crash(f"ValueError: {said.format(name)}", own)) == []
    (changed,) = specs_after(crash(f"ValueError: {said.format(other)}", own))
    assert changed["env"] == {name: "1"}


@pytest.mark.parametrize("name", ["API_KEY", "HF_HUB_OFFLINE"])
def test_takes_away_no_path_of_a_variable_that_protects_because_a_log_says_so(name):
    other = "MODEL_CONFIG"
    own = model(env={name: "/keys/a", other: "/keys/b"})
    assert specs_after(crash(f"ValueError: invalid {name} /keys/a not found", own)) == []
    (changed,) = specs_after(crash(f"ValueError: invalid {other} /keys/b not found", own))
    assert changed["env"] == {name: "/keys/a"}


@pytest.mark.parametrize("name", ["--api-key", "--revision", "--no-trust-remote-code", "--ssl-keyfile"])
@pytest.mark.parametrize("spelt", ["{}", "{}=x"])
def test_takes_away_nothing_that_protects_because_a_log_says_so(name, spelt):
    said = f"error: unrecognized arguments: {spelt.format(name)} --seed"
    found = specs_after(crash(said, model(args=[f"{name}=x", "--seed=1"])))
    assert [spec["args"] for spec in found] == [[f"{name}=x"]]


def test_corrects_a_claim_and_no_part_of_ones_name():
    said = 'persistentvolumeclaim "mod" not found'
    waiting = pod("model-m-abc-1", phase="Pending", conditions=[unplaced(said)])
    claims = ({"metadata": {"name": "mode"}},)
    found = [specs_after(seen(model(url=url), waiting, claims=claims)) for url in ("pvc://model/x", "pvc://mod/x")]
    assert [[spec["url"] for spec in specs] for specs in found] == [[], ["pvc://mode/x"]]


def unplaced(message):
    return {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
