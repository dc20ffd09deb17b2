"""What every test stands on: an environment of its own, and the single-machine KubeAI as the cluster."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from kubeai_notebook.session.session import Session, close_defaults
from tests.support.daemon import MODELS as MODELS_PATH
from tests.support.daemon import Daemon, kubeai_local
from tests.support.fake_api import MODELS, FakeApi, model
from tests.support.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session", autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the developer's cluster, daemon, registry or hub; downloaded weights are shared."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's job in the background inherits it ignored
    patch = pytest.MonkeyPatch()
    for name in ("KUBECONFIG", "KUBEAI_ENDPOINT", "KUBERNETES_SERVICE_HOST"):
        patch.delenv(name, raising=False)
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    patch.setenv("KUBEAI_CACHE", os.environ.get("KUBEAI_CACHE") or str(Path(cache) / "kubeai-notebook" / "weights"))
    patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
    patch.setenv("KUBEAI_LOCAL_HOME", str(tmp_path_factory.mktemp("kubeai-local")))
    patch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with Registry() as without_models:
        patch.setenv("OLLAMA_REGISTRY", without_models.address)
        yield
    patch.undo()


@pytest.fixture(scope="session")
def machine(own_environment: None) -> Iterator[str]:
    """A running single-machine KubeAI for all files; gives its kubeconfig."""
    started = kubeai_local("start")
    assert started.returncode == 0, started.stderr
    yield started.stdout.splitlines()[-1]
    stopped = kubeai_local("stop")
    assert stopped.returncode == 0, stopped.stderr


@pytest.fixture(scope="module")
def daemon(machine: str) -> Iterator[str]:
    """That single-machine KubeAI, without the Models and the default Sessions of any file before; its kubeconfig."""
    yield machine
    close_defaults()
    here = Daemon(Path(os.environ["KUBEAI_LOCAL_HOME"]))
    for left in here.api("GET", MODELS_PATH)[1]["items"]:
        here.delete(left["metadata"]["name"])


@pytest.fixture
def session(daemon: str) -> Iterator[Session]:
    """A Session on that daemon, closed and emptied afterwards."""
    session = Session(context="local")
    yield session
    for name in session.publisher.names():
        session.attach(name).delete(yes=True)
    session.close()


@pytest.fixture
def clusters() -> Iterator[tuple[FakeApi, FakeApi]]:
    """Two clusters, each with a Model smol."""
    with FakeApi.empty().in_thread() as one, FakeApi.empty().in_thread() as other:
        for api in (one, other):
            api.put(MODELS, model("smol"))
        yield one, other


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Callable[..., str]:
    """Write a kubeconfig whose contexts a, b … lead to these addresses; the first is the current one."""

    def write(*addresses: str, namespace: str = "default") -> str:
        names = "abcdef"[: len(addresses)]
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": name, "cluster": {"server": address}} for name, address in zip(names, addresses, strict=True)
            ],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [
                {"name": name, "context": {"cluster": name, "user": "u", "namespace": namespace}} for name in names
            ],
            "current-context": "a",
        }
        path = tmp_path / "-".join([names, *(address.rpartition(":")[2] for address in addresses)])
        path.write_text(yaml.safe_dump(document))
        return str(path)

    return write
