"""What a child process is given of the environment that the daemon was started in: a list of names.

Whoever starts the daemon does so in a shell with keys of all kinds, and a Model is somebody else's text. So nothing
passes that is not named here; in a cluster an engine would see none of it either.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
PLAIN = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR"),
    *(*_PROXIES, *map(str.lower, _PROXIES)),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"),
    *("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_*"),
    *("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT", "HF_HUB_ENABLE_HF_TRANSFER", "HF_XET_*"),
)
"""What every program needs: where things lie, how the network is reached."""
ENGINES = (
    *PLAIN,
    *("TRANSFORMERS_CACHE", "TRANSFORMERS_OFFLINE", "SENTENCE_TRANSFORMERS_HOME", "TORCH_HOME"),
    *("TOKENIZERS_PARALLELISM", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "PYTORCH_*ALLOC_CONF"),
    *("VLLM_CACHE_ROOT", "VLLM_CONFIG_ROOT", "VLLM_CPU_*", "VLLM_TARGET_DEVICE", "VLLM_LOGGING_LEVEL"),
    *("OLLAMA_MODELS", "OLLAMA_NUM_PARALLEL", "OLLAMA_MAX_*", "OLLAMA_FLASH_ATTENTION", "OLLAMA_KV_CACHE_TYPE"),
    *("OLLAMA_CONTEXT_LENGTH", "OLLAMA_GPU_OVERHEAD", "OLLAMA_LOAD_TIMEOUT", "OLLAMA_NOPRUNE", "OLLAMA_DEBUG"),
    *("OLLAMA_SCHED_SPREAD", "OLLAMA_INTEL_GPU", "OLLAMA_LLM_LIBRARY"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "CUDA_PATH", "CUDA_CACHE_PATH"),
    *("NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LD_PRELOAD"),
    *("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "HSA_OVERRIDE_GFX_VERSION", "ROCM_*"),
    *("ZE_AFFINITY_MASK", "ONEAPI_DEVICE_SELECTOR", "OMP_*", "GOMP_*", "KMP_*", "MKL_*", "OPENBLAS_*", "BLIS_*"),
    *("VECLIB_*", "NUMEXPR_*", "GGML_*", "NCCL_*", "MALLOC_ARENA_MAX"),
)
"""And where engines keep their files, and which hardware they use."""
FETCHING = (
    *PLAIN,
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE"),
    *("PIP_*", "NETRC", "OLLAMA_REGISTRY", "OLLAMA_MODELS"),
)
"""And what reaches an index, the hub, a registry or a store. Logins are the Pod's own; pip's are in its settings."""
# Without it boto3 would ask a cloud's own address for credentials.
_OURS = {"AWS_EC2_METADATA_DISABLED": "true"}


def inherited(environment: Mapping[str, str], names: Iterable[str] = ENGINES) -> dict[str, str]:
    """The part of the daemon's environment that stands for the container's image; ``*`` in a name is any text."""
    patterns = tuple(names)
    kept = {key: value for key, value in environment.items() if any(fnmatchcase(key, name) for name in patterns)}
    return kept | _OURS


def import_path(environment: Mapping[str, str], before: str = "") -> dict[str, str]:
    """The environment of a child that runs a module of this package, wherever it works.

    An installed package is found anyway; a checkout is put in front of ``before``, another such path, of which only
    absolute folders stay: an empty one would be the working folder.
    """
    root = Path(__file__).parents[2]
    ours = [] if root.name in ("site-packages", "dist-packages") else [str(root)]
    paths = [*ours, *(path for path in before.split(os.pathsep) if Path(path).is_absolute())]
    others = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    return others | ({"PYTHONPATH": os.pathsep.join(paths)} if paths else {}) | {"PYTHONSAFEPATH": "1"}
