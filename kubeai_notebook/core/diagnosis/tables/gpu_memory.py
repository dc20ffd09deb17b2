"""Memory of GPUs, of their caches and of the processes around them."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import SPREAD, value_of
from kubeai_notebook.core.diagnosis.engine.remedies import (
    MORE_UNITS,
    Template,
    advise,
    drop_argument,
    set_argument,
    set_env,
    set_field,
)
from kubeai_notebook.core.diagnosis.engine.rule import Rule
from kubeai_notebook.core.remedy import SetArgument, SetField

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case

_ACCELERATORS = ("gpu", "tpu", "gaudi", "npu", "neuron", "xpu", "ascend")
"""What names of extended resources and of profiles call them by."""
_BLOCKS = "--num-gpu-blocks-override"
_BLOCK = 16
"""Tokens of vLLM's usual cache block: lengths are rounded down to whole blocks."""


def number(text: str | None) -> float:
    """The number that was read; 0 where none was."""
    try:
        return float(text or "")
    except ValueError:
        return 0.0


def _fitting(case: Case) -> dict[str, str]:
    """The length that fits (the engine's own estimate, else asked times available by needed), and the room it needs."""
    values = case.values
    needed = number(values.get("needed"))
    length = int(number(values.get("estimate") or values.get("stored")))
    if not length and needed:
        length = int(number(values.get("asked")) * number(values.get("available")) / needed)
        length -= length % _BLOCK
    room = str(ceil(needed)) if needed and not is_gpu_profile(case) else ""
    return {"fitting_length": str(length) if length > 0 else "", "room": room}


def _free_share(case: Case) -> dict[str, str]:
    """The share of the GPU's memory that is free, in hundredths."""
    free, total = number(case.values.get("free")), number(case.values.get("total"))
    hundredths = int(free / total * 100) if total else 0
    return {"free_share": f"{hundredths / 100:.2f}"} if hundredths > 0 else {}


def _fewer_requests(case: Case) -> dict[str, str]:
    """A quarter of the requests for which there was no room; vLLM tries 256 or 1024 where nothing is set."""
    tried = int(number(case.values.get("tried"))) or int(number(value_of(case.scene.args, "--max-num-seqs"))) or 256
    return {"fewer_requests": str(max(tried // 4, 1))}


def _more_gpus(case: Case) -> dict[str, str]:
    """All GPUs of the profile, then twice as many; only vLLM has to be told, other engines but Ollama use one."""
    name, count = case.scene.profile
    if case.scene.engine == "OLlama":
        return {"for_ollama": case.values.get("twice_profile", "")}
    if case.scene.engine != "VLLM" or not name or not count or value_of(case.scene.args, "--pipeline-parallel-size"):
        return {}
    used = int(number(value_of(case.scene.args, SPREAD)) or 1)
    return {"all_gpus": str(count)} if used < count and is_gpu_profile(case) else {"twice_gpus": str(count * 2)}


_MORE_OF_OLLAMA = set_field("resourceProfile", "{for_ollama}", MORE_UNITS.titles[0])
_MORE_OF_VLLM = (
    set_argument(SPREAD, "{all_gpus}", "Spread it over all GPUs of the profile: {argument}."),
    Template(
        titles=("Spread it over twice as many GPUs: resourceProfile {value} and {argument}.",),
        changes=(
            SetField(name="resourceProfile", value="{profile_name}:{twice_gpus}"),
            SetArgument(name=SPREAD, value="{twice_gpus}"),
        ),
    ),
)


def is_gpu_profile(case: Case) -> bool:
    """Whether the Pod asks for GPUs, as far as it or the profile's name says."""
    if case.pod and (case.pod.resource("limits") or case.pod.resource("requests")):
        asked = {*case.pod.resource("limits"), *case.pod.resource("requests")}
        return any(word in str(name).lower() for name in asked for word in _ACCELERATORS)
    return any(word in case.scene.profile[0].lower() for word in _ACCELERATORS)


MEMORY: tuple[Rule, ...] = (
    Rule(
        code="SharedMemoryTooSmall",
        seen=(
            "creating shared memory segment",
            "posix_fallocate failed",
            "write to file </torch_",
            "shared memory object </torch_",
            "allocate shared memory(shm)",
            "no space left on device … /dev/shm",
            "out of shared memory",
        ),
        take=(r"size (?P<size>\d+)",),
        message=(
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
        message=(
            "A request of {asked} tokens needs {needed} GiB of cache, but {available} GiB are left beside the weights.",
            "A request of {asked} tokens does not fit into the {stored} that the cache can hold.",
            "One request of full length does not fit into the cache that is left beside the weights.",
        ),
        who="user",
        derive=_fitting,
        remedies=(
            set_argument("--max-model-len", "{fitting_length}"),
            set_env("VLLM_CPU_KVCACHE_SPACE", "{room}", "Or give the cache more of the Pod's memory: env.{variable}."),
            advise("Or raise --gpu-memory-utilization, or take a bigger profile."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("No available memory for the cache blocks",),
        only=lambda case: value_of(case.scene.args, _BLOCKS) is not None,
        message=(f"{_BLOCKS} leaves the cache too few blocks to begin with.",),
        who="user",
        remedies=(
            drop_argument(_BLOCKS, title="Let the engine count its memory: remove {argument}."),
            advise(f"Set a larger {_BLOCKS}, or none."),
        ),
    ),
    Rule(
        code="GpuOutOfMemoryForKvCache",
        seen=("No available memory for the cache blocks", "Please try to increase --mem-fraction-static"),
        message=('The weights of "{name}" fill the GPU: nothing is left for the cache.',),
        who="user",
        derive=_more_gpus,
        remedies=(
            set_argument("--gpu-memory-utilization", "0.95"),
            *_MORE_OF_VLLM,
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
        message=(
            "Only {free} of {total} GiB of the GPU are free, {wanted} are wanted: something else is on it.",
            "Something else uses the GPU's memory.",
        ),
        who="nobody",
        derive=_free_share,
        remedies=(
            set_argument("--gpu-memory-utilization", "{free_share}"),
            advise("If an old Pod of the Model is ending on this GPU, wait."),
        ),
    ),
    Rule(
        code="GpuMemoryInUseByOthers",
        seen=("Error in memory profiling. Initial free memory",),
        message=("Something else on the GPU gave memory back while the engine measured it.",),
        who="nobody",
        remedies=(advise("Wait: the next try measures again. If it goes on, find what shares the GPU."),),
    ),
    Rule(
        code="CudaOutOfMemory",
        seen=("out of memory occurred when … dummy requests", "Please try lowering `max_num_seqs`"),
        take=(r"with (?P<tried>\d+) dummy requests",),
        message=(
            'The GPU has no room for {tried} requests at once beside the weights and the cache of "{name}".',
            'The GPU has no room for so many requests at once beside the weights and the cache of "{name}".',
        ),
        who="user",
        derive=_fewer_requests,
        remedies=(
            set_argument("--max-num-seqs", "{fewer_requests}", "Serve fewer requests at once: set {argument}."),
            advise("Or leave more room beside the cache: set a smaller --gpu-memory-utilization."),
        ),
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
            "NPU out of memory",
            "XPU out of memory",
            "OUT_OF_DEVICE_MEMORY",
            "PT_DEVMEM … Allocation failed for size",
            "nrt_tensor_allocate … Allocation Failure",
            "Out of device memory",
            "RESOURCE_EXHAUSTED … allocat",
            "RESOURCE_EXHAUSTED … hbm",
            "Allocation on device … would exceed allowed memory",
            "cuda runtime error (2)",
            "CUBLAS_STATUS_ALLOC_FAILED",
            "cudaErrorMemoryAllocation",
            "MUSA out of memory",
            "BFCArena … Failed to allocate memory",
            "CUDA driver error: out of memory",
            "CUDA_ERROR_OUT_OF_MEMORY",
            "hipErrorOutOfMemory",
            "ErrorOutOfDeviceMemory",
            "OUT_OF_RESOURCES … allocat",
            "unable to allocate CUDA",
            "unable to allocate ROCm",
            "failed to allocate CUDA",
            "failed to allocate ROCm",
            "failed to allocate compute buffers",
            "memory layout cannot be allocated",
        ),
        take=(
            r"Tried to allocate (?P<asked>[\d.]+ \w+)",
            r"total capa?ci?ty of (?P<total>[\d.]+ \w+)",
            r"(?P<total>[\d.]+ \w+) total capacity",
            r"of which (?P<free>[\d.]+ \w+) is free",
            r"(?P<free>[\d.]+ \w+) free;",
        ),
        message=(
            '"{name}" does not fit into the GPU: {asked} more were wanted, {free} of {total} were free.',
            '"{name}" does not fit into the memory of the GPU.',
        ),
        who="user",
        derive=_more_gpus,
        remedies=(
            _MORE_OF_OLLAMA,
            *_MORE_OF_VLLM,
            advise("Or take a profile with a bigger GPU, or choose a smaller or quantized model."),
        ),
    ),
)
