"""A Remedy changes the Model as it says; where the Model alone shows the fault, the fault is gone afterwards."""

import pytest

from kubeai_notebook.core.diagnosis import diagnose

from .cluster_cases import ADAPTER, CASES
from .scenes import NOW, answered, container, crash, log, merged, model, pod, seen

GPUS = {"resourceProfile": "nvidia-gpu-l4:4"}
OF_OLLAMA = {"engine": "OLlama", "url": "ollama://llama3"}

FROM_MODEL = {
    "InvalidResourceProfile": {"resourceProfile": "cpu:x"},
    "UnknownResourceProfile": {"resourceProfile": "cpus:2"},
    "UnknownCacheProfile": {"cacheProfile": "fast"},
    "InvalidModelUrl": {"engine": "Infinity", "url": "pvc://claim/x"},
    "FeatureMismatch": {"engine": "Infinity", "features": ["TextGeneration"]},
    "ReservedArgument": {"args": ["--port", "9000", "--max-model-len=8"]},
}
OTHERS_FROM_MODEL = [
    ("InvalidModelUrl", {"engine": "VLLM", "url": "ollama://smollm2"}),
    ("InvalidModelUrl", {"engine": "FasterWhisper", "url": "pvc://claim/x"}),
    ("InvalidModelUrl", {"cacheProfile": "standard", "url": "hf://o/r?model=x"}),
    ("ReservedArgument", {"engine": "Infinity", "features": [], "env": {"INFINITY_PORT": "7997"}}),
]


def first_patch(finding, before):
    return next(remedy.patch(before) for remedy in finding.remedies if remedy.changes)


@pytest.mark.parametrize(("code", "spec"), [*FROM_MODEL.items(), *OTHERS_FROM_MODEL])
def test_a_patch_cures_what_the_model_shows(code, spec):
    before = model(pods=1, replicas=0, **spec) if code != "FeatureMismatch" else model(**spec)
    found = next(finding for finding in diagnose(seen(before), now=NOW) if finding.code == code)

    after = merged(before, first_patch(found, before))

    assert code not in [finding.code for finding in diagnose(seen(after), now=NOW)]


SPACE = "VLLM_CPU_KVCACHE_SPACE"
KV = (
    "To serve at least one request with the model's max seq len (131072), (2.81 GiB KV cache is needed, which is "
    "larger than the available KV cache memory (1.0 GiB)."
)
PROMISES = [
    (
        "User-specified max_model_len (8192) is greater than the derived max_model_len (max_position_embeddings=2048",
        {"args": ["--max-model-len=8192", "--seed=1"]},
        {"args": ["--max-model-len=2048", "--seed=1"]},
    ),
    (
        "User-specified max_model_len (8192) is greater than the derived max_model_len (max_seq_len=2048.0 or",
        {"args": ["--seed=1", "--max_model_len", "8192"]},
        {"args": ["--seed=1", "--max-model-len=2048"]},
    ),
    (KV, {}, {"args": ["--max-model-len=46640"]}),
    (KV + " the estimated maximum model length is 46464.", {}, {"args": ["--max-model-len=46464"]}),
    ("(9) is larger than the tokens that can be stored in KV cache (7).", {}, {"args": ["--max-model-len=7"]}),
    ("max_num_batched_tokens (2) is smaller than max_model_len (8).", {}, {"args": ["--max-num-batched-tokens=8"]}),
    ("unrecognized arguments: --task embed --swap=4", {"args": ["--task", "embed", "--swap=4"]}, {"args": None}),
    ("Free memory on device (10.5/23.64 GiB) on startup is less", {}, {"args": ["--gpu-memory-utilization=0.44"]}),
    (
        "Total number of attention heads (40) must be divisible by tensor parallel size (16).",
        {"resourceProfile": "nvidia-gpu-l4:16"},
        {"args": ["--tensor-parallel-size=10"], "resourceProfile": "nvidia-gpu-l4:10"},
    ),
    ("World size (4) is larger than the number of available GPUs (2)", {}, {"args": ["--tensor-parallel-size=2"]}),
    ("Bfloat16 is only supported on GPUs", {}, {"args": ["--dtype=half"]}),
    ("CUDA out of memory", GPUS, {"args": ["--tensor-parallel-size=4"]}),
    (
        "CUDA out of memory",
        {**GPUS, "args": ["--tensor-parallel-size=4"]},
        {"args": ["--tensor-parallel-size=8"], "resourceProfile": "nvidia-gpu-l4:8"},
    ),
    ("CUDA out of memory", {**GPUS, **OF_OLLAMA}, {"resourceProfile": "nvidia-gpu-l4:8"}),
    ("Unknown quantization method: exl2.", {"args": ["--quantization=exl2"]}, {"args": None}),
    ("The repository a/b contains custom code which must be executed", {}, {"args": ["--trust-remote-code"]}),
    ("No onnx files found for a/b", {"engine": "Infinity"}, {"env": {"INFINITY_ENGINE": "torch"}}),
    ("outgoing traffic has been disabled", {"env": {"HF_HUB_OFFLINE": "1"}}, {"env": {"HF_HUB_OFFLINE": None}}),
    ("(AuthorizationHeaderMalformed) expecting 'eu-central-1'", {}, {"env": {"AWS_DEFAULT_REGION": "eu-central-1"}}),
    ("LoRA rank 48 is greater than max_lora_rank 16.", {}, {"args": ["--max-lora-rank=64"]}),
    ("CAS service error", {}, {"env": {"HF_HUB_DISABLE_XET": "1"}}),
    ("--enable-auto-tool-choice requires --tool-call-parser", {}, {"args": ["--tool-call-parser=hermes"]}),
    ("invalid literal for int() with base 10: '4GiB'", {"env": {SPACE: "4GiB"}}, {"env": {SPACE: "4"}}),
]  # fmt: skip


@pytest.mark.parametrize(("line", "spec", "promised"), PROMISES)
def test_a_patch_holds_the_value_that_the_log_gives(line, spec, promised):
    made = model(**spec)
    (found,) = diagnose(crash(line, made), now=NOW)
    assert first_patch(found, made) == {"spec": promised}


def test_keeps_all_other_arguments_and_never_the_old_value():
    before = model(args=["--a=1", "--max-model-len", "8192", "--b"])
    found = diagnose(crash(PROMISES[0][0], before), now=NOW)[0]
    assert merged(before, first_patch(found, before))["spec"]["args"] == ["--a=1", "--max-model-len=2048", "--b"]


def test_sets_both_arguments_that_tools_need():
    body = '"auto" tool choice requires --enable-auto-tool-choice'
    made = model(ready=1, args=["--tool-call-parser=llama3_json"])
    (found,) = diagnose(answered(400, body, made), now=NOW)
    assert first_patch(found, made) == {
        "spec": {"args": ["--tool-call-parser=llama3_json", "--enable-auto-tool-choice"]}
    }


def test_keeps_a_replica_for_an_adapter_that_is_not_loaded():
    ready = pod("model-m-abc-1", container(running=True), ready=True)
    made = model(adapters=ADAPTER, minReplicas=0, ready=1)
    (found,) = diagnose(seen(made, ready), now=NOW)
    assert first_patch(found, made) == {"spec": {"minReplicas": 1}}


def test_uses_the_adapters_rank_of_a_ready_pod():
    ready = pod("model-m-abc-1", container(running=True), ready=True)
    tail = log("ValueError: LoRA rank 64 is greater than max_lora_rank 16.")
    made = model(adapters=ADAPTER, ready=1)
    (found,) = diagnose(seen(made, ready, logs=[tail]), now=NOW)
    assert first_patch(found, made) == {"spec": {"args": ["--max-lora-rank=64"]}}


def test_names_the_claim_that_exists():
    claim = {"metadata": {"name": "weights"}}
    waiting = pod("model-m-abc-1", phase="Pending", spec={"nodeName": ""}, conditions=[
        {"type": "PodScheduled", "status": "False", "message": 'persistentvolumeclaim "weight" not found'}
    ])  # fmt: skip
    made = model(url="pvc://weight/llama")
    (found,) = diagnose(seen(made, waiting, claims=(claim,)), now=NOW)
    assert first_patch(found, made) == {"spec": {"url": "pvc://weights/llama"}}


def test_takes_no_gpus_from_an_engine_that_would_be_spread_as_before():
    line = "gate's and up's weight = 192 is not divisible by weight quantization block_n = 128."
    made = model(resourceProfile="nvidia-gpu-l4:8", args=["--tensor-parallel-size=4", "--pipeline-parallel-size=2"])
    (found,) = diagnose(crash(line, made), now=NOW)
    assert not any(remedy.changes for remedy in found.remedies)


def test_never_shows_a_patch_with_the_users_list_in_a_repr():
    (found,) = diagnose(crash(PROMISES[0][0], model(args=["--api-key=V3RYSECRET", "--max-model-len=8192"])), now=NOW)
    assert "V3RYSECRET" not in repr(found)


def test_lets_a_stuck_deletion_go_on_with_a_profile_that_exists():
    (found,) = diagnose(CASES["DeletionStuck"], now=NOW)
    after = merged(CASES["DeletionStuck"].model, first_patch(found, CASES["DeletionStuck"].model))
    assert diagnose(seen(after), now=NOW) == ()


def test_offers_each_fix_once():
    for observation in CASES.values():
        for found in diagnose(observation, now=NOW):
            assert all(found.remedies.count(remedy) == 1 for remedy in found.remedies)
