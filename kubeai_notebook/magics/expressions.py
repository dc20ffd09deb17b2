"""What an expression of the user's variables may say, and its value: a closed list, walked node by node.

An expression stands in a text that may be somebody else's, pasted into a cell. So it reads and never acts: names of
the user's, fields, items, operators, and the calls listed here, which change nothing and cannot take long. Python's
own ``eval`` knows no such list, and a list of what is forbidden was never complete: ``for x.__class__.f in [exec]``
calls without a call.
"""

from __future__ import annotations

import ast
import operator
import warnings
from numbers import Number
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from IPython.core.interactiveshell import InteractiveShell

LONGEST = 2000
"""Characters; a longer one is a text that happens to stand between braces."""
_MOST = 10_000_000
"""Characters that a method of a text may make."""
_MOST_DIGITS = 20


class NotAllowedError(Exception):
    """The expression is Python that names a variable of the user's, and says more than this list holds."""


def own_variables(shell: InteractiveShell, local_ns: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The user's variables, without what IPython has put among them, such as ``In``, ``Out`` and ``_``."""
    hidden, missing = shell.user_ns_hidden, object()
    merged = {**shell.user_ns, **(local_ns or {})}
    return {
        name: value
        for name, value in merged.items()
        if not name.startswith("__") and hidden.get(name, missing) is not value
    }


def value_of(expression: str, variables: Mapping[str, Any], *, data_only: bool = True) -> Any:
    """The value of an expression; it raises whatever reading the user's own values raises.

    ``data_only``: modules, classes and functions are no values, so that no way leads from a text to the program.

    Raises:
        LookupError: it is no Python, or names a variable that there is not, or none at all.
        NotAllowedError: it says more than the list holds.
    """
    expression = expression.strip()
    if len(expression) > LONGEST:
        raise LookupError
    try:
        with warnings.catch_warnings():
            # Python warns of odd escapes and comparisons, which are somebody else's language here.
            warnings.simplefilter("ignore")
            tree = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise LookupError from None
    if variables.keys().isdisjoint(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)):
        raise LookupError
    return _Reader(variables, data_only=data_only).value(tree)


def _rounded(number: Any, *digits: int) -> Any:
    if any(abs(count) > _MOST_DIGITS for count in digits):
        raise NotAllowedError  # it would take 10 to this power
    return round(number, *digits)


_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.BitAnd: operator.and_, ast.BitOr: operator.or_,
    ast.UAdd: operator.pos, ast.USub: operator.neg, ast.Invert: operator.invert, ast.Not: operator.not_,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda item, holder: item in holder, ast.NotIn: lambda item, holder: item not in holder,
}  # fmt: skip
"""No power and no shift: ``9**9**9`` has no end."""
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "len": len, "str": str, "int": int, "float": float, "abs": abs, "round": _rounded,
    "min": min, "max": max, "sum": sum, "sorted": sorted, "list": list,
}  # fmt: skip
_METHODS: Mapping[type, frozenset[str]] = {
    str: frozenset(
        {"upper", "lower", "title", "capitalize", "casefold", "strip", "lstrip", "rstrip", "split", "rsplit"}
        | {"splitlines", "join", "replace", "removeprefix", "removesuffix", "startswith", "endswith", "count", "find"}
    ),
    dict: frozenset({"get", "keys", "values", "items"}),
}
"""``format`` would read fields, and ``ljust`` make a text of any length."""
_DATA = (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, range, slice, BaseException)
_DATA_TYPES: frozenset[type] = frozenset({type(None), type({}.keys()), type({}.values()), type({}.items())})


def _is_data(value: Any) -> bool:
    """Whether this is a value, and no module, class, function, frame or generator, which all lead to the program."""
    if isinstance(value, type | ModuleType):
        return False
    return type(value).__module__ != "builtins" or isinstance(value, _DATA) or type(value) in _DATA_TYPES


class _Reader:
    """Walks an expression; what has no case here is not allowed."""

    def __init__(self, variables: Mapping[str, Any], *, data_only: bool) -> None:
        self._variables, self._data_only = variables, data_only

    def value(self, node: ast.AST) -> Any:
        value = self._read(node)
        if self._data_only and not _is_data(value):
            raise NotAllowedError
        return value

    def _values(self, nodes: Iterable[ast.AST]) -> list[Any]:
        return [self.value(node) for node in nodes]

    def _read(self, node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name) if not name.startswith("__"):
                return self._variables[name]
            case ast.Attribute(value=holder, attr=name) if not name.startswith("_"):
                return getattr(self.value(holder), name)
            case ast.Subscript(value=holder, slice=place):
                return self.value(holder)[self.value(place)]
            case ast.Slice(lower=lower, upper=upper, step=step):
                return slice(*(part and self.value(part) for part in (lower, upper, step)))
            case ast.List(elts=items):
                return self._values(items)
            case ast.Tuple(elts=items):
                return tuple(self._values(items))
            case ast.Dict(keys=keys, values=values) if None not in keys:
                return dict(zip(self._values(filter(None, keys)), self._values(values), strict=True))
        return self._worked_out(node)

    def _worked_out(self, node: ast.AST) -> Any:
        match node:
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.value(body if self.value(test) else orelse)
            case ast.BoolOp(op=kind, values=parts):
                return self._first(parts, end=isinstance(kind, ast.Or))
            case ast.UnaryOp(op=kind, operand=operand):
                return self._operated(kind, operand)
            case ast.BinOp(left=left, op=kind, right=right) | ast.Compare(left=left, ops=[kind], comparators=[right]):
                return self._operated(kind, left, right)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name not in self._variables:
                return _called(_FUNCTIONS.get(name), self._values(args))
            case ast.Call(func=ast.Attribute(value=holder, attr=name), args=args, keywords=[]):
                return _called_method(self.value(holder), name, self._values(args))
        raise NotAllowedError

    def _first(self, parts: list[ast.expr], *, end: bool) -> Any:
        """The first value that is as true as ``end``, or the last one."""
        *firsts, last = parts
        for part in firsts:
            if bool(value := self.value(part)) is end:
                return value
        return self.value(last)

    def _operated(self, kind: ast.AST, *nodes: ast.AST) -> Any:
        sides = self._values(nodes)
        # "%99999999d" % 1 and "a" * 99999999 make a text of any length.
        repeats = isinstance(kind, ast.Mult | ast.Mod) and not all(isinstance(side, Number) for side in sides)
        return _called(None if repeats else _OPERATORS.get(type(kind)), sides)


def _called(function: Callable[..., Any] | None, values: list[Any]) -> Any:
    if function is None:
        raise NotAllowedError
    return function(*values)


def _called_method(receiver: Any, name: str, values: list[Any]) -> Any:
    kind = next((kind for kind in _METHODS if isinstance(receiver, kind)), object)
    longest = max((len(value) for value in values if hasattr(value, "__len__")), default=0)
    if name not in _METHODS.get(kind, ()) or len(receiver) * longest > _MOST:
        raise NotAllowedError
    # Of the kind itself: a class of the user's may have one of this name that acts.
    return getattr(kind, name)(receiver, *values)
