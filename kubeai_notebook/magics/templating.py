"""A cell's text, or a magic's line, with marks where values of the user's variables go.

Prompts and templates are full of braces that mean something else: JSON, LaTeX, and above all Jinja, whose
``{{ message['content'] }}`` looks just like ours. No spelling tells them apart, but the user's variables do: an
expression is filled in only where `expressions` can read it and it has a value. Everything else stays as it is, but for
one slip: a prompt in which a single name in double braces is no variable would be sent without what was meant.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.marked_text import MARK, MarkedText, Place
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.core.prompt_template import names_in
from kubeai_notebook.errors import UsageError
from kubeai_notebook.text import one_line

from .expressions import NotAllowedError, value_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from .invocation import Invocation

# The innermost braces only: "{{ a {{ b }}" holds the expression b. A mark that was typed stands for itself.
_IN_CELL = re.compile(rf"\{{\{{(?P<expression>(?:(?!\{{\{{).)+?)\}}\}}|{MARK.pattern}", re.DOTALL)
_IN_LINE = re.compile(
    rf"\{{(?P<double>\{{)?(?P<expression>[A-Za-z_][^{{}}]*)\}}(?(double)\}})|\$(?P<name>[A-Za-z_]\w*)|{MARK.pattern}"
)
# A formula's braces stand behind a word or another brace, as in \frac{{x}}{{y}}; a template of Jinja's has statements.
_NAME = re.compile(r"(?<![\w\\{}])\{\{\s*(?P<name>[A-Za-z_]\w*)\s*\}\}(?!\})", re.ASCII)
# A line's variable has single braces as well; JSON has more than a name in them.
_NAME_IN_LINE = re.compile(r"(?<![\w\\{}])\{(?P<double>\{)?\s*(?P<name>[A-Za-z_]\w*)\s*\}(?(double)\})(?!\})", re.ASCII)
_STATEMENT = "{%"
_SHOWN, _SHOWN_CHARACTERS = 5, 60
_WHAT_IS_FILLED = "only a simple expression of your variables that has a value is filled in; name anything else first"


def check_names(call: Invocation, columns: Collection[str] = ()) -> None:
    """Refuse a prompt in whose double braces stands a name that is no variable, unless ``--raw``.

    In a prompt that stands in the line, single braces are for variables too; what a value holds is not looked at.
    ``columns``: names that have a sentence of their own.

    Raises:
        UsageError: there is one; the sentence names it.
    """
    text, pattern = (call.line, _NAME_IN_LINE) if call.body is None else (call.body, _NAME)
    if call.options.raw or _STATEMENT in text:
        return
    # What IPython puts among the variables, such as Out and _, is never filled in, and not always there.
    known = {*call.shell.user_ns, *call.variables, *columns}
    for match in pattern.finditer(text):
        if (name := match["name"]) not in known and not name.startswith("_"):
            message = f'There is no variable "{name}" to be filled in.{did_you_mean(name, call.variables)}'
            raise UsageError(message, "Give it a value first; --raw sends all braces as they are.")


def marked_cell(call: Invocation, *, of_rows: bool = False) -> MarkedText:
    """The cell's text with marks for its variables, unless ``--raw``; the user is told once of what stays.

    ``of_rows``: it is asked of each row of a table, so single braces are columns.
    """
    text = call.body or ""
    if call.options.raw:
        return MarkedText(text)
    result, left = expand(text, call.variables)
    columns = "; a column takes single braces" if of_rows else ""
    raw = "; --raw leaves all of them alone"
    _mention(left, f"{_WHAT_IS_FILLED}{columns}{raw}")
    if not of_rows:
        single = [f"{{{name}}}" for name in names_in(text) if name in call.variables]
        _mention(single, f"in a cell a variable takes double braces, such as {{{{name}}}}{raw}")
    return result


def expand(text: str, variables: Mapping[str, Any]) -> tuple[MarkedText, list[str]]:
    """A text with a mark for each ``{{expression}}`` that has a value, and the others, which stay.

    Single braces are left alone: prompts are full of JSON.
    """
    result, left = _marked(_IN_CELL, text, variables)
    return result, list(left)


def expand_line(line: str, variables: Mapping[str, Any]) -> MarkedText:
    """A line with a mark for each ``{expression}``, ``{{expression}}`` and ``$name`` that has a value.

    JSON and what has no value stay as they are: IPython takes ``{"image": 2}`` for the text "image" with a width of 2.
    The user is told once of what names a variable and says too much.
    """
    result, left = _marked(_IN_LINE, line, variables)
    _mention([typed for typed, names_variable in left.items() if names_variable], _WHAT_IS_FILLED)
    return result


def _marked(pattern: re.Pattern[str], text: str, variables: Mapping[str, Any]) -> tuple[MarkedText, dict[str, bool]]:
    """The text with its marks, and what stays: whether it names a variable and is not allowed."""
    places: list[Place] = []
    left: dict[str, bool] = {}

    def mark(match: re.Match[str]) -> str:
        groups = match.groupdict()
        expression = groups["expression"] or groups.get("name")
        try:
            value = value_of(expression, variables) if expression else match[0]
            places.append(Place(match[0], value, str(value)))
        except Exception as error:  # noqa: BLE001 - the user's own values, whose texts may raise anything
            left[match[0]] = isinstance(error, NotAllowedError)
            return match[0]
        return f"\ue000{len(places) - 1}\ue001"

    return MarkedText(pattern.sub(mark, text), places), left


@cache
def _mentioned() -> set[str]:
    """What this kernel's user has been told of."""
    return set()


def _mention(expressions: list[str], reason: str) -> None:
    new = [expression for expression in dict.fromkeys(expressions) if expression not in _mentioned()]
    if not new:
        return
    from IPython.display import display

    _mentioned().update(new)
    shown = ", ".join(one_line(expression, _SHOWN_CHARACTERS) for expression in new[:_SHOWN])
    more = f" and {len(new) - _SHOWN} more" if len(new) > _SHOWN else ""
    stays = "stays as it is" if len(new) == 1 else "stay as they are"
    display({"text/plain": f"{shown}{more} {stays}: {reason}."}, raw=True)
