"""What is said once the daemon of this machine has ended: how to start it, and not to look at the network."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
import yaml

import kubeai_notebook
from kubeai_notebook.calls.chat import complete
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.cluster.connect import connect
from kubeai_notebook.errors import CallError, KubeAIError, UnreachableError
from kubeai_notebook.session.session import Session
from tests.support.daemon import kubeai_local

if TYPE_CHECKING:
    from pathlib import Path

    from kubeai_notebook.cluster.client import Cluster

LINE = 'kubeai_notebook.Session(context="local").models()'
HINT = f"{LINE} starts it again."


def cluster_at(url: str, path: Path, *, ours: bool, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    gateway = {"url": "http://127.0.0.1:9/openai/v1", "tls": f"{url}/openai/v1"}
    cluster = {"server": url} | (
        {"extensions": [{"name": "kubeai-notebook/gateway", "extension": gateway}]} if ours else {}
    )
    document = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "default"}}],
        "current-context": "c",
    }
    path.write_text(yaml.safe_dump(document))
    monkeypatch.setenv("KUBECONFIG", str(path))
    return connect("c")


@pytest.fixture
def closed() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


def told(error: KubeAIError) -> tuple[str, str]:
    return error.message, error.hint


def test_says_how_to_start_it_instead_of_checking_the_network(closed, tmp_path, monkeypatch) -> None:
    cluster = cluster_at(closed, tmp_path / "config", ours=True, monkeypatch=monkeypatch)
    with pytest.raises(UnreachableError) as failed:
        cluster.models()
    assert told(failed.value) == ("KubeAI on this machine is not running.", HINT)
    near = cluster.near()
    assert near is not None
    with pytest.raises(CallError) as refused:
        complete(Endpoint(near), "smol", "Hello", max_tokens=1)
    assert told(refused.value) == ("KubeAI on this machine is not running.", HINT)


def test_is_started_again_by_the_line_that_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KUBEAI_LOCAL_HOME", str(tmp_path / "home"))
    try:
        with Session(context="local") as session:
            session.cluster.models()
            assert kubeai_local("stop").returncode == 0
            with pytest.raises(UnreachableError) as failed:
                session.cluster.models()
            assert failed.value.hint == HINT
            eval(LINE, {"kubeai_notebook": kubeai_notebook})  # as a user types it
            assert session.cluster.models() == []
    finally:
        kubeai_local("stop")


def test_says_nothing_of_this_machine_where_a_cluster_is_away(closed, tmp_path, monkeypatch) -> None:
    cluster = cluster_at(closed, tmp_path / "config", ours=False, monkeypatch=monkeypatch)
    with pytest.raises(UnreachableError) as failed:
        cluster.models()
    assert closed in failed.value.message
    assert "network" in failed.value.hint
