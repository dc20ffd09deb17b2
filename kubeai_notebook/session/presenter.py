"""How a Model shows itself; ``views`` puts the widget here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

from kubeai_notebook.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

    from .waiting_line import Line

BATCH_FRAME_SECONDS = 0.25


class Face(Protocol):
    """What makes a Model visible. Its handle asks for it, so the handle's own type is not named here."""

    def show(self, model: Any) -> None:
        """Display the Model by itself; NotImplementedError where its mimebundle is all there is."""

    def bundle(self, model: Any) -> dict[str, Any]:
        """The Model's mimebundle."""

    def widget(self, model: Any) -> Any:
        """What shows the Model live where no IPython displays it."""

    def show_batch(self, job: Any) -> None:
        """Display a batch, now and as it goes on."""

    def follow_batch(self, job: Any) -> None:
        """Show how far a batch is until it is over; an interrupt may pass, or stop the batch."""

    def show_map(self, embedding_map: Any) -> None:
        """Display a map of texts."""

    def playground(self, model: Any, features: Collection[str], **options: Any) -> Any:
        """What the Model is tried in; UsageError where there is no such thing for its features."""

    def line(self, name: str = "") -> Line:
        """A line that is renewed while somebody waits; a cell has one for each name, and many without one."""


class TextFace:
    """The face of a Model where there is no front end: its ``repr``."""

    def show(self, model: Any) -> None:
        """Leave it to IPython."""
        raise NotImplementedError

    def bundle(self, model: Any) -> dict[str, Any]:
        """One line of text."""
        return {"text/plain": repr(model)}

    def widget(self, model: Any) -> Any:
        """One line of text."""
        return repr(model)

    def show_batch(self, job: Any) -> None:
        """Leave it to IPython."""
        raise NotImplementedError

    def follow_batch(self, job: Any) -> None:
        """A line on stderr; what the first rows say of the whole, and how it ended, stay there."""
        from kubeai_notebook.present.batch_report import batch_line, batch_text, trial_text

        line, is_told = self.line(), False
        while not job.wait(BATCH_FRAME_SECONDS):
            trial = "" if is_told else trial_text(job.progress)
            if trial:
                line.end("")
                sys.stderr.write(f"{trial}\n")
                is_told = True
            line.put(batch_line(job.progress), is_news=False)
        line.end("")
        sys.stderr.write(f"{batch_text(job.progress)}\n")

    def show_map(self, embedding_map: Any) -> None:
        """Leave it to IPython."""
        raise NotImplementedError

    def playground(self, model: Any, features: Collection[str], **options: Any) -> Any:
        """There is none without a notebook."""
        del features, options
        message = f"A playground of {model.name} is shown by a notebook, and this is none."
        raise UsageError(message, "In a notebook, load the extension first; chat() works everywhere.")

    def line(self, name: str = "") -> Line:
        """One on stderr."""
        del name
        from .waiting_line import StreamLine

        return StreamLine(sys.stderr)


_face: list[Face] = [TextFace()]


def install(face: Face) -> None:
    """Make this the face of every Model."""
    _face[:] = [face]


def face() -> Face:
    """The face that is installed."""
    return _face[0]
