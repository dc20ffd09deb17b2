"""``%kubeai``: what can be said, and any of it by the umbrella's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.errors import UsageError
from kubeai_notebook.present.html import HtmlShown, element, table

from .registry import VERBS

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from markupsafe import Markup

_HELP, _SHORT = "%kubeai_serve --help", "%kubeai serve …"


class Listing(HtmlShown):
    """All magics, a line each."""

    def _text(self) -> str:
        width = max(len(verb.magic) for verb in VERBS)
        lines = [f"{verb.magic:{width}}  {verb.summary}" for verb in VERBS]
        return "\n".join([*lines, "", f"Each explains itself: {_HELP}. {_SHORT} says the same."])

    def _html(self) -> Markup:
        rows = ((element("code", verb.magic), verb.summary) for verb in VERBS)
        help_line, short = element("code", _HELP), element("code", _SHORT)
        return table(rows) + element("p", "Each explains itself: ", help_line, ". ", short, " says the same.")


def run(shell: InteractiveShell, line: str, cell: str | None) -> Any:
    """List the magics, or run the one that the line names first."""
    name, _, rest = line.strip().rstrip(";").partition(" ")
    if name in ("", "--help", "help"):
        return Listing()
    verb = next((verb for verb in VERBS if verb.name == name.lower()), None)
    if verb is None:
        near = did_you_mean(name, [verb.name for verb in VERBS]).strip()
        raise UsageError(f'%kubeai has no verb "{name}".', near or "%kubeai lists them.")
    from .invocation import run as run_verb

    if cell is None and verb.kind == "cell" and rest.strip() != "--help":
        raise UsageError(f"{verb.magic} needs a cell.", f"Begin the cell with %%kubeai {name}, and go on below.")
    if cell is not None and verb.kind == "line":
        raise UsageError(f"{verb.magic} takes no text below its line.", f"Write %kubeai {line.strip()} with one %.")
    return run_verb(shell, verb, line=rest, body=cell)
