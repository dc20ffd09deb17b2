"""How a Model shows itself; ``views`` puts the widget here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .model import Model


class Face(Protocol):
    """What makes a Model visible."""

    def show(self, model: Model) -> None:
        """Display the Model by itself; NotImplementedError where its mimebundle is all there is."""

    def bundle(self, model: Model) -> dict[str, Any]:
        """The Model's mimebundle."""


class TextFace:
    """The face of a Model where there is no front end: its ``repr``."""

    def show(self, model: Model) -> None:
        """Leave it to IPython."""
        raise NotImplementedError

    def bundle(self, model: Model) -> dict[str, Any]:
        """One line of text."""
        return {"text/plain": repr(model)}


_face: list[Face] = [TextFace()]


def install(face: Face) -> None:
    """Make this the face of every Model."""
    _face[:] = [face]


def face() -> Face:
    """The face that is installed."""
    return _face[0]
