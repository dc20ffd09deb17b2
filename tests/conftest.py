"""What every test stands on: an environment of its own, and the single-machine KubeAI as the cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.session.session import Session
from tests.support.daemon import kubeai_local

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the developer's cluster or daemon; downloaded weights are shared."""
    patch = pytest.MonkeyPatch()
    for name in ("KUBECONFIG", "KUBEAI_ENDPOINT", "KUBERNETES_SERVICE_HOST"):
        patch.delenv(name, raising=False)
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    patch.setenv("KUBEAI_CACHE", os.environ.get("KUBEAI_CACHE") or str(Path(cache) / "kubeai-notebook" / "weights"))
    patch.setenv("KUBEAI_LOCAL_HOME", str(tmp_path_factory.mktemp("kubeai-local")))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def daemon(own_environment: None) -> Iterator[str]:
    """A running single-machine KubeAI; gives its kubeconfig."""
    started = kubeai_local("start")
    assert started.returncode == 0, started.stderr
    yield started.stdout.splitlines()[-1]
    stopped = kubeai_local("stop")
    assert stopped.returncode == 0, stopped.stderr


@pytest.fixture
def session(daemon: str) -> Iterator[Session]:
    """A Session on that daemon, closed and emptied afterwards."""
    session = Session(context="local")
    yield session
    for name in session.publisher.names():
        session.attach(name).delete()
    session.close()
