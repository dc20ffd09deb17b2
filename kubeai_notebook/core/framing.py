"""Lines out of a stream whose pieces end anywhere, bounded: the other side decides when a line ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class EndlessLineError(ValueError):
    """A line is longer than it may be."""


def lines_of(pieces: Iterable[bytes], limit: int, *, rest: bool = True) -> Iterator[bytes]:
    r"""Each line without its line feed; ``rest``: also what follows the last line feed.

    Raises:
        EndlessLineError: more than ``limit`` bytes came without a line feed.

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
            raise EndlessLineError
    if rest and size:
        yield b"".join(held)
