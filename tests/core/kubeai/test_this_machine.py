"""What a Model may not say where it runs as its user."""

from __future__ import annotations

import pytest

from kubeai_notebook.core.kubeai.this_machine import code_refusal, kept, loads_code, parallel_of, without_steering

LOADING = """LD_PRELOAD LD_LIBRARY_PATH DYLD_INSERT_LIBRARIES PATH HOME PYTHONPATH PYTHONHOME PYTHONSTARTUP
PYTHONBREAKPOINT PYTHONWARNINGS BASH_ENV BASH_FUNC_ls%% ENV PERL5LIB NODE_OPTIONS GIT_SSH_COMMAND GCONV_PATH LOCPATH
OPENSSL_CONF
SSLKEYLOGFILE CUDA_INJECTION64_PATH GLIBC_TUNABLES MALLOC_TRACE HF_MODULES_CACHE NCCL_TUNER_PLUGIN TRITON_PTXAS_PATH
AWS_CONFIG_FILE XDG_CONFIG_HOME PIP_INDEX_URL VLLM_PLUGINS VLLM_LOGGING_CONFIG_PATH OMP_TOOL_LIBRARIES
VLLM_CUDART_SO_PATH VLLM_NCCL_SO_PATH TVM_LIBRARY_PATH GCC_EXEC_PREFIX COMPILER_PATH CPATH C_INCLUDE_PATH
CPLUS_INCLUDE_PATH LIBRARY_PATH CCACHE_PREFIX DG_JIT_NVCC_COMPILER UCX_MODULE_DIR OPAL_PREFIX INTEL_LIBITTNOTIFY64
NUMBA_CACHE_DIR GIO_MODULE_DIR""".split()  # noqa: SIM905 - a long list reads better so - a list of thirty lines is hard to read
LOADING_NOTHING = """HF_TOKEN HF_HOME HF_ENDPOINT OMP_NUM_THREADS CUDA_VISIBLE_DEVICES VLLM_CPU_KVCACHE_SPACE MYPATH
PYTHONUNBUFFERED PYTHONHASHSEED AWS_ENDPOINT_URL
OLLAMA_NUM_PARALLEL NODE_NAME TOKENIZERS_PARALLELISM NUMBA_NUM_THREADS path""".split()  # noqa: SIM905 - a long list reads better so - it reads better


@pytest.mark.parametrize("name", LOADING)
def test_knows_a_variable_that_loads_code(name):
    assert loads_code(name)


@pytest.mark.parametrize("name", LOADING_NOTHING)
def test_lets_other_variables_pass(name):
    assert not loads_code(name)


def test_names_every_variable_that_it_refuses_and_no_value():
    assert code_refusal(["PATH", "A", "LD_PRELOAD"]).startswith("the variables LD_PRELOAD, PATH can make")
    assert code_refusal(["A"]) is None


@pytest.mark.parametrize(
    "args",
    [
        ["--host=0.0.0.0"],
        ["--host", "0.0.0.0"],
        ["--hos=::"],
        ["--ho", "::"],
        ["--ssl_keyfile=/k"],
        ["--uds", "/tmp/s"],
        ["--config=/c.yaml"],
        ["--middleware=a.b"],
        ["--logits-processors", "a", "b"],
    ],
)
def test_leaves_out_what_opens_or_loads_something(args):
    given = kept("VLLM", [*args, "--seed", "1", "--max-model-len=8"], {})
    assert given.arguments == ("--seed", "1", "--max-model-len=8")
    assert len(given.notices) == 1


DEEP = [
    ["--log-config-file=/l.json"],
    ["--log_config_file", "/l.json"],
    ["--log-c=/l.json"],
    ["--structured-outputs-config.reasoning_parser_plugin=/p.py"],
    ["--structured-outputs-config.reasoning-parser-plugin", "/p.py"],
    ["--structured-outputs-config", '{"reasoning_parser_plugin": "/p.py"}'],
    ['--structured-outputs-config={"a": [{"reasoning\\u005fparser_plugin": "/p.py"}]}'],
    ["--structured-outputs-config", "--", '{"reasoning_parser_plugin": "/p.py"}'],
    ["--structured-outputs-config", '{"reasoning_parser_plugin": "/p.py"} x'],
    ['--kv-transfer-config={"kv_connector": "x", "kv_connector_module_path": "a.b"}'],
    ["--kv-transfer-config.kv_connector_module_path=a.b"],
    ['--kv-events-config={"endpoint": "tcp://*:5557"}'],
    ['--compilation-config={"backend": "a.b"}'],
    ["--compilation_config.backend=a.b"],
    ["--compil.inductor_passes+=a.b"],
    ["-O.backend=a.b"],
    ['-O{"backend": "a.b"}'],
    ["-cc", '{"backend": "a.b"}'],
    ['--speculative-config={"model": "a/b", "trust_remote_code": true}'],
    ["--data-parallel-rpc-ip=0.0.0.0"],
    ["--parallel.x.data_parallel_rpc_ip=0.0.0.0"],
    ["--distributed-executor-backend=a.b"],
    ["--allowed-local-media-path=/"],
    ["--download-dir=/x"],
    ["--chat-template=/etc/passwd"],
    ["--chat-template", "/etc/passwd"],
    ["--chat-t=/own.jinja/../etc/passwd"],
]


@pytest.mark.parametrize("args", DEEP, ids=" ".join)
def test_leaves_out_what_hides_in_keys_and_values_too(args):
    given = kept("VLLM", ["--seed", "1", *args], {}, files=["/own.jinja"])
    assert [word for word in given.arguments if word != "--" and "passwd" not in word and "{" not in word] == [
        "--seed",
        "1",
    ]
    assert len(given.notices) == 1


ORDINARY = [
    ["--chat-template=/own.jinja"],
    ["--chat-template", "{{ messages }} {'host': 1}"],
    ["--media-io-kwargs", '{"video": {"num_frames": 40}}'],
    ["--speculative-config", '{"model": "a/b", "num_speculative_tokens": 3}'],
    ["--compilation-config", '{"level": 3, "custom_ops": ["+rms_norm"]}'],
    ["--structured-outputs-config.backend=xgrammar"],
    ["--attention-config.backend", "FLASH_ATTN"],
    ["-O3"],
    ["--data-parallel-size=1"],
]


@pytest.mark.parametrize("args", ORDINARY, ids=" ".join)
def test_keeps_ordinary_settings(args):
    given = kept("VLLM", args, {}, files=["/own.jinja"])
    assert (list(given.arguments), given.notices) == (args, ())


STEERING = {
    "source": """HF_ENDPOINT HF_HOME HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_XET_CACHE HUGGINGFACE_CO_STAGING
XDG_CACHE_HOME HTTPS_PROXY all_proxy Https_Proxy
REQUESTS_CA_BUNDLE SSL_CERT_FILE TORCH_HOME OLLAMA_MODELS TMPDIR""".split(),  # noqa: SIM905 - a long list reads better so
    "file": """AWS_WEB_IDENTITY_TOKEN_FILE AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
    GOOGLE_APPLICATION_CREDENTIALS HF_TOKEN_PATH AZURE_FEDERATED_TOKEN_FILE NETRC""".split(),  # noqa: SIM905 - a long list reads better so
}


@pytest.mark.parametrize(("why", "name"), [(why, name) for why, names in STEERING.items() for name in names])
@pytest.mark.parametrize("engine", ["VLLM", "OLlama", "Infinity", "llama.cpp"])
def test_leaves_out_what_steers_a_download_or_names_a_file(engine, why, name):
    given = kept(engine, [], {name: "/x", "HF_TOKEN": "t"})
    assert given.environment == {"HF_TOKEN": "t"}
    (notice,) = given.notices
    assert notice.startswith(f"The variable {name} is left out: ")
    assert ("file of yours" in notice) == (why == "file")


def test_leaves_a_model_the_address_of_its_store_and_its_keys():
    own = {"AWS_ENDPOINT_URL": "http://minio", "AWS_ACCESS_KEY_ID": "a", "HF_TOKEN": "t", "HF_HUB_DISABLE_XET": "1"}
    assert without_steering({**own, "HF_ENDPOINT": "http://other"}) == own


@pytest.mark.parametrize("word", ["--hosts=1", "--config-format=hf", "-p", "--", "host", "--max-model-len"])
def test_keeps_arguments_of_other_names(word):
    assert kept("VLLM", [word, "x"], {}).arguments == (word, "x")


def test_says_that_weights_bring_code_and_lets_them():
    given = kept("VLLM", ["--trust_remote_code"], {})
    assert given.arguments == ("--trust_remote_code",)
    assert given.notices == (
        "The argument --trust-remote-code runs code of the weights' author as you on this machine.",
    )


def test_leaves_a_key_that_is_given_twice_where_it_is():
    words = ["--api-key", "a", "b", "--seed=1"]
    assert kept("VLLM", words, {}).arguments == tuple(words)
    assert kept("VLLM", ["--api-key=a", "--seed=1"], {}).environment == {"VLLM_API_KEY": "a"}
    assert kept("OLlama", ["--api-key=a"], {}).arguments == ("--api-key=a",)


@pytest.mark.parametrize("name", ["OLLAMA_REGISTRY", "OLLAMA_MODELS", "HF_ENDPOINT", "HF_HOME"])
def test_lets_no_model_say_where_weights_come_from(name):
    assert without_steering({name: "http://other", "A": "1"}) == {"A": "1"}


def test_passes_over_a_number_that_is_too_long_to_be_meant():
    assert parallel_of(["--parallel=3", "-np", "1" * 5_000]) == 3


_OF_AWS = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CREDENTIAL_FILE", "AWS_CSM_HOST", "AWS_NEXT_YEARS", "AWS_PROFILE",
           "AWS_ROLE_ARN", "aws_csm_enabled")  # fmt: skip


def test_lets_a_model_say_its_stores_keys_region_and_address_and_nothing_else_of_aws():
    kept_ones = {"AWS_ACCESS_KEY_ID": "a", "AWS_REGION": "eu", "AWS_ENDPOINT_URL_S3": "http://minio"}
    others = dict.fromkeys(_OF_AWS, "x")
    assert without_steering(kept_ones | others) == kept_ones
    notices = kept("VLLM", [], others).notices
    assert len(notices) == len(others)
    assert all("a Model brings keys, region and address of its store" in notice for notice in notices)
