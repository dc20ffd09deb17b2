"""Faults that users posted in public threads, with the Remedy that their text asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.core.diagnosis.scenes import crash, model
from tests.core.diagnosis.test_field import observed
from tests.core.diagnosis.test_threads import THREADS

from .pure import Pure, engine_of
from .pure_engines import NO_GPU, NO_IMAGES, NO_VLLM

if TYPE_CHECKING:
    from kubeai_notebook.core.observation import Observation

NO_STREAMER = "this machine streams no weights"
NO_OTHER_ENGINE = "this machine has no program of that engine"
# Words of NCCL and of torch: their files ibvwrap, BinaryOps and TCPStore print them.
NO_CARD = (
    "NCCL WARN Call to ibv_reg_mr failed with error Cannot allocate memory\n"
    "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:3384, unhandled system error"
)
HALF = "RuntimeError: \"addmm_impl_cpu_\" not implemented for 'Half'"
NO_ANSWER = "torch.distributed.DistNetworkError: The client socket has timed out after 600s while trying to connect"


def in_the_thread(source: str, **spec: object) -> Observation:
    """What somebody posted, by the end of the source that tests/golden/threads.yaml names."""
    (row,) = (row for row in THREADS if row["source"].endswith(source))
    return observed({**row, "spec": row.get("spec", {}) | spec})


def streamed(why: str) -> str:
    """What Run:ai's streamer says of a store, in a cluster whose cache profiles are known."""
    return f"Exception: Could not send runai_request to libstreamer due to: b'{why}'"


OF_THREADS = (
    Pure(
        code="BadArgumentValue",
        fix="drop argument --limit-mm-per-prompt",
        why_not_played=NO_VLLM,
        observation=in_the_thread("zai-org/GLM-V/issues/9"),
        cause=lambda spec: engine_of(spec).arg("--limit-mm-per-prompt") is not None,
    ),
    Pure(
        code="BadArgumentValue",
        fix="drop env VLLM_USE_V1",
        why_not_played=NO_VLLM,
        observation=in_the_thread("mlcommons/inference/issues/2254"),
        cause=lambda spec: engine_of(spec).env.get("VLLM_USE_V1", "1") == "0",
    ),
    Pure(
        code="BadArgumentValue",
        fix="set env VLLM_USE_V1=0",
        why_not_played=NO_VLLM,
        observation=in_the_thread("vllm/issues/19461"),
        cause=lambda spec: engine_of(spec).env.get("VLLM_USE_V1", "1") == "1",
    ),
    Pure(
        code="BadArgumentValue",
        fix="drop env {variable}",
        why_not_played=NO_VLLM,
        observation=crash(
            "ValueError: Invalid value 'spwan' for VLLM_WORKER_MULTIPROC_METHOD. Valid options: ['spawn', 'fork'].",
            model(env={"VLLM_WORKER_MULTIPROC_METHOD": "spwan"}),
        ),
        cause=lambda spec: engine_of(spec).env.get("VLLM_WORKER_MULTIPROC_METHOD", "fork") == "spwan",
    ),
    Pure(
        code="BadArgumentValue",
        fix="drop env WHISPER__INFERENCE_DEVICE WHISPER__COMPUTE_TYPE",
        why_not_played=NO_OTHER_ENGINE,
        observation=in_the_thread("src/devices.cc (str_to_device)"),
        cause=lambda spec: engine_of(spec).env.get("WHISPER__INFERENCE_DEVICE", "auto") == "gpu",
    ),
    Pure(
        code="BadArgumentValue",
        fix="drop env OLLAMA_CONTEXT_LENGTH LLAMA_ARG_CTX_SIZE",
        why_not_played=NO_OTHER_ENGINE,
        observation=crash(
            "llama_init_from_model: failed to initialize the context: n_ctx_seq == 0",
            model(engine="OLlama", url="ollama://x", env={"OLLAMA_CONTEXT_LENGTH": "-5"}),
        ),
        cause=lambda spec: engine_of(spec).env.get("OLLAMA_CONTEXT_LENGTH", "4096") == "-5",
    ),
    Pure(
        code="BadArgumentValue",
        fix="drop argument --ctx-size --max-model-len",
        why_not_played=NO_OTHER_ENGINE,
        observation=crash(
            "llama_init_from_model: failed to initialize the context: n_ctx_seq == 0",
            model(engine="OLlama", url="ollama://x", args=["--ctx-size=-5"]),
        ),
        cause=lambda spec: "--ctx-size=-5" in spec.get("args", ()),
    ),
    Pure(
        code="BadArgumentValue",
        fix="drop env OLLAMA_KV_CACHE_TYPE LLAMA_ARG_CACHE_TYPE_V LLAMA_ARG_CHAT_TEMPLATE",
        why_not_played=NO_OTHER_ENGINE,
        observation=crash(
            "llama_init_from_model: V cache quantization requires flash_attn",
            model(engine="OLlama", url="ollama://x", env={"OLLAMA_KV_CACHE_TYPE": "q8_0"}),
        ),
        cause=lambda spec: engine_of(spec).env.get("OLLAMA_KV_CACHE_TYPE", "f16") == "q8_0",
    ),
    Pure(
        code="BrokenEngineImage",
        fix="set field cacheProfile={usable_cache}",
        why_not_played=NO_STREAMER,
        observation=crash(streamed("S3 not supported"), model(url="s3://models/qwen")),
        # Behind a cacheProfile the loader downloads, and the engine reads files.
        cause=lambda spec: not spec.get("cacheProfile"),
    ),
    Pure(
        code="S3SettingsWrong",
        fix="set field cacheProfile={usable_cache}",
        why_not_played=NO_STREAMER,
        observation=crash(streamed("File access error"), model(url="s3://models/qwen")),
        cause=lambda spec: not spec.get("cacheProfile"),
    ),
    Pure(
        code="S3SettingsWrong",
        fix="set env RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING=0",
        why_not_played=NO_STREAMER,
        observation=in_the_thread("runai-model-streamer/issues/154"),
        cause=lambda spec: engine_of(spec).env.get("RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING", "1") == "1",
    ),
    Pure(
        code="CudaOutOfMemory",
        fix="set argument --max-num-seqs={fewer_requests}",
        why_not_played=NO_GPU,
        observation=in_the_thread("vllm/issues/15105"),
        cause=lambda spec: engine_of(spec).number("--max-num-seqs", 1024) > 256,
    ),
    Pure(
        code="DtypeUnsupported",
        fix="set argument --dtype=float32",
        why_not_played="it needs a PyTorch of another release",
        observation=crash(HALF, model(args=["--dtype=half"])),
        cause=lambda spec: engine_of(spec).arg("--dtype") != "float32",
    ),
    Pure(
        code="NcclError",
        fix="set env NCCL_P2P_DISABLE=1",
        why_not_played=NO_GPU,
        observation=in_the_thread("vllm/issues/406"),
        cause=lambda spec: engine_of(spec).env.get("NCCL_P2P_DISABLE", "0") == "0",
    ),
    Pure(
        code="NcclError",
        fix="set env NCCL_IB_DISABLE=1",
        why_not_played=NO_GPU,
        observation=crash(NO_CARD, model()),
        cause=lambda spec: engine_of(spec).env.get("NCCL_IB_DISABLE", "0") == "0",
    ),
    Pure(
        code="NcclError",
        fix="set env VLLM_HOST_IP=127.0.0.1",
        why_not_played=NO_GPU,
        observation=crash(NO_ANSWER, model()),
        cause=lambda spec: engine_of(spec).env.get("VLLM_HOST_IP") != "127.0.0.1",
    ),
    Pure(
        code="RocmError",
        fix="drop env VLLM_ROCM_USE_AITER",
        why_not_played=NO_GPU,
        observation=in_the_thread("amd-strix-halo-vllm-toolboxes/issues/73", env={"VLLM_ROCM_USE_AITER": "1"}),
        cause=lambda spec: engine_of(spec).env.get("VLLM_ROCM_USE_AITER", "0") == "1",
    ),
    Pure(
        code="TensorParallelNotDivisible",
        fix="set argument --quantization={plain}",
        why_not_played=NO_GPU,
        observation=in_the_thread("vllm/issues/9913"),
        cause=lambda spec: engine_of(spec).arg("--quantization") != "gptq",
    ),
    Pure(
        code="Unknown",
        fix="set argument --enforce-eager=",
        why_not_played=NO_GPU,
        observation=in_the_thread("vllm/issues/45670"),
        cause=lambda spec: engine_of(spec).arg("--enforce-eager") is None,
    ),
    Pure(
        code="UnsupportedArchitecture",
        fix="set env VLLM_ATTENTION_BACKEND={value_advised}",
        why_not_played=NO_IMAGES,
        observation=in_the_thread("vllm/issues/22193"),
        cause=lambda spec: engine_of(spec).env.get("VLLM_ATTENTION_BACKEND") != "FLEX_ATTENTION",
    ),
)
