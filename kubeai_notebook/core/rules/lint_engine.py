"""Traps about the engine's arguments, environment, image and hardware."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import SPREAD, name_of
from kubeai_notebook.core.engine_arguments import meant_argument
from kubeai_notebook.core.masking import holds_secret
from kubeai_notebook.core.remedy import SetArgument, SetEnv, SetField

from .subject import Subject, error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.notice import Notice

# KubeAI routes to port 8000 and to the Model's name; a changed one makes the Pod unreachable or the answers 404.
_RESERVED_FLAGS = frozenset({"host", "model", "model-id", "port", "served-model-name", "url-prefix"})
_RESERVED_ENV = frozenset(
    {"INFINITY_PORT", "INFINITY_SERVED_MODEL_NAME", "INFINITY_URL_PREFIX", "OLLAMA_HOST", "UVICORN_PORT"}
)
# Gone from newer vLLM, which ends at an option that it does not know.
_RETIRED_FLAGS = frozenset({"disable-log-requests", "num-scheduler-steps", "swap-space", "task"})
_PRINTABLE = re.compile(r"[ -<>-~]+")
_USUAL_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
"""Source: KEP-4369; since 1.32 a Pod takes every printable character but "="."""
_AWS_IGNORED = {"AWS_REGION": "AWS_DEFAULT_REGION"}
# Templates that vLLM's image brings along.
_IMAGE_FOLDER = "/vllm-workspace/"


def engine_traps(subject: Subject) -> Iterator[Notice]:
    """Everything about args, env, image and resource profile."""
    yield from _arguments(subject)
    yield from _chat_template(subject)
    yield from _environment(subject)
    yield from _profile(subject)
    yield from _image(subject.spec.image or "")


_COMPARED = 100
"""So many arguments are compared with all that the engine knows, which takes more than a millisecond each."""


def _image(image: str) -> Iterator[Notice]:
    # A registry's host and a tag may have capitals.
    host, slash, rest = image.partition("/")
    path, _, last = (rest if slash and re.search("[.:]", host) else image).rpartition("/")
    name = path + re.split("[:@]", last, maxsplit=1)[0]
    if re.search(r"\s|[A-Z]", name):
        message = "An image's name has no capital letters and no blanks; no node can pull this one."
        yield error("image", "ImageNotFound", message, step="Write it like registry/name:tag.")


def _arguments(subject: Subject) -> Iterator[Notice]:
    args = subject.spec.args
    for flag in subject.flags:
        field = f"args[{flag.index}]"
        # "--name value" as one word also names the option.
        name, blank, _ = flag.name.partition(" ")
        if name in _RESERVED_FLAGS:
            message = f"KubeAI sets --{name} itself; another value makes the engine unreachable."
            yield error(field, "ReservedArgument", message, _without(args[flag.index]), step=f"Remove --{name}.")
        elif blank:
            message = f"--{name} and its value stand in one argument, which the engine does not split."
            split = f"--{name}={args[flag.index].partition(' ')[2].strip()}"
            # The value may be a secret, which a SetArgument would show.
            change = SetField(name="args", value=[*args[: flag.index], split, *args[flag.index + 1 :]])
            yield error(field, "UnknownArgument", message, change, step=f"Write --{name}=<value>.")
        elif name in _RETIRED_FLAGS and subject.spec.engine == "VLLM":
            message = f"Newer vLLM has no --{name} and ends at once."
            yield warning(field, "UnknownArgument", message, _without(args[flag.index]), step=f"Remove --{name}.")
        elif flag.index < _COMPARED and (meant := meant_argument(subject.spec.engine, name)):
            message = f"{subject.spec.engine} knows no argument --{name}."
            corrected = f"--{meant}{args[flag.index].lstrip('-')[len(name) :]}"
            change = SetField(name="args", value=[*args[: flag.index], corrected, *args[flag.index + 1 :]])
            yield warning(field, "UnknownArgument", message, change, step=f"Write --{meant}, if that is meant.")
        elif flag.value and holds_secret(name, flag.value):
            message = f"The value of --{name} is stored in plain text, for everyone who may read Models."
            yield warning(field, "SecretInPlainText", message, step="Put it into a Secret.")


def _without(item: str) -> SetArgument:
    """The change that takes this option out, and its value where that stands in an item of its own."""
    return SetArgument(name=name_of(item), value=None)


def _chat_template(subject: Subject) -> Iterator[Notice]:
    if subject.spec.image is not None:
        return  # It may bring any file.
    paths = {file.path for file in subject.spec.files}
    for flag in subject.flags:
        path = flag.value or ""
        if flag.name != "chat-template" or path in paths or path.startswith(_IMAGE_FOLDER) or path[:1] != "/":
            continue
        message = f'"{path}" is none of the Model\'s files, so the engine will not find it.'
        yield warning(f"args[{flag.index}]", "ChatTemplateFileMissing", message, step="Add it to files.")


_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "HF_ENDPOINT", "OSS_ENDPOINT")


def _environment(subject: Subject) -> Iterator[Notice]:
    for name in subject.spec.env:
        field = f"env.{name}"
        if not _PRINTABLE.fullmatch(name):
            message = "A Pod takes no variable of this name, so Kubernetes refuses every Pod of the Model."
            yield error(field, "CreationRefused", message, step="Use letters, digits and _ in it.")
        elif not _USUAL_VARIABLE.fullmatch(name):
            message = "Kubernetes before 1.32 refuses Pods with a variable of this name, and no shell can read it."
            yield warning(field, "UnusualVariable", message, step="Use letters, digits and _ in it.")
        elif name in _RESERVED_ENV:
            message = f"KubeAI sets {name} itself; another value makes the engine unreachable."
            change = SetEnv(name=name, value=None)
            yield error(field, "ReservedArgument", message, change, step=f"Remove env.{name}.")
        elif holds_secret(name, subject.spec.env[name]):
            message = f"The value of {name} is stored in plain text, for everyone who may read Models."
            yield warning(field, "SecretInPlainText", message, step="Put it into a Secret and take it out of env.")
        elif name in _ENDPOINTS and "://" not in subject.spec.env[name]:
            message = f"{name} has no http:// or https:// before its host, so each request of the loader fails."
            yield warning(
                field, "S3SettingsWrong", message, step="Begin it with http:// or https://, as the store speaks."
            )
        elif name in _AWS_IGNORED and subject.source and subject.source.scheme == "s3":
            message = f"What loads the weights does not read {name}."
            yield warning(field, "IgnoredVariable", message, step=f"Name it {_AWS_IGNORED[name]}.")


def _profile(subject: Subject) -> Iterator[Notice]:
    field, code = "resource_profile", "InvalidResourceProfile"
    name, multiple = subject.unit
    if not name:
        message = "KubeAI starts nothing without a resource profile of the form <name>:<multiple>, and does not say so."
        yield error(field, code, message, step="Write it like cpu:1.")
    elif multiple < 1:
        message = "Zero times a profile asks for nothing: the Pod may come where no room is, or see all GPUs of a node."
        change = SetField(name="resourceProfile", value=f"{name}:1")
        yield warning(field, code, message, change, step=f"Write {name}:1.")
    elif subject.spec.engine == "VLLM" and "cpu" not in name.split("-"):
        yield from _parallel(subject, multiple)


def _parallel(subject: Subject, units: int) -> Iterator[Notice]:
    """Judged as if one unit were one GPU; a cluster's own profiles know better, see `operator_checks`."""
    asked = subject.parallel
    if asked is not None and asked > units:
        message = f"The arguments want {asked} GPUs, and {units} units of most profiles have fewer."
        fix = f"Set {SPREAD}={units}, or a multiple of {asked} in resource_profile."
        yield warning("args", "TensorParallelMoreThanGpus", message, step=fix)
    elif units > 1 and (asked or 1) < units:
        message = f"vLLM is not told about the multiple: it uses {asked or 1} of {units} GPUs."
        changes = [SetArgument(name=SPREAD, value=str(units))] if asked is None else []
        yield warning("args", "GpusUnused", message, *changes, step=f"Add {SPREAD}={units} to args.")
