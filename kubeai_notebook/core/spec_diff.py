"""From the Model that is there to the one that is wanted: what differs, the patch for it, and whether Pods restart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .fields import FIELDS
from .masking import MASK, hidden_in_args, masked, masked_args, masked_env, secret_values
from .merge_patch import merged
from .objects import map_at, maps_at, text_at, texts_at, texts_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Changes = Mapping[str, tuple[Any, Any]]
"""``{field of spec, or labels: (now, wanted)}``; ``None`` where it is not set."""

# Of a list of adapters or files KubeAI writes into the Pods only what `restarts_pods` looks at.
_ROWS = {field.place[1]: field for field in FIELDS if field.place[0] == "spec" and len(field.place) == 2}
_IN_THE_POD = frozenset(key for key, field in _ROWS.items() if field.restarts)
LONGEST_LINE = 160
_ELLIPSIS = "…"
"""Stands for a secret in a diff."""


def changed_fields(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What ``wanted`` asks for and ``current`` has not.

    Compares only what the wanted Model says, so that the API's defaults and what the operator
    writes are no difference; a field that a user could have set and now leaves out is one. Of labels only
    those that ``wanted`` names are compared; one that is None there is to go.
    """
    now, then = map_at(current, "spec"), wanted["spec"]
    changes = {key: (now.get(key), value) for key, value in then.items() if not _agrees(key, now.get(key), value)}
    for key, field in _ROWS.items():
        if field.clearable and key not in then and now.get(key) and now[key] != field.default:
            changes[key] = (now[key], None)
    if "loadBalancing" not in then and text_at(now, "loadBalancing", "strategy") == "PrefixHash":
        changes["loadBalancing"] = (now["loadBalancing"], {"strategy": "LeastLoad"})
    present, asked = texts_in(current, "metadata", "labels"), map_at(wanted, "metadata", "labels")
    if differing := [key for key, value in asked.items() if present.get(key) != value]:
        sides = ({key: side[key] for key in differing if side.get(key) is not None} for side in (present, asked))
        changes["labels"] = (next(sides), next(sides))
    return changes


def changes_by(current: Mapping[str, Any], patch: Mapping[str, Any]) -> Changes:
    """What a JSON merge patch, such as a Remedy's, changes in the spec of a Model.

    >>> changes_by({"spec": {"args": ["a"], "image": "x"}}, {"spec": {"image": None, "args": ["a"]}})
    {'image': ('x', None)}
    """
    now = map_at(current, "spec")
    then = merged(now, map_at(patch, "spec"))
    return {key: (now.get(key), then.get(key)) for key in {**now, **then} if now.get(key) != then.get(key)}


def _agrees(key: str, now: Any, wanted: Any) -> bool:
    """Only the balancing has defaults inside it, so only there may the Model say more than was asked for."""
    return _covers(now, wanted) if key == "loadBalancing" else bool(now == wanted)


def _covers(now: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping) and isinstance(now, Mapping):
        return all(_covers(now.get(key), value) for key, value in wanted.items())
    return bool(now == wanted)


def patch_of(changes: Changes) -> dict[str, Any]:
    """The JSON merge patch on a Model that makes the changes."""
    patches = {key: _patch(now, wanted) for key, (now, wanted) in changes.items()}
    labels = {"metadata": {"labels": patches.pop("labels")}} if "labels" in patches else {}
    return {**labels, "spec": patches}


def _patch(now: Any, wanted: Any) -> Any:
    if not isinstance(wanted, Mapping) or not isinstance(now, Mapping):
        return wanted
    gone = dict.fromkeys(now.keys() - wanted.keys())
    return {**gone, **{key: _patch(now.get(key), value) for key, value in wanted.items() if now.get(key) != value}}


def restarts_pods(current: Mapping[str, Any], changes: Changes) -> bool:
    """Whether KubeAI replaces the Pods: it does when what it writes into them differs.

    Source: KubeAI 0.22.1, the hash over the PodSpec in the model controller's Pod plan.
    """
    spec = map_at(current, "spec")
    if _IN_THE_POD & changes.keys():
        return True
    if "adapters" in changes and bool(changes["adapters"][0]) != bool(changes["adapters"][1]):
        return True
    if "files" in changes and _paths(changes["files"][0]) != _paths(changes["files"][1]):
        return True
    # Ollama's startup probe talks to a model that is to generate text.
    return spec.get("engine") == "OLlama" and _speaks(changes.get("features", ((), ())))


def _paths(files: Any) -> set[str]:
    return {text_at(file, "path") for file in maps_at(files)}


def _speaks(features: tuple[Any, Any]) -> bool:
    before, after = ("TextGeneration" in texts_at(side) for side in features)
    return before != after


def readable(changes: Changes, secrets: Iterable[str] = ()) -> list[str]:
    """One line a field, ``maxReplicas: not set → 2`` or ``args: without --a=1, with --a=2``.

    A secret is never shown: one that changes is told as ``HF_TOKEN=… (changed)``. ``secrets`` are looked for besides.
    """
    sides = ({key: pair[side] for key, pair in changes.items()} for side in (0, 1))
    hidden = [*secrets, *(value for side in sides for value in secret_values(side))]
    return [_hidden_line(key, _said(key, *pair), hidden) for key, pair in changes.items()]


def _said(field: str, now: Any, wanted: Any) -> str:
    if isinstance(now or wanted, list | tuple | Mapping):
        return _of_items(_items(field, now), _items(field, wanted))
    before, after = ("not set" if value is None else _hidden(str(value)) for value in (now, wanted))
    return f"{before} → {after}" if before != after else f"{after} (changed)"


def _hidden_line(field: str, line: str, secrets: Iterable[str]) -> str:
    text = _hidden(line, secrets)
    return f"{field}: {text}" if len(text) <= LONGEST_LINE else f"{field}: {text[:LONGEST_LINE]}…"


class _Item(NamedTuple):
    """One item of a list: what is compared, and what is shown of it."""

    whole: Any
    shown: str


def _of_items(before: list[_Item], after: list[_Item]) -> str:
    """What goes and what comes; where both look the same, what is hidden in them differs."""
    known = [item.whole for item in before], [item.whole for item in after]
    gone = [item.shown for item in before if item.whole not in known[1]]
    come = [item.shown for item in after if item.whole not in known[0]]
    changed = [text for text in gone if text in come]
    parts = [f"without {text}" for text in gone if text not in changed]
    parts += [f"{text} (changed)" if text in changed else f"with {text}" for text in come]
    return ", ".join(parts) or "in another order"


def _items(field: str, value: Any) -> list[_Item]:
    if value is None:
        return []
    if field == "args":
        return list(_arguments([str(item) for item in value]))
    if field == "files":
        return [
            _Item(file, f"{text_at(file, 'path')} ({len(text_at(file, 'content'))} characters)")
            for file in maps_at(value)
        ]
    if field == "env":
        shown = masked_env({str(key): str(inner) for key, inner in map_at(value).items()})
        return [
            _Item((key, inner), f"{key}={_ELLIPSIS if shown[str(key)] == MASK else _hidden(shown[str(key)])}")
            for key, inner in sorted(map_at(value).items(), key=lambda pair: str(pair[0]))
        ]
    if isinstance(value, Mapping):
        pairs = sorted(value.items(), key=lambda pair: str(pair[0]))
        return [_Item((key, inner), f"{key}={_hidden(str(inner))}") for key, inner in pairs]
    return [_Item(item, _hidden(_item(item))) for item in value]


def _arguments(args: list[str]) -> Iterator[_Item]:
    """The args; a secret in an item of its own stands with the option before it."""
    shown, places = masked_args(args, mask=_ELLIPSIS), hidden_in_args(args)
    index = 0
    while index < len(args):
        end = index + 1
        while end < len(args) and places[end] == ((0, len(args[end])),) and args[index].startswith("-"):
            end += 1
        yield _Item(tuple(args[index:end]), " ".join(shown[index:end]))
        index = end


def _item(item: Any) -> str:
    """An adapter as ``name=url``, a source of the environment as its Secret's name, anything else as it is."""
    if isinstance(item, Mapping) and "url" in item:
        return f"{text_at(item, 'name')}={text_at(item, 'url')}"
    if isinstance(item, Mapping) and "secretRef" in item:
        return text_at(item, "secretRef", "name")
    return str(item)


def _hidden(text: str, secrets: Iterable[str] = ()) -> str:
    return masked(text, secrets).replace(MASK, _ELLIPSIS)
