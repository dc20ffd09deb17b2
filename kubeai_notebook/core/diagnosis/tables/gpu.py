"""GPUs: how many, how old, with which driver, and whether the node can give them to a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import SPREAD, value_of
from kubeai_notebook.core.diagnosis.engine.remedies import (
    DELETE_POD,
    SPREAD_LESS,
    Template,
    advise,
    drop_argument,
    drop_env,
    set_argument,
    set_env,
)
from kubeai_notebook.core.diagnosis.engine.rule import Rule
from kubeai_notebook.core.remedy import SetArgument, SetField

from .accelerators import ACCELERATORS
from .gpu_faults import AFTER_AN_UPDATE, DRIVER_UPDATED, FAULTS
from .gpu_links import LINKS
from .gpu_memory import MEMORY, is_gpu_profile, number

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case


_ONLY_ON_NEWER = (
    "Error: … only supported on Hopper",
    "Error: … only supported on Blackwell",
    "Error: … requires SM90",
    "Error: … requires SM100",
    "Error: … only supports compute capability",
    "Error: … supported on … compute capability",
    "Error: … requires gfx",
    "Error: … requires sm_",
    "Error: … requires Hopper",
    "Error: … requires Blackwell",
    "Error: … requires Ampere",
    "Error: … only supported on gfx",
    "Error: … only supported on SM",
    "Error: … only supported on Ampere",
)


def _gpus_there(case: Case) -> dict[str, str]:
    """How many GPUs the Pod has."""
    _, count = case.scene.profile
    gpus = int(number(case.values.get("gpus"))) or (count if is_gpu_profile(case) else 1)
    asked = ((name, value_of(case.scene.args, name) or "1") for name in (SPREAD, *_OTHER_SPREADS))
    spreads = [name for name, value in asked if value != "1"]
    there = {"gpus_there": str(max(gpus, 1))} if not spreads or SPREAD in spreads else {}
    return {"spread": spreads[0] if spreads else SPREAD, "other_spreads": " ".join(_OTHER_SPREADS), **there}


_OTHER_SPREADS = ("--pipeline-parallel-size", "--data-parallel-size")
"""By what else vLLM is told to use several devices."""


def _divisor(case: Case) -> dict[str, str]:
    """The largest divisor of the heads below the size that was asked, and the profile with as many GPUs."""
    heads, size = int(number(case.values.get("heads"))), int(number(case.values.get("size")))
    fitting = [number for number in range(1, size) if heads % number == 0]
    if not heads or not fitting:
        return {}
    name, count = case.scene.profile
    sized = {"divided_profile": f"{name}:{max(fitting)}"} if count == size and is_gpu_profile(case) else {}
    return {"divisor": str(max(fitting)), **sized}


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

COUNTS: tuple[Rule, ...] = (
    Rule(
        code="TensorParallelMoreThanGpus",
        seen=(
            "larger than the number of available GPUs",
            "Not enough allowed NUMA nodes",
            "required GPUs exceeds",
            "world_size … gpu count",
            "number of visible devices",
            "CUDA error: invalid device ordinal",
            "HIP error: invalid device ordinal",
            "Insufficient devices for",
            "mesh requires … devices",
        ),
        take=(
            r"found (?P<gpus>\d+), expected (?P<size>\d+)",
            r"world[_ ]size \(?(?P<size>\d+)",
            r"threads of (?P<size>\d+) local",
            r"available GPUs \(?(?P<gpus>\d+)",
            r"gpu count \(?(?P<gpus>\d+)",
            r"visible devices \(?(?P<gpus>\d+)",
        ),
        message=(
            "{spread} asks for {size} GPUs, but the Pod has {gpus}.",
            "{spread} asks for {size} devices, more than the Pod has.",
            "--tensor-parallel-size asks for more GPUs than the Pod has.",
        ),
        who="user",
        derive=_gpus_there,
        remedies=(
            set_argument(SPREAD, "{gpus_there}"),
            drop_argument("{other_spreads}"),
            advise("Or take as many of the profile: {profile_name}:{size}."),
        ),
    ),
    Rule(
        code="TensorParallelNotDivisible",
        seen=("must be divisible by tensor parallel size", "AssertionError: … is not divisible by"),
        # A model whose own numbers do not fit is no matter of how many GPUs share it.
        unless=("num_heads (",),
        take=(
            r"heads \((?P<heads>\d+)\)",
            r"parallel size \((?P<size>\d+)\)",
            r"AssertionError: (?P<heads>\d+) is not divisible by (?P<size>\d+)",
        ),
        message=(
            "The model's layers of {heads} parts cannot be shared by {size} GPUs evenly.",
            "The model's layers cannot be shared by that many GPUs evenly.",
        ),
        who="user",
        derive=_divisor,
        remedies=(
            Template(
                titles=("Set {argument}. And take {divided_profile}.",),
                changes=(
                    SetArgument(name=SPREAD, value="{divisor}"),
                    SetField(name="resourceProfile", value="{divided_profile}"),
                ),
            ),
            set_argument(SPREAD, "{divisor}", unless="divided_profile"),
            advise("Set --tensor-parallel-size to a divisor of the number of heads."),
        ),
    ),
    Rule(
        code="TensorParallelNotDivisible",
        seen=(
            "caused by too large tensor parallel size",
            "Consider reducing tensor_parallel_size",
            "is not divisible by weight quantization block",
            "is not divisible by min_thread",
            "size_k must divisible by",
            "size_n must divisible by",
            "is not divisible by thread_",
        ),
        take=(r"running with --quantization (?P<plain>\w+)",),
        message=("The quantized weights cannot be shared by that many GPUs: the engine's kernels want larger parts.",),
        who="user",
        remedies=(
            SPREAD_LESS,
            set_argument(
                "--quantization", "{plain}", "Use kernels that take any part, and are slower: set {argument}."
            ),
            advise("Set a smaller --tensor-parallel-size, and a profile with as many GPUs."),
        ),
    ),
    Rule(
        code="TensorParallelNotDivisible",
        seen=("must be divisible by ep_size", "must be divisible by expert parallel", "layers … not divisible by"),
        message=("The model's experts or layers cannot be shared by that many GPUs evenly.",),
        who="user",
        remedies=(
            SPREAD_LESS,
            advise("Set --tensor-parallel-size and the profile's count to a number that divides them, such as 2 or 4."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("Pipeline parallelism is not supported", "Pipeline parallelism is only supported for"),
        message=("This version of the engine cannot spread this model over GPUs in stages (pipeline parallelism).",),
        who="user",
        remedies=(
            drop_argument("--pipeline-parallel-size", "-pp"),
            advise("Spread it by --tensor-parallel-size, or set image to a newer release."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("No valid attention backend … kv_cache_dtype not supported",),
        only=lambda case: value_of(case.scene.args, "--kv-cache-dtype") is not None,
        message=("No attention backend of this engine keeps its cache in the type that --kv-cache-dtype asks for.",),
        who="user",
        remedies=(
            drop_argument("--kv-cache-dtype", title="Use the engine's own choice: remove {argument}."),
            advise("Use the engine's own choice: remove --kv-cache-dtype wherever it is set."),
        ),
    ),
    Rule(
        code="GpuTooOld",
        seen=("No valid attention backend … compute capability not supported", *_ONLY_ON_NEWER),
        unless=("bfloat16 is only",),
        message=("This GPU is too old for the attention, or the kernels, that this model needs.",),
        who="user",
        remedies=(advise("Take a profile with a newer GPU (Hopper or later), or another model."),),
    ),
    Rule(
        code="UnsupportedArchitecture",
        seen=("No valid attention backend", "Head size … is not supported by", "head_size … not supported"),
        take=(r"Set (?P<variable_advised>[A-Z][A-Z_]+)=(?P<value_advised>\w+)",),
        message=("This release of the engine has no attention kernels for the shape of this model on this GPU.",),
        who="user",
        remedies=(
            set_env("VLLM_ATTENTION_BACKEND", "{value_advised}", "Do as the engine advises: set env.{variable}."),
            advise("Set image to a newer release of the engine, or choose another model."),
        ),
    ),
    Rule(
        code="GpuTooOld",
        seen=(
            "ptxas … Value 'sm_",
            "Unsupported gpu architecture",
            "No supported CUDA architectures found",
            "CalledProcessError: … ptxas … --gpu-name=sm_",
        ),
        take=(r"(?:sm|compute)_(?P<arch>\d+\w?)'",),
        message=(
            "The GPU (sm_{arch}) is newer than the compiler in the engine's image.",
            "The GPU is newer than the compiler in the engine's image.",
        ),
        who="user",
        remedies=(
            advise("Set image to a newer release, built with a CUDA that knows this GPU."),
            set_env(
                "TRITON_PTXAS_PATH",
                "/usr/local/cuda/bin/ptxas",
                "Or, where the image holds a newer CUDA beside Triton's own compiler, use that: env.{variable}.",
            ),
        ),
    ),
    Rule(
        code="GpuTooOld",
        seen=("fp8e4nv not supported", "fp8e4nv data type is not supported"),
        message=("This GPU cannot compute in the fp8 format (e4m3) that the model or its cache asks for.",),
        who="user",
        remedies=(
            drop_argument("--kv-cache-dtype", title="Keep the cache in the model's own type: remove {argument}."),
            advise("Take a profile with a newer GPU (Ada, Hopper or later), or another build of the model."),
        ),
    ),
    Rule(
        code="GpuTooOld",
        seen=("Sinks are only supported in FlashAttention 3",),
        message=("This release of the engine can serve this model on a Hopper GPU only.",),
        who="user",
        remedies=(advise("Set image to a newer release of the engine, or take a profile with a Hopper GPU."),),
    ),
    Rule(
        code="GpuTooOld",
        seen=("doesn't support querying the available free memory",),
        message=("The engine's image does not know this GPU, or its driver on the node is too old for it.",),
        who="user",
        remedies=(
            advise("Set image to a newer release, or take a profile with a GPU that the engine is built for."),
            advise("Or the admin updates the GPU's driver on the node."),
        ),
    ),
    Rule(
        code="GpuTooOld",
        seen=("no kernel image is available for execution on the device",),
        unless=("HIP error:",),
        message=(
            "The engine's image has no code for this GPU: it is older, or newer, than those the image is built for.",
        ),
        who="user",
        remedies=(advise("Take a profile with another GPU, or set image to a release that is built for this one."),),
    ),
    Rule(
        code="GpuTooOld",
        seen=(
            "compute capability below",
            "FlashAttention … only supports Ampere",
            "Error: … requires compute capability",
            "device kernel image is invalid",
            "quantization method … not supported for the current GPU",
            "Quantization scheme is not supported",
        ),
        take=(
            r"capability below (?P<needs>[\d.]+)",
            r"(?:Minimum|Min) capability: (?P<needs>\d+)",
            r"Current capability: (?P<has>\d+)",
            r"quantization method (?P<method>\S+)",
        ),
        message=(
            "This GPU (compute capability {has}) is too old; {needs} is needed.",
            "This GPU is too old; compute capability {needs} is needed.",
            "This GPU is too old for the model or its quantization.",
        ),
        who="user",
        remedies=(advise("Take a profile with a newer GPU; for a quantized model, or another build of it."),),
    ),
    Rule(
        code="GpuTooOldForBfloat16",
        seen=("Bfloat16 is only supported on", "CUDA device does not support bfloat16"),
        take=(r"Your (?P<gpu>.{1,80}?) GPU has compute capability (?P<has>[\d.]+)",),
        message=("The GPU {gpu} cannot compute in bfloat16.", "This GPU cannot compute in bfloat16."),
        who="user",
        remedies=(set_argument("--dtype", "half"),),
    ),
)

_DRIVER_MISFITS = (
    "unsupported display driver / cuda driver combination",
    "forward compatibility was attempted on non supported HW",
    "PTX was compiled with an unsupported toolchain",
)

DRIVERS: tuple[Rule, ...] = (
    Rule(
        code="NvidiaDriverTooOld",
        seen=_DRIVER_MISFITS,
        message=("The node's NVIDIA driver does not fit the CUDA of this image.",),
        who="admin",
        remedies=(advise("Update the node's driver, or set image to an older release of the engine."),),
    ),
    Rule(
        code="NoGpuVisible",
        seen=(
            "autodevice_string = []",
            "Found no NVIDIA driver on your system",
            "No CUDA GPUs are available",
            "No HIP GPUs are available",
            "libcuda.so.1: cannot open shared object file",
            "no CUDA-capable device is detected",
            "you might not have a CUDA gpu",
            "torch.cuda.is_available() is False",
            "not compiled with CUDA support",
            "not compiled with ROCm support",
            "NVMLError_LibraryNotFound",
            "NVMLError_DriverNotLoaded",
            "0 active drivers",
            "Failed to infer device type",
            "No platform detected",
        ),
        message=('The engine of "{name}" is built for a GPU and finds none in its Pod.',),
        who="user",
        remedies=_GPU_OR_CPU,
    ),
    Rule(
        code="NoGpuVisible",
        seen=("CUDA driver version is insufficient",),
        only=_no_gpu_asked,
        message=('"{name}" was told to use a GPU, but its Pod asks for none.',),
        who="user",
        remedies=_GPU_OR_CPU,
    ),
    Rule(
        code="NoGpuVisible",
        seen=("Torch not compiled with CUDA enabled",),
        message=('"{name}" was told to use a GPU, but its image is built for the CPU.',),
        who="user",
        remedies=_GPU_OR_CPU,
    ),
    Rule(
        code="NvidiaDriverTooOld",
        seen=("driver on your system is too old", "CUDA driver version is insufficient"),
        take=(r"found version (?P<version>\d+)",),
        message=(
            "The node's NVIDIA driver is too old for this image (it has {version}).",
            "The node's NVIDIA driver is too old for this image.",
        ),
        who="admin",
        remedies=(advise("Update the node's driver, or set image to an older release of the engine."),),
    ),
    Rule(
        code="NoGpuVisible",
        seen=("open /dev/kfd", "initialize Tensile host: No devices found", "hsa_init failed"),
        message=('The engine of "{name}" may not open the AMD GPU in its Pod.',),
        who="admin",
        remedies=(
            advise("See that the profile asks for amd.com/gpu, and that the container's user may open /dev/kfd."),
            DELETE_POD,
        ),
    ),
    Rule(
        code="RocmError",
        seen=("GPU archs … invalid or not supported", "HIP error: no kernel image", "hipErrorNoBinaryForGpu"),
        take=(r"(?P<arch>gfx\w+)",),
        message=(
            "The engine's image has no code for this AMD GPU ({arch}).",
            "The engine's image has no code for this AMD GPU.",
        ),
        who="user",
        remedies=(
            drop_env("VLLM_ROCM_USE_AITER"),
            advise("Set image to a build for this architecture, or take a profile with another GPU."),
        ),
    ),
    Rule(
        code="RocmError",
        seen=(
            "HIP error:",
            "rocBLAS error:",
            "Memory access fault by GPU",
            "HSA_STATUS_ERROR",
        ),
        take=(r"HIP error: (?P<error>[^.]+)",),
        message=("The AMD GPU failed: {error}.", "The AMD GPU failed."),
        who="user",
        remedies=(
            advise(
                'Set image to a build for this GPU\'s architecture (gfx); "invalid device function" means it has none.'
            ),
        ),
    ),
)

GPU_RUNTIME: tuple[Rule, ...] = (
    Rule(
        code="NvidiaRuntimeMissing",
        seen=("driver/library version mismatch", "NVML/RM version mismatch"),
        message=DRIVER_UPDATED,
        who="admin",
        remedies=AFTER_AN_UPDATE,
    ),
    Rule(
        code="NvidiaDriverTooOld",
        seen=("nvidia-container-cli: requirement error",),
        take=(r"unsatisfied condition: (?P<needs>\w+ ?[<>=]+ ?[\w.]+)",),
        message=(
            "The driver of the node is too old for this image, which needs {needs}.",
            "The driver of the node is too old for this image.",
        ),
        who="admin",
        remedies=(advise("Update the node's driver, or set image to an older release of the engine."),),
    ),
    Rule(
        code="NvidiaRuntimeMissing",
        seen=("unresolvable CDI devices", "CDI host device", "CDI device injection failed", "failed to inject devices"),
        take=(r"unresolvable CDI devices (?P<device>[\w./=-]+)",),
        message=(
            "Node {node} has no description (CDI) of the GPU {device} that the Pod was given.",
            "The node has no description (CDI) of the GPU that the Pod was given.",
        ),
        who="admin",
        remedies=(
            advise(
                "Have the description made anew on the node: restart its NVIDIA container toolkit and device plugin, "
                "or run nvidia-ctk cdi generate."
            ),
            advise("See that runtimeClassName of profile {profile_name} and the device plugin agree on CDI."),
            DELETE_POD,
        ),
    ),
    Rule(
        code="NvidiaRuntimeMissing",
        seen=("NVIDIA Container Runtime Hook directly",),
        message=(
            "The NVIDIA toolkit of node {node} passes GPUs in by CDI, and the Pod is started by another runtime.",
            "The NVIDIA toolkit of the node passes GPUs in by CDI, and the Pod is started by another runtime.",
        ),
        who="admin",
        remedies=(
            advise(
                "Set runtimeClassName: nvidia in profile {profile_name}, or make nvidia the node's default runtime.",
                "Set runtimeClassName: nvidia in the profile, or make nvidia the node's default runtime.",
            ),
            DELETE_POD,
        ),
    ),
    Rule(
        code="NvidiaRuntimeMissing",
        seen=(
            'no runtime for "nvidia"',
            "nvidia-container-cli:",
            "nvidia-container-runtime … executable file not found",
            "could not select device driver",
            'RuntimeHandler "nvidia',
        ),
        message=(
            "Node {node} cannot start GPU containers: its NVIDIA runtime or driver is missing or broken.",
            "The node cannot start GPU containers: its NVIDIA runtime or driver is missing or broken.",
        ),
        who="admin",
        remedies=(advise("Install the NVIDIA container toolkit and driver on the node."), DELETE_POD),
    ),
)
"""What the kubelet says of a container that is to get a GPU."""

GPU: tuple[Rule, ...] = (*FAULTS, *MEMORY, *COUNTS, *ACCELERATORS, *DRIVERS, *LINKS)
