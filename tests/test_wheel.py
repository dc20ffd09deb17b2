"""What the wheel puts into an environment, and takes away again."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.waiting import until
from tests.support.wheel import built_in

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_in(tmp_path_factory.mktemp("wheel"))


def test_leaves_nothing_behind_when_it_is_uninstalled(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = str(environment / "bin" / "python")

    def pip(*words: str) -> None:
        command = [sys.executable, "-m", "pip", "--python", python, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]

    def there() -> set[str]:
        return {str(path.relative_to(environment)) for path in environment.rglob("*")}

    before = there()
    pip("install", "--quiet", "--no-deps", str(wheel))
    # What runs leaves compiled files beside those that came with the wheel.
    subprocess.run([python, "-c", "import kubeai_notebook, kubeai_notebook.cli"], check=True)
    installed = there() - before
    parts = (
        "bin/kubeai-local",
        "bin/kubeai-notebook",
        "etc/jupyter/jupyter_server_config.d/kubeai_notebook.json",
        "share/jupyter/labextensions/kubeai-notebook/install.json",
        "share/jupyter/labextensions/kubeai-notebook/schemas/kubeai-notebook/plugin.json",
    )
    assert set(parts) <= installed
    assert any(path.endswith("kubeai_notebook/locale/it_IT/LC_MESSAGES/kubeai_notebook.json") for path in installed)
    assert any("__pycache__" in path for path in installed)
    pip("uninstall", "--quiet", "--yes", "kubeai-notebook")
    left = {path for path in there() - before if not (environment / path).is_dir()}
    assert left == set()
    assert not [path for path in there() - before if "kubeai" in path]


@pytest.mark.skipif(shutil.which("uvx") is None, reason="no uvx: pip install uv")
def test_opens_the_tour_by_uvx(wheel: Path, tmp_path: Path) -> None:
    log, runtime = tmp_path / "log", tmp_path / "runtime"
    command = ["uvx", "--from", str(wheel), "kubeai-notebook", "demo", str(tmp_path / "tour"), "--no-browser"]
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(runtime)}
    environment = {name: value for name, value in environment.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    with log.open("wb") as said:
        uvx = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=said, stderr=said, start_new_session=True)

    def facts() -> dict[str, str]:
        """Where the server listens; nothing yet where it has not said so."""
        if uvx.poll() is not None:
            text = log.read_text(errors="replace")
            if "Failed to fetch" in text or "error sending request" in text:
                pytest.skip("uv reaches no package index")
            pytest.fail(text[-2000:])
        texts = [path.read_text() for path in runtime.glob("jpserver-*.json")]
        return json.loads(texts[0]) if texts and texts[0].rstrip().endswith("}") else {}

    def status(path: str) -> int:
        there = facts()
        connection = http.client.HTTPConnection("localhost", int(there["port"]), timeout=30)
        try:
            connection.request("GET", path, headers={"Authorization": f"token {there['token']}"})
            return connection.getresponse().status
        except ConnectionRefusedError:  # it says so a moment before it listens
            return 0
        finally:
            connection.close()

    try:
        until(lambda: bool(facts()), 240)
        until(lambda: status("/lab/tree/00_tour.ipynb") == 200, 60)
        # The server half came with it.
        assert status("/kubeai/openapi.json") == 200
    finally:
        os.killpg(uvx.pid, signal.SIGTERM)
        uvx.wait(30)
