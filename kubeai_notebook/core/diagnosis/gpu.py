"""GPU memory, GPU counts, drivers."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

from .remedies import advise, drop_argument, drop_env, more_units, set_argument, set_env
from .rule import Case, Remedy, Rule

if TYPE_CHECKING:
    from .finding import Fix

_BLOCK = 16
"""Tokens of vLLM's usual cache block: lengths are rounded down to whole blocks."""


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return 0.0


def _estimated_length(case: Case) -> Fix | None:
    """``--max-model-len`` that fits: the engine's own estimate, else asked times available by needed."""
    values = case.values
    limit = int(_number(values.get("estimate") or values.get("stored")))
    if not limit and _number(values.get("needed")):
        limit = int(_number(values.get("asked")) * _number(values.get("available")) / _number(values.get("needed")))
        limit -= limit % _BLOCK
    if limit <= 0:
        return None
    return _with(case, limit=str(limit), remedy=set_argument("--max-model-len", "{limit}"))


def _more_cpu_cache(case: Case) -> Fix | None:
    needed = _number(case.values.get("needed"))
    if not needed or is_gpu_profile(case):
        return None
    remedy = set_env("VLLM_CPU_KVCACHE_SPACE", "{room}", "Or give the cache more of the Pod's memory: env.{variable}.")
    return _with(case, room=str(ceil(needed)), remedy=remedy)


def _free_share(case: Case) -> Fix | None:
    """``--gpu-memory-utilization`` that fits into what is free, in hundredths."""
    free, total = _number(case.values.get("free")), _number(case.values.get("total"))
    hundredths = int(free / total * 100) if total else 0
    if hundredths <= 0:
        return None
    return _with(case, share=f"{hundredths / 100:.2f}", remedy=set_argument("--gpu-memory-utilization", "{share}"))


def _one_gpu_each(case: Case) -> Fix | None:
    """``--tensor-parallel-size`` of the GPUs that are there."""
    _, count = case.scene.profile
    gpus = int(_number(case.values.get("gpus"))) or (count if is_gpu_profile(case) else 1)
    return _with(case, size=str(max(gpus, 1)), remedy=set_argument("--tensor-parallel-size", "{size}"))


def _divisor(case: Case) -> Fix | None:
    """The largest divisor of the heads below the size that was asked, with as many GPUs."""
    heads, size = int(_number(case.values.get("heads"))), int(_number(case.values.get("size")))
    fitting = [number for number in range(1, size) if heads % number == 0]
    if not heads or not fitting:
        return None
    wanted = str(max(fitting))
    fix = _with(case, wanted=wanted, remedy=set_argument("--tensor-parallel-size", "{wanted}"))
    name, count = case.scene.profile
    if fix is None or fix.patch is None or count != size or not is_gpu_profile(case):
        return fix
    spec = {**fix.patch["spec"], "resourceProfile": f"{name}:{wanted}"}
    return replace(fix, title=f"{fix.title} And take {name}:{wanted}.", patch={"spec": spec})


def _with(case: Case, *, remedy: Remedy, **taken: str) -> Fix | None:
    return remedy(replace(case, taken={**case.taken, **taken}))


def is_gpu_profile(case: Case) -> bool:
    """Whether the Pod asks for GPUs, as far as it or the profile's name says."""
    if case.pod and (case.pod.resource("limits") or case.pod.resource("requests")):
        asked = {*case.pod.resource("limits"), *case.pod.resource("requests")}
        return any("gpu" in str(name).lower() for name in asked)
    return "gpu" in case.scene.profile[0].lower()


def _no_gpu_asked(case: Case) -> bool:
    return case.scene.engine == "FasterWhisper" and not is_gpu_profile(case)


_GPU_OR_CPU = (
    drop_argument("--device"),
    drop_env("INFINITY_DEVICE", "WHISPER__INFERENCE_DEVICE"),
    advise(
        "Take a GPU profile, or an image for the CPU: now the resource profile is {profile}.",
        "Take a GPU profile, or an image for the CPU.",
    ),
    advise("If the profile is a GPU's: the admin sets its runtimeClassName."),
)

MEMORY: tuple[Rule, ...] = (
    Rule(
        code="SharedMemoryTooSmall",
        seen=("creating shared memory segment", "posix_fallocate failed"),
        take=(r"size (?P<size>\d+)",),
        title=(
            "Shared memory (/dev/shm) is too small for the engine's processes ({size} bytes more were wanted).",
            "Shared memory (/dev/shm) is too small for the engine's processes.",
        ),
        who="admin",
        fixes=(advise("Give the volume dshm of the Model's Pods more room (modelServerPods.jsonPatches)."),),
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
        fixes=(
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
        fixes=(
            set_argument("--gpu-memory-utilization", "0.95"),
            advise("Or take a bigger profile, or a quantized model; a shorter length hardly helps."),
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
        fixes=(_free_share, advise("If an old Pod of the Model is ending on this GPU, wait.")),
    ),
    Rule(
        code="CudaOutOfMemory",
        seen=("CUDA out of memory",),
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
        fixes=(
            more_units,
            advise("Spread it over the GPUs of the profile by --tensor-parallel-size, or choose a quantized model."),
        ),
    ),
)

COUNTS: tuple[Rule, ...] = (
    Rule(
        code="TensorParallelMoreThanGpus",
        seen=(
            "larger than the number of available GPUs",
            "Not enough allowed NUMA nodes",
            "required GPUs exceeds",
            "world_size … gpu count",
            "number of visible devices",
        ),
        take=(
            r"world[_ ]size \(?(?P<size>\d+)",
            r"threads of (?P<size>\d+) local",
            r"available GPUs \(?(?P<gpus>\d+)",
            r"gpu count \(?(?P<gpus>\d+)",
            r"visible devices \(?(?P<gpus>\d+)",
        ),
        title=(
            "--tensor-parallel-size asks for {size} GPUs, but the Pod has {gpus}.",
            "--tensor-parallel-size asks for {size} devices, more than the Pod has.",
            "--tensor-parallel-size asks for more GPUs than the Pod has.",
        ),
        who="user",
        fixes=(_one_gpu_each, advise("Or take as many of the profile: {profile_name}:{size}.")),
    ),
    Rule(
        code="TensorParallelNotDivisible",
        seen=("must be divisible by tensor parallel size",),
        take=(r"heads \((?P<heads>\d+)\)", r"parallel size \((?P<size>\d+)\)"),
        title=(
            "The model's {heads} attention heads cannot be shared by {size} GPUs evenly.",
            "The model's attention heads cannot be shared by that many GPUs evenly.",
        ),
        who="user",
        fixes=(_divisor, advise("Set --tensor-parallel-size to a divisor of the number of heads.")),
    ),
    Rule(
        code="GpuTooOld",
        seen=(
            "compute capability below",
            "quantization method … not supported for the current GPU",
            "Quantization scheme is not supported",
        ),
        take=(
            r"capability below (?P<needs>[\d.]+)",
            r"(?:Minimum|Min) capability: (?P<needs>\d+)",
            r"Current capability: (?P<has>\d+)",
            r"quantization method (?P<method>\S+)",
        ),
        title=(
            "This GPU (compute capability {has}) is too old; {needs} is needed.",
            "This GPU is too old; compute capability {needs} is needed.",
            "This GPU is too old for the model or its quantization.",
        ),
        who="user",
        fixes=(advise("Take a profile with a newer GPU; for a quantized model, or another build of it."),),
    ),
    Rule(
        code="GpuTooOldForBfloat16",
        seen=("Bfloat16 is only supported on",),
        take=(r"Your (?P<gpu>.+?) GPU has compute capability (?P<has>[\d.]+)",),
        title=("The GPU {gpu} cannot compute in bfloat16.", "This GPU cannot compute in bfloat16."),
        who="user",
        fixes=(set_argument("--dtype", "half"),),
    ),
)

DRIVERS: tuple[Rule, ...] = (
    Rule(
        code="NoGpuVisible",
        seen=("Failed to infer device type", "No platform detected", "autodevice_string = []"),
        title=('The engine of "{name}" is built for a GPU and finds none in its Pod.',),
        who="user",
        fixes=_GPU_OR_CPU,
    ),
    Rule(
        code="NoGpuVisible",
        seen=("CUDA driver version is insufficient",),
        only=_no_gpu_asked,
        title=('"{name}" was told to use a GPU, but its Pod asks for none.',),
        who="user",
        fixes=_GPU_OR_CPU,
    ),
    Rule(
        code="NvidiaDriverTooOld",
        seen=("driver on your system is too old", "CUDA driver version is insufficient"),
        take=(r"found version (?P<version>\d+)",),
        title=(
            "The node's NVIDIA driver is too old for this image (it has {version}).",
            "The node's NVIDIA driver is too old for this image.",
        ),
        who="admin",
        fixes=(advise("Update the node's driver, or set image to an older release of the engine."),),
    ),
    Rule(
        code="RocmError",
        seen=("HIP error:",),
        take=(r"HIP error: (?P<error>[^.]+)",),
        title=("The AMD GPU failed: {error}.", "The AMD GPU failed."),
        who="user",
        fixes=(
            advise(
                'Set image to a build for this GPU\'s architecture (gfx); "invalid device function" means it has none.'
            ),
        ),
    ),
    Rule(
        code="NcclError",
        seen=("NCCL error in",),
        take=(r"NCCL error in: (?P<place>\S+)",),
        title=("The GPUs cannot talk to each other (NCCL).",),
        who="user",
        fixes=(set_env("NCCL_DEBUG", "INFO", "Make the next log say why: env.{variable}."),),
    ),
)

GPU: tuple[Rule, ...] = (*MEMORY, *COUNTS, *DRIVERS)
