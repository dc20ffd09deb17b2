"""The catalog: what an operator is configured with, read from ConfigMap ``kubeai-config``, and known Models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import yaml

from kubeai_notebook.errors import Problem, SpecError

from .rules.chart import CHART
from .rules.quantity import quantity_of
from .rules.starter import Starter
from .rules.starters import STARTERS

if TYPE_CHECKING:
    from fractions import Fraction

__all__ = ["STARTERS", "Catalog", "Profile", "Starter", "catalog_of"]

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_ALIASES = 200
MAX_NODES = 50_000
"""Nodes after every alias is written out."""

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


@dataclass(frozen=True, slots=True)
class Profile:
    """A resource profile: what one unit of it asks for, as Kubernetes quantities."""

    name: str
    image_name: str
    requests: Mapping[str, str]
    limits: Mapping[str, str]

    def amounts(self) -> dict[str, Fraction]:
        """What one unit holds of each resource: the request, or the limit where nothing is requested."""
        return {name: quantity_of(text) for name, text in {**self.limits, **self.requests}.items()}

    @property
    def gpus(self) -> int:
        """Accelerators in one unit: resources that a vendor names."""
        return sum(int(amount) for name, amount in self.amounts().items() if "/" in name)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The operator's configuration, as far as a Model's author chooses from it."""

    source: Literal["kubeai-config", "chart defaults"]
    """The chart's defaults stand in when the configuration may not be read; a cluster may have others."""
    profiles: Mapping[str, Profile]
    cache_profiles: tuple[str, ...]
    images: Mapping[str, Mapping[str, str]]
    """Engine → image name of a profile (or ``default``) → image."""
    secret_names: Mapping[str, str]
    """Keys ``huggingface``, ``aws``, ``gcp``, ``alibaba``."""
    autoscaling_interval_seconds: float
    autoscaling_window_seconds: float
    surge: int

    def image_of(self, engine: str, profile: str) -> str | None:
        """The image that KubeAI would start, or none: then it starts nothing."""
        images = self.images.get(engine, {})
        wanted = self.profiles[profile].image_name if profile in self.profiles else ""
        return images.get(wanted) or images.get("default")


def catalog_of(system_yaml: str | None) -> Catalog:
    """Read the text under ``system.yaml``; the chart's defaults for ``None``.

    Raises:
        SpecError: the text is too large or too deep, has tags or too many aliases, or is no configuration.
    """
    if system_yaml is None:
        return _catalog(CHART, source="chart defaults")
    return _catalog(_loaded(system_yaml), source="kubeai-config")


def _refused(why: str, step: str = "Ask who runs KubeAI to correct it.") -> SpecError:
    return SpecError([Problem("system.yaml", "InvalidCatalog", f"KubeAI's configuration {why}. {step}")])


def _loaded(text: str) -> Mapping[str, Any]:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _refused("is larger than 1 MiB, more than a ConfigMap can hold")
    try:
        depth = deepest = aliases = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            aliases += isinstance(event, yaml.AliasEvent)
            deepest = max(deepest, depth)
            if deepest > MAX_DEPTH or aliases > MAX_ALIASES:
                raise _refused(f"nests deeper than {MAX_DEPTH} levels or has more than {MAX_ALIASES} aliases")
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is not None and _size(root, {}) > MAX_NODES:
            raise _refused(f"has more than {MAX_NODES:,} entries once its aliases are written out")
        value = loader.construct_document(root) if root is not None else {}
    except (yaml.YAMLError, ValueError, RecursionError):
        # The parser quotes the text, which is not ours to show.
        raise _refused("cannot be read as plain YAML") from None
    if not isinstance(value, Mapping):
        raise _refused("is no mapping of names to values")
    return value


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many nodes the document has, every alias counted as what it stands for."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = MAX_NODES + 1  # Until it is counted: an alias to what contains it has no end.
    children = node.value if isinstance(node, yaml.CollectionNode) else ()
    flat = [part for child in children for part in (child if isinstance(child, tuple) else (child,))]
    known[id(node)] = 1 + sum(_size(child, known) for child in flat)
    return known[id(node)]


def _catalog(config: Mapping[str, Any], *, source: Literal["kubeai-config", "chart defaults"]) -> Catalog:
    scaling = _map(config, "modelAutoscaling")
    surge = _map(config, "modelRollouts").get("surge") or 0
    if not isinstance(surge, int):
        raise _refused('has a "surge" that is no number')
    return Catalog(
        source=source,
        profiles={
            name: _profile(name, _maps(config, "resourceProfiles")[name]) for name in _maps(config, "resourceProfiles")
        },
        cache_profiles=tuple(_maps(config, "cacheProfiles")),
        images={engine: _texts(_map(server, "images")) for engine, server in _maps(config, "modelServers").items()},
        secret_names=_texts(_map(config, "secretNames")),
        autoscaling_interval_seconds=_seconds(scaling.get("interval"), default=10),
        autoscaling_window_seconds=_seconds(scaling.get("timeWindow"), default=600),
        surge=surge,
    )


def _profile(name: str, fields: Mapping[str, Any]) -> Profile:
    profile = Profile(
        name=name,
        image_name=str(fields.get("imageName") or ""),
        requests=_texts(_map(fields, "requests")),
        limits=_texts(_map(fields, "limits")),
    )
    profile.amounts()  # Refused here, where the configuration can be named.
    return profile


def _map(fields: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = fields.get(key)
    if not isinstance(value, Mapping | None):
        raise _refused(f'has no mapping under "{key}"')
    return {str(name): inner for name, inner in (value or {}).items()}


def _maps(fields: Mapping[str, Any], key: str) -> Mapping[str, Mapping[str, Any]]:
    inner = _map(fields, key)
    return {name: _map(inner, name) for name in inner}


def _texts(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in fields.items() if isinstance(value, str | int | float)}


def _seconds(text: object, *, default: float) -> float:
    """A duration as Go writes it, ``10s`` or ``1h30m``."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if not match or not text:
        return default
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds
