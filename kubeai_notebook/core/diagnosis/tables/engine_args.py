"""Arguments that the engine does not take."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import name_of, value_of
from kubeai_notebook.core.diagnosis.engine.remedies import (
    advise,
    drop_argument,
    drop_env,
    set_argument,
    set_env,
)
from kubeai_notebook.core.diagnosis.engine.rule import Rule
from kubeai_notebook.core.engine_arguments import KNOWN, meant_argument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.diagnosis.engine.case import Case


def _set_to(case: Case) -> dict[str, str]:
    """Which of the Model's own settings holds the value that is refused; one that is written once."""
    value = case.values.get("value", "").strip("'\"")
    of_args = (name_of(item) for item in case.scene.args if value_of(case.scene.args, name_of(item)) == value)
    of_env = (name for name, held in case.scene.env.items() if value in held.split(";"))
    argument, variable = (next(iter(found), "") for found in ((of_args, of_env) if value else ((), ())))
    return {"own_argument": argument, "own_variable": variable, "own": argument or variable}


def _which_parser(case: Case) -> dict[str, str]:
    reasoning = "reasoning" in case.passage.lowered[case.index]
    return {"parser_argument": "--reasoning-parser" if reasoning else "--tool-call-parser"}


def _wide_type(case: Case) -> dict[str, str]:
    """A type with kernels on every GPU, by the name that the engine takes."""
    named = {"FasterWhisper": {"whisper_type": "float16"}, "Infinity": {"half": "float16"}, "VLLM": {"half": "half"}}
    return named.get(case.scene.engine, {})


def _of_mistral(case: Case) -> dict[str, str]:
    """The arguments that ask for Mistral's format; each of them can ask for another thing."""
    names = ("--tokenizer-mode", "--config-format", "--load-format")
    return {"of_mistral": " ".join(name for name in names if value_of(case.scene.args, name) == "mistral")}


def _strings(value: object) -> Iterator[str]:
    """The texts that a setting holds, deep in its JSON too; not the names of its keys."""
    if isinstance(value, dict):
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        yield from _strings(part)
    if isinstance(value, str):
        yield value


def _texts_of(value: str) -> list[str]:
    try:
        held = json.loads(value)
    except ValueError:
        held = value
    return [text for text in _strings(held) if len(text) > 2 and text not in ("auto", "none", "model", "true")]


def _holding(case: Case, said: str) -> str:
    """The argument of the Model that holds a text of which the sentence speaks."""
    names = (name_of(item) for item in case.scene.args)
    words = _BETWEEN_WORDS.sub(" ", f" {said} ")
    for name in names:
        if any(f" {text} " in words for text in _texts_of(value_of(case.scene.args, name) or "")):
            return name
    return ""


_BETWEEN_WORDS = re.compile(r"[^\w./-]+")


def _named_argument(case: Case) -> dict[str, str]:
    """The argument of the Model that the refusal speaks of: in any spelling, or by what it holds."""
    said = re.findall(r"[a-z][a-z0-9]+(?:[_-][a-z0-9]+)+|(?<=--)[a-z]+", case.values.get("why", ""))
    known = (f"--{word.replace('_', '-')}" for word in said)
    named = next((name for name in known if value_of(case.scene.args, name) is not None), "")
    return {"argument": named or _holding(case, case.values.get("why", "").rstrip("."))}


_GLUED = re.compile(r"(?:arguments|option): (?P<name>--[a-z][\w-]*) +(?!-)\S")


def _glued(case: Case) -> dict[str, str]:
    """The argument that the engine does know, but not with its value behind a blank in one item of the args."""
    refused = _GLUED.search(case.line)
    name = name_of(refused["name"]) if refused else ""
    apart = any(item.strip() == name for item in case.scene.args)
    return {"argument": name} if not apart and name[2:] in KNOWN.get(case.scene.engine, frozenset()) else {}


def _meant(case: Case) -> dict[str, str]:
    """The argument that the engine asks after, or else the one that is spelt nearly so."""
    asked, given = case.values.get("meant", ""), case.values.get("argument", "")
    near = meant_argument(case.scene.engine, name_of(given)[2:]) if given.startswith("--") else ""
    return {"meant": asked or (f"--{near}" if near else "")}


_FAILED = re.compile(r"(\d+) validation errors? for (\w+)", re.IGNORECASE)
_FIELD = re.compile(r"^(?P<field>[A-Za-z_]\w*)(?:\.[\w\[\],.]+)?$")
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _validated(case: Case) -> dict[str, str]:
    """What pydantic refuses: the argument of that name, or the one that holds the refused part of a setting.

    It lists each refused field above what is wrong with it, and a field may follow from another one.
    """
    lines, index = case.passage.lines, case.index
    head = next((at for at in range(index, max(-1, index - 60), -1) if _FAILED.search(lines[at])), None)
    failed = _FAILED.search(lines[head]) if head is not None else None
    if head is None or failed is None:
        return {}
    above = (_FIELD.search(line) for line in reversed(lines[head + 1 : index]))
    field = next((match["field"] for match in above if match), "")
    named = [
        field,
        *(match["field"] for match in map(_FIELD.search, lines[index : index + 3 * int(failed[1])]) if match),
    ]
    arguments = (f"--{name.replace('_', '-')}" for name in named if name)
    own = next((name for name in arguments if value_of(case.scene.args, name) is not None), "")
    holder = f"--{_CAPITAL.sub('-', failed[2]).lower()}"
    if not own and value_of(case.scene.args, holder) is not None:
        return {"field": field, "key": field, "argument": holder, "own": holder}
    return {"field": field, "argument": own or field, "own": own}


_ARGUMENT = r"(?:argument (?:-\w+/)?|Option '|value for '(?:-\w+' / ')?)(?P<argument>--[\w-]+)"

_ENUM = re.compile(r"ValueError: '[^']{0,60}' is not a valid [A-Z]\w+$")
"""What Python says of a value that is no member of an enumeration."""

ARGUMENTS: tuple[Rule, ...] = (
    Rule(
        code="UnknownArgument",
        seen=("unrecognized arguments: --", "No such option: --"),
        only=lambda case: bool(_glued(case)),
        message=(
            "{argument} and its value stand in one item of args, which the engine does not split.",
            "An argument and its value stand in one item of args, which the engine does not split.",
        ),
        who="user",
        derive=_glued,
        remedies=(
            advise(
                "Write {argument}=<value>, or its value as an item of its own.",
                "Write an equals sign between them, or the value as an item of its own.",
            ),
        ),
    ),
    Rule(
        code="UnknownArgument",
        seen=(
            "unrecognized arguments:",
            "No such option",
            "Got unexpected extra argument",
            "error: ambiguous option:",
            "error: unknown flag:",
            "error: invalid argument: -",
            "error: unknown argument: -",
            "unknown shorthand flag:",
            "No such command",
        ),
        take=(
            r"unrecognized arguments: (?P<argument>.+)",
            r"No such option:? '?(?P<argument>-[\w-]+)",
            r"extra arguments? \((?P<argument>[^)]+)\)",
            r"(?:ambiguous option|unknown flag|invalid argument): (?P<argument>-[\w-]+)",
            r"Did you mean '?(?P<meant>-(?!-help)[\w-]+)",
        ),
        message=(
            "{engine} knows no argument {argument}; {meant} may be meant.",
            "{engine} (this version of its image) knows no argument {argument}.",
            "The engine knows no argument {argument}.",
            "The engine does not know one of the arguments.",
        ),
        who="user",
        derive=_meant,
        remedies=(
            advise("Write {meant} in place of {argument}."),
            drop_argument("{argument}"),
            advise("Remove {argument}; newer versions may have dropped it.", "Remove that argument."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("requires --tool-call-parser",),
        message=("--enable-auto-tool-choice needs --tool-call-parser beside it.",),
        who="user",
        remedies=(
            set_argument("--tool-call-parser", "hermes", "Set {argument}, or the parser made for this model."),
            drop_argument("--enable-auto-tool-choice"),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("Failed to load module '… .py",),
        only=lambda case: case.has_ended and not case.had_started,
        take=(r"from (?P<path>/\S+\.py)",),
        message=(
            "The plugin {path} is not in the container, or Python cannot load it.",
            "A plugin is not in the container, or Python cannot load it.",
        ),
        who="user",
        remedies=(
            advise("Add it to files with the path {path}; an error in it stands below that line of the log."),
            drop_argument(
                "--tool-parser-plugin", "--reasoning-parser-plugin", title="Or do without: remove {argument}."
            ),
            advise("Add the plugin to files.", unless="path"),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("invalid tool call parser", "invalid reasoning parser", "parser … not found. Available"),
        take=(
            r"parser: (?P<value>\S+) \(chose from \{ ?(?P<choices>[^}]{0,200})",
            r"parser '(?P<value>[^']+)' not found\. Available \w+: \[?(?P<choices>[^\]]{0,200})",
        ),
        message=('There is no parser "{value}" in this vLLM.', "There is no such parser in this vLLM."),
        who="user",
        derive=_which_parser,
        remedies=(
            advise("Set {parser_argument} to one of: {choices}", "Set {parser_argument} to one that this vLLM has."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=(
            "error: argument -",
            "Invalid value for '--",
            "error: the following arguments are required",
            "Option '--… requires an argument",
        ),
        unless=("--url-prefix",),
        take=(
            rf"{_ARGUMENT}[^:]*'?: (?:invalid [\w ]+: |ignored explicit argument )?(?P<value>'[^']*')",
            rf"{_ARGUMENT}[^:]*: invalid choice: (?P<value>[^\s']\S*)",
            rf"{_ARGUMENT}[^:]*: Value (?P<text>.{{1,80}}) cannot be converted to <function loads",
            _ARGUMENT,
            r"Input should be (?P<should>[^\[]{1,160})",
            r"choose from (?P<choices>[^)]{1,200})",
            r"is not one of (?P<choices>.{1,200}?)\.?$",
            r"is not a valid (?P<expected>\w+)",
        ),
        message=(
            "{argument} may not be {value}; choose from {choices}.",
            "{argument} must be JSON, not {text}.",
            "{argument} must be an {expected}, not {value}.",
            "{argument} may not be {value}.",
            "{argument} holds something that should be {should}.",
            "{argument} has a value that the engine does not take.",
            "An argument has a value that the engine does not take.",
        ),
        who="user",
        remedies=(
            drop_argument("{argument}", title="Use the engine's own choice: remove {argument}."),
            advise("Correct the value of {argument}.", "Correct the value."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=(".py: error: ", "vllm serve: error: "),
        only=lambda case: case.has_ended and not case.had_started,
        take=(r": error: (?P<why>.{1,200}?)\.?$", r"(?P<argument>--[a-z][\w-]+)"),
        message=("The engine does not take its args: {why}.", "The engine does not take its args."),
        who="user",
        remedies=(drop_argument("{argument}"), advise("Correct {argument}.", "Correct args as it says.")),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("is not a valid InferenceEngine", "is not a valid Device"),
        take=(r"(?P<value>'[^']*') is not a valid (?:InferenceEngine|Device)",),
        message=(
            "{own} may not be {value}.",
            "INFINITY_ENGINE or INFINITY_DEVICE may not be {value}.",
            "INFINITY_ENGINE or INFINITY_DEVICE has a wrong value.",
        ),
        who="user",
        derive=_set_to,
        remedies=(
            drop_env("{own_variable}"),
            drop_argument("{own_argument}"),
            advise("Use engine torch, ctranslate2 or optimum, and device auto, cpu, cuda or mps."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("ValueError: '… is not a valid",),
        only=lambda case: case.has_ended and _ENUM.search(case.line) is not None,
        take=(r"ValueError: (?P<value>'[^']*') is not a valid (?P<kind>\w+)",),
        message=(
            "{own} may not be {value}: it is no {kind}.",
            "A setting may not be {value}: it is no {kind}.",
            "A setting has a value that the engine does not take.",
        ),
        who="user",
        derive=_set_to,
        remedies=(
            drop_env("{own_variable}"),
            drop_argument("{own_argument}"),
            advise("Correct what is set to {value} in args or env.", "Correct args or env."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("invalid literal for int()", "could not convert string to float"),
        only=lambda case: not case.had_started,
        take=(r"(?:base 10|to float): (?P<value>'[^']*')",),
        message=(
            "{own} must be a number, not {value}.",
            "A setting must be a number, not {value}.",
            "A setting must be a number.",
        ),
        who="user",
        derive=_set_to,
        remedies=(
            set_env("VLLM_CPU_KVCACHE_SPACE", "{kv_space}", "Write the number without its unit: env.{variable}."),
            advise("Write a plain number in place of {value}.", "Write a plain number."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("Unexpected keyword argument [type=", "Extra inputs are not permitted [type="),
        derive=_validated,
        message=(
            'The engine knows no "{key}" in {argument}.',
            'The engine knows no "{field}" among its settings.',
            "The engine does not know one of the settings.",
        ),
        who="user",
        remedies=(
            drop_argument("{own}"),
            advise('Take "{field}" out of {argument}, or spell it as the engine does.', "Take that setting out."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("Field required [type=", "Missing required argument [type="),
        only=lambda case: "validation error" in case.above(4),
        derive=_validated,
        message=(
            '{argument} lacks its "{key}".',
            'The engine lacks a setting: "{field}".',
            "The engine lacks a setting.",
        ),
        who="user",
        remedies=(drop_argument("{own}"), advise('Add "{field}" to {argument}.', "Add what it speaks of.")),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("Input should be",),
        take=(r"Input should be (?P<expected>[^\[]{1,160})", r"input_value=(?P<value>[^,\]]+)"),
        derive=_validated,
        message=(
            'The "{key}" of {argument} should be {expected}, not {value}.',
            "{argument} should be {expected}, not {value}.",
            "An argument should be {expected}, not {value}.",
            "An argument has a value that the engine does not take.",
        ),
        who="user",
        remedies=(
            drop_argument("{own}", title="Use the engine's own choice: remove {argument}."),
            advise("Correct {argument}.", "Correct the value."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=(
            "error parsing value for field",
            "in setup_logger",
            "Error: Expected length",
            "libgomp: Thread creation failed",
        ),
        take=(
            r'field "(?P<variable>\w+)"',
            r"(?:in )?(?P<variable>setup_logger)",
            r"(?P<variable>libgomp)",
        ),
        message=("A setting of the engine has a value that it does not take.",),
        who="user",
        remedies=(
            drop_env("LOG_LEVEL", "PRELOAD_MODELS", "VLLM_CPU_OMP_THREADS_BIND"),
            advise("Correct or remove the variable; lists are JSON, log levels debug, info, warning or error."),
        ),
    ),
)

VALUES: tuple[Rule, ...] = (
    Rule(
        code="BadArgumentValue",
        seen=("Cannot re-initialize CUDA in forked subprocess",),
        message=("vLLM's worker processes were forked after CUDA was started, which CUDA does not allow.",),
        who="user",
        remedies=(set_env("VLLM_WORKER_MULTIPROC_METHOD", "spawn", "Start them anew in its place: env.{variable}."),),
    ),
    Rule(
        code="BadArgumentValue",
        seen=(
            "V cache quantization requires flash_attn",
            "the supplied chat template is not supported",
            "chat template parsing error",
        ),
        take=(
            r"(?P<why>V cache quantization requires \w+|chat template is not supported: \S+)",
            r"(?P<why>chat template parsing error)",
        ),
        message=("llama.cpp refuses one of its settings: {why}.", "llama.cpp refuses one of its settings."),
        who="user",
        remedies=(
            drop_env("OLLAMA_KV_CACHE_TYPE", "LLAMA_ARG_CACHE_TYPE_V", "LLAMA_ARG_CHAT_TEMPLATE"),
            advise("Correct what it speaks of in args or env."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("ValueError: unsupported device", "ValueError: Invalid compute type", "Error: unsupported compute type"),
        take=(r"(?:device|compute type):? (?P<value>\S+)",),
        message=('The engine knows no "{value}".', "The engine does not know the device or the type that is set."),
        who="user",
        remedies=(
            drop_env("WHISPER__INFERENCE_DEVICE", "WHISPER__COMPUTE_TYPE"),
            advise("Use device auto, cpu or cuda, and compute type default, int8, float16 or float32."),
        ),
    ),
    Rule(
        code="MaxNumBatchedTokensTooSmall",
        seen=("max_tokens_per_mm_item",),
        take=(
            r"max_tokens_per_mm_item \((?P<item>\d+)\)",
            r"max_num_batched_tokens \((?P<batched>\d+)\)",
        ),
        message=(
            "--max-num-batched-tokens is {batched}, less than the {item} tokens of one picture or sound.",
            "--max-num-batched-tokens is less than the tokens of one picture or sound.",
        ),
        who="user",
        remedies=(
            set_argument("--max-num-batched-tokens", "{item}"),
            advise("Set a larger --max-num-batched-tokens.", unless="item"),
        ),
    ),
    Rule(
        code="MaxNumBatchedTokensTooSmall",
        seen=("must be greater than or equal to max_num_seqs",),
        take=(r"max_num_batched_tokens \((?P<batched>\d+)\)", r"max_num_seqs \((?P<sequences>\d+)\)"),
        message=(
            "--max-num-batched-tokens is {batched}, less than the {sequences} requests that may run at once.",
            "--max-num-batched-tokens is less than the requests that may run at once.",
        ),
        who="user",
        remedies=(
            set_argument("--max-num-seqs", "{batched}"),
            set_argument("--max-num-batched-tokens", "{sequences}", "Or set {argument}."),
            advise("Set a larger --max-num-batched-tokens, or a smaller --max-num-seqs.", unless="batched"),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("Failed to load mistral 'params.json'", "Make sure that a Mistral tokenizer is present"),
        message=("The arguments ask for Mistral's own file format, but the repository is in the hub's.",),
        who="user",
        remedies=(
            drop_argument("{of_mistral}"),
            advise("Remove what asks for Mistral's format; or take a repository that holds params.json."),
        ),
        derive=_of_mistral,
    ),
    Rule(
        code="BadArgumentValue",
        seen=(
            "kv-cache is not supported with fp8",
            "with FP8 KV cache not",
            "Unsupported kv cache dtype",
            "kv_cache_dtype … is not supported",
        ),
        message=("The engine cannot keep the cache of this model in the type that --kv-cache-dtype asks for.",),
        who="user",
        remedies=(
            drop_argument("--kv-cache-dtype", title="Use the engine's own choice: remove {argument}."),
            advise("Use the engine's own choice: remove --kv-cache-dtype wherever it is set."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("limit_mm_per_prompt` is only supported",),
        message=(
            "--limit-mm-per-prompt is for models that take pictures, sounds or films; this engine reads text here.",
        ),
        who="user",
        remedies=(
            drop_argument("--limit-mm-per-prompt"),
            advise("If the model does take them: set image to a newer release, which knows that."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("VLLM_USE_V1=1 is not supported",),
        take=(r"is not supported with (?P<what>.+?)\.?$",),
        message=(
            "The V1 engine of this release does not support {what}.",
            "The V1 engine of this release does not support what is asked of it.",
        ),
        who="user",
        remedies=(
            set_env("VLLM_USE_V1", "0", "Use the older engine: env.{variable}."),
            advise("Or set image to a newer release."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("only supports V1", "V0 … is deprecated … VLLM_USE_V1", "VLLM_USE_V1=0 is not supported"),
        message=("This release of vLLM has its newer engine (V1) only, and VLLM_USE_V1 asks for the older.",),
        who="user",
        remedies=(drop_env("VLLM_USE_V1"), advise("Remove VLLM_USE_V1 wherever it is set.")),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("Invalid attention backend", "Unknown attention backend"),
        take=(r"backend:? '?(?P<backend>\w+)", r"Valid options are: (?P<choices>.{1,200})"),
        message=(
            'There is no attention backend "{backend}" in this engine.',
            "There is no such attention backend in this engine.",
        ),
        who="user",
        remedies=(
            drop_argument(
                "--attention-backend", "--attention-config", title="Let the engine choose: remove {argument}."
            ),
            drop_env("VLLM_ATTENTION_BACKEND"),
            advise("Or set it to one of: {choices}", "Or set it to one that this engine has."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=("FileNotFoundError: [Errno 2]", "ssl.SSLError: ", "PermissionError: [Errno 13]"),
        only=lambda case: "load_cert_chain" in case.above(6) or "load_verify_locations" in case.above(6),
        message=("The engine cannot read the certificate or the key that its arguments for TLS name.",),
        who="user",
        remedies=(
            drop_argument("--ssl-keyfile", "--ssl-certfile", "--ssl-ca-certs"),
            advise("Remove them: KubeAI asks an engine by http; TLS belongs to the ingress in front of KubeAI."),
        ),
    ),
    Rule(
        code="BadArgumentValue",
        seen=(
            "Selected backend … is not valid for this configuration",
            "backend … does not support attention sinks",
        ),
        take=(r"backend:? '?(?:AttentionBackendEnum\.)?(?P<backend>[A-Z][A-Z0-9_]+)\b", r"(?P<backend>\w+) backend"),
        message=(
            "The attention backend {backend} cannot serve this model on this GPU.",
            "The attention backend that is set cannot serve this model on this GPU.",
        ),
        who="user",
        remedies=(
            drop_argument(
                "--attention-backend", "--attention-config", title="Let the engine choose: remove {argument}."
            ),
            drop_env("VLLM_ATTENTION_BACKEND"),
            advise("Let the engine choose its attention backend; or set image to a newer release."),
        ),
    ),
    Rule(
        code="MaxNumBatchedTokensTooSmall",
        seen=("is smaller than max_model_len",),
        take=(r"max_num_batched_tokens \((?P<batched>\d+)\) is smaller than max_model_len \((?P<length>\d+)\)",),
        message=(
            "--max-num-batched-tokens is {batched}, less than the {length} tokens of one request.",
            "--max-num-batched-tokens is less than the tokens of one request.",
        ),
        who="user",
        remedies=(
            set_argument("--max-num-batched-tokens", "{length}"),
            set_argument("--max-model-len", "{batched}", "Or set {argument}."),
            advise("Set --max-num-batched-tokens to at least the length of a request.", unless="length"),
        ),
    ),
    Rule(
        code="MaxModelLenTooLarge",
        seen=("greater than the derived max_model_len",),
        take=(
            r"max_model_len \((?P<asked>\d+)\)",
            r"(?:max_position_embeddings|max_seq_len|n_positions|max_length|model_max_length)\w*=(?P<limit>\d+)",
            r"derived max_model_len \((?:\w+=)?(?P<limit>\d+)",
        ),
        message=(
            "{weights} can take at most {limit} tokens, but --max-model-len asks for {asked}.",
            "The model can take at most {limit} tokens, but --max-model-len asks for more.",
            "--max-model-len asks for more tokens than the model can take.",
        ),
        who="user",
        remedies=(
            set_argument("--max-model-len", "{limit}"),
            advise("Set --max-model-len to what the model can take.", unless="limit"),
            drop_argument("--max-model-len", title="Or remove {argument}: the model knows its length."),
        ),
    ),
    Rule(
        code="ChatTemplateFileMissing",
        seen=("appears path-like, but doesn't exist",),
        take=(r"string \((?P<path>[^)]+)\)",),
        message=(
            "--chat-template names {path}, which is not in the container.",
            "--chat-template names a file that is not in the container.",
        ),
        who="user",
        remedies=(
            advise("Add the template to files with the path {path}.", "Add the template to files."),
            drop_argument("--chat-template", title="Or use the model's own template: remove {argument}."),
        ),
    ),
    Rule(
        code="QuantizationUnsupported",
        seen=(
            "Unknown quantization method",
            "Unknown quantization type",
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

REFUSED_SETTINGS: tuple[Rule, ...] = (
    Rule(
        code="BadArgumentValue",
        seen=("Value error, ", " [type="),
        only=lambda case: "validation error" in case.above(4),
        take=(r"Value error, (?P<why>.+?)\.?(?: \[type=|$)", r"^(?P<why>.+?)\.? \[type="),
        message=(
            "The engine refuses its settings for this model: {why}.",
            "The engine refuses its settings for this model.",
        ),
        who="user",
        derive=_named_argument,
        remedies=(
            drop_argument("{argument}"),
            advise("Correct the args or env that it speaks of; or choose another model, or a newer image."),
        ),
    ),
)
"""What the engine's own configuration refuses, in whatever words: behind all rows that know the words."""
