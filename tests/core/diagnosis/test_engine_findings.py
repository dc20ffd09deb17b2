"""Findings of logs that nobody could record here: the deciding words as their sources give them, and near misses."""

import pytest

from kubeai_notebook.core.diagnosis import diagnose

from .scenes import NOW, answered, container, crash, log, model, pod, seen

OLLAMA = {"engine": "OLlama", "url": "ollama://smollm2:135m"}
GPU_POD = {"containers": [{"name": "server", "resources": {"limits": {"nvidia.com/gpu": "1"}}}]}
DRIVER = "RuntimeError: CUDA failed with error CUDA driver version is insufficient for CUDA runtime version"
REFUSED = "Value error, Model architectures ['LlamaForCausalLM'] are not supported for now. Supported architectures: "

CASES = [
    (
        "SharedMemoryTooSmall",
        "NCCL WARN Error while creating shared memory segment /dev/shm/n (size 963), No space left on device",
    ),
    (
        "GpuOutOfMemoryForKvCache",
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
    ),
    (
        "GpuMemoryInUseByOthers",
        "ValueError: Free memory on device (10.5/23.64 GiB) on startup is less than desired (0.9, 21.28 GiB).",
    ),
    (
        "CudaOutOfMemory",
        "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacty of 23.64 GiB "
        "of which 1.13 GiB is free. Process 1234 has 22.50 GiB memory in use.",
    ),
    (
        "TensorParallelMoreThanGpus",
        "ValueError: World size (4) is larger than the number of available GPUs (2) in this node.",
    ),
    (
        "GpuTooOld",
        "The quantization method awq is not supported for the current GPU. Minimum capability: 80. Current: 75.",
    ),
    (
        "GpuTooOldForBfloat16",
        "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. "
        "Your Tesla T4 GPU has compute capability 7.5.",
    ),
    ("NvidiaDriverTooOld", "RuntimeError: The NVIDIA driver on your system is too old (found version 11040)."),
    ("RocmError", "RuntimeError: HIP error: invalid device function"),
    (
        "NcclError",
        "RuntimeError: NCCL error in: ../torch/ProcessGroupNCCL.cpp:1970, unhandled system error",
    ),
    ("BrokenEngineImage", "ImportError: /usr/lib/libtorch.so: undefined symbol: _ZN3c10"),
    ("BrokenEngineImage", REFUSED + "dict_keys(['LlamaForCausalLM', 'GPT2LMHeadModel'])"),
    ("EngineStartTimeout", "Error: timed out waiting for llama-server to start: progress 0.12"),
    ("RunnerDied", "Error: model runner has unexpectedly stopped, this may be due to resource limitations"),
    ("NotEnoughMemory", "Error: model requires more system memory (5.6 GiB) than is available (2.1 GiB)"),
    ("CpuLacksInstructions", "Illegal instruction (core dumped)"),
    (
        "MaxModelLenTooLargeForKvCache",
        "The model's max seq len (32768) is larger than the number of tokens that can be stored in KV cache (20640).",
    ),
    ("GatedModelNotAuthorized", "Error: Your request to access model a/b is awaiting a review from the repo authors."),
    ("DownloadInterrupted", "RuntimeError: Data processing error: CAS service error : Reqwest Error: HTTP status 500"),
    ("ProxyUnreachable", "Error: Get x: proxyconnect tcp: dial tcp: lookup proxy.corp: no such host"),
    ("LoaderBroken", "Warning: `huggingface-cli` is deprecated and no longer works. Use `hf` instead."),
    ("ModelFormatUnsupported", "OSError: It looks like the config file at '/m/x.gguf' is not a valid JSON file."),
    ("WeightsUnreadable", "gguf_init_from_file: failed to open GGUF file '/m/x.gguf' (Permission denied)"),
    (
        "ModelFormatUnsupported",
        "Error: hf://a/b holds safetensors, which llama.cpp runs once they are converted: pip x.",
    ),
    ("ModelFormatUnsupported", 'Error: "odd" is not one GGUF file, and llama.cpp, which runs models on this machine'),
    ("PythonPackageMissing", 'Other s3:// urls need boto3: pip install "kubeai-notebook[s3]".'),
    ("RegistryUnreachable", 'Error: Could not reach Ollama\'s registry to fetch "x": Connection refused.'),
]
NEAR_MISSES = [
    ("SharedMemoryTooSmall", "INFO No available shared memory broadcast block found in 60 seconds."),
    ("DiskFull", "NCCL WARN Error while creating shared memory segment /dev/shm/nccl-x, No space left on device"),
    ("DestinationNotWritable", "mkdir: cannot create directory '/models/x': File exists"),
    ("DestinationNotWritable", "OSError: [Errno 30] Read-only file system: '/psm_5f9b99be'"),
    ("LoaderBroken", "'huggingface-cli download' is deprecated. Use 'hf download' instead."),
    ("GpuTooOldForBfloat16", "ValueError: GPUs with compute capability below 7.0 ... Bfloat16 is only supported on"),
    (
        "SourceUnreachable",
        'Get "https://r.example/": dial tcp 1.2.3.4:443: connect: network is unreachable. Network is unreachable',
    ),
    ("NotEnoughMemory", "torch.OutOfMemoryError: HIP out of memory"),
    ("PythonPackageMissing", "WARNING Failed to import from vllm._C with ModuleNotFoundError(\"No module named 'x'\")"),
    ("BrokenEngineImage", "ImportError: libstdc++.so.6: cannot open shared object file: No such file or directory"),
    ("UnsupportedArchitecture", REFUSED + "dict_keys(['LlamaForCausalLM'])"),
    ("ModelNotFound", 'raise RepositoryNotFoundError("Repository Not Found")'),
    ("HubRateLimited", "WARN Status Code: 429. Retrying..."),
    ("AdapterWrongBase", "RuntimeError: The size of tensor a (64) must match the size of tensor b (4096)"),
]


def codes(observation):
    return [finding.code for finding in diagnose(observation, now=NOW)]


@pytest.mark.parametrize(("code", "line"), CASES)
def test_finds_the_cause_in_the_deciding_words(code, line):
    spec = OLLAMA if line.startswith("Error: ") and code not in ("GatedModelNotAuthorized",) else {}
    (found,) = diagnose(
        crash(f"INFO loading\n{line}\nRuntimeError: Engine core initialization failed.", model(**spec)), now=NOW
    )

    assert found.code == code
    assert found.remedies


@pytest.mark.parametrize(("code", "line"), NEAR_MISSES)
def test_does_not_take_a_near_miss_for_it(code, line):
    assert code not in codes(crash(line))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"engine": "FasterWhisper"}, "NoGpuVisible"),
        ({"engine": "FasterWhisper", "resourceProfile": "nvidia-gpu-l4:1"}, "NvidiaDriverTooOld"),
        ({"engine": "VLLM"}, "NvidiaDriverTooOld"),
    ],
)
def test_takes_an_insufficient_driver_for_a_missing_gpu_where_none_was_asked(spec, expected):
    assert codes(crash(DRIVER, model(**spec))) == [expected]


@pytest.mark.parametrize(
    ("env", "expected"), [({"HF_TOKEN": "hf_abcdefgh"}, "GatedModelNotAuthorized"), ({}, "GatedModelNoToken")]
)
def test_decides_by_the_token_what_requires_approval_means(env, expected):
    assert codes(crash("Error: Access denied. Model 'a/b' requires approval.", model(env=env))) == [expected]


@pytest.mark.parametrize(
    ("env", "expected"), [({"HTTPS_PROXY": "http://proxy:3128"}, "ProxyUnreachable"), ({}, "SourceUnreachable")]
)
def test_decides_by_the_proxy_what_an_unreachable_hub_means(env, expected):
    text = "socket.gaierror: Temporary failure in name resolution\nhuggingface_hub.errors.LocalEntryNotFoundError: x"
    assert codes(crash(text, model(env=env))) == [expected]


def test_finds_rocm_and_nccl_only_without_a_better_row():
    text = "NCCL error in: x\nNCCL WARN Error while creating shared memory segment, No space left on device"
    assert codes(crash(text)) == ["SharedMemoryTooSmall"]


@pytest.mark.parametrize(
    ("status", "body", "spec", "expected"),
    [
        (404, '{"error":"model not found: \\"m_x\\""}', {}, "ModelNotFoundAtGateway"),
        (400, '{"error":"bad request: reading model from body: decoding: stop"}', {}, "BadRequestAtGateway"),
        (502, '{"error":"Bad Gateway"}', {}, "GatewayError"),
        (500, '{"error":"Internal Server Error"}', {}, "GatewayError"),
        (400, '{"message":"... default chat template is no longer allowed, so"}', {}, "ChatTemplateMissing"),
        (400, '{"message":"\\"auto\\" tool choice requires --enable-auto-tool-choice and"}', {}, "ToolParserMissing"),
        (400, '{"error":{"message":"this model does not support embeddings"}}', {}, "FeatureMismatch"),
        (404, '{"error":{"message":"model \'m\' not found"}}', OLLAMA, "ModelNotPulledThoughReady"),
        (
            404,
            '{"error":{"message":"The model `m` does not exist."}}',
            {"args": ["--served-model-name=x"]},
            "ReservedArgument",
        ),
        (500, '{"error":{"message":"boom"}}', {}, "ReadyButNotAnswering"),
        (None, "", {}, "ReadyButNotAnswering"),
    ],
)
def test_explains_what_the_test_request_got(status, body, spec, expected):
    assert codes(answered(status, body, model(ready=1, **spec))) == [expected]


@pytest.mark.parametrize(("status", "body"), [(200, "{}"), (204, "")])
def test_says_nothing_about_a_good_answer(status, body):
    assert codes(answered(status, body)) == []


def test_knows_the_releases_that_never_pull():
    observation = answered(
        404, '{"error":{"message":"model \'m\' not found"}}', model(ready=1, **OLLAMA), version="v0.22.1"
    )
    assert codes(observation) == ["ReadyButNotAnswering"]


def test_searches_a_ready_pod_only_where_engines_load_late():
    ready = pod("model-m-abc-1", container(running=True), ready=True)
    tail = log("ValueError: Invalid model size 'tny', expected one of: tiny")
    assert codes(seen(model(engine="FasterWhisper", ready=1), ready, logs=[tail])) == ["ModelNotFound"]
    assert codes(seen(model(engine="VLLM", ready=1), ready, logs=[tail])) == []


def test_forgets_a_failure_of_faster_whisper_before_its_last_success():
    ready = pod("model-m-abc-1", container(running=True), ready=True)
    text = 'OSError: No space left on device\nINFO: "POST /v1/audio/transcriptions HTTP/1.1" 200 OK'
    assert codes(seen(model(engine="FasterWhisper", ready=1), ready, logs=[log(text)])) == []


@pytest.mark.parametrize(
    ("folder", "how"),
    [
        ("/data/cache/ollama/blobs", "kubeai-local start --cache FOLDER"),
        ("/home/me/.cache/huggingface/hub/models--BAAI--bge-small-en-v1.5", "set HF_HOME, then kubeai-local start"),
    ],
)
def test_names_what_moves_the_folder_that_has_no_room(folder, how):
    text = f"Error: No space left on device: x needs 98 MB in {folder}, 3 MB are free."
    (found,) = diagnose(crash(text), now=NOW)
    assert f"need 98 MB in {folder}, where 3 MB are free" in found.message
    assert how in found.remedies[-1].title


@pytest.mark.parametrize(
    ("code", "words"), [(139, "139 (a segmentation fault, SIGSEGV)"), (134, "SIGABRT"), (3, "3, for")]
)
def test_names_the_signal_of_an_exit_code_that_stands_for_one(code, words):
    (found,) = diagnose(crash("INFO loading", exit_code=code), now=NOW)
    assert (found.code, words in found.message) == ("Unknown", True)
