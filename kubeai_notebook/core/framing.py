"""Lines and server-sent events out of a stream whose pieces end anywhere.

The other side decides where a line ends, or that it never does; so every reader of a stream bounds what it holds.
A watch, an engine's log and a chat are framed here alike, and each reader only says what a line means to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class EndlessLineError(ValueError):
    """A line or an event is longer than it may be."""


def lines_of(pieces: Iterable[bytes], limit: int, *, rest: bool = True, cut: bool = False) -> Iterator[bytes]:
    r"""Each line without its line feed; ``rest``: also what follows the last line feed.

    ``limit`` is the number of bytes that may come without a line feed, ``cut``: of a longer line the beginning is kept.

    Raises:
        EndlessLineError: a line is longer, and none is to be cut.

    >>> list(lines_of([b"on", b"e\ntw", b"o"], 10))
    [b'one', b'two']
    """
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        first, *more = piece.split(b"\n")
        held.append(first)
        size += len(first)
        if more:
            yield b"".join(held)
            yield from more[:-1]
            held, size = [more[-1]], len(more[-1])
        if size > limit:
            if not cut:
                raise EndlessLineError
            held, size = [b"".join(held)[:limit]], limit
    if rest and size:
        yield b"".join(held)


def events_of(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    r"""The data of each server-sent event; its name, its number and comments are left out.

    Raises:
        EndlessLineError: an event has more than ``limit`` bytes.

    >>> list(events_of([b"data: one\n\n: comment\n", b"data: two\ndata: lines"], 100))
    [b'one\n', b'two\nlines\n']
    """
    events = Events(limit)
    for piece in pieces:
        yield from events.of(piece)
    yield from events.rest()


class Events:
    """`events_of` for whoever is given the pieces, as in an ``async for``.

    Source: the HTML standard, "Interpreting an event stream"; a last event without its blank line counts here.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._line: list[bytes] = []
        self._size = 0
        self._data = bytearray()

    def of(self, piece: bytes) -> Iterator[bytes]:
        """The events that this piece completes; EndlessLineError."""
        first, *more = piece.split(b"\n")
        self._line.append(first)
        self._size += len(first)
        if more:
            for line in (b"".join(self._line), *more[:-1]):
                yield from self._event(line)
            self._line, self._size = [more[-1]], len(more[-1])
        if self._size > self._limit:
            raise EndlessLineError

    def rest(self) -> Iterator[bytes]:
        """What has no end, when no piece comes any more."""
        yield from self._event(b"".join(self._line))
        yield from self._event(b"")

    def _event(self, line: bytes) -> Iterator[bytes]:
        if line.startswith(b"data:"):
            self._data += line[len(b"data:") :].strip() + b"\n"
            if len(self._data) > self._limit:
                raise EndlessLineError
        elif self._data and not line.strip():
            yield bytes(self._data)
            self._data.clear()
