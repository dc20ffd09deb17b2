"""A call with a wrong argument is told so in a sentence, by the name that was meant.

Python's own TypeError says "got an unexpected keyword argument", under a stack that ends in our code, and of a value of
a wrong type it says nothing until some inner function compares a text with a number. In a notebook both are slips of
the pen, ``wait(timeout=5)`` or ``delete("a", yes="no")``; the second would even be taken for a yes. So what people call
is checked against its own signature. Whoever takes any name (``**options``) checks those itself, and only those.
"""

from __future__ import annotations

import inspect
from functools import wraps
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

from kubeai_notebook.errors import UsageError
from kubeai_notebook.text import one_line

from .messages import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_Called = TypeVar("_Called", bound="Callable[..., Any]")
_Class = TypeVar("_Class", bound=type)

_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "float": ((Real,), "a number"),
    "int": ((Integral,), "a whole number"),
    "bool": ((bool, Integral), "True or False"),
    "str": ((str,), "a text"),
}
"""By the annotation: the types that are taken, and how they are called."""


def checks_calls(cls: _Class) -> _Class:
    """Check the calls of a class's public methods, as `checked_call` does."""
    for name, method in list(vars(cls).items()):
        if (name == "__call__" or not name.startswith("_")) and inspect.isfunction(method):
            setattr(cls, name, checked_call(method))
    return cls


def checked_call(function: _Called) -> _Called:
    """The function with a UsageError of one sentence where it is called with an argument that it does not take."""
    takes_any = bool(function.__code__.co_flags & inspect.CO_VARKEYWORDS)
    signature = _own_signature(function) if takes_any else inspect.signature(function)
    parameters = {name: one for name, one in signature.parameters.items() if name != "self"}
    by_name = {name for name, one in parameters.items() if one.kind is not one.POSITIONAL_ONLY}

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        called = function.__name__
        for name in () if takes_any else kwargs.keys() - parameters.keys():
            raise _unknown(called, name, parameters)
        # What comes by the name of a positional parameter is a field; Python 3.11 refuses to bind that.
        own = {name: value for name, value in kwargs.items() if not takes_any or name in by_name}
        try:
            bound = signature.bind(*args, **own)
        except TypeError:
            raise _wrong_number(called, signature, (args, own)) from None
        for name, value in bound.arguments.items():
            if name in parameters and parameters[name].kind is not inspect.Parameter.VAR_KEYWORD:
                _check(called, parameters[name], value)
        return function(*args, **kwargs)

    return checked  # type: ignore[return-value]  # it has the same signature


def _own_signature(function: Callable[..., Any]) -> inspect.Signature:
    """What a function with ``**fields`` is called with beside them; `shows` lists the fields as if it named each."""
    code = function.__code__
    named = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & inspect.CO_VARARGS)
    shown = inspect.signature(function)
    own = [shown.parameters[name] for name in code.co_varnames[:named]]
    # By its name, one that stands before the "/" is a field.
    first = [one.replace(kind=inspect.Parameter.POSITIONAL_ONLY) for one in own[: code.co_posonlyargcount]]
    own = [*first, *own[len(first) :]]
    fields = inspect.Parameter(code.co_varnames[named], inspect.Parameter.VAR_KEYWORD)
    return shown.replace(parameters=[*sorted(own, key=lambda one: one.kind), fields])


def _unknown(called: str, name: str, parameters: Mapping[str, Any]) -> UsageError:
    begun = [one for one in parameters if one.startswith(name)]
    meant = begun[0] if begun else nearest(name, parameters)
    takes = f"It takes {' and '.join(parameters)}." if parameters else "It takes none."
    message = f"{called}() takes no argument {one_line(name, 40)}."
    return UsageError(message, f"Did you mean {meant}?" if meant else takes)


class _Written(str):
    """An annotation as it is written: Python would show one that is a text in quotation marks."""

    __slots__ = ()
    __repr__ = str.__str__

    @classmethod
    def of(cls, parameter: inspect.Parameter) -> Any:
        """That of a parameter; none where any value is taken, which says nothing."""
        written = parameter.annotation
        return parameter.empty if written == "Any" else cls(written) if isinstance(written, str) else written


def _wrong_number(called: str, signature: inspect.Signature, given: tuple[Any, Any]) -> UsageError:
    """The error of a call in which something is missing, given twice, or too much."""
    parameters = [one for name, one in signature.parameters.items() if name != "self"]
    shown = [one.replace(annotation=_Written.of(one)) for one in parameters]
    how = f"It is called as {called}{signature.replace(parameters=shown, return_annotation=signature.empty)}."
    try:
        bound = signature.bind_partial(*given[0], **given[1]).arguments
    except TypeError:
        numbers = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY and one.annotation == "int"]
        places = [one for one in signature.parameters.values() if one.kind < inspect.Parameter.VAR_POSITIONAL]
        last = given[0][len(places) :]
        if len(last) == 1 and type(last[0]) is int and numbers and numbers[0] not in given[1]:
            how = f"Write {numbers[0]}={last[0]}. {how}"
        return UsageError(f"{called}() was given more than it takes.", how)
    open_ended = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [one.name for one in parameters if one.default is one.empty and one.kind not in open_ended]
    return UsageError(f"{called}() needs {' and '.join(name for name in needed if name not in bound)}.", how)


def _check(called: str, parameter: inspect.Parameter, value: Any) -> None:
    """Whether a value has the type that its parameter names, where that is a plain one; a required one is not None."""
    kinds = {part.strip() for part in str(parameter.annotation).split("|")}
    optional = "None" in kinds or parameter.default is None
    plain = kinds - {"None"}
    known = [_KINDS[kind] for kind in sorted(plain)] if plain <= _KINDS.keys() else []
    for one in value if parameter.kind is parameter.VAR_POSITIONAL else (value,):
        if one is None and optional:
            continue
        if known and not any(_is(one, types) for types, _ in known):
            wanted = " or ".join(words for _, words in known)
            raise UsageError(f"{called}() takes {parameter.name} as {wanted}, not {_shown(one)}.")
        if one is None and not known and parameter.default is parameter.empty:
            raise UsageError(f"{called}() needs {parameter.name}, and was given None.")


def _is(value: Any, types: tuple[type, ...]) -> bool:
    # True is a number to Python, and none to people; numpy's own is no bool, and before numpy 2 it was called bool_.
    is_bool = isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")
    return bool in types if is_bool else isinstance(value, types)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f'the text "{one_line(value, 20)}"'
    return (
        "None"
        if value is None
        else one_line(str(value), 20)
        if isinstance(value, Real)
        else f"a {type(value).__name__}"
    )
