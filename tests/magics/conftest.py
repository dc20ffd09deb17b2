"""A shell with the extension loaded, in this process; its Models live in the tests' own daemon."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from IPython.testing.globalipapp import start_ipython
from traitlets.config import Config

from kubeai_notebook.session.session import close_defaults, default

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def shell() -> Iterator[Any]:
    shell = start_ipython() or sys.modules["IPython"].get_ipython()
    shell.config = Config()  # %config leaves its traces there
    shell.extension_manager.load_extension("kubeai_notebook")
    before = set(shell.user_ns)
    yield shell
    shell.extension_manager.unload_extension("kubeai_notebook")
    # One shell serves all tests: a variable of one would be filled into the braces of another's cell.
    for name in [name for name in shell.user_ns if name not in before and not name.startswith("_")]:
        del shell.user_ns[name]
    # An older IPython leaves these alone for good once a cell has assigned one.
    for name in ("_", "__", "___"):
        shell.user_ns.pop(name, None)


@pytest.fixture
def run(shell: Any) -> Callable[[str], Any]:
    """Run a cell; gives its value, or raises what it raised."""

    def result(cell: str) -> Any:
        done = shell.run_cell(cell, store_history=True)
        done.raise_error()
        return done.result

    return result


@pytest.fixture
def here(daemon: str, run: Callable[[str], Any]) -> Iterator[Callable[[str], Any]]:
    """As ``run``, on the single-machine KubeAI, whose Models are gone afterwards."""
    run("%config KubeAI.context = 'local'")
    yield run
    session = default()
    for name in session.publisher.names():
        session.attach(name).delete(yes=True)
    close_defaults()
