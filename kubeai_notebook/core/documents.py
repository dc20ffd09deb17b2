"""The Models that a YAML text describes, in any form in which people have them, each with the lines of its keys.

They come as our short form, as Models of Kubernetes, as a List of these, and as values of KubeAI's Helm chart of
models, which is the most common form of all. Whoever reads one form reads them all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .field_aliases import canonical
from .masking import quoted
from .messages import did_you_mean
from .notice import Notice, wrong
from .objects import map_at, maps_at, text_at
from .validation import unknown_field
from .yaml_text import read_documents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .yaml_text import Path

Lines = Mapping[tuple[str | int, ...], tuple[int, ...]]
_HOLDERS = ("scaling", "load_balancing")
_NO_URL = (
    "A Model needs a url, and this entry of a catalog leaves its own to KubeAI's chart of models, which is not known "
    "here. Give url, engine and features, or the Model itself: name and url."
)


_MOST_KEYS = 200
"""So many keys of an entry are compared with what they may mean; a Model has a tenth as many fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One Model of a text."""

    fields: Mapping[str, Any]
    """As `core.spec.draft_of` takes them."""
    title: str
    notices: tuple[Notice, ...] = ()
    """What is wrong with the text itself."""
    lines: Lines = field(default_factory=dict)
    enabled: bool = True
    """Whether the chart would make it; any Model that is no entry of a catalog is."""
    in_catalog: bool = False

    def located(self, notices: Iterable[Notice]) -> list[Notice]:
        """The Notices, with this text's own, each with the line where its field stands, and in the text's spelling."""
        places: dict[tuple[str | int, ...], tuple[tuple[str | int, ...], int]] = {}
        for path, (line, *_) in self.lines.items():
            usual = tuple(canonical(part) if isinstance(part, str) else part for part in path)
            for begin in range(len(usual)):
                places.setdefault(usual[begin:], (path, line))
        return [*self.notices, *(self._located(notice, places) for notice in notices)]

    def _located(
        self, notice: Notice, places: Mapping[tuple[str | int, ...], tuple[tuple[str | int, ...], int]]
    ) -> Notice:
        if self.in_catalog and notice.code == "Required" and notice.field == "url":
            return replace(notice, message=_NO_URL)
        words = re.findall(r"[^.\[\]]+", notice.field)
        parts = tuple(int(word) if word.isdecimal() and len(word) < 10 else canonical(word) for word in words)
        ends = [parts[: len(parts) - less] for less in range(len(parts))]  # an item of a list has its list's line
        ends += [tuple(part for part in end if part not in _HOLDERS) for end in ends]
        place = next((places[end] for end in ends if end in places), None)
        if place is None:
            return notice
        path, line = place
        if notice.code == "UnknownField" and notice.severity == "error":
            notice = unknown_field(".".join(map(str, path)))
        return replace(notice, message=f"Line {line}: {notice.message}")


def described_in(text: str) -> list[Described]:
    """Every Model of the text, and each other object as if it were one, for the rules to say so.

    Raises:
        UnreadableYamlError: it is over the limits, or no plain YAML.
    """
    found = [one for document in read_documents(text) for one in _models(document.value, document.lines)]
    return [replace(one, title=one.title or f"Model {number}") for number, one in enumerate(found, 1)]


def _models(value: Mapping[str, Any], lines: Lines, twice: tuple[Notice, ...] | None = None) -> Iterator[Described]:
    if twice is None:
        twice = tuple(_twice(path, stands) for path, stands in lines.items() if len(stands) > 1)
    if text_at(value, "kind").endswith("List") and isinstance(value.get("items"), list):
        for place, item in enumerate(maps_at(value["items"])):
            yield from _models(item, _below(lines, "items", place), twice if place == 0 else ())
    elif isinstance(value.get("catalog"), Mapping) and "kind" not in value and "url" not in value:
        for place, name in enumerate(value["catalog"]):
            entry = _entry(name, map_at(value, "catalog", name), _below(lines, "catalog", name))
            yield replace(entry, notices=(*(twice if place == 0 else ()), *entry.notices))
    else:
        title = text_at(value, "metadata", "name") or text_at(value, "name") or text_at(value, "url")
        yield Described(fields=value, title=title, notices=twice, lines=lines)


def _entry(name: str, entry: Mapping[str, Any], lines: Lines) -> Described:
    """A model of the chart's values; where they leave ``minReplicas`` out, the chart's Models sleep at first."""
    notices = []
    fields = {key: value for key, value in entry.items() if key != "enabled"}
    if not isinstance(entry.get("enabled", False), bool):
        message = f'"enabled" of {quoted(name)} must be true or false.'
        notices.append(wrong("enabled", "WrongType", message))
    for key in [key for key in list(fields)[:_MOST_KEYS] if did_you_mean(key, ["enabled"])]:
        del fields[key]
        message = f'"{key[:80]}" is no key of Helm values for KubeAI\'s chart of models. Did you mean "enabled"?'
        notices.append(wrong(key, "UnknownField", _at_line(lines, (key,), message)))
    if "min_replicas" not in map(canonical, fields):
        fields["minReplicas"] = 0
    fields = {"name": name, **fields}
    enabled = entry.get("enabled") is True or bool(notices)
    return Described(fields=fields, title=name, notices=tuple(notices), lines=lines, enabled=enabled, in_catalog=True)


def _at_line(lines: Lines, path: Path, message: str) -> str:
    return f"Line {lines[path][0]}: {message}" if path in lines else message


def _twice(path: Path, stands: tuple[int, ...]) -> Notice:
    name = ".".join(map(str, path))[:80]
    where = f"{', '.join(map(str, stands[:-1]))} and {stands[-1]}"
    return wrong(name, "DoubleKey", f'"{name}" stands in lines {where}, of which one would count. Give it once.')


def _below(lines: Lines, *path: str | int) -> Lines:
    return {whole[len(path) :]: stands for whole, stands in lines.items() if whole[: len(path)] == path != whole}
