"""Which lines of a cell show their value: IPython shows that of the last one only.

``%kubeai_serve a`` above ``%kubeai_serve b`` left one card, and a loop none. So each line of ours whose value would get
lost is wrapped in the tree that IPython is about to run. Only there is it known what would get lost: a magic cannot
see whether its value is assigned or shown, and one that displayed by itself would show the last line's twice.

The other way round, what a chat streamed stands there already: ``x = %kubeai_chat …`` gives the Reply, and a line that
stands alone shows nothing more.
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
_SHOW, _REST = f"{_ROOM}.show(value)", f"{_ROOM}.unless_shown(value)"
_shown_ids: set[int] = set()
"""What the call before showed as it came; an id, since the value itself may be a large table."""


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
    """Remember of a call's value that it is shown; ``None`` as the next one begins."""
    _shown_ids.clear()
    if value is not None:
        _shown_ids.add(id(value))


def unless_shown(value: Any) -> Any:
    """The value of a call that ends here, or ``None`` where it is shown already."""
    shown = id(value) in _shown_ids
    _shown_ids.clear()
    return None if shown else value


def show(value: Any) -> None:
    """Show a line's value where IPython would not."""
    if unless_shown(value) is not None:
        from IPython.display import display

        display(value)


class ShownLines(ast.NodeTransformer):
    """Has every line of ours shown that IPython will not show; the shell has one among its ``ast_transformers``."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def visit_Module(self, module: ast.Module) -> ast.Module:
        """Wrap those lines; ``ast_node_interactivity`` says which IPython shows by itself."""
        shown = self._shell.ast_node_interactivity
        for holder in ast.walk(module) if shown != "none" else ():
            for body in _bodies(holder):
                # One that IPython shows as well, inside the last statement, comes to it as None.
                kept = () if holder is not module else body if shown == "all" else body[-1:]
                body[:] = [_rest(statement) if statement in kept else _wrapped(statement) for statement in body]
        return module


def _bodies(holder: ast.AST) -> Iterator[list[ast.stmt]]:
    """The lists of statements that a node holds directly."""
    for name in ("body", "orelse", "finalbody"):
        if isinstance(body := getattr(holder, name, None), list):
            yield body


def _wrapped(statement: ast.stmt) -> ast.stmt:
    """The statement; a line of ours that is not quiet, in the call that shows its value."""
    call = call_of(statement.value) if isinstance(statement, ast.Expr) else None
    return statement if call is None or is_quiet(*call) else _inside(_SHOW, statement)


def _rest(statement: ast.stmt) -> ast.stmt:
    """The statement that IPython shows; a line or a cell of ours gives it nothing that is shown already."""
    ours = isinstance(statement, ast.Expr) and _runs_ours(statement.value)
    return _inside(_REST, statement) if ours else statement


def _runs_ours(node: ast.AST) -> bool:
    """Whether this is a magic of ours, whatever its line says."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
        return False
    name = node.args[0]
    is_magic = node.func.attr in ("run_line_magic", "run_cell_magic")
    return is_magic and isinstance(name, ast.Constant) and str(name.value).startswith("kubeai")


def _inside(call: str, statement: ast.stmt) -> ast.stmt:
    """The statement's expression as the argument of a call."""
    tree = ast.parse(call)
    for node in ast.walk(tree):
        ast.copy_location(node, statement)
    wrapped: Any = tree.body[0]
    wrapped.value.args = [statement.value]  # type: ignore[attr-defined]  # it is an Expr
    return wrapped  # type: ignore[no-any-return]  # as above
