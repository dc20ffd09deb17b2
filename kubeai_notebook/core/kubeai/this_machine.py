"""What a Model may not say where its engine is a process of the user's own, outside any container.

In a cluster a Model's manifest gives its author a Pod. Here it would give the author the user's account: a variable
such as ``LD_PRELOAD`` loads code into whatever runs with it, and ``files`` bring that code along. Variables that do so
are refused, at every door and in the same words. Addresses are another matter: manifests written for Pods say
``--host=0.0.0.0`` with good reason, so these are left out with a notice, and the engine listens on loopback. So are
variables that say where code and weights come from or are kept, and names of files of the user's: a Pod has a disk of
its own, and here it is the user's. The lists are data: a new engine or loader is a new line.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

PARALLEL = 2
"""How many requests llama.cpp works at, at once, where the Model says nothing."""
PARALLEL_OPTIONS = ("--max-num-seqs", "--parallel", "-np")
RUNS_AS_YOU = "It runs as you on this machine, outside a container."

CODE_VARIABLES = (
    # The dynamic linker, the C library and its plugins.
    *("LD_*", "DYLD_*", "__PYVENV_LAUNCHER__", "GCONV_PATH", "GETCONF_DIR", "LOCPATH", "NLSPATH", "GLIBC_TUNABLES"),
    *("MALLOC_*", "HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS", "RESOLV_HOST_CONF", "OMP_TOOL*"),
    # Where programs, their settings and their libraries are looked for.
    *("PATH", "HOME", "SHELL", "XDG_CONFIG_*", "XDG_DATA_*", "IFS", "CDPATH"),
    # Interpreters, shells, and programs that start others.
    *("PYTHON*", "_PYTHON*", "COVERAGE_*", "MPLBACKEND", "BASH*", "ENV", "SHELLOPTS", "PS4", "PROMPT_COMMAND"),
    *("ZDOTDIR", "PERL*", "RUBY*", "NODE_OPTIONS", "NODE_PATH", "LUA_*", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_*"),
    *("CLASSPATH", "JULIA_*", "R_HOME", "R_PROFILE*", "R_ENVIRON*", "GIT_*", "PIP_*", "UV_*", "CONDA_*", "RAY_*"),
    *("PAGER", "EDITOR", "VISUAL", "BROWSER", "LESSOPEN", "GIO_MODULE_DIR", "GIO_EXTRA_MODULES", "GTK_PATH"),
    # What compiles at run time: its programs, its headers, its flags, its caches.
    *("CC", "CXX", "NVCC*", "GCC_EXEC_PREFIX", "COMPILER_PATH", "CPATH", "*_INCLUDE_PATH", "LIBRARY_PATH"),
    *("CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "CCACHE_*", "DG_JIT_*", "NUMBA_*", "TVM_LIBRARY_PATH"),
    # TLS and logins that name a program or a library.
    *("OPENSSL_*", "SSLKEYLOGFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_DATA_PATH"),
    "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES",
    # Drivers, compilers and caches of compiled code.
    *("CUDA_INJECTION*", "NVTX_INJECTION*", "CUDA_HOME", "CUDA_PATH", "CUDA_CACHE_PATH", "NCCL_*PLUGIN*"),
    *("ROCM_HOME", "ROCM_PATH", "HSA_TOOLS_*", "ROCP_*", "ROCPROFILER_*", "VK_*", "OCL_*", "OPENCL_*", "LIBGL_*"),
    *("TRITON_*", "TORCHINDUCTOR_*", "TORCH_EXTENSIONS_DIR", "FLASHINFER_*", "XLA_FLAGS"),
    *("UCX_MODULE_DIR", "OPAL_PREFIX", "INTEL_LIBITTNOTIFY*", "VLLM_*_SO_PATH"),
    *("TPU_LIBRARY_PATH", "GGML_BACKEND*", "OLLAMA_LIBRARY_PATH", "OLLAMA_RUNNERS_DIR", "OLLAMA_LLM_LIBRARY"),
    *("HF_MODULES_CACHE", "VLLM_PLUGINS", "VLLM_LOGGING_CONFIG_PATH", "VLLM_CACHE_ROOT", "VLLM_CONFIG_ROOT"),
    *("VLLM_ALLOW_INSECURE_SERIALIZATION", "VLLM_*RESOLVER_CACHE_DIR", "VLLM_*_LIBRARY_PATH"),
)
"""Names of variables that load code or choose the program that runs; ``*`` stands for any text."""
HARMLESS = frozenset(
    {
        *("PYTHONUNBUFFERED", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTHONUTF8", "PYTHONIOENCODING"),
        *("PYTHONFAULTHANDLER", "PYTHONNOUSERSITE", "MALLOC_ARENA_MAX", "LD_BIND_NOW", "RAY_DEDUP_LOGS"),
        "NUMBA_NUM_THREADS",
    }
)
"""Names that a pattern of CODE_VARIABLES covers and that load nothing."""
SOURCE_VARIABLES = (
    # Hubs, and the ways to them. A store's address stays the Model's: so are the keys that it is asked with.
    *("HF_ENDPOINT", "HF_INFERENCE_ENDPOINT", "HF_XET_*", "HUGGINGFACE_CO_*", "MODELSCOPE_*", "VLLM_USE_MODELSCOPE"),
    *("*_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    # Where what they send is kept.
    *("HF_HOME", "HF_*_CACHE", "HUGGINGFACE_*_CACHE", "TRANSFORMERS_CACHE", "PYTORCH_TRANSFORMERS_CACHE"),
    *("PYTORCH_PRETRAINED_BERT_CACHE", "SENTENCE_TRANSFORMERS_HOME", "TORCH_HOME", "OLLAMA_MODELS", "OLLAMA_REGISTRY"),
    *("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "TMPDIR", "TEMP", "TMP"),
)
"""Where weights come from and where they are written, in capitals: the daemon's own environment says so here."""
FILE_VARIABLES = (
    *("*_TOKEN_FILE", "*_TOKEN_PATH", "HF_STORED_TOKENS_PATH", "NETRC", "BOTO_CONFIG", "KUBECONFIG", "DOCKER_CONFIG"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_GHA_CREDS_PATH", "CLOUDSDK_CONFIG", "AZURE_CONFIG_DIR"),
    *("AZURE_CLIENT_CERTIFICATE_PATH", "SSH_AUTH_SOCK"),
)
"""What names a login or a file of the user's, which would be sent away."""
AWS_VARIABLES = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL*", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_CA_BUNDLE"),
    *("AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT", "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT"),
    *("AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE", "AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION"),
)
"""All that a Model may say to AWS' libraries; others send each request's keys to a host (``AWS_CSM_*``), or log in."""
NO_LOGIN = dict.fromkeys(
    ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "BOTO_CONFIG", "CLOUDSDK_CONFIG"), "/dev/null"
)
"""What hides the user's login from the libraries of stores, which else look for it in the home folder.

Whoever writes a Model writes its url: with the user's login it would read what only the user may, also of a store
that it does not name.
"""


def parallel_of(args: Iterable[str]) -> int:
    """How many requests llama.cpp works at, at once, with these arguments, in either spelling.

    >>> parallel_of(["--parallel=4"]), parallel_of(["-np", "3"]), parallel_of([])
    (4, 3, 2)
    """
    words = [word for argument in args for word in argument.split("=", 1)]
    given = [
        int(value)
        for name, value in pairwise(words)
        if name in PARALLEL_OPTIONS and value.isdecimal() and len(value) < 10
    ]
    return given[-1] if given else PARALLEL


@dataclass(frozen=True, slots=True)
class Limits:
    """What is left out of one engine's Models here."""

    variables: tuple[str, ...] = ()
    """Of its address: ours, which come last, count."""
    addresses: tuple[str, ...] = ()
    """Arguments of its address, without dashes."""
    code: tuple[str, ...] = ()
    """Arguments that name code of the Model's own; after a dot, only as a key inside that argument's value."""
    files: tuple[str, ...] = ()
    """Arguments that name a file to read or a folder to write; files of the Model's own and templates are kept."""
    foreign: tuple[str, ...] = ()
    """Arguments that are kept and said: they run code that comes with the weights."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variable by argument, where the engine also reads a secret from its environment: ``ps`` shows arguments."""


_SERVERS = ("HOST", "PORT", "UVICORN_*", "FORWARDED_ALLOW_IPS", "WEB_CONCURRENCY")
_VLLM = (
    *("host", "port", "uds", "ssl-keyfile", "ssl-certfile", "ssl-ca-certs", "ssl-cert-reqs", "enable-ssl-refresh"),
    *("headless", "api-server-count", "data-parallel-address", "data-parallel-rpc-port", "nnodes", "node-rank"),
    *("master-addr", "master-port", "config", "data-parallel-rpc-ip", "kv-transfer-config", "kv-events-config"),
    *("ec-transfer-config", "weight-transfer-config", "kv-ip", "kv-port", "otlp-traces-endpoint", "tool-server"),
)
_VLLM_CODE = (
    *("middleware", "tool-parser-plugin", "reasoning-parser-plugin", "worker-cls", "worker-extension-cls"),
    *("logits-processors", "scheduler-cls", "io-processor-plugin", "log-config-file", "distributed-executor-backend"),
    *("kv-connector-module-path", "ec-connector-module-path", "auto-map"),
    *("compilation-config.backend", "compilation-config.inductor-passes"),
    # Said by --trust-remote-code of the Model's own weights, not of others inside a value.
    *(f"{name}.trust-remote-code" for name in ("speculative-config", "hf-overrides", "model-loader-extra-config")),
)
_VLLM_FILES = ("chat-template", "allowed-local-media-path", "download-dir")
_ALIASES = {"-O": "--compilation-config", "-cc": "--compilation-config", "-sc": "--speculative-config"}
_FOREIGN = ("trust-remote-code",)
LIMITS: Mapping[str, Limits] = {
    "OLlama": Limits(("OLLAMA_HOST", "OLLAMA_ORIGINS", *_SERVERS)),
    "VLLM": Limits(
        ("VLLM_HOST_IP", "VLLM_PORT", "VLLM_LOOPBACK_IP", "MASTER_ADDR", "MASTER_PORT", *_SERVERS),
        _VLLM,
        _VLLM_CODE,
        _VLLM_FILES,
        _FOREIGN,
        {"api-key": "VLLM_API_KEY", "hf-token": "HF_TOKEN"},
    ),
    "Infinity": Limits(
        ("INFINITY_HOST", "INFINITY_PORT", "INFINITY_PERMISSIVE_CORS", *_SERVERS),
        ("host", "port", "permissive-cors"),
        foreign=_FOREIGN,
        secrets={"api-key": "INFINITY_API_KEY"},
    ),
    "llama.cpp": Limits(files=("chat-template",)),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A Model's arguments and variables without what is left out here, and a sentence for each that is."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    notices: tuple[str, ...] = ()


def loads_code(name: str) -> bool:
    """Whether a variable of this name can make an engine run code.

    >>> loads_code("LD_PRELOAD"), loads_code("PYTHONUNBUFFERED"), loads_code("HF_TOKEN")
    (True, False, False)
    """
    return name not in HARMLESS and any(fnmatchcase(name, pattern) for pattern in CODE_VARIABLES)


def code_refusal(names: Iterable[str]) -> str | None:
    """Why a Model with variables of these names is not served here; None when nothing speaks against them."""
    refused = sorted({name for name in names if loads_code(name)})
    if not refused:
        return None
    noun = "variable" if len(refused) == 1 else "variables"
    return (
        f"the {noun} {', '.join(refused)} can make the engine run code, and on this machine a Model runs as you, "
        "outside a container"
    )


def without_steering(environment: Mapping[str, str]) -> dict[str, str]:
    """A Model's variables without those that steer a download or name a login or a file of the user's.

    >>> without_steering({"HF_ENDPOINT": "http://other", "Https_Proxy": "http://other", "HF_TOKEN": "mine"})
    {'HF_TOKEN': 'mine'}
    """
    return {name: value for name, value in environment.items() if not _steering(name)}


def is_template(value: str) -> bool:
    """Whether a value is a template itself and no file's name, as vLLM tells them apart."""
    return any(sign in value for sign in "{}\n")


def kept(engine: str, arguments: Sequence[str], environment: Mapping[str, str], *, files: Collection[str] = ()) -> Kept:
    """What one engine of this machine is given of a Model's arguments and variables.

    ``files`` are the Model's own, by the paths that its arguments give them.
    """
    limits = LIMITS.get(engine, Limits())
    words, notices = [], []
    left = list(arguments)
    while left:
        word = left.pop(0)
        _, equals, value = word.partition("=")
        values = [value] if equals else _values(left)
        if not (banned := _banned(word, values, limits=limits, files=files)):
            words.append(word)
            if (option := _option(word)) in limits.foreign:
                notices.append(f"The argument --{option} runs code of the weights' author as you on this machine.")
            continue
        if not equals:
            while left and not left[0].startswith("-"):
                left.pop(0)
        notices.append(_notice(*banned))
    dropped = {name: why for name in environment if (why := _why(name, limits))}
    notices += [_notice(f"The variable {name}", why) for name, why in dropped.items()]
    variables = {name: value for name, value in environment.items() if name not in dropped}
    return Kept(*_hidden(words, variables, limits.secrets), tuple(dict.fromkeys(notices)))


_REASONS = {
    "address": "on this machine an engine listens where kubeai-local says, on loopback only",
    "code": "on this machine a Model brings no code of its own",
    "file": "on this machine it would name a file of yours",
    "store": "on this machine a Model brings keys, region and address of its store, and nothing else of AWS",
    "source": "on this machine the environment of kubeai-local says where weights come from and are kept",
}


def _notice(what: str, why: str) -> str:
    return f"{what} is left out: {_REASONS[why]}."


def _steering(name: str) -> str | None:
    """Why a variable is left out for every engine; programs read some of these names in small letters too."""
    for why, patterns in (("source", SOURCE_VARIABLES), ("file", FILE_VARIABLES)):
        if any(fnmatchcase(name.upper(), pattern) for pattern in patterns):
            return why
    aws = name.upper().startswith("AWS_") and not any(fnmatchcase(name.upper(), known) for known in AWS_VARIABLES)
    return "store" if aws else None


def _why(name: str, limits: Limits) -> str | None:
    return "address" if any(fnmatchcase(name, pattern) for pattern in limits.variables) else _steering(name)


def _name(word: str) -> str:
    """The option as argparse reads it, with its keys: ``_`` and ``-`` are one to vLLM, ``+=`` adds to a list."""
    for short, long in _ALIASES.items():
        if word == short or (word[len(short) :][:1] in (".", "=", "{") and word.startswith(short)):
            word = long + word.removeprefix(short)
    word = re.split("[={]", word, maxsplit=1)[0]
    return word[2:].removesuffix("+").replace("_", "-") if word.startswith("--") else ""


def _option(word: str) -> str:
    return _name(word).partition(".")[0]


def _banned(word: str, values: Sequence[str], *, limits: Limits, files: Collection[str]) -> tuple[str, str] | None:
    """What is left out, and why; also in other spellings: ``--host=x``, ``--hos``, ``--ssl_keyfile``.

    vLLM takes settings as keys of an option (``--a.b.c=x``) and as JSON, so keys are looked for at any depth.
    """
    name, *inner = _name(word).split(".")
    if not name:
        return None
    # A file's name may hold anything.
    texts = () if name in limits.files else (word, *values)
    keys = {*inner, *(key for text in texts for key in _keys(text))}
    for why, listed in (("address", limits.addresses), ("code", limits.code)):
        for banned in listed:
            option, _, key = banned.rpartition(".")
            if not option and key.startswith(name):
                return f"The argument --{key}", why
            if key in keys and option.startswith(name if option else ""):
                return f"The argument with the key {key}", why
    for option in limits.files:
        if option.startswith(name) and not (values and all(value in files or is_template(value) for value in values)):
            return f"The argument --{option}", "file"
    return None


def _keys(text: str) -> Iterator[str]:
    """All keys of the JSON in a text; what only looks like JSON is searched as text."""
    keys: list[str] = []
    start = text.find("{")
    if start < 0:
        return
    try:
        json.loads(text[start:], object_pairs_hook=lambda pairs: keys.extend(key for key, _ in pairs))
    except (ValueError, RecursionError):
        keys = re.findall(r"""["']([\w.-]+)["']\s*:""", text)
    for key in keys:
        yield from key.replace("_", "-").split(".")


def _hidden(
    words: list[str], environment: Mapping[str, str], secrets: Mapping[str, str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Move secrets that are given once from the arguments into the variables that the engine reads them from."""
    moved: dict[str, str] = {}
    for argument, variable in secrets.items():
        places = [number for number, word in enumerate(words) if _option(word) == argument]
        if len(places) != 1:
            continue
        (place,) = places
        _, equals, value = words[place].partition("=")
        values = [value] if equals else _values(words[place + 1 :])
        if len(values) == 1:
            moved[variable] = values[0]
            del words[place : place + 1 + (not equals)]
    return tuple(words), {**environment, **moved}


def _values(words: Sequence[str]) -> list[str]:
    """What argparse may take as an option's values: the words before the next option, also behind ``--``."""
    stop = next((place for place, word in enumerate(words) if word.startswith("-") and word != "--"), len(words))
    return [word for word in words[:stop] if word != "--"]
