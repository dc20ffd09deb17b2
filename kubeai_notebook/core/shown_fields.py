"""Gives functions with ``**fields`` the signature and the docstring that people see: help(), ``?`` and Tab.

A function that takes ``**fields: Any`` shows nobody what it takes, and written out each would repeat thirty
parameters. So the fields are a TypedDict whose hints carry a line each: type checkers read it behind ``**``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_type_hints

_Function = TypeVar("_Function", bound=Callable[..., Any])


def docs_of(fields: type) -> Mapping[str, str]:
    """One line for each field of a TypedDict whose hints are ``Annotated[type, line]``."""
    return {name: hint.__metadata__[0] for name, hint in get_type_hints(fields, include_extras=True).items()}


def shows(fields: type) -> Callable[[_Function], _Function]:
    """A decorator for a function with ``**fields: Unpack[…]`` that names each of them where people look.

    A parameter that is positional only, so that it may also come by its name as one of the fields, is shown once.
    """

    def decorated(function: _Function) -> _Function:
        signature, hints = inspect.signature(function), get_type_hints(fields)
        own = [parameter for parameter in signature.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
        shown = [
            parameter.replace(kind=parameter.POSITIONAL_OR_KEYWORD) if parameter.name in hints else parameter
            for parameter in own
        ]
        more = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_short(hint))
            for name, hint in hints.items()
            if name not in signature.parameters
        ]
        parameters = [*shown, *more]
        function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # it has one
        lines = [f"    {name}: {line}." for name, line in docs_of(fields).items()]
        function.__doc__ = "\n".join([inspect.cleandoc(function.__doc__ or ""), "", "Fields:", *lines])
        return function

    return decorated


def _short(hint: Any) -> Any:
    """The type without the modules of its parts."""
    if isinstance(hint, type):
        return hint
    return re.sub(r"\b(collections\.abc|typing)\.", "", inspect.formatannotation(hint))
