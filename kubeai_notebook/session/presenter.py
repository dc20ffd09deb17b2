"""How a Model shows itself; ``views`` puts the widget here."""

from __future__ import annotations

from typing import Any, Protocol


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
        """Show nothing: a script may have no reader."""


_face: list[Face] = [TextFace()]


def install(face: Face) -> None:
    """Make this the face of every Model."""
    _face[:] = [face]


def face() -> Face:
    """The face that is installed."""
    return _face[0]
