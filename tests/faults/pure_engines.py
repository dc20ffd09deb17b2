"""Faults of engines that nobody could record here, in the words of those who met them, with the Remedy of each."""

from __future__ import annotations

from tests.core.diagnosis.scenes import crash, model

from .pure import Pure, Spec, engine_of, in_the_field, units_of

NO_GPU = "it needs a GPU, or more of them, than this machine has"
NO_VLLM = "it needs a vLLM of another release, or a larger model, than this machine runs"
NO_IMAGES = "this machine runs no images"
NO_MEMORY = "a test that filled this machine's memory would end the others"
NO_QUOTA = "the daemon has no quotas and no queues"
CUBLAS = "RuntimeError: CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling `cublasGemmEx`"
SLIM = "registry.example/ml/vllm-slim:0.22"


def of_mistral(spec: Spec) -> bool:
    """Whether the engine looks for the files of Mistral's own format, which the repository does not have."""
    engine = engine_of(spec)
    return any(engine.arg(name) == "mistral" for name in ("--tokenizer-mode", "--config-format", "--load-format"))


def more_requests_than_tokens(spec: Spec) -> bool:
    """Whether more requests than tokens may be in one step."""
    engine = engine_of(spec)
    return engine.number("--max-num-batched-tokens", 8192) < engine.number("--max-num-seqs", 256)


def of_another_image(spec: Spec) -> bool:
    return "image" in spec


OF_ENGINES = (
    Pure(
        code="MaxModelLenTooLargeForKvCache",
        fix="set argument --max-model-len={fitting_length}",
        why_not_played=NO_MEMORY,
        observation=crash(
            "llama.cpp with 2 threads, 900000 tokens of context for one request at a time: 20700 MB beside 98 MB of "
            "weights; 2000 MB are free. That may be more than this machine holds.",
            model(args=["--max-model-len", "900000"]),
            exit_code=137,
            this_machine=True,
        ),
        cause=lambda spec: engine_of(spec).number("--max-model-len", 0) > 76_000,
    ),
    Pure(
        code="MaxModelLenTooLargeForKvCache",
        fix="set argument --ctx-size={fitting_context}",
        why_not_played=NO_MEMORY,
        observation=crash(
            "Error: A context of 900000 tokens needs 20.7 GB of cache, and 2.0 GB of memory are left beside the "
            "weights; --ctx-size=8192 fits.",
            model(engine="OLlama", args=["--ctx-size=900000"]),
        ),
        cause=lambda spec: engine_of(spec).number("--ctx-size", 0) > 8192,
    ),
    Pure(
        code="BadArgumentValue",
        fix="drop argument --attention-backend --attention-config",
        why_not_played=NO_GPU,
        observation=in_the_field("does not support attention sinks"),
        cause=lambda spec: engine_of(spec).arg("--attention-backend") == "FLASHINFER",
    ),
    Pure(
        code="BadArgumentValue",
        fix="drop env VLLM_ATTENTION_BACKEND",
        why_not_played=NO_GPU,
        observation=in_the_field("is not valid for this configuration"),
        cause=lambda spec: engine_of(spec).env.get("VLLM_ATTENTION_BACKEND") == "FLASHINFER",
    ),
    Pure(
        code="BadArgumentValue",
        fix="drop argument --kv-cache-dtype",
        why_not_played=NO_GPU,
        observation=in_the_field("kv-cache is not supported with fp8 checkpoints"),
        cause=lambda spec: engine_of(spec).arg("--kv-cache-dtype", "auto") != "auto",
    ),
    Pure(
        code="GpuTooOld",
        fix="drop argument --kv-cache-dtype",
        why_not_played=NO_GPU,
        observation=in_the_field("fp8e4nv not supported", args=["--kv-cache-dtype", "fp8"]),
        cause=lambda spec: engine_of(spec).arg("--kv-cache-dtype", "auto") in ("fp8", "fp8_e4m3"),
    ),
    Pure(
        code="GpuTooOld",
        fix="set env TRITON_PTXAS_PATH=/usr/local/cuda/bin/ptxas",
        why_not_played=NO_GPU,
        observation=in_the_field("Value 'sm_121a' is not defined"),
        # Without it Triton compiles by the ptxas that it brings along.
        cause=lambda spec: engine_of(spec).env.get("TRITON_PTXAS_PATH") != "/usr/local/cuda/bin/ptxas",
    ),
    Pure(
        code="BadArgumentValue",
        fix="drop argument --pipeline-parallel-size -pp",
        why_not_played=NO_GPU,
        observation=in_the_field("Pipeline parallelism is not supported"),
        cause=lambda spec: engine_of(spec).number("--pipeline-parallel-size", 1) > 1,
    ),
    Pure(
        code="BadArgumentValue",
        fix="drop argument {of_mistral}",
        why_not_played=NO_VLLM,
        observation=in_the_field("params.json"),
        cause=of_mistral,
    ),
    Pure(
        code="BadArgumentValue",
        fix="drop argument {of_mistral}",
        why_not_played=NO_VLLM,
        observation=in_the_field("params.json", args=["--tokenizer-mode=mistral", "--load-format=runai_streamer"]),
        # How the weights are loaded is another matter.
        cause=lambda spec: spec.get("args") != ["--load-format=runai_streamer"],
    ),
    Pure(
        code="BadArgumentValue",
        fix="set env VLLM_WORKER_MULTIPROC_METHOD=spawn",
        why_not_played=NO_GPU,
        observation=in_the_field("forked subprocess"),
        cause=lambda spec: engine_of(spec).env.get("VLLM_WORKER_MULTIPROC_METHOD", "fork") == "fork",
    ),
    Pure(
        code="MaxNumBatchedTokensTooSmall",
        fix="set argument --max-num-batched-tokens={item}",
        why_not_played=NO_VLLM,
        observation=in_the_field("max_tokens_per_mm_item"),
        cause=lambda spec: engine_of(spec).number("--max-num-batched-tokens", 2048) < 2496,
    ),
    Pure(
        code="MaxNumBatchedTokensTooSmall",
        fix="set argument --max-num-batched-tokens={sequences}",
        why_not_played=NO_VLLM,
        observation=in_the_field(
            "must be greater than or equal to max_num_seqs", args=["--max-num-batched-tokens=128"]
        ),
        cause=more_requests_than_tokens,
    ),
    Pure(
        code="MaxNumBatchedTokensTooSmall",
        fix="set argument --max-num-seqs={batched}",
        why_not_played=NO_VLLM,
        observation=in_the_field(
            "must be greater than or equal to max_num_seqs", args=["--max-num-batched-tokens=128"]
        ),
        cause=more_requests_than_tokens,
    ),
    Pure(
        code="NcclError",
        fix="set argument --disable-custom-all-reduce=",
        why_not_played=NO_GPU,
        observation=in_the_field("custom_all_reduce.cuh"),
        cause=lambda spec: engine_of(spec).arg("--disable-custom-all-reduce") is None,
    ),
    Pure(
        code="TensorParallelNotDivisible",
        fix="set field resourceProfile={half_profile}",
        why_not_played=NO_GPU,
        observation=in_the_field("block_n = 128"),
        # 192 columns for each of 8 GPUs; as many GPUs are taken as the engine is spread over.
        cause=lambda spec: (
            192 * 8 / engine_of(spec).number("--tensor-parallel-size", 1) % 128 != 0
            or units_of(spec) != engine_of(spec).number("--tensor-parallel-size", 1)
        ),
    ),
    Pure(
        code="DtypeUnsupported",
        fix="set argument --dtype={half}",
        why_not_played=NO_GPU,
        observation=crash(CUBLAS, model(args=["--dtype=bfloat16"])),
        cause=lambda spec: engine_of(spec).arg("--dtype") not in ("half", "float16"),
    ),
    Pure(
        code="DtypeUnsupported",
        fix="set argument --dtype={half}",
        why_not_played=NO_GPU,
        observation=crash(CUBLAS, model(engine="Infinity", features=["TextEmbedding"], args=["--dtype=bfloat16"])),
        # Infinity refuses "half".
        cause=lambda spec: engine_of(spec).arg("--dtype") != "float16",
    ),
    Pure(
        code="DtypeUnsupported",
        fix="set env WHISPER__COMPUTE_TYPE={whisper_type}",
        why_not_played=NO_GPU,
        observation=in_the_field("CUBLAS_STATUS_NOT_SUPPORTED"),
        cause=lambda spec: engine_of(spec).env.get("WHISPER__COMPUTE_TYPE") == "int8",
    ),
    Pure(
        code="BrokenEngineImage",
        fix="set env VLLM_USE_FLASHINFER_SAMPLER=0",
        why_not_played=NO_IMAGES,
        observation=in_the_field("Could not find nvcc"),
        cause=lambda spec: engine_of(spec).env.get("VLLM_USE_FLASHINFER_SAMPLER", "1") == "1",
    ),
    Pure(
        code="BrokenEngineImage",
        fix="set argument --enforce-eager=",
        why_not_played=NO_IMAGES,
        observation=in_the_field("stddef.h"),
        cause=lambda spec: engine_of(spec).arg("--enforce-eager") is None,
    ),
    Pure(
        code="PythonPackageMissing",
        fix="drop field image",
        why_not_played=NO_IMAGES,
        observation=in_the_field("mistral_common", image=SLIM),
        cause=of_another_image,
    ),
    Pure(
        code="PolicyDenied",
        fix="drop field image",
        why_not_played=NO_IMAGES,
        observation=in_the_field("SignatureValidationFailed", image="quay.io/me/vllm:1"),
        cause=of_another_image,
    ),
    Pure(
        code="DestinationNotWritable",
        fix="set env HOME=/tmp",
        why_not_played="an engine has a home of its own here",
        observation=in_the_field("'/.cache'"),
        cause=lambda spec: engine_of(spec).env.get("HOME", "/") == "/",
    ),
    Pure(
        code="UserHasNoName",
        fix="set env USER=vllm",
        why_not_played="an engine runs as the user of the daemon, who has a name",
        observation=in_the_field("No username set"),
        # getpass.getuser takes the first of these.
        cause=lambda spec: not {"LOGNAME", "USER", "LNAME", "USERNAME"} & engine_of(spec).env.keys(),
    ),
    Pure(
        code="ServiceInEnvironment",
        fix="set env VLLM_PORT={plain_port}",
        why_not_played="this machine has no Services",
        observation=in_the_field("tcp://169.169.193.120:6785"),
        cause=lambda spec: not engine_of(spec).env.get("VLLM_PORT", "tcp://169.169.193.120:6785").isdigit(),
    ),
    Pure(
        code="QuotaExceeded",
        fix="set field resourceProfile={twice_profile}",
        why_not_played=NO_QUOTA,
        observation=in_the_field("minimum cpu usage per Container", resourceProfile="cpu:1"),
        cause=lambda spec: units_of(spec) < 2,
    ),
    Pure(
        code="WaitingInQueue",
        fix="set field resourceProfile={half_profile}",
        why_not_played=NO_QUOTA,
        observation=in_the_field("queue resource quota insufficient", resourceProfile="nvidia-gpu-l4:4"),
        # The share of the queue has two GPUs left.
        cause=lambda spec: units_of(spec) > 2,
    ),
)
