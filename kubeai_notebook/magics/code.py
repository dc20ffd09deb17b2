"""The magic that shows code: code."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from .parser import MagicParser, parser_for

if TYPE_CHECKING:
    from kubeai_notebook.present.code import Code

    from .invocation import Invocation


@cache
def code_parser() -> MagicParser:
    """The options of ``%kubeai_code``."""
    from kubeai_notebook.core.snippets import KINDS

    parser = parser_for(
        "%kubeai_code",
        "Show code that calls a Model and runs as it is shown; no token is in it.",
        "%kubeai_code smol",
        "%kubeai_code smol curl",
        "%kubeai_code smol langchain -o code",
        synopsis="[NAME [KIND]] [options]",
    )
    parser.add_name()
    parser.add_argument("kind", nargs="?", metavar="KIND", default="python", help=f"one of {', '.join(KINDS)}")
    return parser


def code(call: Invocation) -> Code:
    """The code, which shows itself."""
    return call.model.code(call.options.kind)
