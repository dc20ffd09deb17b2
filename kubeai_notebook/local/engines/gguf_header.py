"""What a GGUF file says of its model before its tensors.

The library `gguf` reads this too, and makes an object of every token of the vocabulary: four seconds for a model that
starts in one. So here long lists are stepped over. Source: the GGUF specification, version 3.
"""

from __future__ import annotations

import mmap
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import LocalError

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"GGUF"
MOST_LAYERS = 10_000
"""More than any model has: a header that says more makes no list of that length."""
LONGEST_LIST = 4096
"""A list of more numbers is stepped over, as is every list of texts."""
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_TEXT, _LIST = 8, 9
_PART = re.compile(r"(?P<stem>.+)-[0-9]{5}-of-(?P<count>[0-9]{5})\.gguf")


def header_of(path: Path) -> dict[str, Any]:
    """Every key of a GGUF file with a value that is no long list. LocalError when it is none, or cut short."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content[:4] != MAGIC:
                raise LocalError(f"{path.name} is no GGUF file.")
            cursor = _Cursor(content, 16)
            count = cursor.number("<Q")
            return {key: value for _ in range(count) for key, value in (cursor.pair(),) if value is not None}
    except (struct.error, OverflowError, ValueError) as error:
        raise LocalError(f"{path.name} is no whole GGUF file: {error}.") from error


class _Cursor:
    def __init__(self, content: mmap.mmap, offset: int) -> None:
        self._content = content
        self._offset = offset

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self._content, self._offset)
        self._offset += struct.calcsize(form)
        return value

    def pair(self) -> tuple[str, Any]:
        key = self._text()
        return key, self._value(self.number("<I"))

    def _value(self, kind: int) -> Any:
        if kind == _TEXT:
            return self._text()
        if kind != _LIST:
            return self.number(_form(kind))
        kind, count = self.number("<I"), self.number("<Q")
        if kind == _TEXT:
            for _ in range(count):
                length = self.number("<Q")
                self._offset += length
        elif kind == _LIST or count > LONGEST_LIST:
            self._offset += count * struct.calcsize(_form(kind))
        else:
            return [self.number(_form(kind)) for _ in range(count)]
        return None

    def _text(self) -> str:
        length = self.number("<Q")
        text = self._content[self._offset : self._offset + length]
        self._offset += length
        return text.decode("utf-8", "replace")


def _form(kind: int) -> str:
    if kind not in _SCALARS:
        raise ValueError(f"it has a value of the unknown type {kind}")
    return _SCALARS[kind]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the memory of a model depends on."""

    weights_bytes: int
    layers: int
    context: int
    """Positions that it was trained on; 0 where the file does not say."""
    token_bytes: int
    """What one position takes in the KV cache, in half precision."""
    windowed: bool = False
    """Whether some layers keep a window of positions only, so that a long context takes less."""


def shape_of(path: Path, header: dict[str, Any]) -> Shape:
    """The shape of the model in a file, which may be the first part of several; zeros where its header says nothing."""

    def field(name: str, otherwise: Any) -> Any:
        return header.get(f"{header.get('general.architecture')}.{name}", otherwise)

    size = _bytes_of(path)
    try:
        layers = int(field("block_count", 0))
        if not 0 <= layers <= MOST_LAYERS:
            raise ValueError("no model has so many layers")
        heads = _each(field("attention.head_count", 1), layers)
        kv_heads = _each(field("attention.head_count_kv", heads), layers)
        width = int(field("embedding_length", 0)) // max([*heads, 1])
        values = int(field("attention.key_length", width)) + int(field("attention.value_length", width))
        windowed = bool(field("attention.sliding_window", 0))
        return Shape(size, layers, int(field("context_length", 0)), 2 * values * sum(kv_heads), windowed)
    except (TypeError, ValueError, ArithmeticError, MemoryError):
        return Shape(size, 0, 0, 0)


def _each(value: Any, layers: int) -> list[int]:
    """A number for each layer: most models have the same for all."""
    return [int(number) for number in value] if isinstance(value, list) else [int(value)] * layers


def _bytes_of(path: Path) -> int:
    part = _PART.fullmatch(path.name)
    files = path.parent.glob(f"{part['stem']}-*-of-{part['count']}.gguf") if part else (path,)
    return sum(file.stat().st_size for file in files)
