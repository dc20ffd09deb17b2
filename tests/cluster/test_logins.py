"""Logins that a plugin or an issuer gives: how long they count, and how they are renewed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubeai_notebook.cluster.connect import connect
from kubeai_notebook.cluster.exec_plugin import ExecPlugin
from kubeai_notebook.cluster.oidc import OidcLogin
from kubeai_notebook.errors import UnauthorizedError
from kubeai_notebook.settings import Settings
from tests.support.http_server import Answer, HttpServer, Received, json_answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

V1 = "client.authentication.k8s.io/v1"
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def plugin(script: str, folder: Path, **entry: Any) -> ExecPlugin:
    entry = {"apiVersion": V1, "command": "sh", "args": ["-c", script], **entry}
    return ExecPlugin(entry, {"server": "https://127.0.0.1:1"}, folder, str(folder / "config"))


def credential(**status: str) -> str:
    return json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status})


def test_says_what_a_plugin_waits_for_that_does_not_end(tmp_path: Path) -> None:
    waiting = plugin('echo "To sign in, open https://sso.example" >&2; exec sleep 60', tmp_path)
    with pytest.raises(UnauthorizedError) as raised:
        waiting.ask(ENVIRONMENT, seconds=0.5)
    assert 'waits: "To sign in, open https://sso.example"' in raised.value.message
    assert "terminal" in raised.value.hint


def test_gives_a_plugin_no_terminal_to_ask_in(tmp_path: Path) -> None:
    asking = plugin("read answer < /dev/tty || { echo no terminal >&2; exit 1; }", tmp_path)
    with pytest.raises(UnauthorizedError, match="no terminal|/dev/tty"):
        asking.ask(ENVIRONMENT)


def test_shows_the_end_of_a_long_text_and_no_secret_of_it(tmp_path: Path) -> None:
    loud = plugin(
        "for i in $(seq 300); do echo noise; done >&2; echo password=s3cr3t-word the end >&2; exit 1", tmp_path
    )
    with pytest.raises(UnauthorizedError) as raised:
        loud.ask(ENVIRONMENT)
    assert raised.value.message.endswith("the end.")
    assert "s3cr3t" not in raised.value.message
    assert len(raised.value.message) < 1000


def test_hides_a_secret_of_the_plugins_own_variables(tmp_path: Path) -> None:
    env = [{"name": "AWS_SECRET_ACCESS_KEY", "value": "swordfish"}]
    with pytest.raises(UnauthorizedError) as raised:
        plugin('echo "denied for $AWS_SECRET_ACCESS_KEY" >&2; exit 1', tmp_path, env=env).ask(ENVIRONMENT)
    assert "denied for ***" in raised.value.message


@pytest.fixture
def api() -> Any:
    def answer(request: Received) -> Answer:
        good = request.headers.get("Authorization") == f"Bearer {server.token}"
        return json_answer({"metadata": {}, "items": []}) if good else json_answer({"kind": "Status", "code": 401}, 401)

    with HttpServer(answer) as server:
        server.token = "one"  # type: ignore[attr-defined]  # what the API lets in
        yield server


@pytest.fixture
def by_plugin(tmp_path: Path, api: HttpServer) -> Callable[[str], Any]:
    """A cluster whose login is what the file ``login`` holds, or where it is gone a refusal."""

    def connected(login: str) -> Any:
        (tmp_path / "login").write_text(login)
        script = f"cat {tmp_path}/login || {{ echo please log in >&2; exit 1; }}"
        document = {
            "clusters": [{"name": "c", "cluster": {"server": api.address}}],
            "users": [{"name": "u", "user": {"exec": {"apiVersion": V1, "command": "sh", "args": ["-c", script]}}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
            "current-context": "x",
        }
        (tmp_path / "config").write_text(yaml.safe_dump(document))
        return connect(now=Settings(kubeconfig=str(tmp_path / "config")))

    return connected


def test_asks_a_plugin_again_when_its_token_is_over(by_plugin, api, tmp_path: Path) -> None:
    cluster = by_plugin(credential(token="one", expirationTimestamp="2020-01-01T00:00:00Z"))
    (tmp_path / "login").write_text(credential(token="two"))
    api.token = "two"
    assert cluster.models() == []
    assert [request.headers["Authorization"] for request in api.received] == ["Bearer two"]


def test_asks_a_plugin_again_when_its_token_is_refused(by_plugin, api, tmp_path: Path) -> None:
    cluster = by_plugin(credential(token="one"))
    (tmp_path / "login").write_text(credential(token="two"))
    api.token = "two"
    assert cluster.models() == []


@pytest.mark.parametrize("over", ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"], ids=["over", "refused"])
def test_gives_the_plugins_words_where_a_login_is_not_renewed(by_plugin, api, tmp_path: Path, over: str) -> None:
    cluster = by_plugin(credential(token="one", expirationTimestamp=over))
    (tmp_path / "login").unlink()
    api.token = "two"
    with pytest.raises(UnauthorizedError, match="please log in"):
        cluster.models()


def test_keeps_a_renewed_refresh_token_in_the_kubeconfig(tmp_path: Path) -> None:
    def answer(request: Received) -> Answer:
        if request.path.endswith("openid-configuration"):
            return json_answer({"token_endpoint": f"{server.address}/token"})
        return json_answer({"id_token": "new", "refresh_token": "next"})

    with HttpServer(answer) as server:
        config = {"idp-issuer-url": server.address, "client-id": "k", "refresh-token": "first"}
        other = {"name": "other", "user": {"token": "t"}}
        user = {"name": "u", "user": {"auth-provider": {"name": "oidc", "config": config}}}
        file = tmp_path / "config"
        file.write_text(yaml.safe_dump({"users": [other, user]}))
        assert OidcLogin(config, file, "u", str(file)).id_token(now=0.0) == "new"
    kept = yaml.safe_load(file.read_text())["users"]
    assert kept[0] == other
    assert kept[1]["user"]["auth-provider"]["config"] == {**config, "id-token": "new", "refresh-token": "next"}
    assert file.stat().st_mode & 0o077 == 0
    assert b"refresh_token=first" in server.received[-1].body


@pytest.mark.parametrize("place", ["http://elsewhere.example/token", "ftp://127.0.0.1/token", ""])
def test_sends_no_refresh_token_to_a_place_that_is_not_safe(tmp_path: Path, place: str) -> None:
    with HttpServer(lambda _: json_answer({"token_endpoint": place})) as server:
        config = {"idp-issuer-url": server.address, "client-id": "k", "refresh-token": "first"}
        with pytest.raises(UnauthorizedError, match="no token endpoint that is safe"):
            OidcLogin(config, tmp_path / "config", "u", "config").id_token(now=0.0)
        assert [request.method for request in server.received] == ["GET"]
