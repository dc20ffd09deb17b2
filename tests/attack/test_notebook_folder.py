"""A notebook may lie in anybody's folder: what the extension has a kernel run imports nothing from there."""

from __future__ import annotations

import os
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING

import pytest
from jupyter_client.manager import start_new_kernel

from tests.support.fake_api import MODELS, PODS, FakeApi, kubeconfig, model, pod
from tests.support.kernel import messages_of
from tests.support.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jupyter_client.blocking.client import BlockingKernelClient

CODE = ROOT / "labextension" / "tests" / "golden"
TRAP = """
import importlib.machinery, importlib.util, sys
with open({ran!r}, "a") as ran:
    print(__name__, file=ran)
found = importlib.machinery.PathFinder.find_spec(__name__, [one for one in sys.path if one not in ("", {folder!r})])
sys.modules[__name__] = real = importlib.util.module_from_spec(found)
found.loader.exec_module(real)
"""
"""Notes that it ran, and is then the package that it stands before."""
OWN = "import own_of_the_notebook; print(own_of_the_notebook.__file__)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Somebody's folder with a file before each package that is installed, and one of its own."""
    made = tmp_path / "theirs"
    made.mkdir()
    # A kernel's own launcher is imported before anybody could change it.
    names = {*packages_distributions(), "kubeai_notebook"} - {"ipykernel_launcher"}
    for name in (name for name in names if name.isidentifier()):
        (made / f"{name}.py").write_text(TRAP.format(ran=str(tmp_path / "ran"), folder=str(made)))
    (made / "own_of_the_notebook.py").touch()
    return made


@pytest.fixture
def client(folder: Path, tmp_path: Path) -> Iterator[BlockingKernelClient]:
    with FakeApi.empty().in_thread() as api:
        api.put(MODELS, model("smol"))
        api.put(PODS, pod("model-smol-1", "smol"))
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig(api, tmp_path)), "PYTHONPATH": path}
        manager, client = start_new_kernel(cwd=str(folder), env=environment, extra_arguments=["--log-level=ERROR"])
        yield client
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def shown(client: BlockingKernelClient, code: str) -> str:
    """All that a cell shows."""
    return str([message["content"] for message in messages_of(client, client.execute(code), seconds=90)])


@pytest.mark.parametrize(("code", "words"), [("reconnect", "smol"), ("tab", "kubeai")])
def test_imports_nothing_of_the_notebooks_folder(
    code: str, words: str, client: BlockingKernelClient, folder: Path, tmp_path: Path
) -> None:
    shown(client, "1")
    (tmp_path / "ran").unlink(missing_ok=True)  # what IPython itself imports for any cell
    text = shown(client, (CODE / f"{code}.txt").read_text())
    assert "Traceback" not in text
    assert "application/vnd.jupyter.widget-view+json" in text
    assert words in text
    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()
    # The user's own modules are where they were.
    assert str(folder / "own_of_the_notebook.py") in shown(client, OWN)
    assert "'NameError'" in shown(client, "sys")
