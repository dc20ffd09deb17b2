"""Memory of GPUs, of their caches and of the processes around them."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from kubeai_notebook.core.arguments import SPREAD, value_of
from kubeai_notebook.core.diagnosis.engine.remedies import advise, more_units, set_argument, set_env
from kubeai_notebook.core.diagnosis.engine.rule import Case, Rule, Template
from kubeai_notebook.core.remedy import Remedy, SetArgument, SetField

_BLOCK = 16
"""Tokens of vLLM's usual cache block: lengths are rounded down to whole blocks."""


def number(text: str | None) -> float:
    """The number that was read; 0 where none was."""
    try:
        return float(text or "")
    except ValueError:
        return 0.0


def _estimated_length(case: Case) -> Remedy | None:
    """``--max-model-len`` that fits: the engine's own estimate, else asked times available by needed."""
    values = case.values
    limit = int(number(values.get("estimate") or values.get("stored")))
    if not limit and number(values.get("needed")):
        limit = int(number(values.get("asked")) * number(values.get("available")) / number(values.get("needed")))
        limit -= limit % _BLOCK
    if limit <= 0:
        return None
    return with_taken(case, limit=str(limit), remedy=set_argument("--max-model-len", "{limit}"))


def _more_cpu_cache(case: Case) -> Remedy | None:
    needed = number(case.values.get("needed"))
    if not needed or is_gpu_profile(case):
        return None
    remedy = set_env("VLLM_CPU_KVCACHE_SPACE", "{room}", "Or give the cache more of the Pod's memory: env.{variable}.")
    return with_taken(case, room=str(ceil(needed)), remedy=remedy)


def _free_share(case: Case) -> Remedy | None:
    """``--gpu-memory-utilization`` that fits into what is free, in hundredths."""
    free, total = number(case.values.get("free")), number(case.values.get("total"))
    hundredths = int(free / total * 100) if total else 0
    if hundredths <= 0:
        return None
    return with_taken(case, share=f"{hundredths / 100:.2f}", remedy=set_argument("--gpu-memory-utilization", "{share}"))


def with_taken(case: Case, *, remedy: Template, **taken: str) -> Remedy | None:
    """The remedy with values that were worked out."""
    return remedy(replace(case, taken={**case.taken, **taken}))


def _more_gpus(case: Case) -> Remedy | None:
    """All GPUs of the profile, then twice as many; only vLLM has to be told, other engines but Ollama use one."""
    name, count = case.scene.profile
    if case.scene.engine == "OLlama":
        return more_units(case)
    if case.scene.engine != "VLLM" or not name or not count or value_of(case.scene.args, "--pipeline-parallel-size"):
        return None
    used = int(number(value_of(case.scene.args, SPREAD)) or 1)
    if used < count and is_gpu_profile(case):
        title = f"Spread it over all GPUs of the profile: {SPREAD}={count}."
        return Remedy(title=title, changes=(SetArgument(name=SPREAD, value=str(count)),))
    wanted = count * 2
    title = f"Spread it over twice as many GPUs: resourceProfile {name}:{wanted} and {SPREAD}={wanted}."
    sized = SetField(name="resourceProfile", value=f"{name}:{wanted}")
    return Remedy(title=title, changes=(sized, SetArgument(name=SPREAD, value=str(wanted))))


def is_gpu_profile(case: Case) -> bool:
    """Whether the Pod asks for GPUs, as far as it or the profile's name says."""
    if case.pod and (case.pod.resource("limits") or case.pod.resource("requests")):
        asked = {*case.pod.resource("limits"), *case.pod.resource("requests")}
        return any("gpu" in str(name).lower() for name in asked)
    return "gpu" in case.scene.profile[0].lower()


MEMORY: tuple[Rule, ...] = (
    Rule(
        code="SharedMemoryTooSmall",
        seen=(
            "creating shared memory segment",
            "posix_fallocate failed",
            "write to file </torch_",
            "no space left on device … /dev/shm",
            "out of shared memory",
        ),
        take=(r"size (?P<size>\d+)",),
        title=(
            "Shared memory (/dev/shm) is too small for the engine's processes ({size} bytes more were wanted).",
            "Shared memory (/dev/shm) is too small for the engine's processes.",
        ),
        who="admin",
        remedies=(advise("Give the volume dshm of the Model's Pods more room (modelServerPods.jsonPatches)."),),
    ),
    Rule(
        code="MaxModelLenTooLargeForKvCache",
        seen=("larger than the available KV cache memory", "tokens that can be stored in KV cache"),
        take=(
            r"max seq len \((?P<asked>\d+)\)",
            r"\(?(?P<needed>[\d.]+) GiB KV cache is needed",
            r"available KV cache memory \((?P<available>[\d.]+) GiB\)",
            r"estimated maximum model length is (?P<estimate>\d+)",
            r"stored in KV cache \((?P<stored>\d+)\)",
        ),
        title=(
            "A request of {asked} tokens needs {needed} GiB of cache, but {available} GiB are left beside the weights.",
            "A request of {asked} tokens does not fit into the {stored} that the cache can hold.",
            "One request of full length does not fit into the cache that is left beside the weights.",
        ),
        who="user",
        remedies=(
            _estimated_length,
            _more_cpu_cache,
            advise("Or raise --gpu-memory-utilization, or take a bigger profile."),
        ),
    ),
    Rule(
        code="GpuOutOfMemoryForKvCache",
        seen=("No available memory for the cache blocks",),
        title=('The weights of "{name}" fill the GPU: nothing is left for the cache.',),
        who="user",
        remedies=(
            set_argument("--gpu-memory-utilization", "0.95"),
            _more_gpus,
            advise("Or take a bigger GPU, or a quantized model; a shorter length hardly helps."),
        ),
    ),
    Rule(
        code="GpuMemoryInUseByOthers",
        seen=("Free memory on device",),
        take=(
            r"Free memory on device (?P<device>[a-z]+:\d+)",
            r"\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\)",
            r"utilization \([\d.]+, (?P<wanted>[\d.]+) GiB\)",
        ),
        title=(
            "Only {free} of {total} GiB of the GPU are free, {wanted} are wanted: something else is on it.",
            "Something else uses the GPU's memory.",
        ),
        who="nobody",
        remedies=(_free_share, advise("If an old Pod of the Model is ending on this GPU, wait.")),
    ),
    Rule(
        code="GpuMemoryInUseByOthers",
        seen=("Error in memory profiling. Initial free memory",),
        title=("Something else on the GPU gave memory back while the engine measured it.",),
        who="nobody",
        remedies=(advise("Wait: the next try measures again. If it goes on, find what shares the GPU."),),
    ),
    Rule(
        code="CudaOutOfMemory",
        seen=(
            "CUDA out of memory",
            "HIP out of memory",
            "CUDA error: out of memory",
            "HIP error: out of memory",
            "CUDA failed with error out of memory",
            "cudaMalloc failed: out of memory",
        ),
        take=(
            r"Tried to allocate (?P<asked>[\d.]+ \w+)",
            r"total capa?ci?ty of (?P<total>[\d.]+ \w+)",
            r"of which (?P<free>[\d.]+ \w+) is free",
        ),
        title=(
            '"{name}" does not fit into the GPU: {asked} more were wanted, {free} of {total} were free.',
            '"{name}" does not fit into the memory of the GPU.',
        ),
        who="user",
        remedies=(_more_gpus, advise("Or take a profile with a bigger GPU, or choose a smaller or quantized model.")),
    ),
)
