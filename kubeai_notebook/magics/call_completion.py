"""Completion on Tab within a text of a Python call: ``serve(url="hf://<Tab>`` offers what a magic's line does.

Nothing is run for it: the text up to the cursor says which function is called and which argument is being written, and
the first word of the function's name is looked up among the user's variables, to tell our ``serve`` from any other.
"""

from __future__ import annotations

import re
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from .completion import known, result, values

if TYPE_CHECKING:
    from IPython.core.completer import SimpleMatcherResult

_TOKEN = re.compile(r"""(?P<text>"[^"\n]*"|'[^'\n]*')|[()\[\]{}]|(?P<open>["'])(?=[^\n]*\Z)""")
"""A text, a bracket, or the quotation mark of a text that is being written at the end."""
_CALLED = re.compile(r"[A-Za-z_][\w.]*\Z")
_ARGUMENT = re.compile(r"(\w+)\s*=\s*(?:\[[^\[\]]*)?\Z")
_CHARACTERS, _NAME_CHARACTERS = 2000, 200
_FIELDS = {"name": "stated_name", "feature": "features", "profile": "resource_profile"}


def complete_call(text: str) -> SimpleMatcherResult:
    """What may stand at the end of a text that is an argument of one of our functions."""
    call = _open_call(text[-_CHARACTERS:])
    if call is None or not _is_ours(call.called):
        return {"completions": []}
    verb, argument, word = call.called.rpartition(".")[2], call.argument, call.word
    if verb in ("attach", "delete") and argument in (None, "name"):
        return result(word, known("names"), "Model")
    if verb == "catalog" and argument == "feature":
        return result(word, values("features"), "value")
    if verb not in ("serve", "plan", "form", "new_function"):
        return {"completions": []}
    if argument is not None:
        return result(word, values(_FIELDS.get(argument, argument)), "value")
    names = [] if call.before.strip() else known("names")
    return result(word, [*names, *values("url")], "Model")


class _Call(NamedTuple):
    """The call whose text is being written."""

    called: str
    before: str
    argument: str | None
    word: str


def _open_call(text: str) -> _Call | None:
    """The innermost call that is open at the end of a text, where an argument of it, or of its list, is being written.

    One pass over brackets and texts, whatever stands there: a cell above the cursor may be anybody's.
    """
    opened: list[int] = []
    for token in _TOKEN.finditer(text):
        if token["open"]:
            break
        if token[0] in "([{":
            opened.append(token.start())
        elif token[0] in ")]}":
            del opened[-1:]
    else:
        return None
    quote = token.start()
    if opened and text[opened[-1]] == "[":
        del opened[-1:]
    if not opened or text[place := opened[-1]] != "(":
        return None
    called = _CALLED.search(text, max(place - _NAME_CHARACTERS, 0), place)
    before = text[place + 1 : quote]
    argument = _ARGUMENT.search(before, max(len(before) - _NAME_CHARACTERS, 0))
    return called and _Call(
        called[0], before[: argument.start()] if argument else before, argument and argument[1], text[quote + 1 :]
    )


def _is_ours(called: str) -> bool:
    """Whether a function's dotted name begins with something of this package's, among the user's variables."""
    from IPython import get_ipython

    first, package = called.partition(".")[0], __package__.partition(".")[0]
    if first == package:
        return True
    variables: dict[str, Any] = getattr(get_ipython(), "user_ns", {})
    found = variables.get(first)
    kind = type(found)
    # Of an object nothing is read that may run code of its own, as a proxy's attributes do.
    if issubclass(kind, ModuleType):
        name = vars(found).get("__name__")
    else:
        name = found.__module__ if kind in (FunctionType, type) else kind.__module__
    return isinstance(name, str) and name.partition(".")[0] == package
