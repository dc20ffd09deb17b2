"""Who is let in: Jupyter's login, its XSRF and origin checks and its authorizer stand before every route."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from kubeai_notebook.server.table import VERBS
from tests.support.jupyter import BASE, Jupyter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN = [("GET", "stream"), ("GET", "changes"), ("GET", "openapi.json")]
ROUTES = [(verb.method, verb.path.replace("{name}", "smol")) for verb in VERBS] + OWN
READER = """
from jupyter_server.auth import Authorizer

class Reader(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return (action, resource) == ("read", "kubeai")
"""


@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("PUT", "models"), ("PATCH", "where"), ("GET", "nothing")])
def test_answers_nobody_without_a_token(jupyter: Jupyter, method: str, path: str) -> None:
    status, answer = jupyter.ask(method, path, {} if method == "POST" else None, login=False)
    assert status == 403
    assert [notice["code"] for notice in answer["notices"]] == ["NotAllowedByJupyter"]
    assert jupyter.ask(method, path, login=False, Authorization="token wrong")[0] == 403


def test_refuses_a_write_by_cookie_without_the_xsrf_token(jupyter: Jupyter) -> None:
    cookies = login(jupyter)
    sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
    assert jupyter.ask("GET", "models", login=False, Cookie=sent)[0] == 200
    scale = {"replicas": 1, "where": jupyter.ask("GET", "where")[1]["mark"]}
    refused = jupyter.ask("POST", "models/nobody/scale", scale, login=False, Cookie=sent)
    assert refused[0] == 403
    assert refused[1]["notices"][0]["code"] == "NotAllowedByJupyter"
    token = cookies["_xsrf"]
    passed = jupyter.ask("POST", "models/nobody/scale", scale, login=False, Cookie=sent, X_XSRFToken=token)
    assert passed[0] == 404
    assert passed[1]["notices"][0]["code"] == "NotFoundError"


def test_refuses_a_page_of_another_origin(jupyter: Jupyter) -> None:
    sent = "; ".join(f"{name}={value}" for name, value in login(jupyter).items())
    for method, path in [("GET", "models"), ("GET", "stream"), ("GET", "changes")]:
        status, answer = jupyter.ask(method, path, login=False, Cookie=sent, Origin="https://evil.example")
        assert (status, answer["notices"][0]["code"]) == (404, "NoSuchRoute")


def test_lets_jupyters_authorizer_decide_on_reading_and_writing(daemon: str, tmp_path: Path) -> None:
    (tmp_path / "reader.py").write_text(READER)
    config = {"ServerApp": {"authorizer_class": "reader.Reader"}}
    with Jupyter(tmp_path / "server", config, PYTHONPATH=str(tmp_path)) as jupyter:
        assert jupyter.ask("GET", "where")[0] == 200
        assert jupyter.ask("POST", "draft", {"fields": {"url": "ollama://smollm2:135m"}})[0] == 200
        for method, path in ((verb.method, verb.path) for verb in VERBS if verb.action == "write"):
            status, answer = jupyter.ask(method, path.replace("{name}", "smol"), {})
            assert (status, answer["notices"][0]["code"]) == (403, "NotAllowedByJupyter")


def test_answers_in_one_form_where_there_is_no_such_route(jupyter: Jupyter) -> None:
    for method, path in [("GET", "pods"), ("PUT", "models"), ("GET", "models/Bad_Name"), ("GET", "models/a/b/c")]:
        status, answer = jupyter.ask(method, path)
        assert (status, answer["notices"][0]["code"]) in [(404, "NoSuchRoute"), (405, "NoSuchRoute")]


def login(jupyter: Jupyter) -> dict[str, str]:
    """The cookies of a browser that has logged in."""
    first = visit(jupyter, "GET", "/login")
    form = urlencode({"password": jupyter.token, "_xsrf": first["_xsrf"]})
    sent = "; ".join(f"{name}={value}" for name, value in first.items())
    return first | visit(jupyter, "POST", "/login", form, sent)


def visit(jupyter: Jupyter, method: str, path: str, form: str = "", cookies: str = "") -> dict[str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", jupyter.port, timeout=30)
    try:
        connection.request(
            method,
            BASE + path,
            form or None,
            {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"},
        )
        answer = connection.getresponse()
        answer.read()
        return dict(pairs(answer))
    finally:
        connection.close()


def pairs(answer: http.client.HTTPResponse) -> Iterator[tuple[str, str]]:
    for cookie in answer.headers.get_all("Set-Cookie") or []:
        name, _, value = cookie.partition(";")[0].partition("=")
        yield name, value
