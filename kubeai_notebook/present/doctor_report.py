"""Doctor: the way from this process to KubeAI, station by station."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kubeai_notebook.core.notice import Notice

from .html import ShownAsHtml, element, joined
from .wording import in_magics, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from markupsafe import Markup

    from kubeai_notebook.core.notice import Severity

_LOOKS: Final[Mapping[Severity, tuple[str, str]]] = {
    "info": ("✓", "#388e3c"),
    "warning": ("⚠", "#f57c00"),
    "error": ("✗", "#d32f2f"),
}
_ROLE_GRANTS = "Somebody who runs the cluster can grant what is missing by this Role, bound to you:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Station(Notice):
    """What was seen at one place on the way; ``info``: nothing is in the way there."""

    name: str
    """Such as ``gateway``; several lines may be about the same place."""


@dataclass(frozen=True, repr=False)
class Doctor(ShownAsHtml):
    """The stations, in the order of the way; shows itself as text and HTML."""

    stations: tuple[Station, ...]
    role: str = ""
    """The smallest Role, as YAML, that grants the rights that are missing; ``""`` where none is."""

    @property
    def healthy(self) -> bool:
        """Whether nothing is in the way."""
        return all(station.severity != "error" for station in self.stations)

    def _text(self) -> str:
        lines = []
        for station in self.stations:
            lines.append(f"{_LOOKS[station.severity][0]} {station.name}: {in_magics(station.message)}")
            lines += [f"    {line}" for line in _steps(station)]
        return "\n".join([*lines, *(["", _ROLE_GRANTS, self.role] if self.role else [])])

    def _html(self) -> Markup:
        role = element("div", _ROLE_GRANTS) + element("pre", self.role, style="margin:0") if self.role else ""
        return element("div", *map(_row, self.stations), role, style="max-width:720px")


def _row(station: Station) -> Markup:
    sign, colour = _LOOKS[station.severity]
    steps = "\n".join(_steps(station))
    below = element("div", steps, style="margin-left:20px;white-space:pre-wrap") if steps else ""
    head = [element("span", sign, style=f"color:{colour}"), " ", element("strong", f"{station.name}:")]
    return element("div", joined([*head, f" {in_magics(station.message)}"]), below)


def _steps(station: Station) -> Iterator[str]:
    """What the reader can do, a line each."""
    for remedy in station.remedies:
        yield from in_magics(remedy.title).splitlines()
        if remedy.command:
            yield line_of(remedy.command)
