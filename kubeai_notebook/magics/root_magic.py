"""``%kubeai``: what can be said, and any of it by the umbrella's name."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.errors import UsageError

from .registry import VERBS

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class Listing:
    """All magics, a line each."""

    def __repr__(self) -> str:
        width = max(len(verb.magic) for verb in VERBS)
        lines = [f"{verb.magic:{width}}  {verb.summary}" for verb in VERBS]
        return "\n".join([*lines, "", "Each explains itself: %kubeai_serve --help. %kubeai serve … says the same."])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="text-align:left"><code>{escape(verb.magic)}</code></td>'
            f'<td style="text-align:left">{escape(verb.summary)}</td></tr>'
            for verb in VERBS
        )
        said = "Each explains itself: <code>%kubeai_serve --help</code>. <code>%kubeai serve …</code> says the same."
        return f"<table>{rows}</table><p>{said}</p>"


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
        raise UsageError(f"{verb.magic} has no use for a cell's text.", f"Write %kubeai {line.strip()} with one %.")
    return run_verb(shell, verb, line=rest, body=cell)
