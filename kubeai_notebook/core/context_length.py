"""How many tokens a Model reads at once: what its arguments say, or what its engine wrote when it started.

An engine says it at its own ``/v1/models``, which KubeAI's gateway answers itself, without it, and few may reach a Pod
past the gateway. Its log is what everybody may read who may see why a Model fails.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .arguments import value_of
from .objects import texts_at

if TYPE_CHECKING:
    from .objects import KubernetesObject

_LOGGED = re.compile(
    r"\bmax_seq_len=(\d{2,9})\b|\b[Uu]sing max model len (\d{2,9})\b|\b(\d{2,9}) tokens of context for "
)
"""As vLLM writes it, and llama.cpp on this machine."""


def stated_context(model: KubernetesObject) -> int:
    """What the arguments of a Model say; 0 where they do not.

    >>> stated_context({"spec": {"args": ["--max-model-len=2048"]}})
    2048
    """
    args = texts_at(model, "spec", "args")
    stated = value_of(args, "--max-model-len") or value_of(args, "--ctx-size") or ""
    return int(stated) if stated.isdecimal() and len(stated) < 10 else 0


def logged_context(log: str) -> int:
    """What the log of an engine says, the last run of it; 0 where it does not.

    >>> logged_context("llama.cpp with 2 threads, 4096 tokens of context for one request at a time: 94 MB")
    4096
    """
    said = [int(number) for found in _LOGGED.findall(log) for number in found if number]
    return said[-1] if said else 0
