"""Which lines of a cell show their value, and that each is shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def shown(shell: Any, capsys: pytest.CaptureFixture[str]) -> Callable[[str], int]:
    """Run a cell; how many listings of the magics it showed."""

    def count(cell: str) -> int:
        shell.run_cell(cell, store_history=True).raise_error()
        return capsys.readouterr().out.count("%kubeai_serve --help")

    return count


@pytest.mark.parametrize(
    ("cell", "times"),
    [
        ("%kubeai", 1),
        ("%kubeai\n%kubeai help", 2),
        ("%kubeai\nx = 1", 1),
        ("%kubeai\n%kubeai help;", 1),
        ("%kubeai;\n%kubeai help", 1),
        ("%kubeai help;\n%kubeai help ;", 0),
        ("x = %kubeai\n%kubeai", 1),
        ("x = %kubeai\ny = %kubeai help", 0),
        ("for _ in range(3):\n    %kubeai", 3),
        ("for _ in range(3):\n    x = %kubeai help", 0),
        ("for _ in range(3):\n    %kubeai help;", 0),
        ("def f():\n    %kubeai\n\nf()\nf()", 2),
        ("async def f():\n    %kubeai\n\nawait f()", 1),
        ("if True:\n    %kubeai\nelse:\n    %kubeai", 1),
        ("try:\n    1 / 0\nexcept ZeroDivisionError:\n    %kubeai\nfinally:\n    %kubeai help", 2),
        ("with open('/dev/null'):\n    %kubeai\n    %kubeai help", 2),
        ("match 1:\n    case 1:\n        %kubeai", 1),
        ("%kubeai\n%time 1", 1),
        ("%%time\n%kubeai\n%kubeai help", 2),
        ("text = '''\n%kubeai\n'''", 0),
        ("display = show = None\n%kubeai\nx = 1\ndel display, show", 1),
    ],
)
def test_shows_each_line_once(shown: Callable[[str], int], cell: str, times: int) -> None:
    assert shown(cell) == times


@pytest.mark.parametrize(
    ("interactivity", "cell", "times"),
    [
        ("all", "%kubeai\n%kubeai help", 2),
        ("all", "for _ in range(2):\n    %kubeai", 2),
        ("all", "def f():\n    %kubeai\n\nf()", 1),
        ("last", "%kubeai\nfor _ in range(2):\n    %kubeai", 3),
        ("last_expr_or_assign", "%kubeai\nx = %kubeai", 2),
        ("none", "%kubeai\n%kubeai", 0),
        ("none", "for _ in range(2):\n    %kubeai", 0),
    ],
)
def test_goes_by_what_ipython_shows(
    shell: Any, shown: Callable[[str], int], interactivity: str, cell: str, times: int
) -> None:
    shell.ast_node_interactivity = interactivity
    try:
        assert shown(cell) == times
    finally:
        shell.ast_node_interactivity = "last_expr"


def test_keeps_the_value_of_the_line_before(shell: Any) -> None:
    assert shell.run_cell("%kubeai_config\n'last'", store_history=True).result == "last"


def test_names_the_line_of_the_cell_that_is_wrong(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("x = 1\nfor _ in (1,):\n    %kubeai_config nope=1\nx = 2", store_history=True)
    assert 'There is no setting "nope"' in capsys.readouterr().out
    assert shell.user_ns["x"] == 1


def test_is_gone_with_the_extension(shell: Any) -> None:
    before = len(shell.ast_transformers)
    shell.extension_manager.reload_extension("kubeai_notebook")
    assert len(shell.ast_transformers) == before
    shell.extension_manager.unload_extension("kubeai_notebook")
    assert len(shell.ast_transformers) == before - 1
