"""What a Model may not say where its engine is a process of the user's own, outside any container.

In a cluster a Model's manifest gives its author a Pod. Here it would give the author the user's account: a variable
such as ``LD_PRELOAD`` loads code into whatever runs with it, and ``files`` bring that code along. Variables that do so
are refused, at every door and in the same words. Addresses are another matter: manifests written for Pods say
``--host=0.0.0.0`` with good reason, so these are left out with a notice, and the engine listens on loopback.
The lists are data: a new engine or loader is a new line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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
    *("PAGER", "EDITOR", "VISUAL", "BROWSER", "LESSOPEN", "CC", "CXX", "NVCC*"),
    # TLS and logins that name a program or a library.
    *("OPENSSL_*", "SSLKEYLOGFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_DATA_PATH"),
    "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES",
    # Drivers, compilers and caches of compiled code.
    *("CUDA_INJECTION*", "NVTX_INJECTION*", "CUDA_HOME", "CUDA_PATH", "CUDA_CACHE_PATH", "NCCL_*PLUGIN*"),
    *("ROCM_HOME", "ROCM_PATH", "HSA_TOOLS_*", "ROCP_*", "ROCPROFILER_*", "VK_*", "OCL_*", "OPENCL_*", "LIBGL_*"),
    *("TRITON_*", "TORCHINDUCTOR_*", "TORCH_EXTENSIONS_DIR", "FLASHINFER_*", "XLA_FLAGS"),
    *("TPU_LIBRARY_PATH", "GGML_BACKEND*", "OLLAMA_LIBRARY_PATH", "OLLAMA_RUNNERS_DIR", "OLLAMA_LLM_LIBRARY"),
    *("HF_MODULES_CACHE", "VLLM_PLUGINS", "VLLM_LOGGING_CONFIG_PATH", "VLLM_CACHE_ROOT", "VLLM_CONFIG_ROOT"),
    *("VLLM_NCCL_SO_PATH", "VLLM_ALLOW_INSECURE_SERIALIZATION", "VLLM_*RESOLVER_CACHE_DIR", "VLLM_*_LIBRARY_PATH"),
)
"""Names of variables that load code or choose the program that runs; ``*`` stands for any text."""
HARMLESS = frozenset(
    {
        *("PYTHONUNBUFFERED", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTHONUTF8", "PYTHONIOENCODING"),
        *("PYTHONFAULTHANDLER", "PYTHONNOUSERSITE", "MALLOC_ARENA_MAX", "LD_BIND_NOW", "RAY_DEDUP_LOGS"),
    }
)
"""Names that a pattern of CODE_VARIABLES covers and that load nothing."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is left out of one engine's Models here."""

    variables: tuple[str, ...] = ()
    """Of its address: ours, which come last, count."""
    addresses: tuple[str, ...] = ()
    """Arguments of its address, without dashes."""
    code: tuple[str, ...] = ()
    """Arguments that name code of the Model's own."""
    foreign: tuple[str, ...] = ()
    """Arguments that are kept and said: they run code that comes with the weights."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variable by argument, where the engine also reads a secret from its environment: ``ps`` shows arguments."""


_SERVERS = ("HOST", "PORT", "UVICORN_*", "FORWARDED_ALLOW_IPS", "WEB_CONCURRENCY")
_VLLM = (
    *("host", "port", "uds", "ssl-keyfile", "ssl-certfile", "ssl-ca-certs", "ssl-cert-reqs", "enable-ssl-refresh"),
    *("headless", "api-server-count", "data-parallel-address", "data-parallel-rpc-port", "nnodes", "node-rank"),
    *("master-addr", "master-port", "config"),
)
_VLLM_CODE = (
    *("middleware", "tool-parser-plugin", "reasoning-parser-plugin", "worker-cls", "worker-extension-cls"),
    *("logits-processors", "scheduler-cls", "io-processor-plugin"),
)
_FOREIGN = ("trust-remote-code",)
LIMITS: Mapping[str, Limits] = {
    "OLlama": Limits(("OLLAMA_HOST", "OLLAMA_ORIGINS", *_SERVERS)),
    "VLLM": Limits(
        ("VLLM_HOST_IP", "VLLM_PORT", "VLLM_LOOPBACK_IP", "MASTER_ADDR", "MASTER_PORT", *_SERVERS),
        _VLLM,
        _VLLM_CODE,
        _FOREIGN,
        {"api-key": "VLLM_API_KEY", "hf-token": "HF_TOKEN"},
    ),
    "Infinity": Limits(
        ("INFINITY_HOST", "INFINITY_PORT", "INFINITY_PERMISSIVE_CORS", *_SERVERS),
        ("host", "port", "permissive-cors"),
        foreign=_FOREIGN,
        secrets={"api-key": "INFINITY_API_KEY"},
    ),
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
    one = len(refused) == 1
    return (
        f"the {'variable' if one else 'variables'} {', '.join(refused)} can make the engine run code, and on this "
        f"machine a Model runs as you, outside a container"
    )


def kept(engine: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Kept:
    """What one engine of this machine is given of a Model's arguments and variables."""
    limits = LIMITS.get(engine, Limits())
    words, notices = [], []
    left = list(arguments)
    while left:
        word = left.pop(0)
        if not (match := _banned(word, limits)):
            words.append(word)
            if (option := _option(word)) in limits.foreign:
                notices.append(f"The argument --{option} runs code of the weights' author as you on this machine.")
            continue
        if "=" not in word:
            while left and not left[0].startswith("-"):
                left.pop(0)
        notices.append(_said(f"The argument --{match}", code=match in limits.code))
    dropped = [name for name in environment if any(fnmatchcase(name, pattern) for pattern in limits.variables)]
    notices += [_said(f"The variable {name}", code=False) for name in dropped]
    variables = {name: value for name, value in environment.items() if name not in dropped}
    return Kept(*_hidden(words, variables, limits.secrets), tuple(dict.fromkeys(notices)))


def _said(what: str, *, code: bool) -> str:
    if code:
        return f"{what} is left out: on this machine a Model brings no code of its own."
    return f"{what} is left out: on this machine an engine listens where kubeai-local says, on loopback only."


def _option(word: str) -> str:
    """The option's name as argparse reads it; ``_`` and ``-`` are one to vLLM."""
    return word[2:].partition("=")[0].replace("_", "-").partition(".")[0] if word.startswith("--") else ""


def _banned(word: str, limits: Limits) -> str | None:
    """The argument that is left out, also in argparse's other spellings: ``--host=x``, ``--hos``, ``--ssl_keyfile``."""
    name = _option(word)
    return next((banned for banned in (*limits.addresses, *limits.code) if name and banned.startswith(name)), None)


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


def _values(words: list[str]) -> list[str]:
    stop = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    return words[:stop]
