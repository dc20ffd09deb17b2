"""The magic that shows a playground."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.masking import quoted
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.errors import UsageError

from .parser import MagicParser, parser_for
from .variables import value_of

if TYPE_CHECKING:
    from .invocation import Invocation


@cache
def playground_parser() -> MagicParser:
    """The options of ``%kubeai_playground``."""
    parser = parser_for(
        "%kubeai_playground",
        "Try a Model: chat with it, alone or beside others, or look at the vectors that it makes. What was said is\n"
        "kept for this notebook; -o NAME gives it as data: NAME.messages, NAME.votes().",
        "%kubeai_playground smol",
        "%kubeai_playground smol -o play",
        "%kubeai_playground smol --new",
        "%kubeai_playground mini --data reviews --column text",
        synopsis="NAME [NAME[_ADAPTER] ...] [options]",
    )
    add = parser.add_argument
    add("name", metavar="NAME", help="name of the Model")
    add("columns", metavar="NAME", nargs="*", help="Models and adapters that answer beside it")
    add("--new", action="store_true", help="begin another dialogue")
    add("--data", metavar="TABLE", help="of an embedding Model: a DataFrame's variable, which is searched and mapped")
    add("--column", metavar="COLUMN", help="its column of texts; needless where there is but one")
    add("--color", metavar="COLUMN", help="the column that colours the map")
    return parser


def playground(call: Invocation) -> Any:
    """Show the playground of a Model.

    Raises:
        UsageError: ``--data`` names no table.
    """
    options = call.options
    data = value_of(call, options.data) if options.data else None
    if options.data and data is None:
        there = did_you_mean(options.data, call.variables)
        raise UsageError(f"--data: there is no table {quoted(options.data)}.{there}", "Name a DataFrame's variable.")
    return call.model.playground(
        *options.columns, new=options.new, data=data, column=options.column or "", color=options.color or ""
    )
