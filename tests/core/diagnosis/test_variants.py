"""Messages of other versions than the recorded ones: the deciding words are the same, the rest is not."""

import pytest

from kubeai_notebook.core.diagnosis import diagnose

from .scenes import NOW, crash, model

OLLAMA = {"engine": "OLlama", "url": "ollama://llama3"}
VARIANTS = [
    (
        "MaxModelLenTooLarge",
        (
            "ValueError: User-specified max_model_len (131072) is greater than the derived max_mo"
            "del_len (max_position_embeddings=32768 or model_max_length=None in model's config.js"
            "on). This may lead to incorrect model outputs or CUDA errors."
        ),
        {},
    ),
    (
        "MaxModelLenTooLargeForKvCache",
        (
            "ERROR 09-20 [core.py:586] ValueError: To serve at least one request with the models'"
            "s max seq len (40960), (5.62 GiB KV cache is needed, which is larger than the availa"
            "ble KV cache memory (3.41 GiB). Based on the available memory,"
        ),
        {},
    ),
    (
        "HubTokenInvalid",
        (
            "huggingface_hub.errors.HfHubHTTPError: Client error '401 Unauthorized' for url 'http"
            "s://huggingface.co/api/x'\nInvalid user token."
        ),
        {},
    ),
    (
        "GatedModelNoToken",
        (
            "OSError: You are trying to access a gated repo.\n401 Client Error. (Request ID: x)\n\n"
            "Cannot access gated repo for url https://huggingface.co/a/b/resolve/main/config.json.\n"
            "Access to model a/b is restricted. You must be authenticated to access it. Please log in."
        ),
        {},
    ),
    (
        "TlsCertificate",
        (
            "requests.exceptions.SSLError: HTTPSConnectionPool(host='hub', port=443): Max retries"
            " exceeded with url: /x (Caused by SSLError(CertificateError(\"hostname 'hub' doesn't "
            "match either of '*.a', 'b'\")))"
        ),
        {},
    ),
    ("CloudCredentialsMissing", ("fatal error: Unable to locate credentials"), {}),
    (
        "NoGpuVisible",
        (
            "INFO [__init__.py:220] No platform detected, vLLM is running on UnspecifiedPlatform\n"
            "RuntimeError: Failed to infer device type"
        ),
        {},
    ),
    (
        "TensorParallelMoreThanGpus",
        ("ValueError: The number of required GPUs exceeds the total number of available GPUs in the placement group."),
        {},
    ),
    (
        "TensorParallelMoreThanGpus",
        (
            "RuntimeError: please set tensor_parallel_size (4) to less than max local gpu count ("
            "1): world_size 4 gpu count (1)"
        ),
        {},
    ),
    ("GpuTooOld", ("RuntimeError: vLLM does not support GPUs with compute capability below 7.0"), {}),
    (
        "GpuTooOld",
        (
            "RuntimeError: ('Quantization scheme is not supported for ', 'the current GPU. Min ca"
            "pability: 80. ', 'Current capability: 75.')"
        ),
        {},
    ),
    (
        "QuantizationUnsupported",
        (
            "ValueError: Quantization method specified in the model config (gptq) does not match "
            "the quantization method specified in the `quantization` argument (awq)."
        ),
        {},
    ),
    (
        "DtypeUnsupported",
        ("ValueError: torch.bfloat16 is not supported for quantization method awq. Supported dtypes: [torch.float16]"),
        {},
    ),
    (
        "UnsupportedArchitecture",
        (
            "ValueError: The checkpoint you are trying to load has model type `qwen3` but Transfo"
            "rmers does not recognize this architecture."
        ),
        {},
    ),
    (
        "UnsupportedArchitecture",
        (
            "ValueError: `rope_scaling` must be a dictionary with two fields, `type` and `factor`"
            ", got {'rope_type': 'llama3'}"
        ),
        {},
    ),
    ("UnknownArgument", ("usage: x\napi_server.py: error: unrecognized arguments: --disable-log-requests"), {}),
    (
        "BadArgumentValue",
        ("api_server.py: error: argument --dtype: invalid choice: 'fp16' (choose from 'auto', 'half', 'float16')"),
        {},
    ),
    (
        "BadArgumentValue",
        (
            "pydantic_core.ValidationError: 1 validation error for ModelConfig\ndtype\n  Input shou"
            "ld be 'auto' or 'half' [type=literal_error, input_value='fp16', input_type=str]"
        ),
        {},
    ),
    (
        "ModelFormatUnsupported",
        (
            "RuntimeError: Unsupported model binary version. This executable supports models with"
            " binary version v6 or below, but the model has binary version v7."
        ),
        {"engine": "FasterWhisper"},
    ),
    (
        "S3NotFound",
        (
            "fatal error: An error occurred (NoSuchBucket) when calling the ListObjectsV2 operati"
            "on: The specified bucket does not exist"
        ),
        {},
    ),
    ("S3SettingsWrong", ("fatal error: Invalid endpoint: minio:9000"), {}),
    (
        "S3SettingsWrong",
        (
            "fatal error: Connection was closed before we received a valid response from endpoint"
            ' URL: "https://minio:9000/x".'
        ),
        {},
    ),
    (
        "SourceUnreachable",
        (
            'fatal error: Connect timeout on endpoint URL: "https://x" (Caused by ConnectTimeoutE'
            "rror(x, connect timeout=60))"
        ),
        {},
    ),
    (
        "SourceUnreachable",
        (
            "OSError: We couldn't connect to 'https://huggingface.co' to load this file, couldn't"
            " find it in the cached files"
        ),
        {},
    ),
    (
        "ModelJsonInvalid",
        ("OSError: It looks like the config file at '/model/config.json' is not a valid JSON file."),
        {},
    ),
    ("NoConfigJson", ("ValueError: Invalid repository ID or local directory specified: '/model'.\nPlease verify"), {}),
    ("WeightsUnreadable", ("safetensors_rust.SafetensorError: Error while deserializing header: HeaderTooLarge"), {}),
    ("WeightsUnreadable", ("RuntimeError: model tensor check_tensor_dims: tensor 'x' has wrong shape"), OLLAMA),
    ("WeightsUnreadable", ("gguf_init: invalid magic characters 'vers'"), OLLAMA),
    (
        "RunnerDied",
        (
            "Error: llama runner: model runner has unexpectedly stopped, this may be due to resou"
            "rce limitations or an internal error, check ollama server logs for details"
        ),
        OLLAMA,
    ),
    ("EngineStartTimeout", ("Error: timed out waiting for llama runner to start - progress 0.00 - "), OLLAMA),
    ("NotEnoughMemory", ("Error: model requires more system memory (9.3 GiB) than is available (5.1 GiB)"), OLLAMA),
    (
        "OllamaTooOld",
        (
            "Error: pull model manifest: 412: \n\nThe model you are attempting to pull requires a n"
            "ewer version of Ollama."
        ),
        OLLAMA,
    ),
    (
        "NotEnoughMemory",
        ("ValueError: Available memory on node 0 (3.2 GiB) on startup is less than requested memory for kv (4.0 GiB)"),
        {},
    ),
    ("CpuLacksInstructions", ("/bin/bash: line 1: 12 Illegal instruction     python3"), {}),
    (
        "NvidiaDriverTooOld",
        ("RuntimeError: The NVIDIA driver on your system is too old (found version 11040). Please update"),
        {},
    ),
    ("NvidiaDriverTooOld", ('time=x level=WARN source=gpu.go msg="NVIDIA driver too old"'), OLLAMA),
    (
        "ChatTemplateFileMissing",
        (
            "ValueError: The supplied chat template (/x/t.jinja) looks like a file path, appears "
            "path-like, but doesn't exist!"
        ),
        {},
    ),
    ("LoraRankTooLarge", ("ValueError: LoRA rank 32 is greater than max_lora_rank 16."), {}),
    ("FeatureMismatch", ('Error: "nomic-embed-text" does not support generate'), OLLAMA),
    (
        "DiskFull",
        (
            "RuntimeError: Data processing error: File reconstruction error: IO Error: No space l"
            "eft on device (os error 28)"
        ),
        {},
    ),
    (
        "ModelFolderIncomplete",
        (
            'huggingface_hub.errors.HFValidationError...\nFile "/x/y.py", line 3, in load_dir_path'
            "\nHFValidationError: Repo id must be in the form 'repo_name' or 'namespace/repo_name'"
            ": '/model'. Use `repo_type`"
        ),
        {"engine": "Infinity"},
    ),
    (
        "AdapterWrongBase",
        (
            'File "/x", line 1, in add_lora\nRuntimeError: The size of tensor a (64) must match th'
            "e size of tensor b (4096)"
        ),
        {},
    ),
    ("Unknown", ("bash: line 1: 7 Bus error"), {}),
    ("Unknown", ("RuntimeError: CUDA error: no kernel image is available"), {}),
]


@pytest.mark.parametrize(("code", "text", "spec"), VARIANTS)
def test_knows_the_message_in_other_versions(code, text, spec):
    log = f"INFO starting\n{text}\nRuntimeError: Engine core initialization failed."
    assert [finding.code for finding in diagnose(crash(log, model(**spec)), now=NOW)] == [code]


@pytest.mark.parametrize(
    ("line", "title"),
    [
        (
            "api_server.py: error: argument --dtype: invalid choice: 'fp16' (choose from 'auto', 'half')",
            "--dtype may not be 'fp16'; choose from 'auto', 'half'.",
        ),
        (
            "api_server.py: error: argument --tensor-parallel-size/-tp: invalid int value: 'auto'",
            "--tensor-parallel-size may not be 'auto'.",
        ),
        (
            "api_server.py: error: argument --enable-prefix-caching: ignored explicit argument 'true'",
            "--enable-prefix-caching may not be 'true'.",
        ),
        (
            "api_server.py: error: argument --max-model-len: expected one argument",
            "--max-model-len has a value that the engine does not take.",
        ),
    ],
)
def test_names_the_argument_that_argparse_refuses(line, title):
    (found,) = diagnose(crash(line, model(args=[])), now=NOW)
    assert (found.code, found.message) == ("BadArgumentValue", title)
