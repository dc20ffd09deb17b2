"""The magics: parse a line, delegate, return something that shows itself."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell


def install(shell: InteractiveShell) -> None:
    """Register all magics and the settings; imports nothing that a first cell does not need."""
    from IPython.core.completer import context_matcher

    from kubeai_notebook import settings

    from .registry import questions, register, semicolons
    from .shown_lines import ShownLines

    kubeai = settings.KubeAI(parent=shell)
    settings.install(kubeai)
    kubeai.observe(_changed)
    shell.configurables.append(kubeai)  # type: ignore[arg-type]  # any Configurable
    register(shell)
    _remove(shell)  # loaded twice, it would complete twice
    shell.input_transformers_cleanup.append(questions)
    shell.input_transformers_post.append(semicolons)
    shell.ast_transformers.append(ShownLines(shell))
    shell.Completer.custom_matchers.append(context_matcher(identifier="kubeai")(_complete))


def uninstall(shell: InteractiveShell) -> None:
    """Close the default Session and forget the settings; the magics' names stay until the kernel ends."""
    from kubeai_notebook import settings
    from kubeai_notebook.session.session import close_defaults

    close_defaults("the extension was unloaded")
    _remove(shell)
    shell.configurables[:] = [one for one in shell.configurables if not isinstance(one, settings.KubeAI)]
    settings.install(settings.KubeAI())
    changed_here().clear()


def _remove(shell: InteractiveShell) -> None:
    from .registry import questions, semicolons
    from .shown_lines import ShownLines

    before, transformers = shell.input_transformers_cleanup, shell.input_transformers_post
    matchers = shell.Completer.custom_matchers
    before[:] = [one for one in before if one is not questions]
    shell.ast_transformers[:] = [one for one in shell.ast_transformers if not isinstance(one, ShownLines)]
    transformers[:] = [one for one in transformers if one is not semicolons]
    matchers[:] = [one for one in matchers if one is not _complete]


def _complete(context: CompletionContext) -> SimpleMatcherResult:
    """Complete a line or a call of ours; the rest is imported when there is one."""
    line = context.text_until_cursor
    if "%kubeai" in line:
        from .completion import complete

        return complete(line)
    if line.rpartition("(")[2].count('"') % 2 or line.rpartition("(")[2].count("'") % 2:
        from .call_completion import complete_call

        before = context.full_text.split("\n")[: context.cursor_line]
        return complete_call("\n".join([*before, line]))
    return {"completions": []}


@cache
def changed_here() -> set[str]:
    """Names of the settings that were changed since the extension was loaded."""
    return set()


def _changed(change: dict[str, Any]) -> None:
    """Have the default Sessions follow a setting that changed; before the first call there are none."""
    import sys

    changed_here().add(change["name"])
    if sessions := sys.modules.get("kubeai_notebook.session.session"):
        sessions.follow_settings()
