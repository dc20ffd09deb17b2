"""The warnings that an API server sends with its answers."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.cluster.warnings import ApiWarning, hear, hearing
from kubeai_notebook.errors import KubeAIError
from kubeai_notebook.session.session import Session
from tests.support.http_server import Answer, HttpServer, Received, json_answer

if TYPE_CHECKING:
    from collections.abc import Callable

OLD = '299 - "kubeai.org/v1 Model is deprecated in v2+; use kubeai.org/v2 Model"'


def heard(*headers: str) -> list[ApiWarning]:
    with hearing() as warnings:
        hear(headers)
    return warnings


def test_reads_the_warnings_of_an_api_server() -> None:
    assert heard('299 - "unknown field \\"spec.x\\""', '299 kubeai-local "No room."') == [
        ApiWarning("-", 'unknown field "spec.x"'),
        ApiWarning("kubeai-local", "No room."),
    ]
    assert [text for _, text in heard('299 - "one", 299 - "two" "Wed, 21 Oct 2015 07:28:00 GMT", 299 - "one"')] == [
        "one",
        "two",
    ]


def test_shows_what_somebody_else_wrote_as_words_only() -> None:
    sent = "Grüße \x1b[31mrot\u202e token=abcdefgh12345678".encode().decode("latin-1")
    ((_, text),) = heard(f'299 - "{sent}"')
    assert text.startswith("Grüße ")
    assert "\x1b" not in text
    assert "abcdefgh" not in text


@pytest.mark.parametrize(
    "header", ["", "299", '299 - "', '199 - "x"', '299 - ""', "299 - x", '299 - "' + "\\" * 60_000]
)
def test_hears_nothing_in_a_header_of_another_shape(header: str) -> None:
    assert heard(header) == []


def test_keeps_as_many_warnings_as_a_reader_can_take() -> None:
    warnings = heard(*(f'299 - "{number} {"x" * 3000}"' for number in range(1000)))
    assert len(warnings) == 20
    assert max(len(text) for _, text in warnings) <= 1000


def test_is_heard_only_where_somebody_listens() -> None:
    hear([OLD])
    with hearing() as outer, hearing() as inner:
        hear([OLD])
    assert (len(outer), len(inner)) == (0, 1)


class Deprecating:
    """An API server that takes every Model and says that its version is an old one."""

    def __init__(self) -> None:
        self.models: dict[str, Any] = {}
        self.dry: list[bool] = []

    def __call__(self, request: Received) -> Answer:
        path, _, query = request.path.partition("?")
        if request.method == "POST" and path.endswith("/models"):
            model = request.json
            model["metadata"] |= {"uid": "u", "resourceVersion": "1", "generation": 1}
            self.dry.append("dryRun=All" in query)
            if not self.dry[-1]:
                self.models[model["metadata"]["name"]] = model
            return json_answer(model, 201, Warning=OLD)
        name = path.rpartition("/")[2]
        if request.method == "GET" and path.endswith(f"/models/{name}") and name in self.models:
            return json_answer(self.models[name])
        if name == "v1":
            return json_answer({"kind": "APIResourceList", "resources": [{"name": "models"}]})
        if path.endswith(("/models", "/pods", "/events")):
            items = list(self.models.values()) if name == "models" else []
            return json_answer({"metadata": {"resourceVersion": "1"}, "items": items})
        status = {"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": "not found"}
        return Answer(json.dumps(status).encode(), 404, {"Content-Type": "application/json"})


def test_a_plan_and_a_write_show_what_a_cluster_warns_of(
    kubeconfig: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Deprecating()
    with HttpServer(api) as server:
        monkeypatch.setenv("KUBECONFIG", kubeconfig(server.address))
        with Session() as session:
            fields = {"name": "smol", "url": "ollama://smollm2:135m"}
            (notice,) = [notice for notice in session.plan(**fields).notices if notice.code == "ApiWarning"]
            assert (notice.severity, notice.message) == ("warning", OLD.split('"')[1])
            assert session.plan(**fields).refusal is None
            api.dry.clear()
            outcome = session.serve(**fields).outcome
            assert outcome is not None
            assert "Take care: kubeai.org/v1 Model is deprecated" in outcome.note
            assert api.dry == [False]


ODD = 'sword"fisch-ü77'
STATUS = {"kind": "Status", "status": "Failure", "reason": "Invalid", "code": 422}
REFUSALS = [
    json_answer({**STATUS, "message": f"{ODD} is bad"}, 422),
    json_answer({**STATUS, "details": {"causes": [{"field": "spec.env", "message": f"Invalid value: {ODD}"}]}}, 422),
    json_answer({**STATUS, "message": f"{'x ' * 992}{ODD}"}, 400),
    json_answer({**STATUS, "message": f"denied by a webhook: {ODD}"}, 403),
    Answer(f"a proxy does not like {ODD}".encode(), 403),
    Answer(f"{'x ' * 95}{ODD}".encode(), 500),
]


@pytest.mark.parametrize("refusal", [None, *REFUSALS])
def test_shows_no_secret_of_a_spec_that_an_api_server_quotes(
    kubeconfig: Callable[..., str], monkeypatch: pytest.MonkeyPatch, refusal: Answer | None
) -> None:
    api = Deprecating()

    def quotes(request: Received) -> Answer:
        answer = api(request)
        if request.method != "POST" or not request.path.partition("?")[0].endswith("/models"):
            return answer
        words = ODD.replace('"', '\\"').encode().decode("latin-1")
        answer.headers["Warning"] = f'299 - "{"x " * 490}{words} is deprecated"'
        return refusal or answer

    with HttpServer(quotes) as server:
        monkeypatch.setenv("KUBECONFIG", kubeconfig(server.address))
        fields = {"name": "smol", "url": "ollama://smollm2:135m", "env": {"DB_PASSWORD": ODD}}
        with Session() as session:
            for verb in (session.plan, session.serve):
                try:
                    shown = repr(verb(**fields))
                except KubeAIError as error:
                    shown = repr(error) + "".join(traceback.format_exception(error))
                assert "sword" not in shown, shown
