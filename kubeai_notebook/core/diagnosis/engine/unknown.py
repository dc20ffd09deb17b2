"""A failure that no rule explains: the last line that names an error, and never a guess."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from kubeai_notebook.core.notice import Evidence, Finding
from kubeai_notebook.core.objects import number_at, text_at
from kubeai_notebook.core.phase import PASSING_WAITING

from .cleaning import excerpt
from .remedies import READ_LOG, Template, run, set_env
from .rule import Rule, stated
from .text_source import worded

if TYPE_CHECKING:
    from kubeai_notebook.core.objects import Pod

    from .scene import Scene
    from .text_source import Passage

_EXCEPTION = re.compile(
    r"\b(?:[A-Z]\w*(?:Error|Exception))\b|\b(?i:error:|cannot (?:create|open|access|stat|read|write)\b)"
    r"|terminate called after throwing|Segmentation fault|Bus error|Fatal Python error|\bFATAL ERROR\b|^panic: "
    r"|^Exception: "
    r"|^[a-z_]\w*(?:\.\w+)*\.[A-Z]\w+: "  # httpx.UnsupportedProtocol: …
    r"|\bwhat\(\):|\berror loading [\w ]{1,40}: |\bSIG(?:SEGV|ABRT|BUS|FPE)\b"
)
_COMPLAINT = re.compile(r"\b(?i:error|fatal|failed|failure|abort(?:ed|ing)|could not|unable to|cannot|can't)\b")
"""What programs say that know no exceptions: only where no line names one."""
_WRAPPERS = (
    "engine core initialization failed",
    "workerproc",
    "enginecore failed to start",
    "worker failed with error",
    "application startup failed",
    "exiting due to model loading error",
    "failed to init server",
    "failed to load model",
    "unable to load model",
    "failed to create context",
    "failed to create_context",
    "failed to initialize http server",
    "llama runner terminated",
    "llama runner process has terminated",
    "error loading llama server",
    "died unexpectedly",
    "see stack trace",
    "see root cause",
)
# Source lines in a traceback speak of errors too.
_SOURCE = re.compile(r"^(?:raise\b|except\b|File \"|[~^]+$|import |from |#)")
# "Set VLLM_USE_V1=0 to …". Anything may stand in a log, also what a model or a prompt wrote there: so only these, which
# choose between the engine's own ways and let no code in and nothing out.
_HARMLESS = (
    *("VLLM_USE_V1", "VLLM_ATTENTION_BACKEND", "VLLM_WORKER_MULTIPROC_METHOD", "VLLM_USE_FLASHINFER_SAMPLER"),
    *("VLLM_USE_TRITON_FLASH_ATTN", "VLLM_ENGINE_ITERATION_TIMEOUT_S", "VLLM_CPU_KVCACHE_SPACE", "VLLM_SKIP_P2P_CHECK"),
    *("VLLM_DISABLE_COMPILE_CACHE", "VLLM_USE_DEEP_GEMM", "VLLM_USE_STANDALONE_COMPILE", "VLLM_ROCM_USE_AITER"),
    *("VLLM_MLA_DISABLE", "VLLM_FLASH_ATTN_VERSION", "VLLM_RPC_TIMEOUT", "VLLM_ENABLE_V1_MULTIPROCESSING"),
    *("NCCL_P2P_DISABLE", "NCCL_IB_DISABLE", "NCCL_SHM_DISABLE", "NCCL_CUMEM_ENABLE", "NCCL_DEBUG", "NCCL_NVLS_ENABLE"),
    *("CUDA_LAUNCH_BLOCKING", "TORCHDYNAMO_DISABLE", "TORCH_COMPILE_DISABLE", "TORCHDYNAMO_VERBOSE"),
    *("TOKENIZERS_PARALLELISM", "OMP_NUM_THREADS", "HF_HUB_DISABLE_XET", "HF_HUB_ENABLE_HF_TRANSFER"),
    *("HF_HUB_DOWNLOAD_TIMEOUT", "OLLAMA_FLASH_ATTENTION", "OLLAMA_LOAD_TIMEOUT", "OLLAMA_NUM_PARALLEL"),
    *("GGML_CUDA_ENABLE_UNIFIED_MEMORY", "AMD_SERIALIZE_KERNEL", "TRANSFORMERS_VERBOSITY"),
)
_ADVICE = re.compile(
    r"\b(?i:set|setting|try|use|using|with|export)\b[^.=]{0,60}?"
    rf"\b(?P<name>{'|'.join(_HARMLESS)})=(?P<value>\w{{1,40}})(?![\w.:/-])"
)
_SIGNALS = {
    134: "it aborted itself, SIGABRT",
    135: "a bus error, SIGBUS",
    136: "an error in arithmetic, SIGFPE",
    139: "a segmentation fault, SIGSEGV",
}
"""Exit codes by which a shell, and the kubelet, tell a signal: 128 and its number."""
QUIET_EXITS = (0, 143)
"""Ends that are no failure: done, and asked to end (SIGTERM)."""

UNKNOWN = Rule(
    code="Unknown",
    seen=(),
    message=(
        'The container of "{name}" failed with exit code {code}, for a reason that this diagnosis does not know.',
        '"{name}" fails for a reason that this diagnosis does not know.',
    ),
    who="user",
    remedies=(READ_LOG, run("Look at the Pod and its Events.", "kubectl -n {namespace} describe pod {pod}")),
)


def _advised(line: str) -> tuple[Template, ...]:
    """What the engine itself advises in its last words."""
    advice = _ADVICE.search(line)
    title = "Do as the engine advises: set env.{variable}."
    return (set_env(advice["name"], advice["value"], title),) if advice else ()


def error_line(passage: Passage | None) -> str:
    """The last line that names an exception or says ``error:``, else one that complains; last of all a wrapper."""
    wrapper = complaint = ""
    for line, low in zip(reversed(passage.lines), reversed(passage.lowered), strict=True) if passage else ():
        wraps = any(words in low for words in _WRAPPERS)
        if _SOURCE.match(line):
            continue
        if _EXCEPTION.search(line):
            last = max(match.start() for match in _EXCEPTION.finditer(line))
            if not wraps:
                return excerpt(line, last)
            wrapper = wrapper or excerpt(line, last)
        elif not complaint and not wraps and (match := _COMPLAINT.search(line)):
            complaint = excerpt(line, match.start())
    return complaint or wrapper


def _named(code: int | None) -> str:
    return f"{code} ({_SIGNALS[code]})" if code in _SIGNALS else str(code)


def unknown(scene: Scene, pod: Pod, log: Passage | None) -> Finding | None:
    """A Pod that surely failed and that nothing explained."""
    code = number_at(pod.main.ended, "exitCode")
    waiting = next((container for container in pod.containers if container.waiting not in PASSING_WAITING), None)
    ended = code is not None and code not in QUIET_EXITS
    if not ended and waiting is None and pod.phase != "Failed":
        return None
    if code in QUIET_EXITS and (waiting is None or waiting.waiting == "CrashLoopBackOff") and pod.phase != "Failed":
        return None
    line = error_line(log)
    if log and line:
        evidence = Evidence("log", log.where, line)
    elif message := text_at(pod.main.ended, "message"):
        evidence = Evidence("status", f"{pod.name}/{pod.main.name}", worded(text_at(pod.main.ended, "reason"), message))
    elif waiting:
        message = text_at(waiting.raw, "state", "waiting", "message")
        evidence = Evidence("status", f"{pod.name}/{waiting.name}", worded(waiting.waiting, message))
    else:
        reason = text_at(pod.main.ended, "reason") or text_at(pod.raw, "status", "reason") or pod.phase
        said = f"{reason}, exit code {code}" if ended else worded(reason, text_at(pod.raw, "status", "message"))
        evidence = Evidence("status", f"{pod.name}/{pod.main.name}", excerpt(said))
    rule = replace(UNKNOWN, remedies=(*_advised(line), *UNKNOWN.remedies))
    return stated(rule, scene, evidence, pod=pod, code=_named(code) if ended else "")
