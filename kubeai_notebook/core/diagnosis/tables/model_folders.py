"""Folders of a model that lack something, and urls that name no folder."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import name_of
from kubeai_notebook.core.diagnosis.engine.remedies import LET_READ, advise, drop_argument, set_env
from kubeai_notebook.core.diagnosis.engine.rule import Rule

from .hub import misread_claim

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case

_COPY_ALL = advise(
    "Copy the whole repository to {path}, every file of it.", "Copy the whole repository, every file of it."
)
_NAME_THE_FOLDER = (
    set_env("INFINITY_MODEL_ID", "{infinity_path}", "Tell Infinity where the claim is mounted: env.{variable}."),
    set_env("WHISPER__MODEL", "{whisper_path}", "Tell FasterWhisper where the claim is mounted: env.{variable}."),
)
_incomplete = partial(Rule, code="ModelFolderIncomplete", who="user", remedies=(_COPY_ALL,))


def _naming(case: Case) -> dict[str, str]:
    """The argument that names the path, where it is not the model's own."""
    path = case.values.get("path", "")
    naming = (name_of(item) for item in case.scene.args if path and path in item)
    return {"by": next(naming, "")}


_OF_A_MODEL = re.compile(r"directory: '/[^']+\.(?:py|json|txt|model|jinja|bin|pt)'")
_READERS = ("/transformers/", "/sentence_transformers/", "/vllm/transformers_utils/", "/vllm/tokenizers/")


def _reads_the_folder(case: Case) -> bool:
    """Whether a library that reads a model's files missed one of them."""
    frames = case.frames(8)
    reads = bool(frames) and any(module in frames[-1] for module in _READERS)
    return reads and _OF_A_MODEL.search(case.line) is not None


FOLDERS: tuple[Rule, ...] = (
    _incomplete(
        seen=("repo id must … '/",),
        only=lambda case: "load_dir_path" in case.above(60),
        take=(r"'(?P<path>/[^']+)'\. Use", r"'(?P<path>/[^']+)'"),
        message=("The model's folder {path} lacks files.", "The model's folder lacks files."),
    ),
    _incomplete(
        seen=("No such file or directory: … .safetensors",),
        take=(r"directory: '?(?P<file>/[^\s':]+\.safetensors)",),
        message=(
            "There is no {file}, or the container's user may not read it.",
            "A weights file is missing, or the container's user may not read it.",
        ),
        remedies=(_COPY_ALL, LET_READ),
    ),
    _incomplete(
        seen=("No such file or directory: '",),
        unless=("/config.json'", ".safetensors"),
        only=lambda case: case.has_ended and _reads_the_folder(case),
        take=(r"directory: '(?P<file>/[^']{1,300})'",),
        message=("There is no {file}, which another file of the model asks for.", "A file of the model is missing."),
    ),
    _incomplete(
        seen=(
            "no file named pytorch_model.bin",
            "Error no file named",
            "Unable to load vocabulary from file",
            "Can't load the model for '",
            "Cannot find any model weights",
            "Cannot find any safetensors model weights",
            "referenced in index but missing",
            "does not appear to have a file named",
            "does not appear to have files named",
            "Load model from … File doesn't exist",
        ),
        unless=("file named config.json",),
        take=(
            r"(?:directory|with) [`'\"]?(?P<path>[\w/.-]+[\w/-])",
            r"(?<![\w/.-])(?P<path>/[\w/.-]+) does not appear",
            r"appear to have a file named (?P<file>[\w.-]+\.(?!bin|safetensors)\w+)",
        ),
        message=(
            "There is no {file} in {path}.",
            "There are no weights in {path}.",
            "There are no weights in the model's folder.",
        ),
    ),
    _incomplete(
        seen=(
            "instantiate the backend tokenizer",
            "Can't load tokenizer for '",
            "Can't load image processor for '",
            "Can't load feature extractor for '",
            "Can't load video processor for '",
            "Can't load processor for '",
        ),
        take=(r"directory containing a (?P<missing>\w{1,60}\.json) file",),
        message=(
            '"{name}" has no {missing} beside its weights.',
            '"{name}" has no tokenizer files beside its weights.',
        ),
    ),
    _incomplete(
        seen=("error: … NoneType",),
        only=lambda case: "tokenization" in case.above(8),
        message=('"{name}" has no tokenizer files beside its weights.',),
    ),
    Rule(
        code="ModelPathMissing",
        seen=(
            "repo id must … '/",
            "failed to open GGUF file … No such file",
            "Incorrect path_or_model_id: '/",
        ),
        take=(r"GGUF file '(?P<path>[^']+)'", r"'(?P<path>/[^']+)'"),
        derive=_naming,
        message=(
            "There is no {path} in the container, which {by} names.",
            "There is no {path} in the container.",
            "The model's path does not exist in the container.",
        ),
        who="user",
        remedies=(
            drop_argument("{by}"),
            advise("Name in {by} what is in the container, or a repository of the hub."),
            advise("Name the folder that holds the model, as in pvc://claim/folder.", unless="by"),
        ),
    ),
    Rule(
        code="InvalidModelUrl",
        seen=(
            "Repo id must be in the form",
            "Repo id must use alphanumeric",
            "Incorrect path_or_model_id: ",
            "Invalid bucket name",
            "Unknown options: /models",
            "Unsupported source url",
        ),
        take=(
            r"(?:96|'namespace/repo_name'|path_or_model_id): '(?P<asked>[^']+)'",
            r"source url: (?P<asked>\S+)",
            r'bucket name "(?P<asked>[^"]+)"',
        ),
        message=(
            '{engine} cannot load "{asked}" from the url "{url}".',
            '"{asked}" is no place that a model can be loaded from.',
            "The url names no place that a model can be loaded from.",
        ),
        who="user",
        remedies=(
            *_NAME_THE_FOLDER,
            advise(
                'Correct the url; now it is "{url}".',
                "Correct the url: hf://org/model, s3://bucket/path or pvc://claim/path.",
            ),
        ),
    ),
    Rule(
        code="InvalidModelUrl",
        seen=("Repository Not Found", "not a valid model identifier"),
        only=misread_claim,
        message=(
            "{engine} takes the claim's name in {url} for a repository of the hub.",
            "The engine takes the claim's name for a repository of the hub.",
        ),
        who="user",
        remedies=_NAME_THE_FOLDER,
    ),
)
