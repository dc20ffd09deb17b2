"""``%kubeai``: what can be said, and any of it by the umbrella's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.marked_text import MarkedText
from kubeai_notebook.core.masking import quoted
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.errors import UsageError
from kubeai_notebook.present.html import ShownAsHtml, element, table

from .registry import VERBS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell
    from markupsafe import Markup

_HELP, _SHORT = "%kubeai_serve --help", "%kubeai serve …"


_CALLED_ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "models": ("ps", "list", "ls", "get", "all"),
    "serve": ("run", "pull", "start", "deploy", "create", "up", "load", "launch"),
    "scale": ("stop", "sleep", "pause", "resume", "replicas"),
    "delete": ("rm", "remove", "down", "kill", "destroy"),
    "status": ("show", "inspect", "watch", "wait"),
    "why": ("explain", "describe", "debug", "events", "fix"),
    "chat": ("ask", "generate", "complete", "prompt"),
    "map": ("batch", "enrich", "label", "classify"),
    "embed": ("embedding", "embeddings", "vectors", "encode"),
    "compare": ("diff", "versus", "vs", "side"),
    "yaml": ("edit", "manifest", "export"),
    "config": ("set", "settings", "context", "namespace", "use"),
    "doctor": ("check", "version", "info"),
}
"""A verb of ours, and what other programs call it."""


class Listing(ShownAsHtml):
    """All magics, a line each."""

    def _text(self) -> str:
        width = max(len(verb.magic) for verb in VERBS)
        lines = [f"{verb.magic:{width}}  {verb.summary}" for verb in VERBS]
        return "\n".join([*lines, "", f"Each explains itself: {_HELP}. {_SHORT} says the same."])

    def _html(self) -> Markup:
        rows = ((element("code", verb.magic), verb.summary) for verb in VERBS)
        help_line, short = element("code", _HELP), element("code", _SHORT)
        return table(rows) + element("p", "Each explains itself: ", help_line, ". ", short, " says the same.")


def _meant(name: str) -> str:
    """What somebody meant who knows the words of docker, kubectl or ollama."""
    other = next((verb for verb, words in _CALLED_ELSEWHERE.items() if name.lower() in words), "")
    if other:
        return f"%kubeai_{other} does that."
    return did_you_mean(name, [verb.name for verb in VERBS]).strip() or "%kubeai lists them."


def run(shell: InteractiveShell, line: str, cell: str | None) -> Any:
    """List the magics, or run the one that the line names first."""
    name, _, rest = line.strip().rstrip(";").partition(" ")
    if name in ("", "--help", "help"):
        return Listing()
    verb = next((verb for verb in VERBS if verb.name == name.lower()), None)
    if verb is None:
        raise UsageError(f"%kubeai has no verb {quoted(MarkedText.of(line).typed(name))}.", _meant(name))
    from .invocation import run as run_verb

    if cell is not None and verb.kind == "line":
        raise UsageError(
            f"{verb.magic} takes no text below its line.",
            f"Write %kubeai {MarkedText.of(line).typed().strip()} with one %.",
        )
    return run_verb(shell, verb, line=MarkedText.of(line).part(rest), body=cell)
