"""The daemon's API behind a proxy that makes faults."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.cluster.connect import connect
from tests.support.faulty_api import FaultyApi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.cluster.client import Cluster


@pytest.fixture
def api(daemon: str) -> Iterator[FaultyApi]:
    with FaultyApi(Path(daemon)) as api:
        yield api


@pytest.fixture
def cluster(api: FaultyApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A client that goes through the proxy; its namespace is emptied afterwards."""
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "kubeconfig")))
    cluster = connect()
    api.requests.clear()
    yield cluster
    api.faults.clear()
    for model in cluster.models():
        cluster.delete_model(model["metadata"]["name"])
    cluster.close()
