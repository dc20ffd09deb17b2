"""Memory of the node or the container that is not enough for weights and caches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import MORE_UNITS, advise, set_env
from kubeai_notebook.core.diagnosis.engine.rule import Rule

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case


def _whole_line(case: Case) -> bool:
    return case.passage.lowered[case.index].rstrip(": ") in ("memoryerror", "memoryerror: unable to allocate")


def _whole_gib(case: Case) -> dict[str, str]:
    """The memory that is available in whole GiB, as vLLM takes it for its cache on a CPU."""
    whole = case.values.get("available", "").partition(".")[0]
    return {"whole_gib": whole} if whole and len(whole) < 10 and int(whole) else {}


NODE_MEMORY: tuple[Rule, ...] = (
    Rule(
        code="NotEnoughMemory",
        seen=("less than requested memory for kv", "less than desired CPU memory utilization"),
        take=(r"memory on node \d+ \((?P<available>[\d.]+)", r"for kv[\w ]{0,60} \((?P<needed>[\d.]+)"),
        derive=_whole_gib,
        message=(
            'The engine of "{name}" sets {needed} GiB aside for its cache, but {available} are available.',
            'The Pod of "{name}" has less memory than VLLM_CPU_KVCACHE_SPACE sets aside.',
        ),
        who="user",
        remedies=(
            set_env("VLLM_CPU_KVCACHE_SPACE", "{whole_gib}", "Set aside less: env.{variable} (GiB)."),
            MORE_UNITS,
            advise("Or choose a smaller model; its weights and its cache share the memory."),
        ),
    ),
    Rule(
        code="NotEnoughMemory",
        seen=(
            "requires more system memory",
            "insufficient memory (attempted",
            "Cannot allocate memory",
            "unable to allocate CPU buffer",
            "cpu_buffer_type_alloc_buffer: failed",
        ),
        take=(r"system memory \((?P<needed>[\d.]+ \w+)\) than is available \((?P<available>[\d.]+ \w+)\)",),
        message=(
            '"{name}" needs {needed} of memory, but only {available} are available.',
            'There is not enough memory to load "{name}".',
        ),
        who="user",
        remedies=(MORE_UNITS, advise("Or choose a smaller or more strongly quantized model.")),
    ),
    Rule(
        code="NotEnoughMemory",
        seen=("MemoryError",),
        only=_whole_line,
        message=('There is not enough memory to load "{name}".',),
        who="user",
        remedies=(MORE_UNITS, advise("Or choose a smaller or quantized model.")),
    ),
)
