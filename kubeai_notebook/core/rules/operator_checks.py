"""A ModelSpec against one cluster: its profiles, images, Secrets and priority classes."""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

from kubeai_notebook.core.field_aliases import to_snake
from kubeai_notebook.core.kubeai.chart import meant_image
from kubeai_notebook.core.kubeai.credentials import CREDENTIALS
from kubeai_notebook.core.masking import quoted
from kubeai_notebook.core.messages import did_you_mean, nearest
from kubeai_notebook.core.model_spec import Inferred, SecretKey, SecretName
from kubeai_notebook.core.notice import Notice, wrong
from kubeai_notebook.core.objects import text_at
from kubeai_notebook.core.profile import ResourceProfile
from kubeai_notebook.core.remedy import SetField
from kubeai_notebook.errors import SpecError

from .quantity import quantity_of, to_quantity
from .subject import Subject, error, warning

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from kubeai_notebook.core.facts import ClusterFacts
    from kubeai_notebook.core.kubeai.operator_config import OperatorConfig, Profile
    from kubeai_notebook.core.model_spec import ModelSpec

# Names of profiles are short: one wrong character of "l4" is half of it.
_NEAR = 0.5
# What people call accelerators: by the word, by a vendor, by a product such as l4, a100, rtx4090 or mi300x.
_ACCELERATOR = re.compile(r"gpu|nvidia|cuda|amd|rocm|tpu|(^|[^a-z])[a-z]{1,3}[0-9]{1,4}", re.I)
_GATED = re.compile(r"(meta-llama/|google/gemma)", re.I)


def _own_values(*variables: str) -> str:
    """The step by which a Model has a Secret of its own, made with it: nobody needs kubectl for that."""
    values = ", ".join(f'"{variable}": SecretStr("…")' for variable in variables)
    return f"Give what it holds, and the Model gets a Secret of its own: secrets={{{values}}}."


def against_operator_config(spec: ModelSpec, facts: ClusterFacts) -> list[Notice]:
    """What the cluster lacks for this spec, errors first."""
    subject, classes = Subject(spec), facts.priority_classes
    # The profiles that Models run on exist, also where the configuration may not be read.
    used = {ResourceProfile(text_at(model, "spec", "resourceProfile")).name for model in facts.models}
    notices = [
        *_profile(subject, facts.operator_config, frozenset(used)),
        *_cache_and_image(spec, facts.operator_config),
        *_credentials(subject, facts.operator_config, facts.secret_names),
        *_secrets(spec, facts),
    ]
    wanted = spec.priority_class_name
    if wanted and classes is not None and wanted not in classes:
        message = f'The cluster has no PriorityClass "{wanted}", so it refuses every Pod of the Model.'
        step, change = _use_nearest("priorityClassName", wanted, classes)
        notices.append(error("priority_class_name", "PriorityClassMissing", message, change, step=step))
    return sorted(notices, key=lambda notice: notice.severity)


def _use_nearest(field: str, word: str, known: Iterable[str]) -> tuple[str, SetField]:
    """How to put the nearest known word in a field's place, or to empty it where none is near."""
    near = nearest(word, known, share=_NEAR)
    step = f'Use "{near}".' if near else f"Leave {to_snake(field)} out."
    return step, SetField(name=field, value=near or None)


def _secrets(spec: ModelSpec, facts: ClusterFacts) -> Iterator[Notice]:
    """Secrets that the spec names and the namespace has not: the Pod would wait for them for ever."""
    names = [entry.name for entry in spec.secrets if isinstance(entry, SecretName)]
    names += [entry.secret for entry in spec.secrets if isinstance(entry, SecretKey)]
    for name in dict.fromkeys(names):
        shown = quoted(name, 253)
        if facts.secret_names is None:
            message = f"Whether the Secret {shown} exists cannot be seen here."
            yield Notice(code="SecretUnknown", severity="warning", field="secrets", message=message)
        elif name not in facts.secret_names:
            message = f'There is no Secret {shown} in namespace "{facts.namespace}".'
            step = did_you_mean(name, facts.secret_names).strip() or _own_values("VARIABLE")
            yield error("secrets", "SecretNotFound", message, step=step)


def _profile(subject: Subject, config: OperatorConfig, used: frozenset[str]) -> Iterator[Notice]:
    name, multiple = subject.unit
    if not name:
        return  # A trap of its own.
    if name not in config.profiles and name not in used:
        certain = config.source == "kubeai-config"
        where = "KubeAI's configuration" if certain else "the chart's defaults, and the cluster's own cannot be read"
        names = ", ".join(sorted(config.profiles)) or "none"
        message = f'There is no resource profile "{name}" in {where}; with an unknown one KubeAI starts nothing.'
        near = nearest_profile(name, config)
        better = f"{near}:{multiple or 1}"
        fix = f"Write {better}." if near else "Choose one of them."
        changes = [SetField(name="resourceProfile", value=better)] if near else []
        say = error if certain else warning
        yield say("resource_profile", "UnknownResourceProfile", f"{message} There are: {names}.", *changes, step=fix)
    elif name in config.profiles and multiple:
        yield from _gpus(subject, config.profiles[name].gpus * multiple)


def wants_gpu(name: str, config: OperatorConfig) -> bool | None:
    """Whether a profile of this name stands for accelerators; of one that is not there, as far as its name says it."""
    if name in config.profiles:
        return config.profiles[name].gpus > 0
    if "cpu" in name.lower():
        return False
    return True if _ACCELERATOR.search(name) else None


def nearest_profile(name: str, config: OperatorConfig) -> str:
    """The profile of the same kind that is nearest in spelling; ``""`` where none is near.

    A GPU is never answered by a processor. Among those that have the whole word in their name, such as ``gpu``, one
    that says how much memory it has goes first.
    """
    kind = wants_gpu(name, config)
    alike = [profile for profile in config.profiles.values() if kind is None or (profile.gpus > 0) == kind]
    named = [profile for profile in alike if len(name) > 1 and name.lower() in profile.name.lower()]
    if named:
        return min(
            named, key=lambda profile: ("memory" not in profile.requests, profile.gpus, len(profile.name), profile.name)
        ).name
    return nearest(name, (profile.name for profile in alike), share=_NEAR)


def _gpus(subject: Subject, gpus: int) -> Iterator[Notice]:
    asked = subject.parallel
    if subject.spec.engine != "VLLM" or asked is None or asked <= max(gpus, 1):
        return
    message = f"The arguments want {asked} GPUs; {subject.spec.resource_profile} gives {gpus}, so vLLM ends at once."
    fix = f"Set --tensor-parallel-size={max(gpus, 1)}, or take more units of the profile."
    yield error("args", "TensorParallelMoreThanGpus", message, step=fix)


def _cache_and_image(spec: ModelSpec, config: OperatorConfig) -> Iterator[Notice]:
    cache = spec.cache_profile
    if cache and cache not in config.cache_profiles:
        say = error if config.source == "kubeai-config" else warning
        message = f'KubeAI\'s configuration has no cache profile "{cache}"; with an unknown one it starts nothing.'
        fix, change = _use_nearest("cacheProfile", cache, config.cache_profiles)
        yield say("cache_profile", "UnknownCacheProfile", message, change, step=fix)
    # The chart's defaults say nothing of an engine that only a newer KubeAI has.
    listed = config.source == "kubeai-config" or spec.engine in config.images
    image = config.image_of(spec.engine, spec.resource_profile.name)
    if not spec.image and listed and image is None:
        message = f"KubeAI's configuration has no image for {spec.engine}, so it starts nothing."
        yield error("image", "NoServerImage", message, step="Set image.")
    elif not spec.image and image and (better := meant_image(image)):
        message = (
            f"KubeAI would take the image {quoted(image, 120)}, which Docker Hub has not: its tag follows a slash."
        )
        yield warning("image", "ImageNotFound", message, SetField(name="image", value=better), step=f"Use {better}.")


def _credentials(subject: Subject, config: OperatorConfig, secrets: Collection[str] | None) -> Iterator[Notice]:
    scheme = subject.source.scheme if subject.source else ""
    if secrets is None or scheme not in CREDENTIALS:
        return
    key, variables = CREDENTIALS[scheme].store, CREDENTIALS[scheme].variables
    secret = config.secret_names.get(key) or f"kubeai-{key}"
    own = [name for name in variables if name in subject.spec.env]
    if secret in secrets:
        for name in own:
            message = f'The Secret "{secret}" exists, and its {name} silently wins over this one.'
            fix = f"Put the right one into {secret}, or leave env.{name} out."
            yield warning(f"env.{name}", "SystemTokenWins", message, step=fix)
    elif not own and (scheme != "hf" or _GATED.search(subject.spec.url)):
        what = (
            "The hub asks for a token before it hands out this model" if scheme == "hf" else "The bucket may want keys"
        )
        message = f'{what}, and there is no Secret "{secret}" here.'
        code = "HubTokenMissing" if scheme == "hf" else "CloudCredentialsMissing"
        keys = CREDENTIALS[scheme].keys
        step = _own_values(*keys) if keys else f"Ask who runs KubeAI to make the Secret {secret}."
        yield warning("url", code, message, step=step)


def profile_for(resources: Mapping[str, str | float], config: OperatorConfig) -> ResourceProfile:
    """The smallest profile, taken often enough, that holds ``{"gpu": 1, "cpu": 6, "memory": "24Gi"}``.

    ``gpu`` stands for any vendor's. Smallest is: fewest accelerators, then least memory, then fewest processors.
    A profile that does not say how much memory it has covers no wish for memory.

    Raises:
        SpecError: no profile covers it, naming the nearest; or a wish is no quantity.
    """
    wanted = {name: quantity_of(text) for name, text in resources.items()}
    sized = [(profile, _holdings(profile)) for profile in config.profiles.values()]
    ranked = []
    for place, (profile, holds) in enumerate(sized):
        if all(amount <= 0 or holds.get(name) for name, amount in wanted.items()):
            times = max([1, *(ceil(amount / holds[name]) for name, amount in wanted.items() if amount > 0)])
            size = tuple(holds.get(name, Fraction()) * times for name in ("gpu", "memory", "cpu"))
            ranked.append((size, place, ResourceProfile(f"{profile.name}:{times}")))
    if ranked:
        return min(ranked, key=lambda entry: entry[:2])[2]
    raise SpecError([wrong("resource_profile", "UnknownResourceProfile", _none_covers(wanted, sized))])


def _holdings(profile: Profile) -> dict[str, Fraction]:
    amounts = {name: amount for name, amount in profile.amounts().items() if amount > 0}
    gpus = sum((amount for name, amount in amounts.items() if "/" in name), Fraction())
    return {**amounts, "gpu": gpus} if gpus else amounts


def _none_covers(wanted: Mapping[str, Fraction], sized: list[tuple[Profile, dict[str, Fraction]]]) -> str:
    asked = ", ".join(f"{name} {to_quantity(amount)}" for name, amount in wanted.items())
    if not sized:
        return f"No resource profile covers {asked}: the cluster has none. Ask who runs KubeAI to add one."
    profile, holds = max(sized, key=lambda entry: sum(bool(entry[1].get(name)) for name in wanted))
    has = ", ".join(
        f"{name} {to_quantity(amount)}" for name, amount in holds.items() if name in wanted or "/" not in name
    )
    nearest = f'The nearest is "{profile.name}", a unit of which has {has or "none of these"}.'
    return f"No resource profile covers {asked}. {nearest}"


def with_known_profile(spec: ModelSpec, config: OperatorConfig) -> ModelSpec:
    """The spec with the one profile that its own can mean, where the cluster has none of that name.

    People say ``l4`` or ``gpu`` for ``nvidia-gpu-l4``. Where several could be meant nothing is chosen, and nothing
    either where only the chart's defaults are known: the cluster may have one of just this name.
    """
    wanted = spec.resource_profile
    meant = [name for name, profile in config.profiles.items() if _is_called(profile, wanted.name)]
    if wanted.name in config.profiles or len(meant) != 1 or config.source != "kubeai-config":
        return spec
    value = f"{meant[0]}:{1 if wanted.multiple is None else wanted.multiple}"
    why = f'the only profile that "{wanted.name}" can mean'
    others = [inferred for inferred in spec.inferred if inferred.field != "resource_profile"]
    inferred = Inferred(field="resource_profile", value=value, why=why, stated=True)
    return spec.model_copy(update={"resource_profile": ResourceProfile(value), "inferred": (*others, inferred)})


def _is_called(profile: Profile, word: str) -> bool:
    """Whether a word, such as ``gpu``, ``l4`` or ``a100-80gb``, stands for the profile."""
    if word.lower() in ("gpu", "gpus"):
        return profile.gpus > 0
    return bool(word) and f"-{word.lower()}-" in f"-{re.sub('[^a-z0-9]+', '-', profile.name.lower())}-"
