"""What users posted in public threads: each text was given its code before the diagnosis saw it."""

from pathlib import Path

import pytest
import yaml

from kubeai_notebook.core.diagnosis import diagnose

from .scenes import NOW
from .test_field import observed

THREADS = yaml.safe_load((Path(__file__).parents[2] / "golden" / "threads.yaml").read_text())
FAILURES = [row for row in THREADS if row["code"] != "none"]
HEALTHY = [row for row in THREADS if row["code"] == "none"]


def name_of(row):
    return f"{row['code']}-{row['source'].removeprefix('https://github.com/')}"


@pytest.mark.parametrize("row", FAILURES, ids=name_of)
def test_names_the_cause_and_the_words_that_say_so(row):
    found = diagnose(observed(row), now=NOW)

    assert [finding.code for finding in found] == [row["code"]]
    assert row["line"] in " ".join(piece.text for piece in found[0].evidence)


@pytest.mark.parametrize("row", [row for row in FAILURES if "fix" in row], ids=name_of)
def test_offers_what_the_text_asks_for(row):
    (found,) = diagnose(observed(row), now=NOW)
    kind, _, words = row["fix"].partition(" ")

    offered = [(remedy.kind, remedy.title) for remedy in found.remedies]
    assert any(how == kind and words.lower() in title.lower() for how, title in offered), offered


@pytest.mark.parametrize("row", HEALTHY, ids=name_of)
def test_sees_no_failure_in_a_warning_of_an_engine_that_goes_on(row):
    assert diagnose(observed(row), now=NOW) == ()


@pytest.mark.parametrize(
    "line",
    [
        "node:171:171 [0] p2p.cc:236 NCCL WARN Cuda failure 'peer access is not supported between these two devices'",
        "Exception: data did not match any variant of untagged enum ModelWrapper at line 1 column 3",
        "OSError: [Errno 116] Stale file handle: '/model/.cache'",
        "FileNotFoundError: [Errno 2] No such file or directory: 'ffmpeg'",
        "ValueError: max_num_seqs (256) exceeds available Mamba cache blocks (64)",
        "requests.exceptions.HTTPError: 404 Client Error: Not Found for url: https://hub.corp/x/adapter.json",
        "ValueError: Unknown KV cache layout BHND. Valid layouts: LBHND, LBNHD",
    ],
)
def test_waits_for_the_end_of_an_engine_that_may_do_without(line):
    assert diagnose(observed({"loading": line}), now=NOW) == ()
    assert len(diagnose(observed({"log": line}), now=NOW)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "ValueError: You set image=1 in --limit-mm-per-prompt, but found 2 image items in the same prompt.",
        "TypeError: role must be one of user, assistant",
        "RuntimeError: unsupported VLLM_USE_V1",
    ],
)
def test_takes_what_an_engine_says_of_a_request_for_no_refused_setting(line):
    started = "INFO:     Application startup complete."
    assert [finding.code for finding in diagnose(observed({"log": line}), now=NOW)] == ["BadArgumentValue"]
    assert [finding.code for finding in diagnose(observed({"log": f"{started}\n{line}"}), now=NOW)] == ["Unknown"]


def test_takes_a_key_away_for_no_words_of_a_log():
    (found,) = diagnose(observed({"log": "RuntimeError: unsupported VLLM_API_KEY"}), now=NOW)
    assert found.code == "Unknown"


def test_blames_a_card_only_where_nccl_gave_up():
    card = "node:171:171 [0] misc/ibvwrap.cc:252 NCCL WARN Call to ibv_open_device failed"
    failed = "RuntimeError: NCCL error: unhandled system error"
    assert [finding.code for finding in diagnose(observed({"log": f"{card}\n{failed}"}), now=NOW)] == ["NcclError"]
    other = "ValueError: LoRA rank 64 is greater than max_lora_rank 16."
    (found,) = diagnose(observed({"log": f"{card}\n{other}"}), now=NOW)
    assert found.code != "NcclError"


def test_lets_an_engine_go_on_that_finds_no_home():
    line = "HOME environment variable is not set, using /tmp"
    assert diagnose(observed({"loading": line}), now=NOW) == ()


def advised(line):
    (found,) = diagnose(observed({"log": line}), now=NOW)
    assert found.code == "Unknown"
    return [change.item for remedy in found.remedies for change in remedy.changes]


def test_offers_the_variable_that_an_engine_advises_in_words_that_nobody_knows():
    line = "RuntimeError: The gizmo broke. Try setting VLLM_USE_DEEP_GEMM=0 to go on without it."
    assert advised(line) == ["VLLM_USE_DEEP_GEMM=0"]


@pytest.mark.parametrize(
    "advice",
    [
        *("LD_PRELOAD=/tmp/x.so", "PYTHONPATH=/tmp", "PATH=/tmp", "HTTPS_PROXY=http://x"),
        *("HF_ENDPOINT=evil.example", "HF_ENDPOINT=evil", "VLLM_PLUGINS=evil", "HF_HUB_TRUST_REMOTE_CODE=1"),
        *("VLLM_ALLOW_INSECURE_SERIALIZATION=1", "VLLM_ATTENTION_BACKEND=evil.example:80", "OLLAMA_HOST=0"),
        *("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1", "VLLM_SERVER_DEV_MODE=1", "CUDA_INJECTION64_PATH=x", "VLLM_GIZMO=0"),
        *("VLLM_ALLOW_RUNTIME_LORA_UPDATING=True", "VLLM_USE_MODELSCOPE=1"),
    ],
)
def test_offers_no_variable_that_is_not_the_engines_own_or_lets_somebody_in(advice):
    assert advised(f"RuntimeError: The gizmo broke. Try setting {advice} to go on without it.") == []
