"""Arguments that the engine does not take."""

from __future__ import annotations

import re
from functools import partial
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

from .engine_files import builds_of_files

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case

refused = partial(Rule, code="BadArgumentValue", who="user")
"""A value that the engine does not take."""


def _set_to(case: Case) -> dict[str, str]:
    """Which of the Model's own settings holds the value that is refused; one that is written once."""
    value = case.values.get("value", "").strip("'\"")
    of_args = (name_of(item) for item in case.scene.args if value_of(case.scene.args, name_of(item)) == value)
    of_env = (name for name, held in case.scene.env.items() if value in (held, *held.split(";")))
    argument, variable = (next(iter(found), "") for found in ((of_args, of_env) if value else ((), ())))
    return {"own_argument": argument, "own_variable": variable, "own": argument or variable}


def _which_parser(case: Case) -> dict[str, str]:
    reasoning = "reasoning" in case.passage.lowered[case.index]
    return {"parser_argument": "--reasoning-parser" if reasoning else "--tool-call-parser"}


_GLUED = re.compile(r"(?:arguments|option): (?P<name>--[a-z][\w-]*) +(?!-|Did you mean)\S")


def _glued(case: Case) -> dict[str, str]:
    """The argument that the engine does know, but not with its value behind a blank in one item of the args."""
    refused = _GLUED.search(case.line)
    name = name_of(refused["name"]) if refused else ""
    apart = any(item.strip() == name for item in case.scene.args)
    return {"argument": name} if not apart and name[2:] in KNOWN.get(case.scene.engine, frozenset()) else {}


def _form(case: Case) -> dict[str, str]:
    """How a value has to be written that argparse could not read."""
    return {"form": "JSON"} if "function loads" in case.line or "invalid loads value" in case.line else {}


def _meant(case: Case) -> dict[str, str]:
    """The argument that the engine asks after, or else the one that is spelt nearly so."""
    asked, given = case.values.get("meant", ""), case.values.get("argument", "")
    near = meant_argument(case.scene.engine, name_of(given)[2:]) if given.startswith("--") else ""
    return {"meant": asked or (f"--{near}" if near else "")}


_FAILED = re.compile(r"(?<!\d)(\d{1,9}) validation errors? for (\w+)", re.IGNORECASE)
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


def _imported(case: Case) -> dict[str, str]:
    """The package that a plugin imports in vain, as the traceback below tells."""
    path = case.values.get("path", "")
    told = (_NO_MODULE.search(line) for line in case.passage.lines[case.index : case.index + 60])
    named = (match[1] for match in told if match)
    return {"package": next((name for name in named if f"/{name.replace('.', '/')}.py" not in path), "")}


_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")


def _reads_its_config(case: Case) -> bool:
    return case.has_ended and "load_config_file" in case.above(120)


def _no_batch(case: Case) -> dict[str, str]:
    """The setting that leaves Infinity nothing to try its model with."""
    variable, argument = "INFINITY_BATCH_SIZE", "--batch-size"
    of_args = value_of(case.scene.args, argument)
    size = of_args or case.scene.env.get(variable, "")
    if case.scene.engine != "Infinity" or not re.search(r"(?:^|;)(?:-\d+|0+)(?:;|$)", size):
        return {}
    own = {"own_argument": argument} if of_args else {"own_variable": variable}
    return {"value": size, "own": argument if of_args else variable, **own}


_OF_CONFIG_JSON = ("architectures", "model_type", "auto_map", "vocab_size", "quantization_config", "rope_parameters")


def _is_of_config_json(case: Case) -> bool:
    """Whether the refused field is one of config.json: no setting of the Model, and no argument that vLLM has."""
    found = _validated(case)
    field = found.get("field", "")
    if field in _OF_CONFIG_JSON:
        return True
    stated = any(field in text for text in (*case.scene.args, *case.scene.env.values()))
    known = field.replace("_", "-") in KNOWN.get(case.scene.engine, frozenset())
    return case.scene.engine == "VLLM" and bool(field) and not (found.get("own") or stated or known)


_ARGUMENT = r"(?:argument (?:-\w+/)?|Option '|value for '(?:-\w+' / ')?)(?P<argument>--[\w-]{1,80})"

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
    refused(
        seen=("requires --tool-call-parser",),
        message=("--enable-auto-tool-choice needs --tool-call-parser beside it.",),
        remedies=(
            set_argument("--tool-call-parser", "hermes", "Set {argument}, or the parser made for this model."),
            drop_argument("--enable-auto-tool-choice"),
        ),
    ),
    Rule(
        code="PythonPackageMissing",
        seen=("Failed to load module '… .py",),
        only=lambda case: case.has_ended and not case.had_started and bool(_imported(case)["package"]),
        take=(r"from (?P<path>/\S+\.py)",),
        derive=_imported,
        message=(
            "The plugin {path} imports {package}, which is not in the image.",
            "A plugin imports a Python package that is not in the image.",
        ),
        who="user",
        remedies=(
            advise(
                "Set image to one that has {package}, or correct the plugin's import.",
                "Set image to one that has it, or correct the plugin's import.",
            ),
            drop_argument(
                "--tool-parser-plugin", "--reasoning-parser-plugin", title="Or do without: remove {argument}."
            ),
        ),
    ),
    refused(
        seen=("yaml.scanner.ScannerError", "yaml.parser.ParserError", "FileNotFoundError: ", "AttributeError: '"),
        only=_reads_its_config,
        take=(
            r"No such file or directory: '(?P<gone>[^']+)'",
            r'in "(?P<path>/[^"]{1,300})", line (?P<row>\d{1,9})',
        ),
        message=(
            "There is no {gone} in the container, which --config names.",
            "{path}, which --config names, is no valid YAML (line {row}).",
            "The file that --config names does not hold arguments with their values.",
        ),
        remedies=(
            advise("Add the file to files with the path {gone}."),
            advise("Correct the file: a line for each argument, as in max-model-len: 4096.", unless="gone"),
            drop_argument("--config", title="Or do without it: remove {argument}."),
        ),
    ),
    refused(
        seen=("Failed to load module '… .py",),
        only=lambda case: case.has_ended and not case.had_started,
        take=(r"from (?P<path>/\S+\.py)",),
        message=(
            "The plugin {path} is not in the container, or Python cannot load it.",
            "A plugin is not in the container, or Python cannot load it.",
        ),
        remedies=(
            advise("Add it to files with the path {path}; an error in it stands below that line of the log."),
            drop_argument(
                "--tool-parser-plugin", "--reasoning-parser-plugin", title="Or do without: remove {argument}."
            ),
            advise("Add the plugin to files.", unless="path"),
        ),
    ),
    refused(
        seen=("invalid tool call parser", "invalid reasoning parser", "parser … not found. Available"),
        take=(
            r"parser: (?P<value>\S+) \(chose from \{ ?(?P<choices>[^}]{0,200})",
            r"parser '(?P<value>[^']+)' not found\. Available \w+: \[?(?P<choices>[^\]]{0,200})",
        ),
        message=('There is no parser "{value}" in this vLLM.', "There is no such parser in this vLLM."),
        derive=_which_parser,
        remedies=(
            advise("Set {parser_argument} to one of: {choices}", "Set {parser_argument} to one that this vLLM has."),
        ),
    ),
    refused(
        seen=(
            "error: argument -",
            "Invalid value for '--",
            "error: the following arguments are required",
            "Option '--… requires an argument",
            "Option '--… does not take a value",
        ),
        unless=("--url-prefix",),
        take=(
            rf"{_ARGUMENT}[^:]{{0,120}}'?: (?:invalid [\w ]+: |ignored explicit argument )?(?P<value>'[^']*')",
            rf"{_ARGUMENT}[^:]{{0,120}}: invalid choice: (?P<value>[^\s']\S*)",
            _ARGUMENT,
            r"Input should be (?P<should>[^\[]{1,160})",
            r"Value error, (?P<detail>[^\[]{1,160}?)\.? \[type=",
            r"(?P<unknown>Unexpected keyword argument|Extra inputs are not permitted)",
            r"^(?P<key>[a-z]\w{0,60}(?:\.\w{1,60}){0,4})$",
            r"choose from (?P<choices>[^)]{1,200})",
            r"is not one of (?P<choices>.{1,200}?)\.?$",
            r"is not a valid (?P<expected>\w+)",
            r"(?P<switch>does not take a value)",
        ),
        message=(
            "{argument} {switch}: write it alone.",
            "{argument} must be written in {form}.",
            '{argument} holds "{key}", which the engine does not know there ({unknown}).',
            "{argument} may not be {value}; choose from {choices}.",
            "{argument} must be an {expected}, not {value}.",
            "{argument} may not be {value}.",
            "{argument} holds something that should be {should}.",
            "{argument} is refused: {detail}.",
            "{argument} has a value that the engine does not take.",
            "An argument has a value that the engine does not take.",
        ),
        derive=_form,
        remedies=(
            drop_argument("{argument}", title="Use the engine's own choice: remove {argument}."),
            advise("Correct the value of {argument}.", "Correct the value."),
        ),
    ),
    refused(
        seen=(".py: error: ", "vllm serve: error: "),
        only=lambda case: case.has_ended and not case.had_started,
        take=(r": error: (?=.{1,201}+$)(?P<why>.{1,200}?)\.?$", r"(?P<argument>--[a-z][\w-]+)"),
        message=("The engine does not take its args: {why}.", "The engine does not take its args."),
        remedies=(drop_argument("{argument}"), advise("Correct {argument}.", "Correct args as it says.")),
    ),
    refused(
        seen=("is not a valid InferenceEngine", "is not a valid Device", "ValueError: Unknown device "),
        take=(
            r"(?P<value>'[^']*') is not a valid (?:InferenceEngine|Device)",
            r"Unknown device (?P<value>\w+)",
        ),
        message=(
            "{own} may not be {value}.",
            "INFINITY_ENGINE or INFINITY_DEVICE may not be {value}.",
            "INFINITY_ENGINE or INFINITY_DEVICE has a wrong value.",
        ),
        derive=_set_to,
        remedies=(
            drop_env("{own_variable}"),
            drop_argument("{own_argument}"),
            advise("Use engine torch, ctranslate2 or optimum, and device auto, cpu, cuda or mps."),
        ),
    ),
    refused(
        seen=("ValueError: Unknown level: '",),
        only=lambda case: case.has_ended,
        take=(r"level: (?P<value>'[^']*')",),
        message=("{own} may not be {value}: it is no level of a log.", "A setting is no level of a log."),
        derive=_set_to,
        remedies=(
            drop_env("{own_variable}"),
            drop_argument("{own_argument}"),
            advise("Use DEBUG, INFO, WARNING or ERROR."),
        ),
    ),
    refused(
        seen=("ValueError: '… is not a valid",),
        only=lambda case: case.has_ended and _ENUM.search(case.line) is not None,
        take=(r"ValueError: (?P<value>'[^']*') is not a valid (?P<kind>\w+)",),
        message=(
            "{own} may not be {value}: it is no {kind}.",
            "A setting may not be {value}: it is no {kind}.",
            "A setting has a value that the engine does not take.",
        ),
        derive=_set_to,
        remedies=(
            drop_env("{own_variable}"),
            drop_argument("{own_argument}"),
            advise("Correct what is set to {value} in args or env.", "Correct args or env."),
        ),
    ),
    Rule(
        # A device plugin names GPUs so; no setting of the Model does.
        code="BadArgumentValue",
        seen=("invalid literal for int() … 'MIG-", "invalid literal for int() … 'GPU-"),
        take=(r"base 10: '(?P<device>(?:MIG|GPU)-[\w-]+)",),
        message=(
            "This release of the engine cannot read the name of its GPU in CUDA_VISIBLE_DEVICES ({device}).",
            "This release of the engine cannot read the name of its GPU in CUDA_VISIBLE_DEVICES.",
        ),
        who="user",
        remedies=(
            drop_env("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"),
            advise("Set image to a newer release of the engine; or take a profile with whole GPUs."),
            advise("Or the admin has the device plugin name GPUs by number (deviceIDStrategy: index)."),
        ),
    ),
    refused(
        seen=("invalid literal for int()", "could not convert string to float"),
        only=lambda case: not case.had_started and not builds_of_files(case),
        take=(r"(?:base 10|to float): (?P<value>'[^']*')",),
        message=(
            "{own} must be a number, not {value}.",
            "A setting must be a number, not {value}.",
            "A setting must be a number.",
        ),
        derive=_set_to,
        remedies=(
            set_env("VLLM_CPU_KVCACHE_SPACE", "{kv_space}", "Write the number without its unit: env.{variable}."),
            advise("Write a plain number in place of {value}.", "Write a plain number."),
        ),
    ),
    refused(
        seen=("IndexError: list index out of range", "ValueError: max() arg is an empty sequence"),
        only=lambda case: case.has_ended and "warmup" in case.above(30) and bool(_no_batch(case)),
        derive=_no_batch,
        message=("{own} must be 1 or more, not {value}.", "The size of a batch must be 1 or more."),
        remedies=(
            drop_env("{own_variable}"),
            drop_argument("{own_argument}"),
            advise("Use a batch size of 1 or more."),
        ),
    ),
    refused(
        seen=("Unexpected keyword argument [type=", "Extra inputs are not permitted [type="),
        only=lambda case: case.has_ended and not case.had_started,
        derive=_validated,
        message=(
            'The engine knows no "{key}" in {argument}.',
            'The engine knows no "{field}" among its settings.',
            "The engine does not know one of the settings.",
        ),
        remedies=(
            drop_argument("{own}"),
            advise('Take "{field}" out of {argument}, or spell it as the engine does.', "Take that setting out."),
        ),
    ),
    refused(
        seen=("Field required [type=", "Missing required argument [type="),
        only=lambda case: case.has_ended and not case.had_started,
        derive=_validated,
        message=(
            '{argument} lacks its "{key}".',
            'The engine lacks a setting: "{field}".',
            "The engine lacks a setting.",
        ),
        remedies=(drop_argument("{own}"), advise('Add "{field}" to {argument}.', "Add what it speaks of.")),
    ),
    Rule(
        # The engine's own part of a configuration that it reads from config.json.
        code="ModelJsonInvalid",
        seen=("Input should be",),
        only=_is_of_config_json,
        take=(r"Input should be (?P<expected>[^\[]{1,160})",),
        derive=_validated,
        message=(
            'The "{field}" of the model\'s config.json should be {expected}.',
            "config.json of the model does not describe one that the engine can build.",
        ),
        who="user",
        remedies=(
            drop_argument("--hf-overrides", title="Leave config.json as it is: remove {argument}."),
            advise("Copy config.json again from the model's repository."),
        ),
    ),
    refused(
        seen=("Input should be",),
        take=(r"Input should be (?P<expected>[^\[]{1,160})", r"input_value=(?P<value>[^,\]]+)"),
        derive=_validated,
        message=(
            'The "{key}" of {argument} should be {expected}, not {value}.',
            "{argument} should be {expected}, not {value}.",
            "An argument should be {expected}, not {value}.",
            "An argument has a value that the engine does not take.",
        ),
        remedies=(
            drop_argument("{own}", title="Use the engine's own choice: remove {argument}."),
            advise("Correct {argument}.", "Correct the value."),
        ),
    ),
    refused(
        seen=("Error: Expected length",),
        take=(r"Expected length (?P<models>\d{1,6}) but got (?P<values>\d{1,6})",),
        message=(
            "One of Infinity's settings has {values} values; it takes one for each of its models ({models}).",
            "One of Infinity's settings lists more or fewer values than there are models.",
        ),
        remedies=(advise("Give each setting as many values, with ; between them, as INFINITY_MODEL_ID names models."),),
    ),
    refused(
        seen=(
            "error parsing value for field",
            "in setup_logger",
            "libgomp: Thread creation failed",
        ),
        take=(
            r'field "(?P<variable>\w+)"',
            r"(?:in )?(?P<variable>setup_logger)",
            r"(?P<variable>libgomp)",
        ),
        message=("A setting of the engine has a value that it does not take.",),
        remedies=(
            drop_env("LOG_LEVEL", "PRELOAD_MODELS", "VLLM_CPU_OMP_THREADS_BIND"),
            advise("Correct or remove the variable; lists are JSON, log levels debug, info, warning or error."),
        ),
    ),
)
