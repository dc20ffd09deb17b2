"""Which of the user's variables are tables, and what their columns are; no library is imported to know that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_TABLES = frozenset({("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "Table")})


def tables_in(variables: Mapping[str, Any]) -> list[str]:
    """The names of the tables; those that begin with an underscore are IPython's."""
    return [name for name, value in variables.items() if not name.startswith("_") and columns_of(value)]


def columns_of(value: Any) -> list[str]:
    """The columns of a table of pandas, polars or pyarrow; none of anything else."""
    kind = type(value)
    if not any((str(base.__module__).partition(".")[0], base.__name__) in _TABLES for base in kind.__mro__):
        return []
    # pyarrow has columns too, which are the data themselves.
    names = value.column_names if hasattr(kind, "column_names") else getattr(value, "columns", ())
    # Any other label may run code to say what it is called, and this is asked at each Tab.
    return [str(name) for name in names if isinstance(name, str | int)]
