"""Reading YAML that somebody else wrote: plain data only, and bounded in size, depth and repetition."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from numbers import Integral
from typing import Any, NamedTuple

import yaml

from .marked_text import MarkedText
from .plain_data import whole

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_ALIASES = 200
MAX_NODES = 20_000
"""Names, values, lists and mappings, every alias written out: to read so many takes a second or two."""


# The second merges another mapping into this one.
_KEYS = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"})
_MEANINGS = {
    "tag:yaml.org,2002:bool": "true or false",
    "tag:yaml.org,2002:int": "a number",
    "tag:yaml.org,2002:float": "a number",
    "tag:yaml.org,2002:null": "nothing",
    "tag:yaml.org,2002:timestamp": "a date",
    "tag:yaml.org,2002:map": "a mapping",
    "tag:yaml.org,2002:seq": "a list",
}


class _Loader(yaml.SafeLoader):
    """Takes a text in JSON as JSON means it: YAML's own reader leaves an escaped emoji in halves."""

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> str:
        return whole(str(super().construct_scalar(node)))


class UnreadableYamlError(ValueError):
    """Why a text is not taken, as the rest of a sentence about it; it never quotes the text."""


Path = tuple[str | int, ...]
"""Where something stands: the keys around it and its own, and places in lists."""


class Document(NamedTuple):
    """One mapping of a text, and where its keys stand."""

    value: Mapping[str, Any]
    lines: Mapping[Path, tuple[int, ...]]
    """The lines of the whole text, from 1 on, in which each key stands, outer keys first; two of one that is twice."""


def read_mapping(text: str) -> Mapping[str, Any]:
    """The mapping of a text that KubeAI itself reads, where ``on`` may be a key: Go makes text of it.

    Raises:
        UnreadableYamlError: it is over the limits, has tags, or is not one mapping.
    """
    documents = _documents(text, any_keys=True)
    if len(documents) > 1:
        raise UnreadableYamlError(f"holds {len(documents)} documents, of which one can be read")
    return documents[0].value if documents else {}


def read_documents(text: str) -> list[Document]:
    r"""Each mapping that a YAML text holds; an empty document is none.

    The values of a MarkedText go into its scalars and never make a field: a scalar without quotes that is one mark
    becomes the value itself, where YAML has its kind, and a key stays as it was typed.

    >>> [document] = read_documents("url: x\nadapters:\n- name: y")
    >>> dict(document.lines)
    {('url',): (1,), ('adapters',): (2,), ('adapters', 0, 'name'): (3,)}

    Raises:
        UnreadableYamlError: all of them together are over the limits, or one has tags or keys that YAML does not read
            as text, or is no mapping.
    """
    return _documents(text, any_keys=False)


def _documents(text: str, *, any_keys: bool) -> list[Document]:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise UnreadableYamlError("is larger than 1 MiB, more than a ConfigMap can hold")
    try:
        _check_events(text)
        loader = _Loader(text)
        roots: list[yaml.Node] = []
        while loader.check_node():
            roots.append(loader.get_node())  # type: ignore[arg-type]  # there is one, says check_node
        if sum(_size(root, {}) for root in roots) > MAX_NODES:
            raise UnreadableYamlError(f"has more than {MAX_NODES:,} entries once its aliases are written out")
        documents = [_document(root, loader, MarkedText.of(text), any_keys=any_keys) for root in roots]
    except UnreadableYamlError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # The parser quotes the text, which is not ours to show.
        mark = getattr(error, "problem_mark", None)
        where = f": it has a mistake in line {mark.line + 1}, column {mark.column + 1}" if mark else " as plain YAML"
        raise UnreadableYamlError(f"cannot be read{where}") from None
    said = [document for document in documents if document.value is not None]
    if not all(isinstance(document.value, Mapping) for document in said):
        raise UnreadableYamlError("is no mapping of names to values")
    return said


def _document(root: yaml.Node, loader: _Loader, text: MarkedText, *, any_keys: bool) -> Document:
    _fill_in(root, text, loader.constructed_objects)
    if not any_keys:
        _check_keys(root, set())
    lines: dict[Path, tuple[int, ...]] = {}
    for path, line in _keys(root):  # before the loader writes merged keys (<<) into the nodes
        lines[path] = (*lines.get(path, ()), line)
    return Document(loader.construct_document(root), lines)


def _keys(root: yaml.Node) -> Iterator[tuple[Path, int]]:
    waiting: deque[tuple[Path, yaml.Node]] = deque([((), root)])
    seen: set[int] = set()  # an alias may lead to what contains it
    while waiting:
        path, node = waiting.popleft()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                yield (*path, key.value), key.start_mark.line + 1
                waiting.append(((*path, key.value), value))
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(((*path, place), item) for place, item in enumerate(node.value))


def _check_events(text: str) -> None:
    depth = aliases = nodes = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        nodes += isinstance(event, yaml.NodeEvent)
        if nodes > MAX_NODES:
            raise UnreadableYamlError(f"has more than {MAX_NODES:,} entries, which no list of Models needs")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        if depth > MAX_DEPTH or aliases > MAX_ALIASES:
            raise UnreadableYamlError(f"nests deeper than {MAX_DEPTH} levels or has more than {MAX_ALIASES} aliases")
        if getattr(event, "tag", None) is not None:
            raise UnreadableYamlError(f"has a tag {_where(event)}: leave out what begins with ! and quote the value")


def _fill_in(node: yaml.Node, text: MarkedText, values: dict[Any, Any]) -> None:
    """Put the value of each scalar with marks into ``values``, where the loader looks first."""
    if node in values or not text.places:
        return
    if isinstance(node, yaml.ScalarNode) and text.has_mark(node.value):
        value = text.value(node.value) if node.style is None else None
        if isinstance(value, Integral) and not isinstance(value, bool):
            value = int(value)  # numpy's too
        values[node] = value if isinstance(value, bool | int | float | list | dict) else text.fill(node.value)
    for child in node.value if isinstance(node, yaml.CollectionNode) else ():
        key, value = child if isinstance(child, tuple) else (None, child)
        if isinstance(key, yaml.ScalarNode):
            key.value = text.typed(key.value)
        _fill_in(value, text, values)


def _check_keys(node: yaml.Node, seen: set[int]) -> None:
    """Refuse keys that YAML reads as something else than text, such as ``NO``, ``1`` and ``~``."""
    if id(node) in seen or not isinstance(node, yaml.CollectionNode):
        return
    seen.add(id(node))
    for child in node.value:
        key, value = child if isinstance(child, tuple) else (None, child)
        if key is not None and key.tag not in _KEYS:
            written = f'the key "{key.value[:40]}"' if isinstance(key, yaml.ScalarNode) else "a key"
            meaning = _MEANINGS.get(key.tag, "something else")
            raise UnreadableYamlError(f"has {written} {_where(key)}, which it reads as {meaning}. Put it in quotes")
        _check_keys(value, seen)


def _where(part: yaml.Node | yaml.Event) -> str:
    return f"in line {part.start_mark.line + 1}" if part.start_mark else "somewhere"


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many nodes the document has, every alias counted as what it stands for."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = MAX_NODES + 1  # Until it is counted: an alias to what contains it has no end.
    children = node.value if isinstance(node, yaml.CollectionNode) else ()
    flat = [part for child in children for part in (child if isinstance(child, tuple) else (child,))]
    known[id(node)] = 1 + sum(_size(child, known) for child in flat)
    return known[id(node)]
