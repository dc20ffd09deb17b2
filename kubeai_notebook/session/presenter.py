"""How a Model shows itself; ``views`` puts the widget here."""

from __future__ import annotations

import shutil
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from typing import TextIO

BATCH_FRAME_SECONDS = 0.25
_ERASED = "\r\x1b[2K"


class Line(Protocol):
    """A line that is renewed while somebody waits."""

    def put(self, text: str, *, is_news: bool) -> None:
        """Say this now; ``is_news``: not only the time is another."""

    def end(self, text: str) -> None:
        """The wait is over: say this, or nothing more."""


class Face(Protocol):
    """What makes a Model visible. Its handle asks for it, so the handle's own type is not named here."""

    def show(self, model: Any) -> None:
        """Display the Model by itself; NotImplementedError where its mimebundle is all there is."""

    def bundle(self, model: Any) -> dict[str, Any]:
        """The Model's mimebundle."""

    def show_batch(self, job: Any) -> None:
        """Display a batch, now and as it goes on."""

    def follow_batch(self, job: Any) -> None:
        """Show how far a batch is until it is over; an interrupt may pass, or stop the batch."""

    def line(self) -> Line:
        """A line that is renewed while somebody waits."""


class StreamLine:
    """The line on a terminal, which renews it, or in a log, which gets a line for each change."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._renews = stream, stream.isatty()

    def put(self, text: str, *, is_news: bool) -> None:
        """Say this now; ``is_news``: not only the time is another."""
        if self._renews:
            self._write(_ERASED + text[: shutil.get_terminal_size().columns - 1])
        elif is_news:
            self._write(f"{text}\n")

    def end(self, text: str) -> None:
        """The wait is over; what a log has told stays."""
        del text
        if self._renews:
            self._write(_ERASED)

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody reads it any more: that is no reason to break off a call
            self._stream.write(text)
            self._stream.flush()


class TextFace:
    """The face of a Model where there is no front end: its ``repr``."""

    def show(self, model: Any) -> None:
        """Leave it to IPython."""
        raise NotImplementedError

    def bundle(self, model: Any) -> dict[str, Any]:
        """One line of text."""
        return {"text/plain": repr(model)}

    def show_batch(self, job: Any) -> None:
        """Leave it to IPython."""
        raise NotImplementedError

    def follow_batch(self, job: Any) -> None:
        """A line on stderr, whose last words stay."""
        from kubeai_notebook.present.batch_report import batch_line

        line = self.line()
        while not job.wait(BATCH_FRAME_SECONDS):
            line.put(batch_line(job.progress), is_news=False)
        line.end("")
        sys.stderr.write(f"{batch_line(job.progress)}\n")

    def line(self) -> Line:
        """One on stderr."""
        return StreamLine(sys.stderr)


_face: list[Face] = [TextFace()]


def install(face: Face) -> None:
    """Make this the face of every Model."""
    _face[:] = [face]


def face() -> Face:
    """The face that is installed."""
    return _face[0]
