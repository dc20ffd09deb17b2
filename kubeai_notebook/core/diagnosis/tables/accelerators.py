"""Accelerators that are neither NVIDIA's nor AMD's: Gaudi, TPU, Neuron, Ascend and Intel's GPUs.

Their drivers fail in the same three ways as CUDA does, each in words of its own: the device is not in the Pod, another
process holds it, or the driver and the image are of different releases. What cures it is the same too, but for the
resource that the profile has to ask for, so one row a vendor names that.
"""

from __future__ import annotations

from kubeai_notebook.core.diagnosis.engine.remedies import DELETE_POD, advise
from kubeai_notebook.core.diagnosis.engine.rule import Rule

_MISSING = (
    (
        "Gaudi",
        "habana.ai/gaudi",
        ("Device acquire failed", "No HPU devices", "HPU device not found", "initialize synapse"),
    ),
    (
        "TPU",
        "google.com/tpu",
        (
            "open device: /dev/accel",
            "open(/dev/vfio",
            "open iommu group",
            "TPU initialization failed",
            "No TPU devices were found",
            "RuntimeError: Unable to initialize backend 'tpu'",
        ),
    ),
    (
        "Neuron",
        "aws.amazon.com/neuron",
        (
            "condition !(num_devices > 0)",
            "nrt_init … failed",
            "NRT_INIT",
            "No neuron device",
            "has no neuron devices",
            "Neuron … cannot be initialized",
            "Neuron … could not be initialized",
            "tdrv_init … Could not open the nd",
            "Could not open the driver … neuron",
        ),
    ),
    (
        "Ascend",
        "huawei.com/Ascend910",
        (
            "libascend_hal.so",
            "npu::SetDevice",
            "Failed to start the device",
            "NPU function error",
            "No NPU devices",
            "aclrtSetDevice … error",
            "libhccl.so: cannot open",
            "libascendcl.so: cannot open",
        ),
    ),
    (
        "Intel GPU",
        "gpu.intel.com/xe",
        (
            "No XPU devices",
            "fill_device_fds … open failed",
            "no usable Level Zero device",
            "ZE_RESULT_ERROR_UNINITIALIZED",
            "UR_RESULT_ERROR_UNINITIALIZED",
            "No device of requested type available",
            "XPU device … not available",
        ),
    ),
)

ACCELERATORS: tuple[Rule, ...] = (
    Rule(
        code="GpuMemoryInUseByOthers",
        seen=(
            "Device already acquired",
            "/dev/vfio … Device or resource busy",
            "/dev/accel … Device or resource busy",
            "The TPU is already in use",
            "Logical Neuron Core … not available",
        ),
        message=('Another process holds the accelerator that "{name}" was given.',),
        who="nobody",
        remedies=(
            advise("If an old Pod of the Model is ending on this node, wait: the next try finds it free."),
            DELETE_POD,
            advise("If it goes on, the admin looks on node {node} for what holds it.", "Else ask the admin."),
        ),
    ),
    *(
        Rule(
            code="NoGpuVisible",
            seen=seen,
            message=(f'The engine of "{{name}}" cannot open a device of {vendor} in its Pod.',),
            who="admin",
            remedies=(
                advise(
                    f"See that resource profile {{profile_name}} asks for {resource} and names the runtime class, if "
                    "the vendor has one.",
                    f"See that the profile asks for {resource}.",
                ),
                advise("See that the driver of the node and the image are of the same release."),
                DELETE_POD,
            ),
        )
        for vendor, resource, seen in _MISSING
    ),
)
