"""What the server half costs a Jupyter server whose user never asks it anything."""

from __future__ import annotations

import json
import subprocess
import sys

CODE = """
import json, sys
import jupyter_server.serverapp, jupyter_server.base.handlers
before = set(sys.modules)
import kubeai_notebook
points = kubeai_notebook._jupyter_server_extension_points()
import kubeai_notebook.server.handlers as handlers
handlers.routes()
print(json.dumps([points, sorted(set(sys.modules) - before)]))
"""
LIGHT = {"", ".server", ".errors", ".settings", ".text"}


def test_imports_nothing_heavy_before_the_first_request() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    points, new = json.loads(done.stdout)
    assert points == [{"module": "kubeai_notebook.server"}]
    ours = {name for name in new if name.startswith("kubeai_notebook")}
    parts = ("base", "handlers", "stream", "table")
    assert ours == {f"kubeai_notebook{name}" for name in {*LIGHT, *(f".server.{part}" for part in parts)}}
    assert len(new) - len(ours) < 5
