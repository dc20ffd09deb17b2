"""Multipart forms, read as KubeAI's gateway reads them: the part ``model`` is taken out, the rest goes on as it is.

A form may be a long recording, so it is looked at through a window, never held as a whole; and it may be hostile, so
every step is linear: a boundary is found only at the beginning of a line, a part's header is short and is read line by
line with anchored patterns, and the parts are counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_PARTS = 1000
MAX_HEADER_BYTES = 8192
_MAX_NAME_BYTES = 1024
_WINDOW_BYTES = 1 << 20
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]+)"|([^";\s]+))', re.IGNORECASE)
_DISPOSITION = re.compile(rb"content-disposition[ \t]*:[ \t]*form-data[ \t]*(?=;|$)", re.IGNORECASE)
_PARAMETER = re.compile(rb';[ \t]*([^\s=;"]+)=("(?:[^"\\]|\\.)*"|[^;"\s]*)[ \t]*')


class FormError(ValueError):
    """Bytes that are no form; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Form:
    """The model that a form asks for, and which of its bytes go on: each pair is a start and an end."""

    model: str
    kept: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """How many bytes go on."""
        return sum(end - start for start, end in self.kept)


def read_form(read: Callable[[int, int], bytes], size: int, *, content_type: str) -> Form:
    """Find the part ``model`` in ``size`` bytes, of which ``read`` gives those from a start to an end.

    Raises:
        FormError: no boundary, no end, too many parts or too long a header.
    """
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise FormError("no boundary specified in multipart form data")
    boundary = b"--" + (match[1] or match[2]).encode(errors="surrogateescape")
    starts = _starts(read, size, boundary)
    model, kept, ended = "", [(0, starts[0])] if starts else [], False
    for start, end in pairwise([*starts, size]):
        line = start + len(boundary)
        ended = ended or read(line, line + 2) == b"--"
        value = None if ended else _value_of_model(read, line, end)
        if value is None:
            kept.append((start, end))
        else:
            model = value
    if not ended:
        raise FormError("interating over multipart form: multipart: NextPart: EOF")
    return Form(model, tuple(kept))


def _starts(read: Callable[[int, int], bytes], size: int, boundary: bytes) -> list[int]:
    """Where each boundary begins."""
    places = [0] if read(0, len(boundary)) == boundary else []
    for position in _positions(read, size, b"\n" + boundary):
        places.append(position + 1)
        if len(places) > MAX_PARTS:
            raise FormError(f"multipart: message too large: more than {MAX_PARTS} parts")
    return places


def _positions(read: Callable[[int, int], bytes], size: int, wanted: bytes) -> Iterator[int]:
    for window in range(0, size, _WINDOW_BYTES):
        # What begins in this window may end in the next.
        text = read(window, min(window + _WINDOW_BYTES + len(wanted) - 1, size))
        position = text.find(wanted)
        while position >= 0:
            yield window + position
            position = text.find(wanted, position + 1)


def _value_of_model(read: Callable[[int, int], bytes], start: int, end: int) -> str | None:
    """The value of a part if its name is ``model``, else None."""
    header, blank, _ = read(start, min(end, start + MAX_HEADER_BYTES)).partition(b"\r\n\r\n")
    if not blank and end - start > MAX_HEADER_BYTES:
        raise FormError(f"multipart: message too large: a part's header is over {MAX_HEADER_BYTES} bytes")
    if not any(_name_of(line) == b"model" for line in header.split(b"\r\n")):
        return None
    value = start + len(header) + len(blank)
    text = read(value, min(end, value + _MAX_NAME_BYTES))
    return text.removesuffix(b"\r\n").decode(errors="replace")


def _name_of(line: bytes) -> bytes | None:
    """The name that a header line gives its part."""
    match = _DISPOSITION.match(line)
    position = match.end() if match else len(line)
    while parameter := _PARAMETER.match(line, position):
        if parameter[1].lower() == b"name":
            return parameter[2].strip(b'"')
        position = parameter.end()
    return None
