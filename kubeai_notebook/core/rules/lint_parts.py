"""Traps about adapters, files, scaling, labels and the name."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from kubeai_notebook.core.digitalhub import PROJECT_LABEL
from kubeai_notebook.core.kubeai.labels import FEATURE_LABEL
from kubeai_notebook.core.masking import MASK, is_secret_name, masked, quoted
from kubeai_notebook.core.model_spec import SecretName, SecretValue
from kubeai_notebook.core.naming import MAX_LABEL_LENGTH, label_word
from kubeai_notebook.core.remedy import SetArgument, SetField
from kubeai_notebook.core.source import names_gguf

from .subject import Subject, error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.notice import Notice

MAX_CONFIG_MAP_BYTES = 1 << 20
_CONFIG_MAP_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
# Folders that KubeAI mounts into the engine's container; Kubernetes refuses a second mount at the same path.
_MOUNTED = ("/dev/shm", "/model", "/models", "/adapters", "/secrets/gcp-credentials")  # noqa: S108 - no file is made
_ADAPTER_REPOSITORY = re.compile(r"hf://[^/:]+/[^/:]+")


def part_traps(subject: Subject) -> Iterator[Notice]:
    """Everything about adapters, files, scaling, labels and the name."""
    spec = subject.spec
    yield from _adapters(spec, subject)
    yield from _secret_values(spec)
    yield from _files(spec)
    yield from _scaling(spec)
    yield from _balancing(spec)
    yield from _labels(spec)
    for label in spec.labels:
        if label.startswith(FEATURE_LABEL):
            message = "KubeAI writes this label itself, from features."
            yield warning("labels", "OverwrittenLabel", message, step=f"Remove the label {label}.")
    if PROJECT_LABEL in spec.labels:
        yield from _on_the_platform(spec)


_TAKEN = {"engine": "VLLM", "features": "TextGeneration"}
"""What DigitalHub takes where a function leaves a field out, whatever its url is."""


def _on_the_platform(spec: ModelSpec) -> Iterator[Notice]:
    """What DigitalHub would make of the same calls."""
    if "." in spec.name:
        message = f'DigitalHub takes dots out of names: there it would be called "{spec.name.replace(".", "")}".'
        yield warning("name", "DotsInName", message, step="Use - in place of dots.")
    for inferred in spec.inferred:
        taken = _TAKEN.get(inferred.field, inferred.value)
        if inferred.value != taken:
            message = f"DigitalHub would take {taken} where {inferred.field} is left out; here it is {inferred.value}."
            step = f'Give {inferred.field}="{inferred.value}" to new_function.'
            yield warning(inferred.field, "OtherOnThePlatform", message, step=step)


_LABEL_FORM = 'letters, digits, "-", "_" and ".", with a letter or a digit at both ends'


def _labels(spec: ModelSpec) -> Iterator[Notice]:
    """Labels that the API server refuses, by a regular expression that few people read."""
    for name, value in spec.labels.items():
        prefix, slash, word = name.rpartition("/")
        for what, before, text in (("name", prefix + slash, word), ("value", "", value)):
            better = label_word(text)
            if better == text and (text or what == "value"):
                continue
            hidden = what == "value" and is_secret_name(name)
            shown = MASK if hidden else quoted(before + text)
            message = f"In labels, the {what} {shown} may have up to {MAX_LABEL_LENGTH} {_LABEL_FORM}."
            step = (
                f'Write "{before}{better}".'
                if better and not hidden and masked(text) == text
                else "Use these characters only."
            )
            yield error("labels", "InvalidLabel", message, step=step)


def _adapter_url(field: str, url: str, *, base: str) -> Iterator[Notice]:
    """What the loader cannot fetch, or the engine cannot put on the base model."""
    if "?" in url:
        message = "The loader gets the url with its query, and finds no such adapter."
        yield error(field, "AdapterNotLoaded", message, step="Leave out what follows the question mark.")
    elif url.startswith("hf://") and not _ADAPTER_REPOSITORY.fullmatch(url):
        message = f"{quoted(url)} names no repository of the hub: an adapter's has an owner and a name."
        yield error(field, "AdapterNotLoaded", message, step="Write hf://<owner>/<name>.")
    elif names_gguf(url):
        message = "This adapter seems to be in GGUF files, which vLLM does not load."
        yield warning(field, "AdapterNotLoaded", message, step="Use the adapter's safetensors repository.")
    elif url == base:
        message = "This is the base model again, not an adapter for it."
        yield warning(field, "AdapterNotLoaded", message, step="Name the repository of the adapter.")


def _adapters(spec: ModelSpec, subject: Subject) -> Iterator[Notice]:
    if not spec.adapters:
        return
    for name, count in Counter(adapter.name for adapter in spec.adapters).items():
        if count > 1:
            message = f'{count} adapters are called "{name}"; only one of them would be reached.'
            yield error("adapters", "DuplicateAdapter", message, step="Give each a name of its own.")
    for number, adapter in enumerate(spec.adapters):
        yield from _adapter_url(f"adapters[{number}].url", adapter.url, base=spec.url)
    if spec.scaling.min_replicas == 0 and not spec.scaling.autoscaling_disabled:
        message = "Calls to an adapter do not count as traffic: KubeAI stops the Model while they wait."
        change, step = SetField(name="minReplicas", value=1), "Set scaling.min_replicas to 1."
        yield warning("scaling.min_replicas", "AdapterNotLoaded", message, change, step=step)
    if len(spec.adapters) > 1 and not any(flag.name == "max-loras" for flag in subject.flags):
        message = "vLLM computes one adapter at a time unless told otherwise."
        several = SetArgument(name="--max-loras", value=str(len(spec.adapters)))
        yield warning("args", "OneAdapterAtATime", message, several, step=f"Add --max-loras={len(spec.adapters)}.")


def _secret_values(spec: ModelSpec) -> Iterator[Notice]:
    for number, entry in enumerate(spec.secrets):
        if isinstance(entry, SecretValue) and not entry.value.get_secret_value():
            message = f"The secret {quoted(entry.env)} has no value."
            step = f"Give it as a SecretStr, or name a key of a Secret: {entry.env}=<secret>:<key>."
            yield error(f"secrets[{number}]", "SecretValueMissing", message, step=step)
    variables = Counter(entry.env for entry in spec.secrets if not isinstance(entry, SecretName))
    for name, count in variables.items():
        if count > 1:
            message = f"{count} secrets are for the variable {quoted(name)}; only one of them would be set."
            yield error("secrets", "DuplicateVariable", message, step="Remove the others.")
        elif name in spec.env:
            message = f"The variable {quoted(name)} stands in env, too, and that value is the one which counts."
            yield warning("secrets", "DuplicateVariable", message, step="Take it out of one of them.")


def _files(spec: ModelSpec) -> Iterator[Notice]:
    keys = Counter(file.path.replace("/", "_") for file in spec.files)
    size = sum(len(file.content.encode("utf-8", "surrogatepass")) for file in spec.files) + sum(map(len, keys))
    if size > MAX_CONFIG_MAP_BYTES:
        message = f"The files have {size:,} bytes together; KubeAI keeps them in one ConfigMap, which holds 1,048,576."
        yield error("files", "CreationRefused", message, step="Shorten them, or put them into the image.")
    for number, file in enumerate(spec.files):
        field, key = f"files[{number}].path", file.path.replace("/", "_")
        if keys[key] > 1:
            message = f'KubeAI stores "{file.path}" as "{key}", and another file too: the last one would replace it.'
            yield error(field, "FilePathsCollide", message, step="Rename one of them.")
        elif not _CONFIG_MAP_KEY.fullmatch(key):
            message = f'"{file.path}" cannot be a key of a ConfigMap, so KubeAI cannot store the file.'
            yield error(field, "CreationRefused", message, step="Use letters, digits and . _ - / in the path.")
        elif file.path.endswith("/"):
            message = f'"{file.path}" is a folder, where a file is to be mounted.'
            yield error(field, "CreationRefused", message, step="Append the file's name.")
        elif file.path in _MOUNTED:
            message = f'KubeAI mounts a folder of its own at "{file.path}"; Kubernetes refuses the Pod.'
            yield error(field, "CreationRefused", message, step="Use another path, such as /config/<file>.")
        elif file.path.startswith(tuple(f"{folder}/" for folder in _MOUNTED)):
            message = f'"{file.path}" lies in a folder that KubeAI mounts, which may be read-only.'
            yield warning(field, "CreationRefused", message, step="Use another path, such as /config/<file>.")


def _scaling(spec: ModelSpec) -> Iterator[Notice]:
    scaling = spec.scaling
    delay, wanted = scaling.scale_down_delay_seconds, scaling.replicas
    if delay is not None and delay < 0:
        message = "A delay below zero is taken by the API server and means nothing to the autoscaler."
        change = SetField(name="scaleDownDelaySeconds", value=0)
        yield error("scaling.scale_down_delay_seconds", "NegativeDelay", message, change, step="Set it to 0 or more.")
    if not scaling.autoscaling_disabled:
        if wanted is not None:
            message = "KubeAI sets the number of replicas itself while autoscaling is on."
            fix = "Set scaling.min_replicas, or scaling.autoscaling_disabled to true."
            yield warning("scaling.replicas", "ReplicasIgnored", message, step=fix)
        return
    if not wanted:
        # Zero is how a Model is stopped on purpose; nothing at all is not.
        say = error if wanted is None else warning
        message = "With autoscaling off and no replicas nothing ever starts, and requests wait for ever."
        change = SetField(name="replicas", value=1)
        yield say("scaling.replicas", "NeverStarts", message, change, step="Set scaling.replicas to 1.")
    if scaling.max_replicas is not None:
        message = "With autoscaling off KubeAI does not look at the bounds."
        yield warning("scaling.max_replicas", "BoundsIgnored", message, step="Leave it out, or set scaling.replicas.")


def _balancing(spec: ModelSpec) -> Iterator[Notice]:
    balancing = spec.scaling.load_balancing
    by_prefix = balancing.strategy == "PrefixHash"
    if by_prefix and spec.features and "TextGeneration" not in spec.features:
        message = "Only chats and completions have a prefix; all other requests go to one replica until it is full."
        change = SetField(name="loadBalancing", value={"strategy": "LeastLoad"})
        yield warning("scaling.load_balancing.strategy", "NoPrefix", message, change, step="Use LeastLoad.")
    if balancing.replication is not None and balancing.replication < 1:
        message = "Without a point on the ring no replica is ever chosen, and requests wait for ever."
        change = SetField(name="loadBalancing", value={"prefixHash": {"replication": 256}})
        yield error(
            "scaling.load_balancing.replication",
            "NoReplicaChosen",
            message,
            change,
            step="Set it to 256, KubeAI's default.",
        )
    if balancing.prefix_char_length is not None and balancing.prefix_char_length < 0:
        message = "A prefix has no fewer than 0 characters; KubeAI fails at each request."
        change = SetField(name="loadBalancing", value={"prefixHash": {"prefixCharLength": 100}})
        field = "scaling.load_balancing.prefix_char_length"
        yield error(field, "NegativePrefix", message, change, step="Set it to 100, KubeAI's default.")
    tuned = (balancing.mean_load_factor, balancing.prefix_char_length)
    if not by_prefix and any(value is not None for value in tuned):
        message = "These numbers are read with the strategy PrefixHash only."
        fix = "Set scaling.load_balancing.strategy to PrefixHash, or leave them out."
        yield warning("scaling.load_balancing", "PrefixHashIgnored", message, step=fix)
