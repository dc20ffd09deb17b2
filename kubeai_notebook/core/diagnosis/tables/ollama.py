"""OLlama, llama.cpp, and what else runs out of the node's memory."""

from __future__ import annotations

from kubeai_notebook.core.diagnosis.engine.remedies import DOWNLOAD_ONCE, MORE_UNITS, READ_LOG, advise, set_env
from kubeai_notebook.core.diagnosis.engine.rule import Case, Rule


def _whole_line(case: Case) -> bool:
    return case.passage.lowered[case.index].rstrip(": ") in ("memoryerror", "memoryerror: unable to allocate")


def _whole_gib(case: Case) -> dict[str, str]:
    """The memory that is available in whole GiB, as vLLM takes it for its cache on a CPU."""
    whole = case.values.get("available", "").partition(".")[0]
    return {"whole_gib": whole} if whole and int(whole) else {}


OLLAMA: tuple[Rule, ...] = (
    Rule(
        code="NotEnoughMemory",
        seen=("less than requested memory for kv",),
        take=(r"memory on node \d+ \((?P<available>[\d.]+)", r"for kv[\w ]* \((?P<needed>[\d.]+)"),
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
        seen=("requires more system memory", "insufficient memory (attempted", "Cannot allocate memory"),
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
    Rule(
        code="ModelFormatUnsupported",
        seen=("Repository is not GGUF",),
        message=("{weights} is no repository of GGUF files, which Ollama reads.", "The repository has no GGUF files."),
        who="user",
        remedies=(advise("Name a GGUF build of the model; or serve the repository by engine VLLM with an hf:// url."),),
    ),
    Rule(
        code="OllamaTooOld",
        seen=("requires a newer version of Ollama",),
        message=("The registry gives this model only to a newer Ollama than the image has.",),
        who="user",
        remedies=(advise("Set image to a current ollama/ollama release."),),
    ),
    Rule(
        code="EngineStartTimeout",
        seen=("timed out waiting for llama",),
        take=(r"progress (?P<progress>[\d.]+)",),
        message=(
            "Loading took longer than Ollama waits (it had got to {progress}).",
            "Loading took longer than Ollama waits.",
        ),
        who="user",
        remedies=(set_env("OLLAMA_LOAD_TIMEOUT", "30m"),),
    ),
    Rule(
        code="EngineStartTimeout",
        seen=("Timed out waiting for engine core processes to start",),
        take=(r"Waited (?P<seconds>\d+)s",),
        message=("Loading took longer than the {seconds} s that vLLM waits.", "Loading took longer than vLLM waits."),
        who="user",
        remedies=(set_env("VLLM_ENGINE_READY_TIMEOUT_S", "3600"), DOWNLOAD_ONCE),
    ),
    Rule(
        code="RunnerDied",
        seen=(
            "model runner has unexpectedly stopped",
            "llama runner process has terminated",
            "do load request: … EOF",
        ),
        message=("Ollama's runner died while it loaded the model, and the log says no cause.",),
        who="user",
        remedies=(READ_LOG, MORE_UNITS),
    ),
    # Ollama goes on without the GPU after this, so it stands below whatever stopped it.
    Rule(
        code="NvidiaDriverTooOld",
        seen=("NVIDIA driver too old",),
        message=("The node's NVIDIA driver is too old for this Ollama, which goes on by CPU.",),
        who="admin",
        remedies=(advise("Update the node's driver, or set image to an older release."),),
    ),
)
