"""The args of a Model: ``--name=value``, ``--name value`` in two items, or a bare switch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


SPREAD = "--tensor-parallel-size"
"""Over how many GPUs vLLM spreads a model; KubeAI does not tell it how many there are."""


_SHORT = {"-tp": SPREAD, "-pp": "--pipeline-parallel-size", "-c": "--ctx-size"}
"""Short forms of arguments that are read here: vLLM's, and llama.cpp's."""


def name_of(item: str) -> str:
    """The argument's name as engines compare it.

    >>> name_of("--max_model_len=8192")
    '--max-model-len'
    """
    written = item.strip().partition("=")[0].partition(" ")[0]
    return _SHORT.get(written, written.replace("_", "-"))


def value_of(args: Iterable[str], name: str) -> str | None:
    """The value given for an argument (the last one counts), ``""`` for a switch, None where it is absent."""
    value = None
    items = list(args)
    for index, item in enumerate(items):
        if name_of(item) != name:
            continue
        rest = item.strip().lstrip("-").replace("=", " ", 1).partition(" ")[2].strip()
        following = items[index + 1] if index + 1 < len(items) else "-"
        value = rest or ("" if following.startswith("-") else following)
    return value


def without_arguments(args: Iterable[str], names: Iterable[str]) -> tuple[list[str], list[str]]:
    """The args without the named ones (and a value in an item of its own), and what was taken out."""
    wanted = {name_of(name) for name in names}
    kept: list[str] = []
    gone: list[str] = []
    value_follows = False
    for item in args:
        if value_follows and not item.startswith("-"):
            gone.append(item)
            value_follows = False
            continue
        named = name_of(item) in wanted
        (gone if named else kept).append(item)
        value_follows = named and item.strip() == item.strip().partition("=")[0].partition(" ")[0]
    return kept, gone


def with_argument(args: Iterable[str], name: str, item: str) -> list[str]:
    """The args with ``item`` in the place of every form of ``name``, else at the end."""
    before = list(args)
    kept, _ = without_arguments(before, [name])
    at = next((index for index, old in enumerate(before) if name_of(old) == name), len(kept))
    return [*kept[:at], item, *kept[at:]]
