"""The description that is made of the table: whole, true, and no request that it allows makes the server fail."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.present import server_wire
from kubeai_notebook.server import verbs
from kubeai_notebook.server.openapi import description
from kubeai_notebook.server.table import VERBS
from tests.support.jupyter import BASE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.jupyter import Jupyter

CHECKS = "not_a_server_error,response_schema_conformance,content_type_conformance,status_code_conformance"


def test_is_served(jupyter: Jupyter) -> None:
    assert jupyter.ask("GET", "openapi.json")[1] == json.loads(json.dumps(description(BASE)))


def test_describes_every_row_once_and_every_type_it_names() -> None:
    made = description("/")
    operations = [operation["operationId"] for path in made["paths"].values() for operation in path.values()]
    assert sorted(operations) == sorted([*(verb.verb for verb in VERBS), "stream", "changes", "late"])
    assert made["servers"] == [{"url": "/kubeai"}]
    schemas = made["components"]["schemas"]
    assert {ref.rpartition("/")[2] for ref in refs(made)} <= schemas.keys()


def refs(value: Any) -> Iterator[str]:
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if key == "$ref":
            yield item
        yield from refs(item)


def test_has_a_function_and_a_type_for_every_row() -> None:
    for verb in VERBS:
        assert callable(getattr(verbs, verb.verb))
        assert getattr(server_wire, verb.result)


@pytest.mark.usefixtures("session")  # which deletes what was created
def test_survives_what_schemathesis_sends(jupyter: Jupyter, tmp_path: Path) -> None:
    program = shutil.which("schemathesis")
    if program is None:
        pytest.skip("schemathesis is a program of its own: pip install schemathesis")
    url = f"http://127.0.0.1:{jupyter.port}{BASE}/kubeai/openapi.json"
    # A stream has no end, and each look of the doctor starts a program.
    left_out = ["--exclude-path", "/stream", "--exclude-path", "/doctor"]
    options = ["--checks", CHECKS, "--max-examples", "25", "--seed", "1", "--generation-database=none"]
    done = subprocess.run(
        [program, "run", url, "-H", f"Authorization: token {jupyter.token}", *left_out, *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
