"""A login by OIDC in a kernel that lives longer than its tokens: what is on disk counts, as with kubectl."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
import yaml

from kubeai_notebook.cluster.connect import connect
from kubeai_notebook.errors import KubeconfigError, UnauthorizedError
from kubeai_notebook.settings import Settings
from tests.support.http_server import Answer, HttpServer, Received, json_answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXPIRED = "e30.eyJleHAiOiAxfQ.e30"  # {"exp": 1}
LASTING = "e30.eyJleHAiOiA5OTk5OTk5OTk5fQ.e30"  # {"exp": 9999999999}


class Issuer:
    """Also the API. It takes each refresh token once, and its id-tokens have expired when they come."""

    def __init__(self) -> None:
        self.wanted = "refresh-0"
        self.logins: list[str] = []

    def __call__(self, request: Received) -> Answer:
        if request.path.endswith("/.well-known/openid-configuration"):
            return json_answer({"token_endpoint": f"http://{request.headers['Host']}/token"})
        if request.path != "/token":
            self.logins.append(request.headers.get("Authorization", ""))
            return json_answer({"gitVersion": "v1.32.0"})
        if parse_qs(request.body.decode())["refresh_token"] != [self.wanted]:
            return json_answer({"error": "invalid_grant"}, 400)
        self.wanted = f"refresh-{int(self.wanted[-1]) + 1}"
        return json_answer({"id_token": EXPIRED, "refresh_token": self.wanted})


@pytest.fixture
def issuer() -> Iterator[tuple[Issuer, str]]:
    answers = Issuer()
    with HttpServer(answers) as server:
        yield answers, server.address


def logged_in(server: str, path: Path, user: dict[str, Any] | None = None, **tokens: str) -> Settings:
    oidc = {"client-id": "k", "idp-issuer-url": server, "id-token": EXPIRED, "refresh-token": "refresh-0"} | tokens
    document = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user or {"auth-provider": {"name": "oidc", "config": oidc}}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(document))
    return Settings(kubeconfig=str(path))


def test_renews_by_the_refresh_token_that_came_last(issuer: tuple[Issuer, str], tmp_path: Path) -> None:
    answers, server = issuer
    api = connect(now=logged_in(server, tmp_path / "config")).api
    for _ in range(3):
        api.request("GET", "version")
    assert answers.logins == [f"Bearer {EXPIRED}"] * 3
    assert int(answers.wanted[-1]) > 2


@pytest.mark.parametrize("user", [{}, {"token": LASTING}], ids=["by OIDC", "by a token"])
def test_takes_a_new_login_of_a_terminal(issuer: tuple[Issuer, str], tmp_path: Path, user: dict[str, Any]) -> None:
    answers, server = issuer
    api = connect(now=logged_in(server, tmp_path / "config")).api
    answers.wanted = "refresh-9"  # the session at the issuer has ended
    with pytest.raises(UnauthorizedError, match="does not renew it"):
        api.request("GET", "version")
    logged_in(server, tmp_path / "config", user, **{"id-token": LASTING})
    for _ in range(2):
        api.request("GET", "version")
    assert answers.logins == [f"Bearer {LASTING}"] * 2


def test_gives_no_login_of_another_cluster(issuer: tuple[Issuer, str], tmp_path: Path) -> None:
    answers, server = issuer
    api = connect(now=logged_in(server, tmp_path / "config")).api
    logged_in("https://other.example", tmp_path / "config", {"token": LASTING})
    with pytest.raises(KubeconfigError, match="another cluster"):
        api.request("GET", "version")
    assert answers.logins == []
