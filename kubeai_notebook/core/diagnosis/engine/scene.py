"""Scene: an Observation with the questions that rules ask of it.

Which Pod, which of its runs and which Events count is decided here, once: a Model has Pods of two hashes while it is
updated, a Pod has the log of its last run and of the one before, and Events outlive the Pod that they tell of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.arguments import SPREAD, value_of
from kubeai_notebook.core.free_units import other_profile
from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.core.objects import (
    Event,
    Pod,
    desired_replicas,
    is_going,
    map_at,
    number_at,
    text_at,
    texts_at,
    texts_in,
)
from kubeai_notebook.core.observation import claim_of
from kubeai_notebook.core.phase import GRACE_SECONDS, quiet_seconds
from kubeai_notebook.core.profile import ResourceProfile
from kubeai_notebook.core.source import Source
from kubeai_notebook.errors import SpecError

if TYPE_CHECKING:
    from datetime import datetime

    from kubeai_notebook.core.objects import KubernetesObject
    from kubeai_notebook.core.observation import LogTail, Observation


def _count(text: str) -> int:
    """The whole number that the text is; 0 where it is none, or one of more than nine digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


@dataclass(frozen=True)
class Scene:
    """An Observation with the questions that rules ask of it."""

    observation: Observation
    now: datetime

    @property
    def model(self) -> KubernetesObject:
        """The Model."""
        return self.observation.model

    @property
    def name(self) -> str:
        """The Model's name, or ``""``."""
        return text_at(self.model, "metadata", "name")

    @property
    def namespace(self) -> str:
        """The Model's namespace, or ``""``."""
        return text_at(self.model, "metadata", "namespace")

    @cached_property
    def spec(self) -> Mapping[str, Any]:
        """The Model's spec."""
        return map_at(self.model, "spec")

    @cached_property
    def engine(self) -> str:
        """The engine as the Model names it."""
        return text_at(self.spec, "engine")

    @cached_property
    def url(self) -> Source:
        """The Model's url."""
        return Source(text_at(self.spec, "url"))

    @property
    def scheme(self) -> str:
        """What stands before ``://`` in the url."""
        return self.url.scheme

    @property
    def args(self) -> tuple[str, ...]:
        """The Model's args."""
        return texts_at(self.spec, "args")

    @property
    def config(self) -> Mapping[str, Any]:
        """The operator's configuration; empty where it could not be read."""
        config = self.observation.operator.config
        return config if isinstance(config, Mapping) else {}

    @cached_property
    def env(self) -> Mapping[str, str]:
        """The Model's env."""
        return texts_in(self.spec, "env")

    def variable(self, name: str) -> str:
        """The value of a variable in the newest Pod, as far as it is written there; else in the Model."""
        pod = self.newest
        return self.env.get(name, "") or (text_at(pod.env.get(name), "value") if pod else "")

    @property
    def profile(self) -> tuple[str, int]:
        """The resource profile's name and count; count 0 where it is malformed."""
        return self.resource_profile.name, self.resource_profile.multiple or 0

    @property
    def resource_profile(self) -> ResourceProfile:
        """The resource profile as it stands in the Model."""
        return ResourceProfile(text_at(self.spec, "resourceProfile"))

    @property
    def settled(self) -> bool:
        """Whether the operator has had time to act on the Model's last change."""
        return quiet_seconds(self.observation, self.now) >= GRACE_SECONDS

    @property
    def desired(self) -> int:
        """Replicas that should run."""
        return desired_replicas(self.model)

    @cached_property
    def all_pods(self) -> tuple[Pod, ...]:
        """Pods that are not being deleted, newest first; the later one listed wins a tie."""
        pods = [Pod(raw) for raw in reversed(self.observation.pods) if isinstance(raw, Mapping)]
        if not pods:
            # Pods may be hidden from the reader where their logs are not.
            pods = [
                Pod({"metadata": {"name": name}}) for name in dict.fromkeys(tail.pod for tail in self.observation.logs)
            ]
        living = [pod for pod in pods if not is_going(pod.raw)]
        return tuple(sorted(living, key=lambda pod: pod.created, reverse=True))

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """The engine's Pods."""
        return tuple(pod for pod in self.all_pods if not pod.is_of_job)

    @cached_property
    def loaders(self) -> tuple[Pod, ...]:
        """Pods of the cache Job."""
        return tuple(pod for pod in self.all_pods if pod.is_of_job)

    @property
    def newest(self) -> Pod | None:
        """The engine's newest Pod."""
        return self.pods[0] if self.pods else None

    @cached_property
    def current(self) -> tuple[Pod, ...]:
        """Pods of the newest hash: what the Model's present spec became."""
        return tuple(pod for pod in self.pods if pod.hash == self.pods[0].hash)

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Events, newest first; the later one listed wins a tie."""
        events = [Event(raw) for raw in reversed(self.observation.events) if isinstance(raw, Mapping)]
        return tuple(sorted(events, key=lambda event: event.order, reverse=True))

    def events_of(self, pod: Pod) -> tuple[Event, ...]:
        """Events about this very Pod: a uid that differs is an earlier Pod of the same name."""
        uid = text_at(pod.raw, "metadata", "uid")
        mine = (event for event in self.events if event.kind in ("Pod", "") and event.name == pod.name)
        return tuple(event for event in mine if text_at(event.raw, "involvedObject", "uid") in ("", uid) or not uid)

    def log_of(self, pod: Pod) -> LogTail | None:
        """The log of the newest run: the previous one only while the container waits to be started again."""
        tails = [tail for tail in self.observation.logs if tail.pod == pod.name]
        if not tails:
            return None
        name = pod.main.name
        tails = [tail for tail in tails if not name or tail.container == name or len(pod.containers) == 1]
        wants_previous = pod.main.waiting == "CrashLoopBackOff"
        exact = [tail for tail in tails if tail.previous == wants_previous]
        # A run that ended is told by either log, where only one of them was read.
        return next(iter(exact or ([] if pod.main.running else tails)), None)

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """Values of the Model's and its Pods' own that must not be shown, the longest first."""
        return self.observation.secrets

    @property
    def resized(self) -> dict[str, str]:
        """The profile twice and half as large, and over how many GPUs vLLM then has to be spread."""
        name, count = self.profile
        if not name or not count:
            return {}
        twice, half = f"{name}:{count * 2}", f"{name}:{count // 2}" if count > 1 else ""
        spread = str(count // 2) if half and value_of(self.args, SPREAD) == str(count) else ""
        return {"twice_profile": twice, "half_profile": half, "half_spread": spread}

    @property
    def elsewhere(self) -> dict[str, str]:
        """Another resource profile of the cluster that gives as much and has room now, where that is known."""
        free = self.observation.free
        if not free:
            return {}
        with suppress(SpecError):
            other = other_profile(self.resource_profile, operator_config_of(self.config).profiles, free)
            if other:
                return {
                    "other_profile": f"{other[0]}:{other[1]}",
                    "other_name": other[0],
                    "other_free": str(free[other[0]]),
                }
        return {}

    @property
    def usable_cache(self) -> str:
        """A cache profile for a Model that has none; only for sources that KubeAI can cache, and in a cluster."""
        if self.observation.this_machine:
            return ""
        caches = sorted(str(name) for name in map_at(self.config, "cacheProfiles"))
        cached = self.spec.get("cacheProfile") or self.scheme not in ("hf", "s3", "gs", "oss")
        return caches[0] if caches and not cached else ""

    @cached_property
    def values(self) -> Mapping[str, str]:
        """What every sentence may name."""
        rest = self.url.reference
        profile, count = self.profile
        return {
            "name": self.name or "this Model",
            "namespace": self.namespace,
            "url": self.url,
            "weights": rest.rstrip("/"),
            "hub_repo": rest if self.scheme == "hf" else "",
            "engine": self.engine,
            "profile": text_at(self.spec, "resourceProfile"),
            "profile_name": profile,
            "profile_count": str(count) if count else "",
            **self.resized,
            **self.elsewhere,
            "min_replicas": str(number_at(self.spec, "minReplicas") or ""),
            "usable_cache": self.usable_cache,
            "own_claim": claim_of(self.model),
            "cache_profile": text_at(self.spec, "cacheProfile"),
            # KubeAI mounts a claim there, but does not tell these two engines.
            "infinity_path": "/model" if (self.engine, self.scheme) == ("Infinity", "pvc") else "",
            "whisper_path": "/model" if (self.engine, self.scheme) == ("FasterWhisper", "pvc") else "",
            "kv_space": "".join(re.findall(r"^\d+", self.env.get("VLLM_CPU_KVCACHE_SPACE", ""))),
            "gguf_hint": f"If it is GGUF: url ollama://hf.co/{rest}:<quantization>, engine OLlama."
            if "gguf" in rest.lower()
            else "",
            "lora_hint": "If it is a LoRA adapter: name it in adapters of a Model of its base."
            if "lora" in rest.lower()
            else "",
            # An annotation with another value than it has makes KubeAI look again.
            "touches": str(_count(text_at(self.model, "metadata", "annotations", "touch")) + 1),
            "operator_ns": self.observation.operator.namespace or self.namespace,
            "place": "this machine" if self.observation.this_machine else "the cluster",
            "machine": "this machine" if self.observation.this_machine else "",
        }
