"""What each route does, on a real daemon, and what is answered where something is in the way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.server.table import VERBS
from tests.support.daemon import SMOL, give
from tests.support.fake_api import MODELS, model
from tests.support.faults import Fault, denied, refuse
from tests.support.faulty_api import FaultyApi
from tests.support.jupyter import Jupyter
from tests.support.waiting import until

if TYPE_CHECKING:
    from kubeai_notebook.session.session import Session
    from tests.support.faulty_api import Exchange

SECRET = "hf_abcdefghijklmnopqrstuvwxyz012345"
ASLEEP = {**SMOL, "min_replicas": 0}


def notice_of(answered: tuple[int, Any]) -> tuple[int, str, str]:
    status, answer = answered
    notice = answer["notices"][0]
    return status, notice["code"], f"{notice['message']} {notice['remedy']}".strip()


def test_takes_a_model_from_its_plan_to_its_end(jupyter: Jupyter, session: Session) -> None:
    fields = {"name": "routed", **ASLEEP}
    planned = jupyter.do("POST", "plan", {"fields": fields})[1]
    assert (planned["action"], planned["refused"]) == ("create", False)
    assert "name: routed" in planned["yaml"]
    assert jupyter.do("POST", "models", {"fields": fields})[1]["action"] == "created"
    assert [row["name"] for row in jupyter.ask("GET", "models")[1]["rows"]] == ["routed"]
    card = jupyter.ask("GET", "models/routed")[1]
    assert (card["name"], card["phase"]) == ("routed", "Asleep")
    assert jupyter.do("POST", "models/routed/scale", {"replicas": 1})[1]["action"] == "scaled"
    assert until(lambda: jupyter.ask("GET", "models/routed")[1]["phase"] == "Ready", 120)
    log = jupyter.ask("GET", "models/routed/logs", query={"tail_lines": 3})[1]
    assert log["pod"].startswith("model-routed-")
    assert 0 < len(log["text"].splitlines()) <= 3
    assert any("Started" in event["text"] for event in jupyter.ask("GET", "models/routed/events")[1]["events"])
    assert 'model="routed"' in jupyter.ask("GET", "models/routed/code")[1]["text"]
    assert jupyter.do("POST", "models/routed/restart", {})[1]["action"] == "restarted"
    assert jupyter.do("POST", "models/routed/pause", {})[1]["action"] == "paused"
    assert jupyter.do("POST", "models/routed/resume", {})[1]["action"] == "resumed"
    jupyter.do("POST", "models", {"fields": {"name": "routed", "args": ["--a"]}})
    assert jupyter.do("POST", "models/routed/rollback", {})[1]["action"] == "rolled back"
    assert jupyter.do("GET", "models/routed/stake")[1]["note"]
    assert jupyter.do("DELETE", "models/routed")[1]["action"] == "deleted"
    assert notice_of(jupyter.ask("GET", "models/routed"))[:2] == (404, "NotFoundError")


def test_applies_the_fix_that_was_shown_and_no_other(jupyter: Jupyter, session: Session) -> None:
    fields = {"name": "mended", "resource_profile": "cpus:1", **SMOL}
    assert jupyter.do("POST", "models", {"fields": fields})[0] == 422
    assert jupyter.do("POST", "models", {"fields": fields, "force": True})[0] == 200
    finding = until(lambda: jupyter.ask("GET", "models/mended")[1]["findings"], 30)[0]
    remedy = next(one for one in finding["remedies"] if one["kind"] == "change")
    shown = jupyter.do("POST", "models/mended/fix", {"remedy_id": remedy["id"], "dry_run": True})[1]
    assert shown["diff"] == ["resourceProfile: cpus:1 → cpu:1"]
    session.cluster.patch_model("mended", {"spec": {"args": ["--other"]}})
    version = {"remedy_id": remedy["id"], "resource_version": shown["resource_version"]}
    assert notice_of(jupyter.do("POST", "models/mended/fix", version))[:2] == (409, "ConflictError")
    assert jupyter.do("POST", "models/mended/fix", {"remedy_id": remedy["id"]})[1]["action"] == "fixed"


def test_shows_no_secret(jupyter: Jupyter, session: Session) -> None:
    fields = {"name": "hushed", **ASLEEP, "env": {"HF_TOKEN": SECRET}, "args": [f"--api-key={SECRET}"]}
    answers = [jupyter.do("POST", path, {"fields": fields}) for path in ("plan", "models")]
    answers += [jupyter.ask("POST", "draft", {"fields": fields})]
    reads = [verb.path.replace("{name}", "hushed") for verb in VERBS if verb.method == "GET"]
    answers += [jupyter.ask("GET", path) for path in [*reads, "changes"]] + [jupyter.do("GET", "models/hushed/stake")]
    answers += [jupyter.do("POST", "models", {"fields": {**fields, "env": {"HF_TOKEN": f"{SECRET}x"}}})]
    answers += [jupyter.do("POST", "models/hushed/scale", {"replicas": SECRET, SECRET: 1})]
    answers += [
        jupyter.ask("POST", "models", SECRET.encode()),
        jupyter.ask("GET", "models/hushed/logs", query={"pod": SECRET.upper()}),
    ]
    assert not [answer for answer in answers if SECRET.lower() in str(answer).lower()]


def test_asks_before_it_changes_what_somebody_else_served(jupyter: Jupyter, session: Session) -> None:
    session.serve(name="theirs", **ASLEEP)
    give(session, "theirs", "bob")
    status, code, message = notice_of(jupyter.do("DELETE", "models/theirs"))
    assert (status, code) == (409, "NotYoursError")
    assert message.startswith("theirs was served by bob, and you are ")
    assert jupyter.do("DELETE", "models/theirs", {"yes": "true"})[1]["action"] == "deleted"


def test_does_the_same_once_that_is_asked_twice_at_a_time(jupyter: Jupyter, session: Session) -> None:
    from concurrent.futures import ThreadPoolExecutor

    session.serve(name="twice", **ASLEEP)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: jupyter.do("DELETE", "models/twice"), range(8)))
    assert {status for status, _ in answers} <= {200, 404}
    assert [answer["action"] for status, answer in answers if status == 200]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        ("POST", "models/smol/scale", {}, 422, "replicas is missing."),
        ("POST", "models/smol/scale", {"replicas": True}, 422, "replicas must be a whole number."),
        ("POST", "models/smol/scale", {"replicas": -1}, 422, "replicas must be a number from 0 to 10000."),
        ("POST", "models/smol/scale", {"replica": 1, "replicas": 1}, 422, "It takes replicas, yes, uid, where."),
        ("POST", "models/smol/fix", {"remedy_id": "1"}, 422, "remedy_id is not written as it must be."),
        ("POST", "plan", {"fields": "x"}, 422, "fields must be an object."),
        ("POST", "plan", b"[]", 400, "The request's body is no JSON object."),
        ("POST", "plan", b"{", 400, "The request's body is no JSON."),
        ("POST", "plan", b'{"fields":' + b"[" * 100_000, 400, "The request's body is no JSON."),
        ("POST", "plan", b" " * 1_000_001, 400, "longer than 1000000 bytes"),
        ("POST", "plan", {"fields": {"url": "x", "engin": 1}}, 422, ""),
        ("GET", "models/smol/logs?tail_lines=many", None, 422, "tail_lines must be a whole number."),
        ("GET", "models/smol/logs?previous=true&previous=true", None, 400, "given twice"),
        ("GET", "catalog?feature=Flying", None, 422, "KubeAI has no feature"),
    ],
)  # fmt: skip
def test_says_what_is_wrong_with_a_request(
    jupyter: Jupyter, method: str, path: str, body: Any, status: int, sentence: str
) -> None:
    answered = notice_of(jupyter.ask(method, path, body))
    assert answered[0] == status
    assert sentence in answered[2]


def test_works_in_another_context_and_stays_where_it_is_if_that_cannot_be(
    clusters: Any, kubeconfig: Any, tmp_path: Path
) -> None:
    for api, name in zip(clusters, ("of-a", "of-b"), strict=True):
        api.put(MODELS, model(name))
    config = kubeconfig(*(api.url for api in clusters))
    with Jupyter(tmp_path / "server", KUBECONFIG=config) as jupyter, jupyter.stream() as events:
        assert jupyter.ask("GET", "where")[1]["cluster"] == "a"
        known = {"names": ["a", "b", "local"], "namespace": ""}
        assert jupyter.ask("GET", "contexts")[1] == {**known, "current": "a"}
        assert notice_of(jupyter.ask("POST", "where", {"context": "c"}))[:2] == (503, "KubeconfigError")
        assert jupyter.ask("GET", "where")[1]["cluster"] == "a"
        assert jupyter.ask("POST", "where", {"context": "b"})[1]["cluster"] == "b"
        assert jupyter.ask("GET", "contexts")[1] == {**known, "current": "b"}
        assert [row["name"] for row in jupyter.ask("GET", "models")[1]["rows"]] == ["of-b", "smol"]
        assert [data["link"] for kind, _, data in events if kind == "link"][-1] == "closed"


def test_stays_where_it_is_if_the_namespace_is_not_there(jupyter: Jupyter) -> None:
    before = jupyter.ask("GET", "where")[1]["namespace"]
    answered = notice_of(jupyter.ask("POST", "where", {"namespace": "nosuch"}))
    assert answered[:2] == (404, "NotFoundError")
    assert answered[2].startswith('There is no namespace "nosuch" on this machine.')
    assert jupyter.ask("GET", "where")[1]["namespace"] == before


def test_takes_a_request_as_jupyterlab_sends_it(jupyter: Jupyter) -> None:
    query = {"1795923240004": "", "token": jupyter.token, "no_track_activity": "1"}
    assert jupyter.ask("GET", "catalog", query={"text": "smollm2", **query})[0] == 200
    assert jupyter.ask("GET", "models", login=False, query=query)[0] == 200


def test_names_the_right_that_is_missing_and_the_role_that_grants_it(
    daemon: str, session: Session, tmp_path: Path
) -> None:
    session.serve(name="kept", **ASLEEP)
    with FaultyApi(Path(daemon)) as api:
        api.faults += [denied("delete", "models")]
        with Jupyter(tmp_path / "server", KUBECONFIG=str(api.kubeconfig(tmp_path / "alice"))) as jupyter:
            status, code, message = notice_of(jupyter.do("DELETE", "models/kept", {"yes": "true"}))
            assert (status, code) == (403, "ForbiddenError")
            assert "may not delete models" in message
            rights = jupyter.ask("GET", "rights")[1]
            assert [(right["verb"], right["resource"]) for right in rights["missing"]] == [("delete", "models")]
            assert "kind: Role" in rights["role"]
            shown = {"where": jupyter.ask("GET", "where")[1]["mark"]}
            api.stop()
            assert until(lambda: jupyter.ask("GET", "models")[1].get("link") == "reconnecting", 30)
            assert notice_of(jupyter.ask("POST", "models/kept/pause", shown))[:2] == (503, "UnreachableError")
            api.start()
            assert until(lambda: jupyter.ask("GET", "models")[1].get("link") == "live", 60)
    assert session.cluster.model("kept")


def no_group(exchange: Exchange) -> None:
    """As an API server answers for a group that it does not know."""
    data = b"404 page not found\n"
    exchange.send_response(404)
    exchange.send_header("Content-Length", str(len(data)))
    exchange.end_headers()
    exchange.wfile.write(data)


BROKEN = {
    "no right to list": ([denied("list", "models")], 403, "ForbiddenError"),
    "no CRD": ([Fault(no_group, resource="models")], 503, "NotInstalledError"),
    "login refused": ([Fault(refuse(401, "Unauthorized"))], 502, "UnauthorizedError"),
}


@pytest.mark.parametrize(("faults", "status", "code"), BROKEN.values(), ids=BROKEN)
def test_answers_a_notice_where_the_cluster_lets_nobody_in(
    daemon: str, tmp_path: Path, faults: list[Fault], status: int, code: str
) -> None:
    with FaultyApi(Path(daemon)) as api:
        api.faults += faults
        with Jupyter(tmp_path / "server", KUBECONFIG=str(api.kubeconfig(tmp_path / "alice"))) as jupyter:
            for path in ("models", "stream", "changes", "where"):
                answered = notice_of(jupyter.ask("GET", path))
                assert answered[:2] == (status, code)
                assert len(answered[2]) > 20
            stations = jupyter.ask("GET", "doctor")[1]["stations"]
            assert {station["severity"] for station in stations} & {"error", "warning"}


def test_answers_a_notice_where_the_cluster_is_down(tmp_path: Path, kubeconfig: Any) -> None:
    with Jupyter(tmp_path / "server", KUBECONFIG=kubeconfig("http://127.0.0.1:9")) as jupyter:
        for path in ("models", "stream", "changes"):
            assert notice_of(jupyter.ask("GET", path))[:2] == (503, "UnreachableError")


def test_answers_a_notice_where_the_local_extra_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util; found = util.find_spec\n"
        "util.find_spec = lambda name, package=None: None if name == 'xllamacpp' else found(name, package)\n"
    )
    environment = {"PYTHONPATH": str(tmp_path), "KUBEAI_LOCAL_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}
    with Jupyter(tmp_path / "server", **environment) as jupyter:
        status, code, message = notice_of(jupyter.ask("GET", "models"))
        assert (status, code) == (503, "LocalError")
        assert "needs xllamacpp, which is not installed." in message


def test_may_be_configured_as_a_notebook_is(daemon: str, tmp_path: Path) -> None:
    with Jupyter(tmp_path / "server", {"KubeAI": {"context": "nowhere"}}, KUBECONFIG=daemon) as jupyter:
        status, code, message = notice_of(jupyter.ask("GET", "models"))
        assert (status, code) == (503, "KubeconfigError")
        assert "nowhere" in message
        # The way out of a place that is not there.
        way_out = {"names": ["kubeai-local", "local"], "current": "nowhere", "namespace": ""}
        assert jupyter.ask("GET", "contexts")[1] == way_out
