"""What CUDA says before it runs anything: a broken GPU, switches that nobody set up, a device that is held."""

from __future__ import annotations

from kubeai_notebook.core.diagnosis.engine.remedies import DELETE_POD, READ_LOG, advise, drop_env, set_argument
from kubeai_notebook.core.diagnosis.engine.rule import Rule

DRIVER_UPDATED = (
    "The NVIDIA driver of node {node} was updated under its running kernel module: the two differ.",
    "The NVIDIA driver of the node was updated under its running kernel module: the two differ.",
)
AFTER_AN_UPDATE = (
    advise("Drain and reboot the node, or unload and load the NVIDIA kernel modules; then delete the Pod."),
    DELETE_POD,
)

CRASHES: tuple[Rule, ...] = (
    Rule(
        # Of all that fails on a GPU these say least: a fault of the engine, of the driver or of the GPU.
        code="Unknown",
        seen=(
            "Error: CUDA error: an illegal memory access",
            "Error: CUDA error: device-side assert",
            "Error: CUDA error: unspecified launch failure",
            "Error: CUDA error: misaligned address",
            "Error: CUDA error: an illegal instruction",
            "CUBLAS_STATUS_EXECUTION_FAILED",
            "CUBLAS_STATUS_INTERNAL_ERROR",
            "Error: Triton Error [CUDA]",
            "synStatus=",
        ),
        only=lambda case: case.has_ended,
        take=(r"(?:CUDA error|Triton Error \[CUDA\]): (?P<error>[\w -]+)", r"(?P<error>CUBLAS_STATUS_\w+)"),
        message=(
            "A computation broke off on the GPU ({error}), for a reason that this diagnosis does not know.",
            "A computation broke off on the GPU, for a reason that this diagnosis does not know.",
        ),
        who="user",
        remedies=(
            set_argument("--enforce-eager", "", "Try it without compiled graphs, which is slower: set {argument}."),
            advise("Set image to another release of the engine."),
            advise("If it comes back on this node only, the admin looks for Xid in the kernel log of node {node}."),
            READ_LOG,
        ),
    ),
)
"""Behind all that know a cause."""

FAULTS: tuple[Rule, ...] = (
    Rule(
        code="GpuFaulty",
        seen=(
            "uncorrectable ECC error",
            "uncorrectable NVLink error",
            "CUDA_ERROR_ECC_UNCORRECTABLE",
            "GPU is lost",
            "fallen off the bus",
            "DEVICE_LOST",
            "ErrorDeviceLost",
            "DeviceLostError",
            "NVRM: Xid",
            "over nvlink or a hardware error",
            "hardware stack error",
            "GPU requires reset",
            "GPU_IS_LOST",
            "NVMLError_GpuIsLost",
        ),
        message=(
            "A GPU of node {node} is faulty, or has to be reset.",
            "A GPU of the node is faulty, or has to be reset.",
        ),
        who="admin",
        remedies=(
            advise("Drain the node, then reset its GPU or reboot it; its kernel log (Xid) says more."),
            DELETE_POD,
        ),
    ),
    Rule(
        code="NvidiaRuntimeMissing",
        seen=("system not yet initialized", "CUDA_ERROR_SYSTEM_NOT_READY"),
        message=(
            "The GPUs of node {node} are joined by NVSwitches that nobody has set up (CUDA error 802).",
            "The node's GPUs are joined by NVSwitches that nobody has set up (CUDA error 802).",
        ),
        who="admin",
        remedies=(
            advise("Start nvidia-fabricmanager on the node, in the very version of its driver; then delete the Pod."),
            DELETE_POD,
        ),
    ),
    Rule(
        code="NvidiaRuntimeMissing",
        seen=(
            "CUDA unknown error - this may be due to",
            "cudaGetDeviceCount() … Error 999",
            "cudaGetDeviceCount() … Error 3:",
            "Error: CUDA error: initialization error",
            "Failed to initialize NVML: Unknown Error",
        ),
        message=(
            "CUDA cannot be started on node {node}: the container's way to the driver is broken.",
            "CUDA cannot be started on the node: the container's way to the driver is broken.",
        ),
        who="admin",
        remedies=(
            DELETE_POD,
            advise("If the next Pod fails too: reload the NVIDIA kernel modules on the node, or reboot it."),
        ),
    ),
    Rule(
        code="NvidiaRuntimeMissing",
        seen=(
            "Failed to initialize NVML: Driver/library version mismatch",
            "Error: NVML: Driver/library version mismatch",
            "NVMLError_LibRmVersionMismatch",
        ),
        message=DRIVER_UPDATED,
        who="admin",
        remedies=AFTER_AN_UPDATE,
    ),
    Rule(
        # As CUDA counts them, before an engine has chosen any.
        code="NoGpuVisible",
        seen=("Error 101: invalid device ordinal",),
        message=("CUDA_VISIBLE_DEVICES names a GPU that the Pod does not have.",),
        who="user",
        remedies=(
            drop_env("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"),
            advise("Leave it to the profile which GPUs the Pod sees; it names none itself."),
            DELETE_POD,
        ),
    ),
    Rule(
        code="GpuMemoryInUseByOthers",
        seen=("CUDA-capable device(s) is/are busy or unavailable", "CUDA-capable devices are busy or unavailable"),
        message=("Another process has the GPU for itself, or the GPU was not passed in whole.",),
        who="nobody",
        remedies=(
            advise("If an old Pod of the Model is ending on this GPU, wait: the next try finds it free."),
            DELETE_POD,
            advise("If it goes on, the admin looks at the GPU's compute mode and at its MIG or vGPU profile."),
        ),
    ),
)
