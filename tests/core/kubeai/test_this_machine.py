"""What a Model may not say where it runs as its user."""

from __future__ import annotations

import pytest

from kubeai_notebook.core.kubeai.engines import Asked, recipe_of
from kubeai_notebook.core.kubeai.this_machine import code_refusal, kept, loads_code

LOADING = """LD_PRELOAD LD_LIBRARY_PATH DYLD_INSERT_LIBRARIES PATH HOME PYTHONPATH PYTHONHOME PYTHONSTARTUP
PYTHONBREAKPOINT PYTHONWARNINGS BASH_ENV BASH_FUNC_ls%% ENV PERL5LIB NODE_OPTIONS GIT_SSH_COMMAND GCONV_PATH LOCPATH
OPENSSL_CONF
SSLKEYLOGFILE CUDA_INJECTION64_PATH GLIBC_TUNABLES MALLOC_TRACE HF_MODULES_CACHE NCCL_TUNER_PLUGIN TRITON_PTXAS_PATH
AWS_CONFIG_FILE XDG_CONFIG_HOME PIP_INDEX_URL VLLM_PLUGINS VLLM_LOGGING_CONFIG_PATH OMP_TOOL_LIBRARIES""".split()  # noqa: SIM905 - a list of thirty lines is hard to read
LOADING_NOTHING = """HF_TOKEN HF_HOME HF_ENDPOINT OMP_NUM_THREADS CUDA_VISIBLE_DEVICES VLLM_CPU_KVCACHE_SPACE MYPATH
PYTHONUNBUFFERED PYTHONHASHSEED AWS_ENDPOINT_URL OLLAMA_NUM_PARALLEL NODE_NAME TOKENIZERS_PARALLELISM path""".split()  # noqa: SIM905


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


@pytest.mark.parametrize("engine", ["VLLM", "OLlama", "Infinity"])
def test_says_last_where_an_engine_listens(engine):
    url = "ollama://a:1" if engine == "OLlama" else "hf://a/b"
    asked = Asked(engine, "m", url, ("TextGeneration",), adapted=True, arguments=("--x",))
    recipe = recipe_of(asked, "", program="/bin/engine", port=7)
    said = " ".join([*recipe.command[-2:], *recipe.ours.values()])
    assert "127.0.0.1" in said
    assert "7" in said
    assert recipe.port == 7
