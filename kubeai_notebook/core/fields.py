"""The fields of a Model, a row each: everything that treats fields alike reads this table.

`manifest` writes and reads a field by its row, `spec_diff` knows by it what a change means, `field_aliases` how it may
be spelled, and the magics which option states it. What a field holds stands in `model_spec`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

Takes = Literal["text", "number", "switch", "texts", "pairs"]


@dataclass(frozen=True, slots=True)
class Option:
    """How a command line states a field."""

    flags: tuple[str, ...]
    metavar: str
    help: str
    takes: Takes = "text"
    """``texts`` and ``pairs`` (``NAME=VALUE``) may be repeated."""
    like: str = "NAME=VALUE"
    """A pair, as an example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a ModelSpec."""

    name: str
    within: tuple[str, ...] = ()
    """The parts of a ModelSpec that hold it, outermost first."""
    manifest: tuple[str, ...] = ()
    """Where it stands in a Manifest; by default under its name in camelCase, in ``spec``."""
    aliases: tuple[str, ...] = ()
    """Other spellings that are accepted; camelCase always is."""
    option: Option | None = None
    restarts: bool = False
    """Whether KubeAI replaces the Pods when it changes."""
    clearable: bool = True
    """Whether a Model that has it loses it when a spec leaves it out."""
    default: Any = None
    """What the API server fills in where it is left out."""

    @property
    def path(self) -> tuple[str, ...]:
        """Where it stands in a ModelSpec."""
        return (*self.within, self.name)

    @property
    def place(self) -> tuple[str, ...]:
        """Where it stands in a Manifest."""
        return self.manifest or ("spec", re.sub(r"_([a-z])", lambda match: match[1].upper(), self.name))


_SCALING = ("scaling",)
_BALANCING = ("scaling", "load_balancing")
_LOAD_BALANCING = ("spec", "loadBalancing")
_PREFIX_HASH = (*_LOAD_BALANCING, "prefixHash")

FIELDS = (
    Field(name="name", manifest=("metadata", "name"), aliases=("model_name",), clearable=False),
    Field(name="namespace", manifest=("metadata", "namespace"), clearable=False),
    Field(
        name="url",
        option=Option(
            ("--url",),
            "",
            "where the weights are: hf://org/model, ollama://name:tag, s3://bucket/path, pvc://claim/path",
        ),
        restarts=True,
        clearable=False,
    ),
    Field(
        name="engine",
        option=Option(("--engine",), "ENGINE", "OLlama, VLLM, Infinity or FasterWhisper, in any case"),
        restarts=True,
        clearable=False,
    ),
    Field(
        name="features",
        aliases=("feature",),
        option=Option(
            ("--feature", "--features"), "FEATURE", "TextGeneration, TextEmbedding …; repeatable", takes="texts"
        ),
        clearable=False,
    ),
    Field(
        name="resource_profile",
        aliases=("profile",),
        option=Option(
            ("--profile", "--resource-profile"), "PROFILE", "hardware of the cluster, <name> or <name>:<multiple>"
        ),
        restarts=True,
        clearable=False,
    ),
    Field(
        name="adapters",
        aliases=("adapter",),
        option=Option(
            ("--adapter",), "NAME=URL", "a LoRA adapter; repeatable", takes="pairs", like="colorist=hf://org/lora"
        ),
    ),
    Field(name="image", option=Option(("--image",), "", "another image for the engine"), restarts=True),
    Field(
        name="args",
        option=Option(
            ("--arg",), "ARGUMENT", "an argument of the engine, as in --arg=--max-model-len=8192", takes="texts"
        ),
        restarts=True,
    ),
    Field(
        name="env",
        aliases=("envs",),
        option=Option(("--env",), "NAME=VALUE", "an environment variable; repeatable", takes="pairs"),
        restarts=True,
    ),
    Field(
        name="secrets",
        manifest=("spec", "envFrom"),
        option=Option(
            ("--secret",),
            "SECRET|ENV=SECRET:KEY|ENV=ask",
            "a Secret whose keys become variables, one key of it, or a value that is asked for; repeatable",
            takes="texts",
        ),
        restarts=True,
    ),
    Field(
        name="files",
        option=Option(
            ("--file",),
            "PATH=@LOCAL",
            "mount a text file of this machine at PATH; repeatable",
            takes="pairs",
            like="/config/template.jinja=@template.jinja",
        ),
    ),
    Field(
        name="cache_profile",
        aliases=("caching_profile",),
        option=Option(
            ("--cache-profile", "--caching-profile"), "PROFILE", "keep the weights on a volume of the cluster"
        ),
        restarts=True,
    ),
    Field(
        name="priority_class_name",
        aliases=("priority_class",),
        option=Option(("--priority-class",), "NAME", "PriorityClass of the Pods"),
        restarts=True,
    ),
    Field(
        name="labels",
        manifest=("metadata", "labels"),
        option=Option(("--label",), "NAME=VALUE", "a label of the Model; repeatable", takes="pairs"),
        clearable=False,
    ),
    Field(
        name="min_replicas",
        within=_SCALING,
        option=Option(("--min-replicas",), "N", "0 sleeps when idle; default 1", takes="number"),
        clearable=False,
    ),
    Field(
        name="max_replicas",
        within=_SCALING,
        option=Option(("--max-replicas",), "N", "the most replicas, under load", takes="number"),
    ),
    Field(
        name="replicas",
        within=_SCALING,
        option=Option(("--replicas",), "N", "at least so many; exactly so many with --no-autoscaling", takes="number"),
        clearable=False,
    ),
    Field(
        name="autoscaling_disabled",
        within=_SCALING,
        option=Option(("--no-autoscaling",), "", "neither more nor fewer replicas", takes="switch"),
        default=False,
    ),
    Field(
        name="target_requests",
        within=_SCALING,
        aliases=("target_request",),
        option=Option(("--target-requests",), "N", "requests at a time for each replica; default 100", takes="number"),
        default=100,
    ),
    Field(
        name="scale_down_delay_seconds",
        within=_SCALING,
        option=Option(("--scale-down-delay",), "SECONDS", "idle before a replica goes; default 30", takes="number"),
        default=30,
    ),
    Field(
        name="strategy",
        within=_BALANCING,
        manifest=(*_LOAD_BALANCING, "strategy"),
        option=Option(("--load-balancing",), "STRATEGY", "LeastLoad or PrefixHash"),
        clearable=False,
        default="LeastLoad",
    ),
    Field(
        name="mean_load_factor",
        within=_BALANCING,
        manifest=(*_PREFIX_HASH, "meanLoadFactor"),
        option=Option(
            ("--mean-load-factor",), "PERCENT", "of PrefixHash: how far over the mean; from 100", takes="number"
        ),
        clearable=False,
        default=125,
    ),
    Field(
        name="replication",
        within=_BALANCING,
        manifest=(*_PREFIX_HASH, "replication"),
        option=Option(("--replication",), "N", "of PrefixHash: points of each replica on the ring", takes="number"),
        clearable=False,
        default=256,
    ),
    Field(
        name="prefix_char_length",
        within=_BALANCING,
        manifest=(*_PREFIX_HASH, "prefixCharLength"),
        option=Option(("--prefix-char-length",), "N", "of PrefixHash: how much of a prompt counts", takes="number"),
        clearable=False,
        default=100,
    ),
)
FIELDS_BY_NAME = {field.name: field for field in FIELDS}
"""In the order of a Manifest, which is also that of Notices."""
