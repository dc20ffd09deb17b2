"""What the single-machine KubeAI says of weights and variables: cured on one's own machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import value_of
from kubeai_notebook.core.catalog.known import KNOWN
from kubeai_notebook.core.diagnosis.engine.remedies import advise, ask, drop_env, set_argument, set_field
from kubeai_notebook.core.diagnosis.engine.rule import Rule
from kubeai_notebook.core.memory import memory_with_cache
from kubeai_notebook.core.messages import size
from kubeai_notebook.core.near_urls import near_url
from kubeai_notebook.core.source import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.diagnosis.engine.case import Case

_OWN_FILE = 'Or use a file you have: kubeai-local add "{url}=FILE.gguf".'

REFUSED_HERE: tuple[Rule, ...] = (
    Rule(
        code="CodeInEnvironment",
        seen=("can make the engine run code, and on this machine a Model runs as you",),
        take=(r"the variables? (?P<variables>[\w, ]+?) can make the engine run code",),
        message=(
            '"{name}" sets {variables}, which can make its engine run code: on this machine that would be as you.',
            '"{name}" sets a variable that can make its engine run code: on this machine that would be as you.',
        ),
        who="user",
        remedies=(
            drop_env("{variables}"),
            advise(
                "Take {variables} out of env, or out of the Secret or ConfigMap that envFrom names.",
                "Take the variable out of env, or out of the Secret or ConfigMap that envFrom names.",
            ),
            advise("Or serve it in a cluster, where a Model has a container of its own."),
        ),
    ),
)
_ROOM = (r"needs (?P<needed>\d+ MB) in (?P<path>.+), (?P<free>\d+ MB) are free",)
_NO_ROOM = (
    'The weights of "{name}" need {needed} in {path}, where {free} are free.',
    'There is no room for the weights of "{name}" on this machine.',
)
_MAKE_ROOM = advise("Make room there; the download then goes on by itself.")


def _meant(case: Case) -> Mapping[str, str]:
    """The url that the text means, where it is a known one and spelt like the Model's: anything may stand in a log."""
    meant, own = case.values.get("meant", ""), case.scene.url
    known = meant in KNOWN and Source(meant).scheme == own.scheme
    return {"meant_url": meant} if known and near_url(own, [meant]) else {}


_CONTEXT_SETTINGS = {"--ctx-size": "fitting_context", "--max-model-len": "fitting_length"}
"""The arguments that ask for a context; of both the engine takes the first. With each, the value that fits."""
_SHORTER_CONTEXT = (
    set_argument("--ctx-size", "{fitting_context}"),
    set_argument("--max-model-len", "{fitting_length}"),
    advise("Or close what takes memory, and it is tried again."),
)
_FEWEST_TOKENS = 512
_NO_MEMORY = ("cannot allocate memory", "unable to allocate", "failed to allocate", "std::bad_alloc")


def _context(case: Case) -> Mapping[str, str]:
    """What the context takes, and the one that fits; nothing where the Model did not ask for it, or none fits.

    No more than the model knows is of use. Where not even a short one fits, the weights are what is too large.
    """
    said = {name: case.values.get(name, "") for name in ("asked", "needed", "weights_mb", "free")}
    known = case.values.get("known", said["asked"])
    setting = next((name for name in _CONTEXT_SETTINGS if value_of(case.scene.args, name) is not None), "")
    # A number that is also one of the Model's secrets is hidden, and is none any more.
    if not all(map(str.isdecimal, (*said.values(), known))) or value_of(case.scene.args, setting) != said["asked"]:
        return {}
    asked, needed, weights, free = map(int, said.values())
    left_bytes = free * 10**6 - memory_with_cache(weights * 10**6, 0)
    fits = left_bytes * asked // (max(needed, 1) * 10**6) // _FEWEST_TOKENS * _FEWEST_TOKENS
    fits = min(fits, int(known))
    if not _FEWEST_TOKENS <= fits < asked:
        return {}
    sizes = {"needed_size": size(needed * 10**6), "free_size": size(free * 10**6)}
    return {_CONTEXT_SETTINGS[setting]: str(fits), **sizes, "ended": _ended(case)}


def _ended(case: Case) -> str:
    """How its last run ended, as one does that has no memory; nothing where it did not."""
    run = case.pod.main.last_run if case.pod else {}
    if run.get("exitCode") == 137 or run.get("reason") == "OOMKilled":
        return "was killed"
    return "ended" if run and any(words in case.passage.haystack for words in _NO_MEMORY) else ""


def _takes_the_memory(case: Case) -> bool:
    """Whether the engine loads, or had no memory; else it ended of something else."""
    loads = case.pod is None or case.pod.main.running
    return bool((loads or _ended(case)) and _context(case))


CONTEXT_MAY_NOT_FIT = Rule(
    code="MaxModelLenTooLargeForKvCache",
    seen=("tokens of context for … may be more than this machine holds",),
    take=(
        r"(?P<asked>\d{1,9}) tokens of context for ",
        r"the model knows (?P<known>\d{1,9})\)",
        r"(?P<needed>\d{1,9}) MB beside (?P<weights_mb>\d{1,9}) MB of weights",
        r"(?P<free>\d{1,9}) MB are free",
    ),
    only=_takes_the_memory,
    derive=_context,
    message=(
        'The engine of "{name}" {ended}: a context of {asked} tokens needs {needed_size} of cache, and this machine '
        "had {free_size} free.",
        "A context of {asked} tokens needs {needed_size} of cache, and this machine had {free_size} free when the "
        "engine began to load: it may be killed for that.",
        "The context that the Model asks for may need more memory than this machine has left beside the weights.",
    ),
    who="user",
    remedies=_SHORTER_CONTEXT,
)
"""Behind what else a log says: it is the engine's own guess, and a reason only where nothing else is."""

THIS_MACHINE: tuple[Rule, ...] = (
    Rule(
        code="MaxModelLenTooLargeForKvCache",
        seen=("tokens needs … of cache … are left beside the weights",),
        take=(
            r"context of (?P<asked>\d+) tokens needs (?P<needed>[\d.]+ [MGT]B)",
            r"(?P<left>[\d.]+ [MGT]B) of memory are left",
            r"--ctx-size=(?P<fitting_context>\d+) fits",
            r"--max-model-len=(?P<fitting_length>\d+) fits",
        ),
        message=(
            "A context of {asked} tokens needs {needed} of cache, and this machine has {left} left beside the weights.",
            "The context that the Model asks for needs more memory than this machine has left beside the weights.",
        ),
        who="user",
        remedies=_SHORTER_CONTEXT,
    ),
    Rule(
        code="DiskFull",
        seen=("No space left on device: … /models-- … MB are free",),
        take=_ROOM,
        message=_NO_ROOM,
        who="user",
        remedies=(
            _MAKE_ROOM,
            advise("Or keep the hub's files elsewhere: kubeai-local stop, set HF_HOME, then kubeai-local start."),
        ),
    ),
    Rule(
        code="DiskFull",
        seen=("No space left on device: … MB are free",),
        take=_ROOM,
        message=_NO_ROOM,
        who="user",
        remedies=(
            _MAKE_ROOM,
            advise("Or keep weights elsewhere: kubeai-local stop, then kubeai-local start --cache FOLDER."),
        ),
    ),
    Rule(
        code="WeightsDamaged",
        seen=(
            "did not arrive as",
            "is larger than its registry lists it",
            "is larger than the hub lists it",
            "is larger than its store lists it",
            "are not the ones expected: their sha256",
            "Error: The package … is damaged",
        ),
        message=(
            "The weights of {url} arrived with another checksum or size than their source lists, and are not used.",
            'The weights of "{name}" arrived with another checksum or size than their source lists, and are not used.',
        ),
        who="nobody",
        remedies=(
            ask("Have them fetched again now.", "restart", "{name}"),
            advise("If it happens again, ask whether a proxy or a mirror on the way changes what it passes on."),
        ),
    ),
    Rule(
        code="SourceUnreachable",
        seen=("Could not reach the package index",),
        message=('The weights of "{name}" come from the package index, which cannot be reached.',),
        who="user",
        remedies=(
            advise("Check the network. pip's own settings count (PIP_INDEX_URL, HTTPS_PROXY); it is tried again."),
            advise(_OWN_FILE),
        ),
    ),
    Rule(
        code="RegistryUnreachable",
        seen=("Could not reach Ollama's registry",),
        take=(r"this machine has weights for: (?P<here>.+?)\.?$",),
        message=(
            "The weights of {url} come from Ollama's registry, which cannot be reached; this machine has {here}.",
            'The weights of "{name}" come from Ollama\'s registry, which cannot be reached.',
        ),
        who="user",
        remedies=(
            advise("Check the network, and HTTPS_PROXY where you need one; it is tried again."),
            advise("Or use one of the urls that are here."),
            advise(_OWN_FILE),
        ),
    ),
    Rule(
        code="ModelFormatUnsupported",
        seen=("which llama.cpp runs once they are converted",),
        take=(r"converted: (?P<install>pip install \"kubeai-notebook\[\w+\]\")\.",),
        message=(
            "{url} holds safetensors, which have to be converted before they run on this machine.",
            'The weights of "{name}" have to be converted before they run on this machine.',
        ),
        who="user",
        remedies=(
            advise("Install the converter, and it goes on by itself: {install}."),
            advise("Or use a repository of the same model with GGUF files."),
            advise("Or use a cluster."),
        ),
    ),
    Rule(
        code="ModelFormatUnsupported",
        seen=(
            "is not one GGUF file, and llama.cpp",
            "holds no .gguf file and no safetensors",
            "is an adapter over other weights, which llama.cpp",
            "it runs in Ollama's cloud only",
            "could not be converted to GGUF",
        ),
        message=(
            "llama.cpp, which runs Models on this machine, cannot load what is behind {url}.",
            'llama.cpp, which runs Models on this machine, cannot load the weights of "{name}".',
        ),
        who="user",
        remedies=(
            advise("Use a repository with GGUF files, or a model of Ollama's library that is one GGUF file."),
            advise("Or use a cluster."),
        ),
    ),
    Rule(
        code="PythonPackageMissing",
        seen=("urls need … pip install",),
        take=(r"urls need (?P<library>\w+): (?P<install>pip install \"kubeai-notebook\[\w+\]\")\.",),
        message=(
            "Fetching {url} needs {library}, which is not installed on this machine.",
            'Fetching the weights of "{name}" needs a library that is not installed on this machine.',
        ),
        who="user",
        remedies=(advise("Install it, and it goes on by itself: {install}."), advise(_OWN_FILE)),
    ),
    Rule(
        code="ModelNotFound",
        seen=("this machine has weights for:",),
        take=(
            r"(?P<registry>Ollama's registry) has no model",
            r"Did you mean (?P<meant>[\w.:/-]+)\?",
            r"this machine has weights for: (?P<here>.+?)\.?$",
        ),
        message=(
            "{registry} has no model {weights}; this machine has {here}.",
            "This machine has no weights for {url}; it has them for {here}.",
            "This machine has no weights for {url}.",
            'This machine has no weights for "{name}".',
        ),
        who="user",
        derive=_meant,
        remedies=(
            set_field("url", "{meant_url}", "Use {value}."),
            advise("Use one of these urls, or a cluster."),
            advise(_OWN_FILE),
        ),
    ),
)
