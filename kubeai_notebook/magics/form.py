"""The magic that shows a form: what it is filled with is a line of ``%kubeai_serve``."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from . import spec_options
from .parser import MagicParser, parser_for

if TYPE_CHECKING:
    from kubeai_notebook.views.form import Form

    from .invocation import Invocation


@cache
def form_parser() -> MagicParser:
    """The options of ``%kubeai_form``."""
    parser = parser_for(
        "%kubeai_form",
        "Show a form for a new Model, or for one that is there. It checks what you type, shows the magic, the YAML\n"
        "and the Python that it stands for, and deploys. The options, and a cell's YAML, are those of %kubeai_serve.",
        "%kubeai_form",
        "%kubeai_form smol",
        "%kubeai_form ollama://smollm2:135m --min-replicas 0",
        synopsis="[NAME] [URL] [options] [-- ARGUMENTS OF THE ENGINE]",
        takes_rest=True,
    )
    spec_options.add_to(parser)
    return parser


def form(call: Invocation) -> Form:
    """Show a form that is filled with what the line says."""
    from kubeai_notebook.views.form import form_of

    from .serve import fields_of_text

    given = spec_options.fields_of_line(call.options)
    if call.body is not None:
        from .templating import marked_cell

        given = spec_options.laid_over(given, marked_cell(call))
    if call.options.project:
        from kubeai_notebook.session.platform import vault

        secrets = spec_options.secret_names(given)
        given["secrets"] = vault.granted(call.session.cluster, call.options.project, secrets)
    return form_of(call.session, given, read_magic=fields_of_text)
