"""What stands in one place: sentences with a magic in the faces, HTML in `present.html`, pure values in `present`."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import kubeai_notebook

PACKAGE = Path(kubeai_notebook.__file__).parent
MAGIC = re.compile(r"%+kubeai")
FACES = ("magics", "present", "views")
TAG = re.compile(
    r"</?(?:a|b|br|code|dd|div|dl|dt|em|h[1-6]|i|img|li|ol|p|pre|script|small|span|strong|style|table|tbody|td|th|thead|tr|ul)"
    r"(?:\s[^<>]*)?/?>"
)


def sources(*without: str) -> list[tuple[str, str]]:
    """Path below the package, and text, of each module."""
    paths = (path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py")))
    return [(path.as_posix(), (PACKAGE / path).read_text("utf-8")) for path in paths if path.parts[0] not in without]


def test_has_sentences_with_a_magic_in_its_faces_only() -> None:
    assert [name for name, text in sources(*FACES) if MAGIC.search(text)] == []
    assert any(MAGIC.search(text) for _, text in sources())


def test_writes_html_in_one_place_only() -> None:
    assert [name for name, text in sources() if TAG.search(text)] == ["present/html.py"]


def test_presents_values_without_knowing_who_holds_them() -> None:
    below = {"core", "errors", "text", "present"}
    for name, text in sources():
        if not name.startswith("present/"):
            continue
        for node in ast.walk(ast.parse(text)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            own = [module.split(".")[1] for module in modules if module.startswith("kubeai_notebook.")]
            assert set(own) <= below, name
