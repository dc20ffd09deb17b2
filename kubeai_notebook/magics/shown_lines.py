"""Which lines of a cell show their value: IPython shows that of the last one only.

``%kubeai_serve a`` above ``%kubeai_serve b`` left one card, and a loop none. So each line of ours whose value would get
lost is wrapped in the tree that IPython is about to run. Only there is it known what would get lost: a magic cannot
see whether its value is assigned or shown, and one that displayed by itself would show the last line's twice.

The other way round, what a chat streamed stands there already, so its magic gives IPython nothing to show. Where the
value is used, as in ``x = %kubeai_chat …``, the call is wrapped in one that gives it.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell

# Up to the first number sign that begins a word outside quotation marks.
_BEFORE_COMMENT = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|(?<=\S)\#|[^"'\\#])*(?<!\S)(?=\#)""", re.DOTALL)
_QUIET = re.compile(r"(?<!\S)(-q|--quiet)(?!\S)")
_ROOM = f"__import__({__name__!r}, None, None, ['show'])"
_SHOW, _GIVE = f"{_ROOM}.show(value)", f"{_ROOM}.given(value)"
_shown: list[Any] = []
"""What the call before has shown as it came, until somebody takes it or the next one begins."""


def without_comment(line: str) -> str:
    """A magic's line without the comment at its end; a number sign inside a word or a quotation is none.

    >>> without_comment("smol --env COLOR=#fff --label 'a=# b'  # the small one")
    "smol --env COLOR=#fff --label 'a=# b'"
    """
    match = _BEFORE_COMMENT.match(line)
    return match[0].rstrip() if match else line


def is_quiet(name: str, text: str) -> bool:
    """Whether a magic's line asks to show nothing: by a semicolon at its end, or by ``-q``."""
    text = without_comment(text)
    # After a bare -- all words are the engine's.
    return name.endswith(";") or text.endswith(";") or bool(_QUIET.search(text.partition(" -- ")[0]))


def call_of(node: ast.AST) -> tuple[str, str] | None:
    """Name and text of one of our magics' lines, as IPython calls them; ``None`` of anything else."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "run_line_magic"):
        return None
    words = [
        argument.value
        for argument in node.args[:2]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]
    if len(words) < 2 or not words[0].startswith("kubeai"):
        return None
    return words[0].rstrip(), words[1].rstrip()


def note_shown(value: Any) -> None:
    """Keep a value that is shown already for whoever uses it; ``None`` as the next call begins."""
    _shown[:] = [] if value is None else [value]


def given(value: Any) -> Any:
    """The value of a call, also where it is shown already."""
    return _shown.pop() if value is None and _shown else value


def show(value: Any) -> None:
    """Show a line's value where IPython would not."""
    if value is not None:
        from IPython.display import display

        display(value)


class ShownLines(ast.NodeTransformer):
    """Has every line of ours shown that IPython will not show; the shell has one among its ``ast_transformers``."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def visit_Module(self, module: ast.Module) -> ast.Module:
        """Wrap those lines; ``ast_node_interactivity`` says which IPython shows by itself."""
        module = _Given().visit(module)
        shown = self._shell.ast_node_interactivity
        for holder in ast.walk(module) if shown != "none" else ():
            for body in _bodies(holder):
                # One that IPython shows as well, inside the last statement, comes to it as None.
                kept = () if holder is not module else body if shown == "all" else body[-1:]
                body[:] = [statement if statement in kept else _wrapped(statement) for statement in body]
        return module


def _bodies(holder: ast.AST) -> Iterator[list[ast.stmt]]:
    """The lists of statements that a node holds directly."""
    for name in ("body", "orelse", "finalbody"):
        if isinstance(body := getattr(holder, name, None), list):
            yield body


def _wrapped(statement: ast.stmt) -> ast.stmt:
    """The statement; a line of ours that is not quiet, in the call that shows its value."""
    call = call_of(statement.value) if isinstance(statement, ast.Expr) else None
    if call is None or is_quiet(*call):
        return statement
    return ast.copy_location(ast.Expr(_inside(_SHOW, statement.value)), statement)  # type: ignore[attr-defined]  # an Expr


class _Given(ast.NodeTransformer):
    """Wraps the calls of ours whose value is used, and none that stands alone."""

    def visit_Expr(self, statement: ast.Expr) -> ast.stmt:
        # generic_visit is typed for any node; of a statement it gives one.
        return statement if _runs_ours(statement.value) else self.generic_visit(statement)  # type: ignore[return-value]

    def visit_Call(self, call: ast.Call) -> ast.expr:
        self.generic_visit(call)
        return _inside(_GIVE, call) if _runs_ours(call) else call


def _runs_ours(node: ast.AST) -> bool:
    """Whether this is a magic of ours, whatever its line says."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
        return False
    name = node.args[0]
    is_magic = node.func.attr in ("run_line_magic", "run_cell_magic")
    return is_magic and isinstance(name, ast.Constant) and str(name.value).startswith("kubeai")


def _inside(call: str, expression: ast.expr) -> ast.expr:
    """The expression as the argument of a call."""
    tree: Any = ast.parse(call, mode="eval")
    for node in ast.walk(tree):
        ast.copy_location(node, expression)
    tree.body.args = [expression]
    return tree.body  # type: ignore[no-any-return]  # what ast.parse gives has no type here
