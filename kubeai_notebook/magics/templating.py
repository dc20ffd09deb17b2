"""A cell's text, or a magic's line, with values of the user's variables filled in.

Prompts and templates are full of braces that mean something else: JSON, LaTeX, and above all Jinja, whose
``{{ message['content'] }}`` looks just like ours. No spelling tells them apart, but the user's variables do: an
expression is filled in only where it is Python, names at least one variable of the user's, every name in it is known,
and it has a value. Everything else stays as it is. What was filled in is never looked at again, so a value may hold
braces of its own.
"""

from __future__ import annotations

import builtins
import re
import symtable
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

from kubeai_notebook.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .invocation import Invocation

# The innermost braces only: "{{ a {{ b }}" holds the expression b.
_IN_CELL = re.compile(r"\{\{(?P<expression>(?:(?!\{\{).)+?)\}\}", re.DOTALL)
_IN_LINE = re.compile(r"\{(?P<double>\{)?(?P<expression>[A-Za-z_][^{}]*)\}(?(double)\})|\$(?P<name>[A-Za-z_]\w*)")
LONGEST_EXPRESSION = 2000
"""Characters; a longer one is a text that happens to stand between braces."""
_SHOWN, _SHOWN_CHARACTERS = 5, 60


def filled(call: Invocation) -> str:
    """The cell's text with its variables filled in, unless ``--raw``; the user is told once of what stays."""
    text = call.body or ""
    if call.options.raw:
        return text
    left: list[str] = []
    result = expand(text, call.variables, left)
    new = [expression for expression in dict.fromkeys(left) if expression not in _mentioned()]
    if new:
        _mentioned().update(new)
        _mention(new)
    return result


def expand(text: str, variables: dict[str, Any], left: list[str] | None = None) -> str:
    """Replace ``{{expression}}`` by its value where it has one; to ``left`` the others are added.

    Single braces are left alone: prompts are full of JSON.
    """

    def replace(match: re.Match[str]) -> str:
        value = _value(match["expression"], variables)
        if value is None and left is not None:
            left.append(match[0])
        return match[0] if value is None else value

    return _IN_CELL.sub(replace, text)


def expand_line(line: str, variables: dict[str, Any]) -> str:
    """Replace ``{expression}``, ``{{expression}}`` and ``$name``, but leave JSON and what has no value alone.

    IPython takes ``{"image": 2}`` for the text "image" with a width of 2.
    """

    def replace(match: re.Match[str]) -> str:
        value = _value(match["expression"] or match["name"], variables)
        return match[0] if value is None else value

    return _IN_LINE.sub(replace, line)


def _value(expression: str, variables: dict[str, Any]) -> str | None:
    """What an expression of the user's variables evaluates to, as text; ``None`` for everything else."""
    expression = expression.strip()
    with warnings.catch_warnings():
        # Python warns of odd escapes and comparisons, which are somebody else's language here.
        warnings.simplefilter("ignore")
        if not _is_of(expression, variables):
            return None
        try:
            return str(eval(expression, variables))  # noqa: S307 - the user's own code, in the user's own kernel
        except Exception:  # noqa: BLE001 - which may raise anything
            return None


def _is_of(expression: str, variables: Mapping[str, Any]) -> bool:
    """Whether this is Python that names a variable of the user's, and nothing unknown."""
    if len(expression) > LONGEST_EXPRESSION:
        return False
    try:
        names = _names(symtable.symtable(expression, "<cell>", "eval"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return not names.isdisjoint(variables) and all(name in variables or hasattr(builtins, name) for name in names)


def _names(table: symtable.SymbolTable) -> set[str]:
    """The names that are looked up outside: not those that a lambda or a comprehension binds."""
    names = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced()}
    return names.union(*map(_names, table.get_children()))


@cache
def _mentioned() -> set[str]:
    """What this kernel's user has been told of."""
    return set()


def _mention(expressions: list[str]) -> None:
    from IPython.display import display

    shown = ", ".join(one_line(expression, _SHOWN_CHARACTERS) for expression in expressions[:_SHOWN])
    more = f" and {len(expressions) - _SHOWN} more" if len(expressions) > _SHOWN else ""
    stays = "stays as it is" if len(expressions) == 1 else "stay as they are"
    reason = "only an expression of your variables that has a value is filled in"
    display({"text/plain": f"{shown}{more} {stays}: {reason}; --raw leaves all of them alone."}, raw=True)
