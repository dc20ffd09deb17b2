"""`kubectl config use-context` in another terminal: a Session stays with the cluster that it was connected to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from aiohttp import web

from kubeai_notebook.errors import KubeAIError
from kubeai_notebook.session.session import Session
from tests.support.fake_api import EVENTS, MODELS, PODS, FakeApi, model
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Guarded(FakeApi):
    """A FakeApi that takes one login and keeps every login that it was shown."""

    def __init__(self, token: str, name: str) -> None:
        super().__init__()
        self.accepted: str = token
        self.shown: set[str] = set()
        for path in ("apis/kubeai.org/v1", MODELS, PODS, EVENTS):
            self.objects[path] = {}
        self.put(MODELS, model(name))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.shown.add(request.headers.get("Authorization", ""))
        if request.headers.get("Authorization") != f"Bearer {self.accepted}":
            status = {"kind": "Status", "status": "Failure", "code": 401, "reason": "Unauthorized", "message": "no"}
            return web.json_response(status, status=401)
        return await super()._answer(request)


@pytest.fixture
def two() -> Iterator[tuple[Guarded, Guarded]]:
    with Guarded("token-a", "of-a").in_thread() as a, Guarded("token-b", "of-b").in_thread() as b:
        yield a, b


def write(path: Path, urls: dict[str, str], current: str, *, ours: bool = False, tokens: str = "token") -> None:
    def cluster(url: str) -> dict[str, Any]:
        extension = {"name": "kubeai-notebook/gateway", "extension": {"url": f"{url}/openai/v1"}}
        return {"server": url, **({"extensions": [extension]} if ours else {})}

    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster(url)} for name, url in urls.items()],
        "users": [{"name": name, "user": {"token": f"{tokens}-{name}"}} for name in urls],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}} for name in urls
        ],
        "current-context": current,
    }
    path.write_text(yaml.safe_dump(document))


@pytest.mark.parametrize("ours", [False, True], ids=["any cluster", "the daemon's"])
@pytest.mark.parametrize("refused", [False, True], ids=["let in", "401"])
def test_nothing_is_sent_to_the_context_that_is_current_now(
    ours: bool, refused: bool, two: tuple[Guarded, Guarded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = two
    urls, path = {"a": a.url, "b": b.url}, tmp_path / "config"
    write(path, urls, "a", ours=ours)
    monkeypatch.setenv("KUBECONFIG", str(path))
    session = Session()
    try:
        assert session.publisher.names() == ["of-a"]
        write(path, urls, "b", ours=ours)
        if refused:
            a.accepted = "another"
            with pytest.raises(KubeAIError, match="credentials"):
                session.cluster.models()
            write(path, urls, "b", ours=ours, tokens="renewed")
            a.accepted = "renewed-a"
            session.cluster.api.login._renewed_at = float("-inf")
        assert [one["metadata"]["name"] for one in session.cluster.models()] == ["of-a"]
        assert b.requests == []
        assert b.shown == set()
    finally:
        session.close()


@pytest.mark.parametrize("refused", [False, True], ids=["let in", "401"])
def test_nothing_is_sent_to_another_server_under_the_same_name(
    refused: bool, two: tuple[Guarded, Guarded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = two
    path = tmp_path / "config"
    write(path, {"a": a.url}, "a", ours=not refused)
    monkeypatch.setenv("KUBECONFIG", str(path))
    session = Session()
    try:
        assert session.publisher.names() == ["of-a"]
        b.accepted = "token-a"
        write(path, {"a": b.url}, "a")  # no longer the daemon's where it was
        if refused:
            a.accepted = "another"
            with pytest.raises(KubeAIError, match="credentials"):
                session.cluster.models()
        else:
            assert [one["metadata"]["name"] for one in session.cluster.models()] == ["of-a"]
        until(lambda: session.cluster.api.host == a.url)
        assert b.shown == set()
    finally:
        session.close()


def test_a_daemon_that_moved_is_followed_in_its_own_entry(
    two: tuple[Guarded, Guarded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = two
    path = tmp_path / "config"
    write(path, {"a": a.url}, "a", ours=True)
    monkeypatch.setenv("KUBECONFIG", str(path))
    session = Session()
    try:
        assert session.publisher.names() == ["of-a"]
        b.accepted = "token-a"
        write(path, {"a": b.url}, "a", ours=True)
        assert [one["metadata"]["name"] for one in session.cluster.models()] == ["of-b"]
    finally:
        session.close()
