"""Types of numbers, quantized ones too, in which an engine or its hardware cannot compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import advise, drop_argument, drop_env, set_argument, set_env
from kubeai_notebook.core.diagnosis.engine.rule import Rule

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case


def _wide_type(case: Case) -> dict[str, str]:
    """A type with kernels on every GPU, by the name that the engine takes."""
    named = {"FasterWhisper": {"whisper_type": "float16"}, "Infinity": {"half": "float16"}, "VLLM": {"half": "half"}}
    return named.get(case.scene.engine, {})


NUMBER_TYPES: tuple[Rule, ...] = (
    Rule(
        code="QuantizationUnsupported",
        seen=(
            "Unknown quantization method",
            "Unknown quantization type",
            "Unsupported quantization config",
            "Unsupported activation scheme",
            "does not match the quantization method",
            "Cannot find the config file for",
            "quantization is currently not supported",
            "in the model's quantization config",
        ),
        take=(
            r"(?P<method>[\w-]+) quantization is currently not supported",
            r"quantization method: '?(?P<method>[\w.-]+\w)",
            r"in the `quantization` argument \((?P<method>[\w-]+)\)",
            r"config file for (?P<method>[\w-]+)",
        ),
        message=(
            'This vLLM cannot load "{name}" with the quantization {method}.',
            'This vLLM cannot load "{name}" with its quantization.',
        ),
        who="user",
        remedies=(
            drop_argument("--quantization", "-q", title="Let the model say its own: remove {argument}."),
            advise(
                "Choose another build of the model, or a newer image that knows {method}.",
                "Choose another build of the model.",
            ),
        ),
    ),
    Rule(
        code="DtypeUnsupported",
        seen=("is not supported for quantization method",),
        take=(r"torch\.(?P<dtype>\w+)", r"Supported dtypes: (?P<supported>\[[^\]]*\])"),
        message=(
            "The quantized weights cannot be computed in {dtype}.",
            "The quantized weights cannot be computed in this dtype.",
        ),
        who="user",
        remedies=(set_argument("--dtype", "half"),),
    ),
    Rule(
        code="DtypeUnsupported",
        seen=("CUBLAS_STATUS_NOT_SUPPORTED",),
        message=("This GPU cannot compute in the type that is set: its cuBLAS has no such routine.",),
        who="user",
        remedies=(
            set_env("WHISPER__COMPUTE_TYPE", "{whisper_type}", "Compute in a type that it can: env.{variable}."),
            set_argument("--dtype", "{half}"),
            advise("Or set image to a newer release of the engine."),
        ),
        derive=_wide_type,
    ),
    Rule(
        code="DtypeUnsupported",
        seen=("Requested … compute type",),
        take=(r"Requested (?P<dtype>\w+) compute type",),
        message=("This hardware cannot compute in {dtype}.", "This hardware cannot compute in the asked type."),
        who="user",
        remedies=(
            drop_env("WHISPER__COMPUTE_TYPE"),
            set_env("WHISPER__COMPUTE_TYPE", "int8", "Or set env.{variable}, which every processor can."),
        ),
    ),
)
