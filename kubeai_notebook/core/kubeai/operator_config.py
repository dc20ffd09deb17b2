"""What KubeAI's operator is configured with, read from ConfigMap ``kubeai-config``: profiles, images, Secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kubeai_notebook.core.notice import wrong
from kubeai_notebook.core.objects import maps_at, text_at
from kubeai_notebook.core.rules.quantity import quantity_of
from kubeai_notebook.core.yaml_text import UnreadableYamlError, read_mapping
from kubeai_notebook.errors import SpecError

from .chart import CHART

if TYPE_CHECKING:
    from fractions import Fraction

_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"\+?(?:{_PART.pattern})+")
_LONGEST_DURATION = 40
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Profile:
    """A resource profile: what one unit of it asks for, as Kubernetes quantities."""

    name: str
    image_name: str
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    node_selector: Mapping[str, str] = field(default_factory=dict)
    """Labels of the nodes that it runs on; often they name the accelerator."""
    tolerated: tuple[str, ...] = ()
    """Keys of the taints that its Pods tolerate."""

    def amounts(self) -> dict[str, Fraction]:
        """What one unit holds of each resource: the request, or the limit where nothing is requested."""
        return {name: quantity_of(text) for name, text in {**self.limits, **self.requests}.items()}

    @property
    def gpus(self) -> int:
        """Accelerators in one unit: resources that a vendor names."""
        return sum(int(amount) for name, amount in self.amounts().items() if "/" in name)


@dataclass(frozen=True, slots=True)
class OperatorConfig:
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
    watched: tuple[str, ...] = ()
    """The namespaces that KubeAI looks after, ``*`` for all; none: its own only."""
    has_gateway: bool = True
    """Whether KubeAI itself takes requests, wakes Models and scales them."""

    def watches(self, namespace: str, *, own: str) -> bool:
        """Whether KubeAI, which is in namespace ``own``, looks after this one."""
        return namespace in self.watched or "*" in self.watched if self.watched else namespace == own

    def image_of(self, engine: str, profile: str) -> str | None:
        """The image that KubeAI would start, or none: then it starts nothing."""
        images = self.images.get(engine, {})
        wanted = self.profiles[profile].image_name if profile in self.profiles else ""
        return images.get(wanted) or images.get("default")


def operator_config_of(system_yaml: str | Mapping[str, Any] | None) -> OperatorConfig:
    """Read what stands under ``system.yaml``, as text or parsed; the chart's defaults for ``None``.

    Raises:
        SpecError: the text is too large or too deep, has tags or too many aliases, or is no configuration.
    """
    if system_yaml is None:
        return _catalog(CHART, source="chart defaults")
    config = _loaded(system_yaml) if isinstance(system_yaml, str) else system_yaml
    return _catalog(config, source="kubeai-config")


def _refused(why: str) -> SpecError:
    message = f"KubeAI's configuration {why}. Ask who runs KubeAI to correct it."
    return SpecError([wrong("system.yaml", "InvalidCatalog", message)])


def _loaded(text: str) -> Mapping[str, Any]:
    try:
        return read_mapping(text)
    except UnreadableYamlError as error:
        raise _refused(str(error)) from None


def _catalog(config: Mapping[str, Any], *, source: Literal["kubeai-config", "chart defaults"]) -> OperatorConfig:
    scaling = _map(config, "modelAutoscaling")
    surge = _map(config, "modelRollouts").get("surge") or 0
    if not isinstance(surge, int):
        raise _refused('has a "surge" that is no number')
    return OperatorConfig(
        source=source,
        profiles={name: _profile(name, fields) for name, fields in _maps(config, "resourceProfiles").items()},
        cache_profiles=tuple(_maps(config, "cacheProfiles")),
        images={engine: _texts(_map(server, "images")) for engine, server in _maps(config, "modelServers").items()},
        secret_names=_texts(_map(config, "secretNames")),
        autoscaling_interval_seconds=_seconds(scaling.get("interval"), default=10),
        autoscaling_window_seconds=_seconds(scaling.get("timeWindow"), default=600),
        surge=surge,
        watched=tuple(name for name in _list(config, "watchNamespaces") if isinstance(name, str)),
        has_gateway=_map(config, "proxy").get("mode") != "external",
    )


def _profile(name: str, fields: Mapping[str, Any]) -> Profile:
    profile = Profile(
        name=name,
        image_name=str(fields.get("imageName") or ""),
        requests=_texts(_map(fields, "requests")),
        limits=_texts(_map(fields, "limits")),
        node_selector=_texts(_map(fields, "nodeSelector")),
        tolerated=tuple(text_at(toleration, "key") for toleration in maps_at(fields, "tolerations")),
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


def _list(fields: Mapping[str, Any], key: str) -> list[Any]:
    value = fields.get(key)
    return value if isinstance(value, list) else []


def _texts(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in fields.items() if isinstance(value, str | int | float)}


def _seconds(text: object, *, default: float) -> float:
    """A duration as Go writes it, ``10s``, ``1h30m`` or ``500ms``; for none at all KubeAI takes its default."""
    # Looking for the end of a long number takes time by the square of its length.
    if not isinstance(text, str) or len(text) > _LONGEST_DURATION or not _DURATION.fullmatch(text):
        return default
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)) or default
