"""Templates of Remedies: what the tables hold, and how one is filled in for a case.

A template is a Remedy with ``{values}`` in its words. It is data and not a function, so that a test can ask a table
what it would do, and one function decides for all of them what happens where a value is not known: then the template
gives nothing, and the next one has its turn. A rule that has to reckon gives its results as values (``Rule.derive``).
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from functools import lru_cache
from string import Formatter
from typing import TYPE_CHECKING, Literal

from kubeai_notebook.core.arguments import SPREAD, name_of, without_arguments
from kubeai_notebook.core.masking import is_secret_name, masked_args
from kubeai_notebook.core.remedy import Command, Remedy, SetArgument, SetEnv, SetField

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubeai_notebook.core.remedy import Change

    from .case import Case

Place = Literal["cluster", "this machine"]
"""Where a Remedy helps."""

# A name from an object or a log becomes a word of a command only where no shell and no program reads more in it.
_HARMLESS_WORD = re.compile(r"(?!-)[\w@%+=:,./-]+", re.ASCII)

_PROTECTING = (
    *("--revision", "--code-revision", "--tokenizer-revision", "--no-trust-remote-code", "--allowed-local-media-path"),
    *("--allowed-media-domains", "--allowed-origins", "--ssl-keyfile", "--ssl-certfile", "--ssl-ca-certs"),
    *("--ssl-cert-reqs", "--middleware"),
    *("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "VLLM_API_KEY", "INFINITY_API_KEY"),
    *("INFINITY_REVISION", "INFINITY_TRUST_REMOTE_CODE", "VLLM_NO_USAGE_STATS", "HF_HUB_DISABLE_TELEMETRY"),
    *("DO_NOT_TRACK", "OLLAMA_ORIGINS", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A Remedy with ``{values}`` in its words."""

    titles: tuple[str, ...]
    """The first whose values are all known is used; ``{argument}``, ``{variable}`` and ``{value}`` name what is set."""
    changes: tuple[Change, ...] = ()
    """To take out several things, a name may hold several, with spaces (args) or commas (env) between them."""
    command: Command | None = None
    unless: str = ""
    """A value that another template needs: where it is known, this one is not used."""
    only: Place | None = None
    """Where it helps: a volume, a Secret of KubeAI's own or an admin are of no use on one's own machine."""


def remedy_of(template: Template, case: Case) -> Remedy | None:
    """The template filled in; None where it lacks a value, or where the Model is already as it would make it."""
    values = case.values
    place = "this machine" if case.scene.observation.this_machine else "cluster"
    if template.unless in values or template.only not in (None, place):
        return None
    command = template.command and _filled_command(template.command, values)
    changes = _filled_changes(template.changes, case)
    if (template.command and not command) or (template.changes and not changes):
        return None
    title = filled(template.titles, {**values, **_shown(changes, case)})
    return Remedy(title=title, changes=changes, command=command) if title else None


@lru_cache(maxsize=1024)
def _names(template: str) -> tuple[str, ...]:
    return tuple(name for _, name, _, _ in Formatter().parse(template) if name)


def filled(templates: Iterable[str], values: Mapping[str, str]) -> str | None:
    """The first template whose values are all known, filled in."""
    for template in templates:
        if all(values.get(name) for name in _names(template)):
            return template.format_map(values)
    return None


def _filled_command(command: Command, values: Mapping[str, str]) -> Command | None:
    harmless = {key: value for key, value in values.items() if _HARMLESS_WORD.fullmatch(value)}
    complete = all(filled([word], harmless) for argv in (command.arguments, *command.into) for word in argv)
    return command.worded(lambda word: word.format_map(harmless)) if complete else None


def _filled_changes(changes: tuple[Change, ...], case: Case) -> tuple[Change, ...]:
    """The changes with their values, without those that are made already; none at all where a value is not known."""
    made: list[Change] = []
    for change in changes:
        if change.value is None and not isinstance(change, SetField):
            names = filled([change.name], case.values) or ""
            listed = names.split(", " if isinstance(change, SetEnv) else None)
            named = [replace(change, name=name if isinstance(change, SetEnv) else name_of(name)) for name in listed]
            made += named if names == change.name else [one for one in named if not _protects(one)]
        elif isinstance(change.value, str):
            value = filled([change.value], case.values) if change.value else ""
            if value is None:
                return ()
            made.append(replace(change, value=value))
        else:
            made.append(change)
    return tuple(change for change in made if Remedy(title="", changes=(change,)).patch(case.scene.model))


def _protects(change: SetArgument | SetEnv) -> bool:
    """Whether what it takes out keeps something out: what a text says is no reason for that."""
    return is_secret_name(change.name) or change.name in _PROTECTING


def _shown(changes: tuple[Change, ...], case: Case) -> dict[str, str]:
    """How titles name what is set or taken out."""
    arguments = [change for change in changes if isinstance(change, SetArgument)]
    _, gone = without_arguments(case.scene.args, [change.name for change in arguments if change.value is None])
    put = [change.item for change in arguments if change.value is not None]
    variables = [change.item for change in changes if isinstance(change, SetEnv)]
    fields = [change.value for change in changes if isinstance(change, SetField)]
    shown = {
        "argument": " and ".join(put) or " ".join(masked_args(gone)),
        "variable": " and ".join(variables),
        "value": " and ".join(", ".join(value) if isinstance(value, list) else str(value) for value in fields),
    }
    return {key: text for key, text in shown.items() if text}


def advise(*titles: str, unless: str = "", only: Place | None = None) -> Template:
    """Words only: what a person has to do."""
    return Template(titles=titles, unless=unless, only=only)


def run(title: str, line: str, *, only: Place | None = None) -> Template:
    """A command, written as in a terminal; a value in it is always within one word."""
    argvs = tuple(tuple(argv) for argv in _piped(shlex.split(line)))
    return Template(titles=(title,), command=Command(arguments=argvs[0], into=argvs[1:]), only=only)


def ask(title: str, verb: str, *arguments: str) -> Template:
    """One of our own verbs, which each face offers in its way."""
    return Template(titles=(title,), command=Command(verb=verb, arguments=arguments))


def _piped(words: list[str]) -> Iterator[list[str]]:
    """The words between the pipes."""
    while "|" in words:
        yield words[: words.index("|")]
        words = words[words.index("|") + 1 :]
    yield words


def set_argument(name: str, value: str, title: str = "Set {argument}.", *, unless: str = "") -> Template:
    """Put ``name=value`` into the args; ``name`` alone where the value is ``""``."""
    return Template(titles=(title,), changes=(SetArgument(name=name, value=value),), unless=unless)


def drop_argument(*names: str, title: str = "Remove {argument}.") -> Template:
    """Take out those of the arguments that are there."""
    return Template(titles=(title,), changes=tuple(SetArgument(name=name, value=None) for name in names))


def set_env(name: str, value: str, title: str = "Set env.{variable}.") -> Template:
    """Set a variable in the Model's env."""
    return Template(titles=(title,), changes=(SetEnv(name=name, value=value),))


def drop_env(*names: str) -> Template:
    """Take out those of the variables that are there."""
    changes = tuple(SetEnv(name=name, value=None) for name in names)
    return Template(titles=("Remove {variable} from env.",), changes=changes)


def set_field(name: str, value: object, title: str, *, unless: str = "") -> Template:
    """Set one field of the spec; ``None`` removes it."""
    return Template(titles=(title,), changes=(SetField(name=name, value=value),), unless=unless)


def set_features(*features: str) -> Template:
    """Say what the model is used for."""
    return set_field("features", list(features), "Set features to {value}.")


DOWNLOAD_ONCE = set_field(
    "cacheProfile", "{usable_cache}", "Keep the weights on the cluster's volume: cacheProfile {value}."
)
MORE_UNITS = set_field("resourceProfile", "{twice_profile}", "Take more of the profile: resourceProfile {value}.")
SPREAD_LESS = Template(
    titles=("Take less of the profile: resourceProfile {value}. And set {argument}.",),
    changes=(
        SetField(name="resourceProfile", value="{half_profile}"),
        SetArgument(name=SPREAD, value="{half_spread}"),
    ),
)
OTHER_PROFILE = set_field(
    "resourceProfile",
    "{other_profile}",
    "Take profile {other_name}, of which a node has {other_free} free now: resourceProfile {value}.",
)
FEWER_UNITS = (
    # Else the engine would ask for the GPUs that it no longer gets.
    SPREAD_LESS,
    set_field(
        "resourceProfile",
        "{half_profile}",
        "Take less of the profile: resourceProfile {value}.",
        unless="half_spread",
    ),
)
APPLIED = " --dry-run=client -o yaml | kubectl apply -f -"
"""Behind ``kubectl create``: replaces what is there, and sends YAML, which every API server takes."""
DELETE_POD = run("Delete the Pod; KubeAI makes a new one.", "kubectl -n {namespace} delete pod {pod}")
READ_LOG = run("Read the whole log.", "kubectl -n {namespace} logs {pod} --all-containers --tail=400")
LET_READ = advise("If the file is there and whole, let the container read it (owner, mode, fsGroup).", only="cluster")
LOOK_AGAIN = run(
    "After that, have KubeAI look again at once; by itself it may take 17 minutes to do so.",
    "kubectl -n {namespace} annotate model {name} touch={touches} --overwrite",
    # What is mended on one's own machine is the Model, which is looked at again by that, or the daemon's start.
    only="cluster",
)
STOP_ANOTHER = run(
    "Stop a Model that is not needed: find it, then scale it to 0 replicas.",
    "kubectl -n {namespace} get models"
    " -o custom-columns=NAME:.metadata.name,PROFILE:.spec.resourceProfile,REPLICAS:.spec.replicas",
)
