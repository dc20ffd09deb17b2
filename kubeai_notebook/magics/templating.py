"""A cell's text: ``{{expression}}`` stands for the value of a variable."""

from __future__ import annotations

import builtins
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from kubeai_notebook.text import plain

if TYPE_CHECKING:
    from .invocation import Call

_EXPRESSION = re.compile(r"\{\{(.+?)\}\}", re.DOTALL)
_NO_VALUE = (ArithmeticError, AttributeError, LookupError, NameError, SyntaxError, TypeError, ValueError)
_IN_LINE = re.compile(r"\{(?P<name>[A-Za-z_]\w*)(?P<calls>\()?[^{}]*\}|\$(?P<dollar>[A-Za-z_]\w*)")


def filled(call: Call) -> str:
    """The cell's text with its variables filled in, unless ``--raw``; what has no value is told once."""
    text = call.body or ""
    if call.options.raw:
        return text
    filled_in = expand(text, call.variables)
    told = _told()
    left = [one for one in dict.fromkeys(_unknown(text, call.variables)) if one not in told]
    if left:
        told.update(left)
        verbs = "has no value here and stays as it is" if len(left) == 1 else "have no value here and stay as they are"
        _say(f"{', '.join(f'{{{{{one}}}}}' for one in left)} {verbs}; --raw leaves all of them alone.")
    return filled_in


def expand(text: str, variables: dict[str, Any]) -> str:
    """Replace ``{{expression}}`` by its value; what has no value here stays as it is.

    Single braces are left alone: prompts are full of JSON. ``{{'{{'}}`` writes two braces.
    """

    def value(match: re.Match[str]) -> str:
        expression = match[1].strip()
        if _is_unknown(expression, variables):
            return match[0]
        return str(eval(expression, variables))  # noqa: S307 - the user's own code, in the user's own kernel

    return _EXPRESSION.sub(value, text)


def expand_line(line: str, variables: dict[str, Any]) -> str:
    """Replace ``{expression}`` and ``$name`` as IPython does, but leave JSON and what has no value alone.

    IPython takes ``{"image": 2}`` for the text "image" with a width of 2.
    """

    def value(match: re.Match[str]) -> str:
        name, calls = match["name"] or match["dollar"], bool(match["calls"])
        if name not in variables and not (calls and hasattr(builtins, name)):
            return match[0]
        try:
            return str(eval(match[0].strip("{}$"), variables))  # noqa: S307 - as below
        except _NO_VALUE:
            return match[0]

    return _IN_LINE.sub(value, line)


def _unknown(text: str, variables: dict[str, Any]) -> list[str]:
    found = (match[1].strip() for match in _EXPRESSION.finditer(text))
    return [expression for expression in found if _is_unknown(expression, variables)]


def _is_unknown(expression: str, variables: dict[str, Any]) -> bool:
    root = re.match(r"[A-Za-z_]\w*", expression)
    return bool(root and root[0] not in variables and not hasattr(builtins, root[0]))


@cache
def _told() -> set[str]:
    """What this kernel's user was told of."""
    return set()


def _say(sentence: str) -> None:
    from IPython.display import display

    display({"text/plain": plain(sentence)}, raw=True)
