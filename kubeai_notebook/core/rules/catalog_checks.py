"""A ModelSpec against one cluster: its profiles, images, Secrets and priority classes."""

from __future__ import annotations

import difflib
import re
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.kubeai.credentials import CREDENTIALS
from kubeai_notebook.core.notice import Notice, wrong
from kubeai_notebook.core.objects import text_at
from kubeai_notebook.core.profile import ResourceProfile
from kubeai_notebook.core.remedy import SetField
from kubeai_notebook.errors import SpecError

from .quantity import quantity_of, to_quantity
from .subject import Subject, error, warning

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from kubeai_notebook.core.catalog.operator_catalog import Catalog, Profile
    from kubeai_notebook.core.model_spec import ModelSpec

_GATED = re.compile(r"(meta-llama/|google/gemma)", re.I)


def against_catalog(
    spec: ModelSpec,
    catalog: Catalog,
    *,
    secrets: Collection[str] | None = None,
    priority_classes: Collection[str] | None = None,
    models: Iterable[Mapping[str, Any]] | None = None,
) -> list[Notice]:
    """What the cluster lacks for this spec, errors first.

    ``secrets`` and ``priority_classes`` are names that exist, ``None`` where that may not be asked; ``models`` are
    the namespace's Models: the profiles they run on exist, even where the configuration may not be read.
    """
    subject = Subject(spec)
    used = [text_at(model, "spec", "resourceProfile").partition(":")[0] for model in models or ()]
    found = [
        *_profile(subject, catalog, frozenset(used)),
        *_cache_and_image(spec, catalog),
        *_credentials(subject, catalog, secrets),
    ]
    if spec.priority_class_name and priority_classes is not None and spec.priority_class_name not in priority_classes:
        message = (
            f'The cluster has no PriorityClass "{spec.priority_class_name}", so it refuses every Pod of the Model.'
        )
        fix = _nearest(spec.priority_class_name, priority_classes) or "Leave priority_class_name out."
        found.append(error("priority_class_name", "PriorityClassMissing", message, step=fix))
    return sorted(found, key=lambda notice: notice.severity)


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    return f'Use "{near[0]}".' if near else ""


def _profile(subject: Subject, catalog: Catalog, used: frozenset[str]) -> Iterator[Notice]:
    name, multiple = subject.unit
    if not name:
        return  # A trap of its own.
    if name not in catalog.profiles and name not in used:
        certain = catalog.source == "kubeai-config"
        where = "KubeAI's configuration" if certain else "the chart's defaults, and the cluster's own cannot be read,"
        message = f'There is no resource profile "{name}" in {where}; with an unknown one KubeAI starts nothing.'
        near = difflib.get_close_matches(name, sorted(catalog.profiles), n=1, cutoff=0.5)
        some = ", ".join(sorted(catalog.profiles)[:6]) or "none"
        fix = f"Write {near[0]}:{multiple or 1}." if near else f"Choose one of: {some}."
        changes = [SetField(name="resourceProfile", value=f"{near[0]}:{multiple or 1}")] if near else []
        say = error if certain else warning
        yield say("resource_profile", "UnknownResourceProfile", message, *changes, step=fix)
    elif name in catalog.profiles and multiple:
        yield from _gpus(subject, catalog.profiles[name].gpus * multiple)


def _gpus(subject: Subject, gpus: int) -> Iterator[Notice]:
    asked = subject.parallel
    if subject.spec.engine != "VLLM" or asked is None or asked <= max(gpus, 1):
        return
    message = f"The arguments want {asked} GPUs; {subject.spec.resource_profile} gives {gpus}, so vLLM ends at once."
    fix = f"Set --tensor-parallel-size={max(gpus, 1)}, or take more units of the profile."
    yield error("args", "TensorParallelMoreThanGpus", message, step=fix)


def _cache_and_image(spec: ModelSpec, catalog: Catalog) -> Iterator[Notice]:
    cache = spec.cache_profile
    if cache and cache not in catalog.cache_profiles:
        say = error if catalog.source == "kubeai-config" else warning
        message = f'KubeAI\'s configuration has no cache profile "{cache}"; with an unknown one it starts nothing.'
        fix = _nearest(cache, catalog.cache_profiles) or "Leave cache_profile out."
        yield say("cache_profile", "UnknownCacheProfile", message, step=fix)
    profile = spec.resource_profile.partition(":")[0]
    if not spec.image and catalog.image_of(spec.engine, profile) is None:
        message = f"KubeAI's configuration has no image for {spec.engine}, so it starts nothing."
        yield error("image", "NoServerImage", message, step="Set image.")


def _credentials(subject: Subject, catalog: Catalog, secrets: Collection[str] | None) -> Iterator[Notice]:
    scheme = subject.source.scheme if subject.source else ""
    if secrets is None or scheme not in CREDENTIALS:
        return
    key, variables = CREDENTIALS[scheme].store, CREDENTIALS[scheme].variables
    secret = catalog.secret_names.get(key) or f"kubeai-{key}"
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
        yield warning("url", code, message, step=f"Create the Secret {secret}.")


def profile_for(resources: Mapping[str, str | float], catalog: Catalog) -> ResourceProfile:
    """The smallest profile, taken often enough, that holds ``{"gpu": 1, "cpu": 6, "memory": "24Gi"}``.

    ``gpu`` stands for any vendor's. Smallest is: fewest accelerators, then least memory, then fewest processors.
    A profile that does not say how much memory it has covers no wish for memory.

    Raises:
        SpecError: no profile covers it, naming the nearest; or a wish is no quantity.
    """
    wanted = {name: quantity_of(text) for name, text in resources.items()}
    sized = [(profile, _holdings(profile)) for profile in catalog.profiles.values()]
    ranked = []
    for place, (profile, holds) in enumerate(sized):
        if all(amount <= 0 or holds.get(name) for name, amount in wanted.items()):
            times = max([1, *(ceil(amount / holds[name]) for name, amount in wanted.items() if amount > 0)])
            size = tuple(holds.get(name, Fraction()) * times for name in ("gpu", "memory", "cpu"))
            ranked.append((size, place, ResourceProfile(profile.name, times)))
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
