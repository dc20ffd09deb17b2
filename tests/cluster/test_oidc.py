"""Logins by OpenID Connect whose tokens are renewed by several at once, or whose issuer or token is odd."""

from __future__ import annotations

import base64
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import yaml

from kubeai_notebook.cluster.oidc import OidcLogin, expiry_of
from kubeai_notebook.errors import UnauthorizedError
from tests.support.http_server import Answer, HttpServer, Received, json_answer

if TYPE_CHECKING:
    from pathlib import Path

VALID = "e30.eyJleHAiOiA5OTk5OTk5OTk5fQ.e30"  # {"exp": 9999999999}


def login(file: Path, issuer: str, **more: float) -> OidcLogin:
    config = {"idp-issuer-url": issuer, "client-id": "c", "id-token": "old", "refresh-token": "refresh-0"}
    user = {"name": "u", "user": {"auth-provider": {"name": "oidc", "config": config}}}
    if not file.exists():
        file.write_text(yaml.safe_dump({"users": [user]}))
    return OidcLogin(config, file, "u", "config", **more)


def test_renews_once_for_all_who_come_at_once_and_keeps_the_new_tokens(tmp_path: Path) -> None:
    number = itertools.count(1)

    def issuer(request: Received) -> Answer:
        """Takes each refresh token once."""
        if request.method == "GET":
            return json_answer({"token_endpoint": f"http://{request.headers['Host']}/token"})
        turn = next(number)
        if f"refresh-{turn - 1}" not in request.body.decode():
            return json_answer({"error": "invalid_grant"}, 400)
        return json_answer({"id_token": VALID, "refresh_token": f"refresh-{turn}"})

    with HttpServer(issuer) as server, ThreadPoolExecutor(8) as threads:
        logins = [login(tmp_path / "config", server.address) for _ in range(8)]
        assert set(threads.map(lambda login: login.id_token(0.0), logins)) == {VALID}
    kept = yaml.safe_load((tmp_path / "config").read_text())["users"][0]["user"]["auth-provider"]["config"]
    assert (kept["id-token"], kept["refresh-token"], next(number)) == (VALID, "refresh-1", 2)
    assert {file.name for file in tmp_path.iterdir()} <= {"config", ".config.lock"}


def test_waits_for_no_issuer_that_sends_a_byte_now_and_then(tmp_path: Path) -> None:
    endless = HttpServer(lambda _: Answer(itertools.repeat(b" ")))
    with endless as server, pytest.raises(UnauthorizedError, match="has expired"):
        login(tmp_path / "config", server.address, seconds=0.5).id_token(0.0)


def test_shows_no_token_in_its_repr(tmp_path: Path) -> None:
    assert "refresh-0" not in repr(login(tmp_path / "config", "http://127.0.0.1:9"))


@pytest.mark.parametrize("claims", [f'{{"exp": {"9" * 400}}}', "[" * 100_000, '{"exp": "x"}', "5", ""])
def test_takes_a_token_whose_time_cannot_be_read_as_one_that_is_over(claims: str) -> None:
    assert expiry_of(f"x.{base64.urlsafe_b64encode(claims.encode()).decode().rstrip('=')}.y") == 0.0
