"""Who wrote an answer, and its words, from the answer alone."""

from __future__ import annotations

import json

import pytest

from kubeai_notebook.core.answers import refuser_of, words_in
from kubeai_notebook.core.observation import HttpAnswer


@pytest.mark.parametrize(
    ("address", "who"),
    [
        ("https://lessons.example/v1", "proxy"),
        ("https://data.example/authors", "proxy"),
        ("https://data.example/cataloging/design-indexes", "proxy"),
        ("https://data.example/blog-index/dexter", "proxy"),
        ("https://sso.example/", "login"),
        ("https://weblogin.example/", "login"),
        ("https://host/auth", "login"),
        ("https://host/Account/LoginPage", "login"),
        ("https://host/oauth2/start", "login"),
        ("https://host/dex/authorize", "login"),
        ("https://host/signin-oidc", "login"),
    ],
)
def test_reads_a_login_in_words_of_an_address(address: str, who: str) -> None:
    assert refuser_of(HttpAnswer(status=302, body="", headers={"location": address})) == who


@pytest.mark.parametrize(
    ("title", "who"),
    [("Lessons", "proxy"), ("Blog on design in practice", "proxy"), ("SSO", "login"), ("Log in", "login")],
)
def test_reads_a_login_in_words_of_a_title(title: str, who: str) -> None:
    page = f"<!doctype html><html><head><title>{title}</title></head></html>"
    assert refuser_of(HttpAnswer(status=200, body=page)) == who


@pytest.mark.parametrize("before", range(470, 500))
def test_shows_no_half_of_a_secret(before: int) -> None:
    secret = "swordfish and nothing that looks like a key"
    body = json.dumps({"error": {"message": f"{'x' * before} {secret}"}})
    assert "sword" not in words_in(body, [secret])
