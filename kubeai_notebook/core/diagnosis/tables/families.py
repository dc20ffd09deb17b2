"""Failures whose sentence nobody has met yet, by the family that their words belong to.

The other tables know sentences. Engines and their libraries word new ones with each release, but what they build them
of stays: the names of Python's exceptions, the errors of the kernel, the names of the engine's own arguments. These
rows know only that, so they stand behind all others, look at lines that name an error, and quote the line itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import name_of, value_of
from kubeai_notebook.core.diagnosis.engine.remedies import (
    MORE_UNITS,
    READ_LOG,
    advise,
    drop_argument,
    drop_env,
    set_argument,
    set_env,
)
from kubeai_notebook.core.diagnosis.engine.rule import Rule
from kubeai_notebook.core.engine_arguments import KNOWN
from kubeai_notebook.core.masking.names import is_secret_name

from .gpu_memory import is_gpu_profile
from .hub import HOST
from .image_contents import RELEASED
from .setting_values import holding

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case

_WORDS = re.compile(r"--[a-z][a-z0-9-]+|\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b")
_FIRST_WORD = re.compile(r"Error: `?([a-z]+(?:_[a-z]+)+)`? ?[=(]\d")
"""A setting and its value, of which the whole sentence speaks."""
_SUBJECT = re.compile(r"error: [`']?([a-z]+)\b")
"""The word of which the sentence speaks."""
_BAD = (
    "invalid",
    "not a valid",
    "must be",
    "should be",
    "valid options",
    "unsupported",
    "not supported",
    "unknown",
    "unrecognized",
    "expected",
    "error while",
    "error parsing",
    "could not convert",
)
"""What is said of a value that is refused."""
_PROGRAM = re.compile(r"no such file or directory: '[\w+-]+'|was not found but is required|executable file not found")
_ON_A_GPU = ("cuda", "hip", "rocm", "gpu", "hbm", "vram", "device", "slots", "kv cache", "vulkan", "metal", "sycl")
_SPOKEN = {
    "speculative": "--speculative-config",
    "draft model": "--speculative-config",
    "compilation_config": "--compilation-config",
    "cudagraph": "--compilation-config",
    "rope_scaling": "--hf-overrides",
    "kv_transfer": "--kv-transfer-config",
    "pooler_config": "--pooler-config",
    "expert parallel": "--enable-expert-parallel",
    "pipeline parallel": "--pipeline-parallel-size",
    "data parallel": "--data-parallel-size",
    "prefix caching": "--enable-prefix-caching",
    "chunked prefill": "--enable-chunked-prefill",
    "load format": "--load-format",
    "executor backend": "--distributed-executor-backend",
    "model loader extra config": "--model-loader-extra-config",
    "sleep mode": "--enable-sleep-mode",
    "unknown dtype": "--dtype",
}
"""Words by which vLLM speaks of what is set by an argument of another name."""
_VARIABLE = re.compile(
    r"\b(?P<variable>(?:VLLM|NCCL|CUDA|PYTORCH|TORCH|HF|TRANSFORMERS|OLLAMA|GGML|LLAMA|INFINITY|WHISPER|OMP|RUNAI"
    r"|TRITON|FLASHINFER|TOKENIZERS|HIP|HSA|ROCR|ASCEND|NEURON|HABANA|PT_HPU)_[A-Z0-9_]*[A-Z0-9])\b"
)


def _named(case: Case) -> str:
    """The argument that the line speaks of: one of the Model's own, else one that the engine knows, or begins with."""
    low = case.passage.lowered[case.index]
    names = [word.lstrip("-").replace("_", "-") for word in _WORDS.findall(case.line)]
    names += _SUBJECT.findall(low)[:1]
    own = (f"--{name}" for name in names if value_of(case.scene.args, f"--{name}") is not None)
    known = KNOWN.get(case.scene.engine, frozenset())
    worded = (name for name in map(name_of, case.scene.args) if "-" in name[2:])
    worded_own = next((name for name in worded if f"{name[2:].replace('-', ' ')} " in f"{low} "), "")
    first = _FIRST_WORD.search(case.line)
    spoken = f"--{first[1].replace('_', '-')}" if first else ""
    spelt = next((name for name in sorted(known) if name.count("-") > 1 and name.replace("-", " ") in low), "")
    words = (
        f"--{spelt}"
        if spelt
        else next((name for words, name in _SPOKEN.items() if words in low and name[2:] in known), "")
    )
    return (
        next(own, "")
        or worded_own
        or next((f"--{name}" for name in names if "-" in name and name in known), "")
        or spoken
        or words
        or holding(case, case.line)
    )


def _refused_argument(case: Case) -> dict[str, str]:
    name = _named(case)
    is_own = bool(name) and value_of(case.scene.args, name) is not None
    return {"argument": name, "own": name if is_own else ""}


def _names_an_argument(case: Case) -> bool:
    # A frame of a traceback holds names of the engine's own code, and the stack of a caller those of every setting.
    return _is_a_sentence_of_the_start(case) and bool(_named(case))


def _names_a_variable(case: Case) -> bool:
    named = _VARIABLE.search(case.line)
    # A key is never the one to take away: what reads so may be of a prompt.
    return named is not None and _is_a_sentence_of_the_start(case) and not is_secret_name(named["variable"])


_SENTENCE = 600
"""Letters of a line that still is a sentence, and no listing of all settings."""


def _is_a_sentence_of_the_start(case: Case) -> bool:
    """Whether the engine ended over it as it started: what it says of a request names settings, too."""
    return case.has_ended and not case.had_started and len(case.line) < _SENTENCE


def _of_a_gpu(case: Case) -> bool:
    return is_gpu_profile(case) or any(word in case.passage.lowered[case.index] for word in _ON_A_GPU)


def _not_of_a_gpu(case: Case) -> bool:
    return not _of_a_gpu(case)


_NO_BUFFER = ("failed to allocate … buffer", "unable to allocate … buffer", "failed to allocate … memory for")

_SETTINGS = (
    "/vllm/config",
    "/vllm/engine/arg_utils.py",
    "/vllm/envs.py",
    "/cli_args.py",
    "/vllm/utils/argparse_utils.py",
    "/infinity_emb/args.py",
    "/infinity_emb/env.py",
    "/faster_whisper_server/config.py",
    "/speaches/config.py",
)
"""Modules of engines that read settings and do nothing else."""
_CHOICES = re.compile(
    r"(?:valid|supported|accepted|known|available|allowed) (?:[\w-]+ )?(?:options|values|modes|kinds|layouts|roles|"
    r"types|families|methods|backends|formats|tasks|names|choices|\w+ codes)(?: are)?:? |must be one of|"
    r"'[^']*' is not a valid \w+$|should be one of|expected one of|needs to be one of|choose from|must be either"
)


def _refuses_a_setting(case: Case) -> bool:
    """Whether the module that reads settings raised it, or the line lists what may be chosen."""
    if not _is_a_sentence_of_the_start(case):
        return False
    frames = case.frames(8)
    raised = any(module in frames[-1] for module in _SETTINGS) if frames else False
    return raised or bool(_CHOICES.search(case.passage.lowered[case.index]))


_ABSENT = ("no such file", "not exist", "not found", "could not load", "cannot open", "failed to load")


def _path_and_setting(case: Case) -> dict[str, str]:
    """The path of which the line says that nothing is there, and which setting of the Model holds it."""
    if not any(words in case.passage.lowered[case.index] for words in _ABSENT):
        return {}
    args = ((name_of(item), value_of(case.scene.args, name_of(item)) or "") for item in case.scene.args)
    for name, value in (*args, *case.scene.env.items()):
        if value.startswith("/") and len(value) > 2 and value in case.line:
            kind = "own_argument" if name.startswith("-") else "own_variable"
            return {"path": value, "setting": name, kind: name}
    return {}


_MODELS = (
    "/vllm/model_executor/models/",
    "/vllm/model_executor/layers/",
    "/transformers/models/",
    "/transformers/activations.py",
)


def _builds_the_model(case: Case) -> bool:
    """Whether a part of the model raised it as it was made, and speaks of no argument of the Model's own."""
    if not _is_a_sentence_of_the_start(case) or _refused_argument(case)["own"]:
        return False
    frames = case.frames(8)
    built = bool(frames) and any(module in frames[-1] for module in _MODELS)
    return built and not any(words in frames[-1] for words in ("in forward", "in load_", "weight_loader"))


_QUANTIZED = (
    "/layers/quantization/",
    "in get_quant_config",
    "/transformers/quantizers/",
    "/compressed_tensors/",
    "_fp8_",
)


def _loads_quantized(case: Case) -> bool:
    """Whether the code that reads or makes quantized weights raised it as the engine started."""
    if not _is_a_sentence_of_the_start(case):
        return False
    frames = case.frames(18)
    return any(words in frame for frame in frames[-5:] for words in _QUANTIZED)


FAMILIES: tuple[Rule, ...] = (
    Rule(
        code="DestinationNotWritable",
        seen=("$HOME is not defined", "HOME environment variable is not set", "Could not determine home directory"),
        only=lambda case: case.has_ended,
        message=("The container's user has no home that it may write to.",),
        who="admin",
        remedies=(set_env("HOME", "/tmp", "Give the user a home: env.{variable}."),),  # noqa: S108 - in a Pod
    ),
    Rule(
        code="DestinationNotWritable",
        seen=(
            "Error: mkdir … permission denied",
            "Error: mkdir … read-only file system",
            "Error: open … permission denied",
            "Error: open … read-only file system",
            "create directory … permission denied",
            "attempt to write a readonly database",
            "unable to open database file",
        ),
        only=lambda case: case.has_ended,
        take=(r"(?:mkdir|open|directory) (?P<path>/\S*\w)",),
        message=("The engine may not write to {path}.", "The engine may not write where it has to."),
        who="admin",
        remedies=(
            set_env("HOME", "/tmp", "Give the user a home: env.{variable}."),  # noqa: S108 - in a Pod
            advise("Let the container's user write there: owner, mode and fsGroup of the volume."),
        ),
    ),
    Rule(
        code="CudaOutOfMemory",
        seen=(
            "Error: … out of memory",
            "runs out of memory",
            "ran out of memory",
            "Failed to allocate … memory",
            *_NO_BUFFER,
        ),
        unless=("shared memory", "if you are"),
        only=lambda case: case.has_ended and _of_a_gpu(case),
        take=(r"set a smaller number for `?(?P<argument>--[\w-]+)",),
        message=('"{name}" does not fit into the memory of the GPU.',),
        who="user",
        remedies=(
            advise("Do as the engine advises: set a smaller {argument}."),
            advise("Take a profile with a bigger GPU, or choose a smaller or quantized model."),
        ),
    ),
    Rule(
        code="NotEnoughMemory",
        seen=("std::bad_alloc", "Error: … out of memory", "ran out of memory", *_NO_BUFFER),
        unless=("shared memory", "if you are"),
        only=lambda case: case.has_ended and _not_of_a_gpu(case),
        message=('There is not enough memory to load "{name}".',),
        who="user",
        remedies=(MORE_UNITS, advise("Or choose a smaller or quantized model.")),
    ),
    Rule(
        code="NoGpuVisible",
        seen=(
            "Error: … GPU is needed",
            "Error: … GPU is required",
            "Error: … requires a GPU",
            "Error: … requires a CUDA GPU",
            "Error: … XPU is needed",
            "Error: … only supported on GPU",
        ),
        unless=("capability",),
        only=lambda case: case.has_ended,
        message=('"{name}" needs a GPU, and its engine finds none.',),
        who="user",
        remedies=(advise("Take a profile with a GPU; or choose a build of the model that a processor can compute."),),
    ),
    Rule(
        code="DtypeUnsupported",
        seen=("not implemented for 'Half'", "not implemented for 'BFloat16'", "not implemented for 'Float8"),
        take=(r"not implemented for '(?P<dtype>\w+)'",),
        message=("This hardware cannot compute in {dtype}.", "This hardware cannot compute in the type that is set."),
        who="user",
        remedies=(set_argument("--dtype", "float32"), advise("Compute in float32, or take a profile with a GPU.")),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("Error: … No such file or directory", "Error: … does not exist", "Error: … not found", "Error: … /"),
        only=lambda case: _is_a_sentence_of_the_start(case) and bool(_path_and_setting(case)),
        message=(
            "There is no {path} in the container, which {setting} names.",
            "There is no such file in the container as one of the settings names.",
        ),
        who="user",
        derive=_path_and_setting,
        remedies=(
            advise("Add the file to files with the path {path}, or correct {setting}.", "Add it to files."),
            drop_argument("{own_argument}"),
            drop_env("{own_variable}"),
        ),
    ),
    Rule(
        code="BrokenEngineImage",
        seen=("no such file or directory: '", "was not found but is required", "executable file not found"),
        unless=("nvidia-smi",),
        only=lambda case: case.has_ended and bool(_PROGRAM.search(case.passage.lowered[case.index])),
        take=(r"directory: '(?P<tool>[\w+-]+)'", r"(?P<tool>\w+) was not found but", r"exec: \"(?P<tool>[\w-]+)\""),
        message=("The image lacks the program {tool}.", "The image lacks a program that the engine needs."),
        who="user",
        remedies=RELEASED,
    ),
    Rule(
        code="QuantizationUnsupported",
        seen=("Error: ", "AssertionError"),
        unless=("allocate", "memory"),
        only=_loads_quantized,
        take=(r"Error: (?=.{1,201}+$)(?P<why>.{1,200}?)\.?$",),
        message=(
            'This engine cannot load "{name}" with its quantization: {why}.',
            'This engine cannot load "{name}" with its quantization.',
        ),
        who="user",
        remedies=(
            drop_argument("--quantization", "-q", title="Let the model say its own: remove {argument}."),
            advise("Choose another build of the model, another profile, or a newer image."),
        ),
    ),
    Rule(
        code="ModelJsonInvalid",
        seen=("ValueError: ", "AssertionError: ", "NotImplementedError: ", "KeyError: "),
        unless=("load_weights",),
        only=_builds_the_model,
        take=(r"Error: (?=[^{}]{1,203}+$)['\"]?(?P<why>[^{}]{1,200}?)['\"]?\.?$",),
        message=(
            "This engine cannot build the model that config.json describes: {why}.",
            "This engine cannot build the model that config.json describes.",
        ),
        who="user",
        remedies=(
            drop_argument("--hf-overrides", title="Leave config.json as it is: remove {argument}."),
            advise("Copy config.json again from the model's repository, or set image to a newer release."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("ValueError: ", "AssertionError: ", "NotImplementedError: ", "ArgumentError: "),
        unless=("load_weights", "parameter named"),
        only=_names_an_argument,
        take=(r"(?:ValueError|AssertionError|NotImplementedError|ArgumentError): (?P<why>.{1,200})",),
        message=(
            "The engine does not take {own} as it is set: {why}",
            "The engine refuses a setting, {argument}: {why}",
            "The engine refuses one of its settings.",
        ),
        who="user",
        derive=_refused_argument,
        remedies=(
            drop_argument("{argument}"),
            advise(
                "Set {argument} as the engine says; or choose another model, or a newer image.",
                "Correct what it speaks of in args; or choose another model, or a newer image.",
            ),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("Error: ", "error while handling environment variable", "error parsing environment variable"),
        unless=("load_weights",),
        only=lambda case: _names_a_variable(case) and any(words in case.passage.lowered[case.index] for words in _BAD),
        take=(_VARIABLE.pattern,),
        message=("The engine does not take {variable} as it is set.", "The engine refuses one of its variables."),
        who="user",
        remedies=(drop_env("{variable}"), advise("Correct env.{variable}, or remove it.", "Correct env.")),
    ),
    Rule(
        code="BadArgumentValue",
        seen=(
            "ValueError: ",
            "AssertionError: ",
            "NotImplementedError: ",
            "KeyError: ",
            "TypeError: ",
            "Error: Invalid ",
        ),
        unless=("load_weights", "architecture"),
        only=_refuses_a_setting,
        take=(r"Error: ['\"]?(?P<why>.{1,200})",),
        message=("The engine refuses one of its settings: {why}", "The engine refuses one of its settings."),
        who="user",
        derive=_refused_argument,
        remedies=(
            drop_argument("{argument}"),
            advise("Correct the args or env that it speaks of; or choose another model, or a newer image."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("error while handling argument", "error: expected value for argument"),
        take=(r"argument:? \"?(?P<argument>--?[\w-]+)",),
        message=("{argument} has a value that the engine does not take.", "An argument has a wrong value."),
        who="user",
        remedies=(drop_argument("{argument}"), advise("Correct the value of {argument}.", "Correct the value.")),
    ),
    Rule(
        code="ModelNotFound",
        seen=("404 Client Error: Not Found for url", "Client error '404 Not Found' for url"),
        only=lambda case: case.has_ended,
        take=(r"for url:? '?https?://(?P<host>[\w.-]+)/(?P<path>[^\s'?]+)",),
        message=("{host} has nothing under {path}.", "The source has nothing under that name."),
        who="user",
        remedies=(advise('Correct the url; now it is "{url}".', "Correct the url."),),
    ),
    Rule(
        code="SourceUnreachable",
        seen=(
            "requests.exceptions.ConnectionError: ",
            "httpx.ConnectError: ",
            "httpx.RemoteProtocolError: ",
            "aiohttp.client_exceptions.ClientConnect",
            "RemoteDisconnected(",
        ),
        unless=("localhost", "127.0.0.1"),
        only=lambda case: case.has_ended,
        take=HOST,
        message=(
            "The connection to {host} broke off.",
            "The connection to the source of the weights broke off.",
        ),
        who="admin",
        remedies=(
            advise("It is tried again; if it goes on, ask whether a firewall or proxy cuts the way out."),
            advise("Or name a mirror in env.HF_ENDPOINT or a proxy in env.HTTPS_PROXY.", only="cluster"),
        ),
    ),
    Rule(
        # A process's own limit; whose it is, the node's or the image's, the text does not say.
        code="Unknown",
        seen=("Errno 24] Too many open files",),
        only=lambda case: case.has_ended,
        message=("The container may not open as many files as the engine needs (ulimit -n).",),
        who="admin",
        remedies=(
            advise("Raise the limit of open files (LimitNOFILE) of the nodes' container runtime."),
            READ_LOG,
        ),
    ),
    Rule(
        # A volume, a disk or a kernel: the text does not say which.
        code="Unknown",
        seen=(
            "Stale file handle",
            "Errno 5] Input/output error",
            "Input/output error (os error 5)",
            "Transport endpoint is not connected",
        ),
        only=lambda case: case.has_ended,
        take=(r": '?(?P<path>/[\w./-]*\w)",),
        message=(
            "The storage under {path} broke off while the engine read from it.",
            "The storage broke off while the engine read from it.",
        ),
        who="admin",
        remedies=(
            advise("Delete the Pod, so that the volume is mounted anew; if it fails again, look at the storage."),
            READ_LOG,
        ),
    ),
)
