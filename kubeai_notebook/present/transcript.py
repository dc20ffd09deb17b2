"""A dialogue without a kernel or a script: what a saved notebook shows of it, and what it is as code."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.naming import name_and_adapter
from kubeai_notebook.core.pictures import pictures_in
from kubeai_notebook.text import LONGEST, markdown, plain

from .html import NO_FORMULAS, WRAPPED, element
from .stake import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from markupsafe import Markup

    from kubeai_notebook.core.dialogue import Dialogue, Exchange

_YOU = "You"
_COMING = "The answer was still coming then; run the cell again to see it."
_UNFINISHED = {"waiting": _COMING, "streaming": _COMING, "asking": "It waits for your word on a function."}


def transcript_bundle(dialogue: Dialogue) -> dict[str, str]:
    """What is shown of a dialogue as text, Markdown and HTML, with nothing to fetch and nothing that acts."""
    return {
        "text/plain": transcript_text(dialogue),
        "text/markdown": transcript_markdown(dialogue),
        "text/html": str(_html(dialogue)),
    }


def transcript_text(dialogue: Dialogue) -> str:
    """The same as text alone."""
    lines = (f"{speaker}:\n{plain(words)}\n" for speaker, words in _lines(dialogue))
    return "\n".join([f"Chat with {' and '.join(dialogue.columns)}\n", *lines])


def transcript_markdown(dialogue: Dialogue) -> str:
    """The same as Markdown."""
    return "\n\n".join(f"**{markdown(speaker)}**\n\n{markdown(words)}" for speaker, words in _lines(dialogue))


def cells_of(dialogue: Dialogue, column: int = 0) -> list[str]:
    """The sources of cells that ask a column's Model the same prompts again, each as it was asked then."""
    name, adapter = name_and_adapter(dialogue.columns[column])
    path = dialogue.path()
    asked = [dialogue.asked_with(exchange.number, column) for exchange in path] or [(dialogue.system, dialogue.fields)]
    system, first_fields = asked[0]
    shared = {
        field: value for field, value in first_fields.items() if all(_has(fields, field, value) for _, fields in asked)
    }
    given = _given({"system": system, "adapter": adapter, **shared})
    cells = [f"from kubeai_notebook import attach\n\ntalk = attach({name!r}).conversation({', '.join(given)})"]
    for exchange, (instruction, fields) in zip(path, asked, strict=False):
        changed = [] if instruction == system else [f"talk.system = {instruction!r}"]
        own = {field: value for field, value in fields.items() if field not in shared}
        prompt = list(exchange.asked) if pictures_in(exchange.asked) or len(exchange.asked) > 1 else exchange.prompt
        cells.append("\n".join([*changed, f"talk.say({', '.join([repr(prompt), *_given(own)])})"]))
        system = instruction
    return cells


def _has(fields: Mapping[str, Any], field: str, value: Any) -> bool:
    return field in fields and fields[field] == value


def _given(fields: Mapping[str, Any]) -> list[str]:
    """The arguments of a call; what is empty, or is no name, is none."""
    return [f"{name}={value!r}" for name, value in fields.items() if value not in ("", None) and name.isidentifier()]


def _lines(dialogue: Dialogue) -> Iterator[tuple[str, str]]:
    """Who said what, the oldest first: as many of the newest exchanges as may be shown at once."""
    path, room = dialogue.path(), LONGEST

    def fits(exchange: Exchange) -> bool:
        nonlocal room
        room -= sum(len(words) for _, words in _exchange_lines(exchange))
        return room > 0

    shown = list(takewhile(fits, reversed(path))) or path[-1:]
    if len(shown) < len(path):
        yield "…", f"{len(path) - len(shown)} exchanges before are not shown."
    for exchange in reversed(shown):
        yield from _exchange_lines(exchange)


def _exchange_lines(exchange: Exchange) -> Iterator[tuple[str, str]]:
    count = len(pictures_in(exchange.asked))
    seen = f"({counted(count, 'picture')})" if count else ""
    if exchange.prompt or seen:
        yield _YOU, "\n\n".join(filter(None, (exchange.prompt[:LONGEST], seen)))
    for column, answer in sorted(exchange.answers.items()):
        preferred = " (preferred)" if column == exchange.vote else ""
        note = answer.note or _UNFINISHED.get(answer.state) or ("" if answer.text else "no answer")
        yield f"{answer.model}{preferred}", "\n\n".join(filter(None, (answer.text[:LONGEST], note and f"({note})")))


def _html(dialogue: Dialogue) -> Markup:
    lines = (
        element(
            "div",
            element("strong", speaker),
            element("div", words, style=WRAPPED),
            style=f"margin:0 0 8px {'0' if speaker == _YOU else '1.5em'}",
        )
        for speaker, words in _lines(dialogue)
    )
    again = f"Run the cell again to go on with {' and '.join(dialogue.columns)}."
    # The class lets the live playground hide its own transcript.
    look = "max-width:900px;padding:8px 14px;border-left:3px solid #757575"
    return element("div", *lines, element("small", again), class_=f"kubeai-snapshot {NO_FORMULAS}", style=look)
