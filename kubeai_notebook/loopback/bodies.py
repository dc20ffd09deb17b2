"""A request's body, however large, slow or odd it is: bounded, and on disk where it is large."""

from __future__ import annotations

import asyncio
import errno
import os
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

SILENCE_SECONDS = 30.0
"""For the next piece of a body."""
IN_MEMORY_BYTES = 8 << 20
LARGE_BYTES = 256 << 10
"""From here on a body is worked on in a thread, so that others are answered meanwhile."""
_PIECE_BYTES = 256 << 10
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

P = ParamSpec("P")
T = TypeVar("T")


class BodyError(Exception):
    """A body that is not taken: the status to answer with, and why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Body:
    """A whole body; the file behind it is gone with its ``with``."""

    def __init__(self, folder: Path | str) -> None:
        # Without a name, so that nothing of it is left over, whatever happens.
        self._file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(IN_MEMORY_BYTES, dir=str(folder))  # noqa: SIM115  (closed by __exit__)
        self.size = 0

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, piece: bytes) -> None:
        """Append."""
        self._file.write(piece)
        self.size += len(piece)

    def read(self, start: int, end: int) -> bytes:
        """The bytes from a start to an end."""
        self._file.seek(start)
        return self._file.read(end - start)

    def whole(self) -> bytes:
        """All of it."""
        return self.read(0, self.size)

    async def pieces(self, ranges: Iterable[tuple[int, int]]) -> AsyncIterator[bytes]:
        """The bytes of these ranges, piece by piece."""
        for start, end in ranges:
            for position in range(start, end, _PIECE_BYTES):
                yield self.read(position, min(end, position + _PIECE_BYTES))


async def receive(request: web.Request, body: Body, *, limit: int) -> None:
    """Fill a body. BodyError 400, 408, 413, 415 or 507."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise BodyError(415, "a body with a Content-Encoding is not taken; send it as it is")
    large = f"the body is larger than {limit} bytes"
    if (request.content_length or 0) > limit:
        raise BodyError(413, large)
    try:
        while True:
            async with asyncio.timeout(SILENCE_SECONDS):
                piece = await request.content.readany()
            if not piece:
                return
            if body.size + len(piece) > limit:
                raise BodyError(413, large)
            body.add(piece)
    except TimeoutError:
        raise BodyError(408, f"nothing more of the body came for {SILENCE_SECONDS:.0f} seconds") from None
    except web.RequestPayloadError as error:
        raise BodyError(400, f"the body cannot be read: {error}") from error
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise BodyError(507, f"the body cannot be kept: {os.strerror(errno.ENOSPC)}") from error


async def worked_on(size: int, work: Callable[P, T], *values: P.args, **named: P.kwargs) -> T:
    """Do some work on a body, beside the event loop when the body is large."""
    if size < LARGE_BYTES:
        return work(*values, **named)
    return await asyncio.get_running_loop().run_in_executor(None, partial(work, *values, **named))
