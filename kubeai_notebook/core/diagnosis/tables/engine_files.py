"""Model files that the engine cannot use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import value_of
from kubeai_notebook.core.diagnosis.engine.remedies import advise, drop_argument, set_env
from kubeai_notebook.core.diagnosis.engine.rule import Rule

from .weight_files import COPY_AGAIN

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case


def _names_an_adapter(case: Case) -> bool:
    return any(word in case.scene.url.lower() for word in ("lora", "adapter"))


_READERS = ("/sentence_transformers/", "/transformers/", "/tokenizers/")


_FILES = {
    "modules_config": "modules.json",
    "module_config[": "modules.json",
    "tokenizer_config": "tokenizer_config.json",
    "tokenizer_file": "tokenizer.json",
    "generation_config": "generation_config.json",
    "preprocessor_config": "preprocessor_config.json",
    "special_tokens_map": "special_tokens_map.json",
    "self._model_config = ": "config_sentence_transformers.json",
    "sbert_config": "sentence_bert_config.json",
    "safetensors.index": "model.safetensors.index.json",
    "weight_map": "model.safetensors.index.json",
    "index_file": "model.safetensors.index.json",
}
"""Names in the code of libraries, and the file that is read there."""


def _which_file(case: Case) -> dict[str, str]:
    """The file that a frame above speaks of; nothing where the line names one itself."""
    above = case.above(16).split("\n")
    return {"likely": next((file for line in reversed(above) for name, file in _FILES.items() if name in line), "")}


def _last_frame(case: Case) -> str:
    """The file, the line and the code of the innermost frame above."""
    before = case.above(8)
    return before[before.rfind('file "') :]


def _reads_files(case: Case) -> bool:
    """Whether a library raised it over what stands in a file of the model."""
    frame = _last_frame(case)
    return "**" in frame and any(module in frame for module in _READERS)


_NO_NUMBERS = (
    "'str' object cannot be interpreted as",
    "'NoneType' object cannot be interpreted as",
    "invalid literal for int()",
    "TypeError: unsupported operand type(s) for",
    "TypeError: '… not supported between instances of",
    "TypeError: can't multiply sequence",
    "Trying to create tensor with negative dimension",
    "must be float, not str",
    "must be int, not str",
    "is out of bounds for dimension 0 with size 0",
    "type must be tuple of ints,but got",
    "ZeroDivisionError: ",
)
"""What Python says where it reckons with a text, with nothing, or by zero."""


def builds_of_files(case: Case) -> bool:
    """Whether libraries that make a model of its files raised it, below their own code."""
    frames = case.frames(24)
    return any(module in frame for frame in frames[-6:] for module in (*_READERS, "/vllm/model_executor/"))


def _is_of_tokenizer(case: Case) -> bool:
    """Whether it names a file, or is one of the exceptions without a name that the hub's tokenizers raise."""
    return "'" in case.line or (case.line.startswith("Exception: ") and "tokeniz" in _last_frame(case))


_CONFIG = ("/configuration_", "/transformers/modeling_rope_utils.py")


def _refuses_config(case: Case) -> bool:
    """Whether the module that reads config.json raised it, or the hub's library that checks its fields."""
    checked = "validation error for field" in case.line.lower() or "error parsing config for" in case.above(2)
    frame = _last_frame(case)
    return checked or ("/configuration_auto.py" not in frame and any(module in frame for module in _CONFIG))


_NO_JSON = re.compile(r"config file at '[^']+(?<!\.json)'")


def _is_no_json(case: Case) -> bool:
    """Whether the weights, or another file, stand where the engine looks for config.json."""
    return _NO_JSON.search(case.line) is not None


def _reads_config(case: Case) -> bool:
    frame = _last_frame(case)
    return (
        "config.get(" in frame
        or "json.load(" in frame
        or "weight_map[" in frame
        or "config.architectures[" in frame
        or "configuration_utils.py" in frame
        or "config_dict" in frame
        or 'module_config["' in frame
    )


_NEWER = (
    advise("Choose another model, or install a newer release of the engine.", only="this machine"),
    advise("Set image to a newer release of the engine, or choose another engine or model.", only="cluster"),
)


ARCHITECTURES: tuple[Rule, ...] = (
    Rule(
        code="UnsupportedArchitecture",
        seen=("cannot be used as main model", "unknown model architecture: 'clip'"),
        message=("The GGUF file is the part of a model that sees pictures (mmproj), and no model by itself.",),
        who="user",
        remedies=(advise("Name the model's own GGUF file, which lies beside it."),),
    ),
    Rule(
        code="UnsupportedArchitecture",
        seen=("unknown pre-tokenizer type", "vocabulary: unknown tokenizer: '"),
        take=(r"tokenizer(?: type)?: '(?P<type>[^']+)'",),
        message=(
            'This version of the engine does not know the kind of tokenizer "{type}".',
            "This version of the engine does not know the model's kind of tokenizer.",
        ),
        who="user",
        remedies=_NEWER,
    ),
    Rule(
        code="UnsupportedArchitecture",
        seen=(
            "does not recognize this architecture",
            "has no vLLM implementation",
            "was supported in vLLM until",
            "Cannot find model module",
            "Transformers implementation of … is not compatible",
            "Error: Model architecture … is not supported by",
            "update Transformers with",
            "Model architectures … not supported for",
            "unknown model architecture",
            "must be a dictionary with",
            "does not exist or is not currently imported",
            "Tokenizer class … is not currently imported",
            "specified in the tokenizer config was not found",
            "Unrecognized configuration class",
            "Unrecognized image processor",
            "Unrecognized video processor",
            "Unrecognized feature extractor",
            "Unrecognized processing class",
            "module transformers has no attribute",
            "KeyError: <class 'transformers.models.",
            'does not define a "… attribute/class',
            "not found in the forward method of <class",
        ),
        take=(
            r"model type `(?P<type>[^`]+)`",
            r"(?P<type>\w+) has no vLLM implementation",
            r"architectures \['(?P<type>\w+)'",
            r"architecture: '(?P<type>[^']+)'",
            r"`?(?P<type>rope_scaling)`? must be",
            r"Tokenizer class (?P<type>\w+)",
            r"does not define a \"(?P<type>\w+)",
            r"forward method of <class '[\w.]+\.(?P<type>\w+)'",
            r"KeyError: <class '[\w.]+\.(?P<type>\w+)'",
        ),
        message=(
            'This version of the engine does not know the architecture "{type}".',
            "This version of the engine does not know the model's architecture.",
        ),
        who="user",
        remedies=_NEWER,
    ),
    Rule(
        code="UnsupportedArchitecture",
        seen=("KeyError: '",),
        only=lambda case: "_mapping[" in case.above(6) and "load_weights" not in case.above(6),
        take=(r"KeyError: '(?P<type>[^']+)'",),
        message=(
            'This version of the engine does not know the architecture "{type}".',
            "This version of the engine does not know the model's architecture.",
        ),
        who="user",
        remedies=(advise("Set image to a newer release of the engine, or choose another engine or model."),),
    ),
    Rule(
        code="DtypeUnsupported",
        seen=("module 'torch' has no attribute '",),
        only=lambda case: re.search(r"attribute '(?:b?float|b?fp|bf|u?int|complex)\d", case.line) is not None,
        take=(r"attribute '(?P<dtype>\w+)'",),
        message=(
            'PyTorch in this image knows no type "{dtype}", which config.json of the model asks for.',
            "PyTorch in this image does not know the type that config.json of the model asks for.",
        ),
        who="user",
        remedies=_NEWER,
    ),
    Rule(
        code="UnsupportedArchitecture",
        seen=("got an unexpected keyword argument '",),
        only=lambda case: case.has_ended and _reads_files(case),
        take=(r"keyword argument '(?P<key>\w+)'",),
        message=(
            'The files of the model set "{key}", which this version of the engine does not know.',
            "The files of the model set what this version of the engine does not know.",
        ),
        who="user",
        remedies=_NEWER,
    ),
    Rule(
        code="UnsupportedArchitecture",
        seen=("did not match any variant of untagged enum",),
        only=lambda case: case.has_ended,
        message=("tokenizer.json was written by a newer release of tokenizers than the engine's image has.",),
        who="user",
        remedies=(advise("Set image to a newer release of the engine, or choose another build of the model."),),
    ),
    Rule(
        code="UnsupportedArchitecture",
        seen=("Linear' object has no attribute",),
        message=("This release of the engine cannot load the quantized layers of this model.",),
        who="user",
        remedies=(advise("Set image to a newer release of the engine, or choose another build of the model."),),
    ),
    Rule(
        code="ModelFormatUnsupported",
        seen=("No onnx files found",),
        message=('"{name}" has no ONNX files, which INFINITY_ENGINE=optimum needs.',),
        who="user",
        remedies=(set_env("INFINITY_ENGINE", "torch"),),
    ),
    Rule(
        code="ModelFormatUnsupported",
        seen=(
            "Non-zero status code returned while running",
            "onnxruntime_pybind11_state.",
            "Exception while Reading network",
        ),
        unless=("BFCArena", "Failed to allocate", "Protobuf parsing failed", "File doesn't exist"),
        only=lambda case: case.scene.engine == "Infinity",
        take=(r"while running (?P<node>\w+) node",),
        message=(
            "The ONNX files of {weights} do not run in the engine: its node {node} fails.",
            "The ONNX files of the model do not run in the engine.",
        ),
        who="user",
        remedies=(
            set_env("INFINITY_ENGINE", "torch", "Use the model's own weights: env.{variable}."),
            advise("Or take a repository with other ONNX files."),
        ),
    ),
    Rule(
        code="ModelFormatUnsupported",
        seen=("open file 'model.bin'", "Unsupported model binary version"),
        message=('The weights of "{name}" are not in the CTranslate2 format that FasterWhisper reads.',),
        who="user",
        remedies=(advise("Use a converted build, such as hf://Systran/faster-whisper-small."),),
    ),
    Rule(
        code="ModelFormatUnsupported",
        seen=(
            "GGUFv1 is no longer supported",
            "only supports up to version",
            "between the host and model endianness",
            ".gguf' is not a valid JSON",
            "GGUF model with architecture",
            "Unknown gguf model_type",
            "Error: Architecture … not supported",
        ),
        take=(r"'(?P<file>[^']+\.gguf)'",),
        message=("The engine cannot read this GGUF file ({file}).", "The engine cannot read this kind of GGUF file."),
        who="user",
        remedies=(
            advise("Serve GGUF by engine OLlama, as ollama://hf.co/<repo>:<quantization>, from a current conversion."),
        ),
    ),
    Rule(
        code="NoConfigJson",
        seen=("config file at '… is not a valid JSON file",),
        only=_is_no_json,
        take=(r"file at '(?P<path>[^']+)'",),
        message=("{path} is a file, and no folder that holds a config.json.", "The url names a file, and no folder."),
        who="user",
        remedies=(advise('Let the url name the folder; now it is "{url}".', "Let the url name the folder."),),
    ),
    Rule(
        code="NoConfigJson",
        seen=(
            "Invalid repository ID or local directory",
            "No such file or directory: '…/config.json'",
            "does not appear to have a file named config.json",
            "Entry Not Found for url: … /config.json",
            "Can't load the configuration of '",
            "No supported config format found",
        ),
        take=(
            r"specified: '(?P<path>[^']+)'",
            r"directory: '(?P<path>[^']+)/config\.json'",
            r"(?P<path>[\w/.-]+) does not appear",
        ),
        message=(
            "{path} holds no config.json: it is empty, a folder too high, GGUF only, or an adapter.",
            "There is no config.json: the folder is empty, a folder too high, GGUF only, or an adapter.",
        ),
        who="user",
        remedies=(
            advise("{gguf_hint}"),
            advise("{lora_hint}"),
            advise(
                'Let the url name the folder that holds config.json; now it is "{url}".',
                "Let the url name the folder that holds config.json.",
            ),
            advise("If it is there, let the container's user read it (owner, mode, fsGroup).", only="cluster"),
        ),
    ),
    Rule(
        code="NoConfigJson",
        seen=("key in its config.json",),
        only=_names_an_adapter,
        message=(
            "{weights} is a LoRA adapter, and no model: it has no config.json that names a model_type.",
            "The repository is a LoRA adapter, and no model: it has no config.json that names a model_type.",
        ),
        who="user",
        remedies=(advise("Serve the base model that it was trained on, and name this repository in adapters."),),
    ),
    Rule(
        code="ModelJsonInvalid",
        seen=(
            "is not a valid JSON file",
            "JSONDecodeError",
            "key in its config.json",
            "Error, Expecting … (char",
            "Error: Expecting … (char",
            "No model architectures are specified",
        ),
        derive=_which_file,
        take=(
            r"file at '(?P<file>[^']+)'",
            r"(?<![\w/.-])[\w.-]*+(?P<file>/[\w/.-]+\.json)",
            r"' in (?P<file>/\S+)$",
            r"line (?P<row>\d+) column (?P<column>\d+)",
        ),
        message=(
            "{file} is no valid JSON (line {row}, column {column}).",
            "{file} is no valid configuration of a model.",
            "{likely} is damaged or incomplete.",
            "config.json or tokenizer.json is damaged or incomplete.",
        ),
        who="user",
        remedies=(COPY_AGAIN, advise("An error in line 1, column 1 means that a web page was saved in its place.")),
    ),
    Rule(
        code="ModelJsonInvalid",
        seen=("ValueError: ", "KeyError: ", "TypeError: ", "ValidationError: ", "validation error for "),
        unless=("AssertionError", "JSONDecodeError"),
        only=lambda case: case.has_ended and not case.had_started and _refuses_config(case),
        take=(
            r"Error: (?=[^{}]{1,300}+(?:\{|$))['\"]?(?P<why>[^{}]{1,200}?)(?:: \{.*)?['\".]*(?:, retrying \d of \d)?$",
            r"validation error for (?P<why>.{1,160}?):?$",
        ),
        message=(
            "config.json of the model does not describe one that the engine can build: {why}.",
            "config.json of the model does not describe one that the engine can build.",
        ),
        who="user",
        remedies=(
            drop_argument(
                "--hf-overrides", "--rope-scaling", "--rope-theta", title="Leave it as it is: remove {argument}."
            ),
            advise("Copy config.json again from the model's repository, or set image to a newer release."),
        ),
    ),
    Rule(
        code="ModelJsonInvalid",
        seen=("Exception: ", "ValueError: Error parsing line b'"),
        unless=("untagged enum",),
        only=lambda case: case.has_ended and _is_of_tokenizer(case),
        derive=_which_file,
        take=(r"line (?P<row>\d{1,9}) column (?P<column>\d{1,9})$", r"' in (?P<file>/\S{1,300})$"),
        message=(
            "{likely} holds what the engine does not take (line {row}, column {column}).",
            "{file} is damaged, or no file of a tokenizer.",
            "tokenizer.json, or another file of the tokenizer, is damaged.",
        ),
        who="user",
        remedies=(COPY_AGAIN,),
    ),
    Rule(
        code="ModelJsonInvalid",
        seen=("expected a non-empty list of Tensors", "Set invalid pooling mode"),
        only=lambda case: case.has_ended and "/pooling.py" in case.above(4),
        message=("1_Pooling/config.json switches on no way to make one vector of a text that the engine has.",),
        who="user",
        remedies=(advise("Copy 1_Pooling/config.json again; one of its pooling_mode fields is true there."),),
    ),
    Rule(
        code="ModelJsonInvalid",
        seen=("ValueError: Engines cannot be empty",),
        message=("Infinity made no model of the folder: its modules.json lists no part of one.",),
        who="user",
        remedies=(advise("Copy modules.json again from the model's repository."),),
    ),
    Rule(
        code="ModelJsonInvalid",
        seen=("max_model_len must be a positive integer",),
        only=lambda case: value_of(case.scene.args, "--max-model-len") is None,
        message=(
            "By config.json the model reads no token at all: max_position_embeddings or rope_scaling is wrong in it.",
        ),
        who="user",
        remedies=(advise("Copy config.json again from the model's repository."),),
    ),
    Rule(
        code="ModelJsonInvalid",
        seen=_NO_NUMBERS,
        only=lambda case: case.has_ended and not case.had_started and builds_of_files(case),
        take=(r"argument '(?P<key>\w{1,60})': ", r"\bconfig\.(?P<key>\w{1,60})"),
        message=(
            'A JSON file of the model holds no usable number where one belongs ("{key}").',
            "config.json, or another JSON file of the model, holds no usable number where one belongs.",
        ),
        who="user",
        remedies=(
            advise("Copy the JSON files again from the model's repository; numbers stand there without quotes."),
        ),
    ),
    Rule(
        code="ModelJsonInvalid",
        seen=(
            "'list' object has no attribute",
            "'str' object has no attribute",
            "list indices must be integers",
            "'NoneType' object is not",
            "string indices must be integers",
            "must be a mapping, not list",
            "KeyError: '",
        ),
        only=lambda case: case.has_ended and (_reads_config(case) or _reads_files(case)),
        derive=_which_file,
        message=(
            "{likely} is valid JSON, but lacks what the engine looks for in it.",
            "config.json, or another JSON file of the model, lacks what the engine looks for in it.",
        ),
        who="user",
        remedies=(advise("Copy {likely} again from the model's repository.", "Copy it again from its repository."),),
    ),
)
