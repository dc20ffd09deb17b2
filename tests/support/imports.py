"""Who imports whom: no circle, and no long chain.

A chain is how many modules one must know to know the first. It counts what a module imports when it is itself
imported; circles count imports within functions and under ``TYPE_CHECKING`` as well, for a reader meets those too.
A package's ``__init__`` is no step: whoever imports a module of it has not chosen it.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import grimp

PACKAGE = "kubeai_notebook"
LONGEST_CHAIN = 13

Graph = dict[str, set[str]]


def graph(*, at_import_only: bool) -> Graph:
    """What each module of ours imports; ``at_import_only`` leaves out what stands in functions or is for types."""
    built = grimp.build_graph(PACKAGE, exclude_type_checking_imports=at_import_only, cache_dir=None)
    modules = {name for name in built.modules if _path(name).name != "__init__.py"}
    imports = {name: built.find_modules_directly_imported_by(name) & modules for name in modules}
    if not at_import_only:
        return imports
    return {name: {other for other in others if _runs(built, name, other)} for name, others in imports.items()}


def circles(imports: Graph) -> list[list[str]]:
    """The groups of modules that reach each other (Tarjan's strongly connected components), largest first."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(imports[name]):
            if other not in index:
                visit(other)
            if other in stack:
                low[name] = min(low[name], low[other])
        if low[name] == index[name]:
            place = stack.index(name)
            found.append(sorted(stack[place:]))
            del stack[place:]

    for name in sorted(imports):
        if name not in index:
            visit(name)
    return sorted((group for group in found if len(group) > 1), key=len, reverse=True)


def longest_chain(imports: Graph) -> list[str]:
    """The longest way down. RecursionError where there is a circle."""

    @cache
    def below(name: str) -> tuple[str, ...]:
        return (name, *max((below(other) for other in sorted(imports[name])), key=len, default=()))

    return list(max(map(below, sorted(imports)), key=len))


def _runs(built: grimp.ImportGraph, importer: str, imported: str) -> bool:
    lines = _lines_at_import(importer)
    return any(
        detail["line_number"] in lines for detail in built.get_import_details(importer=importer, imported=imported)
    )


@cache
def _lines_at_import(name: str) -> frozenset[int]:
    """The lines of the import statements that are no part of a function."""
    lines: set[int] = set()
    waiting: list[ast.AST] = [ast.parse(_path(name).read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            lines.add(node.lineno)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return frozenset(lines)


@cache
def _path(name: str) -> Path:
    """The file of a module, found without importing it."""
    root = find_spec(PACKAGE)
    assert root is not None
    assert root.origin is not None
    below = Path(root.origin).parent.joinpath(*name.split(".")[1:])
    return below / "__init__.py" if below.is_dir() else below.with_suffix(".py")


def main() -> int:
    """Print every circle, and the longest chain where it is too long; 1 when there is one."""
    broken = [f"a circle of {len(group)} modules: {', '.join(group)}" for group in circles(graph(at_import_only=False))]
    chain = longest_chain(graph(at_import_only=True))
    if len(chain) > LONGEST_CHAIN:
        broken.append(f"a chain of {len(chain)} imports, over {LONGEST_CHAIN}: {' → '.join(chain)}")
    sys.stdout.write("".join(f"{line}\n" for line in broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
