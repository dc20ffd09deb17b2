"""Where a verb acts: in the place and on the Model that whoever asks was shown, or nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.server.table import VERBS
from tests.support.fake_api import MODELS, PODS, FakeApi, model, pod, writes
from tests.support.jupyter import Jupyter
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ELSEWHERE = (409, ["ElsewhereError"])
NAMED = ("scale", "pause", "resume", "restart", "rollback", "fix", "delete", "stake")
NEEDS = {"replicas": 0, "remedy_id": "01234567" * 4, "fields": {"name": "smol", "url": "hf://org/repo"}, "yes": True}
LEADING = [verb for verb in VERBS if verb.verb in (*NAMED, "plan", "serve")]


@pytest.fixture
def jupyter(clusters: tuple[FakeApi, FakeApi], kubeconfig: Callable[..., str], tmp_path: Path) -> Iterator[Jupyter]:
    """One that works on the first cluster, and knows the other."""
    config = kubeconfig(*(api.url for api in clusters))
    with Jupyter(tmp_path / "server", KUBECONFIG=config) as jupyter:
        yield jupyter


def send(jupyter: Jupyter, verb: Any, **meant: str) -> tuple[int, list[str]]:
    """Send a row's request with all that it needs, and ``meant``; status and codes."""
    values = {one.name: NEEDS[one.name] for one in verb.parameters if one.name in NEEDS} | meant
    path = verb.path.replace("{name}", "smol")
    as_body = verb.method == "POST"
    status, answer = jupyter.ask(verb.method, path, values if as_body else None, query=None if as_body else values)
    return status, [notice["code"] for notice in answer["notices"]]


def test_changes_nothing_for_a_tab_that_shows_another_place(
    jupyter: Jupyter, clusters: tuple[FakeApi, FakeApi]
) -> None:
    shown = jupyter.ask("GET", "where")[1]["mark"]
    assert jupyter.ask("POST", "where", {"context": "b"})[1]["mark"] != shown
    assert {verb.verb: send(jupyter, verb, where=shown) for verb in LEADING} == dict.fromkeys(
        (verb.verb for verb in LEADING), ELSEWHERE
    )
    # What only reads may name its place, and is held to it.
    assert jupyter.ask("GET", "models/smol", query={"where": shown})[0] == 409
    assert jupyter.ask("GET", "models/smol")[0] == 200
    status, answer = jupyter.do("DELETE", "models/smol", {"yes": "true", "where": shown})
    assert status == 409
    assert answer["notices"][0]["message"] == "This server works in default on b by now, so nothing was done."
    assert [writes(api) for api in clusters] == [[], []]


def test_says_in_each_answer_that_nobody_has_told_it_its_place_until_somebody_has(
    jupyter: Jupyter, clusters: tuple[FakeApi, FakeApi]
) -> None:
    def mark(method: str, path: str, body: Any = None) -> str | None:
        with jupyter.opened(method, path, body) as answer:
            return answer.headers["KubeAI-Untold"]

    first = mark("GET", "where")
    assert first
    assert {mark("GET", path) for path in ("models", "models/nosuch", "stream", "changes")} == {first}
    # What cannot be is somebody's word, too: a page that waits for another one would say it again and again.
    assert mark("POST", "where", {"context": "nosuch"}) is None
    assert {mark("GET", path) for path in ("models", "stream")} == {None}


def test_takes_no_change_that_names_no_place(jupyter: Jupyter, clusters: tuple[FakeApi, FakeApi]) -> None:
    assert {send(jupyter, verb)[0] for verb in LEADING} == {422}
    assert [writes(api) for api in clusters] == [[], []]


def test_tells_in_the_feed_which_place_its_models_are_of(jupyter: Jupyter) -> None:
    here = jupyter.ask("GET", "where")[1]["mark"]
    first = jupyter.ask("GET", "changes")[1]
    assert (first["link"]["mark"], [one["row"]["name"] for one in first["models"]]) == (here, ["smol"])
    there = jupyter.ask("POST", "where", {"context": "b"})[1]["mark"]
    then = jupyter.ask("GET", "changes", query={"since": first["id"]})[1]
    assert (then["reset"], then["link"]["mark"]) == (True, there)
    with jupyter.stream() as events:
        assert next(data["mark"] for kind, _, data in events if kind == "link") == there


def test_changes_no_model_that_has_taken_the_name_of_the_one_that_was_shown(
    jupyter: Jupyter, clusters: tuple[FakeApi, FakeApi]
) -> None:
    api, _ = clusters
    here = jupyter.ask("GET", "where")[1]["mark"]
    uid = jupyter.do("GET", "models/smol/stake")[1]["uid"]
    assert uid == jupyter.ask("GET", "changes")[1]["models"][0]["uid"] != ""
    anew = model("smol")
    anew["metadata"]["uid"] = "made-anew"
    api.change(MODELS, model("smol"), gone=True)
    api.change(MODELS, anew)
    assert until(lambda: jupyter.do("GET", "models/smol/stake")[1]["uid"] == "made-anew")
    verbs = [verb for verb in VERBS if verb.verb in NAMED and verb.verb != "fix"]
    assert {verb.verb: send(jupyter, verb, where=here, uid=uid) for verb in verbs} == dict.fromkeys(
        (verb.verb for verb in verbs), (409, ["ConflictError"])
    )
    assert writes(api) == []


def test_names_the_sidebars_own_way_out_where_a_cluster_does_not_answer(
    clusters: tuple[FakeApi, FakeApi], kubeconfig: Callable[..., str], tmp_path: Path
) -> None:
    nowhere = "http://127.0.0.1:9"
    with Jupyter(tmp_path / "server", KUBECONFIG=kubeconfig(nowhere, clusters[0].url)) as jupyter:
        shown = [jupyter.ask("GET", "changes"), jupyter.ask("GET", "models/smol")]
        assert jupyter.ask("POST", "where", {"context": "b"})[0] == 200
        shown.append(jupyter.ask("POST", "where", {"context": "a"}))
    way = 'To work on this machine instead: switch to the context "local" at the top of the sidebar.'
    for status, answer in shown:
        assert (status, answer["notices"][0]["remedy"].partition("runs. ")[2]) == (503, way)


@pytest.mark.parametrize(
    ("method", "path", "values"),
    [
        ("POST", "where", {"namespace": "default\n"}),
        ("GET", "models/smol/logs", {"pod": "model-smol-1\n"}),
        ("GET", "models/smol/logs", {"container": "server\n"}),
    ],
)
def test_takes_no_line_break_behind_a_name(jupyter: Jupyter, method: str, path: str, values: dict[str, str]) -> None:
    ask = jupyter.ask if path == "where" else jupyter.do
    status, answer = ask(method, path, values)
    assert status == 422
    assert answer["notices"][0]["message"].endswith("is not written as it must be.")


def test_reads_no_log_of_a_pod_that_is_not_the_models(jupyter: Jupyter, clusters: tuple[FakeApi, FakeApi]) -> None:
    api, _ = clusters
    other = pod("billing-db-0", "smol")
    other["metadata"]["labels"] = {"app": "billing"}
    api.change(PODS, other)
    api.change(PODS, pod("model-smol-1", "smol"))
    api.logs.update({"billing-db-0/server": "of the database", "model-smol-1/server": "of the engine"})
    query = {"pod": "model-smol-1"}
    assert until(lambda: jupyter.ask("GET", "models/smol/logs", query=query)[1].get("text") == "of the engine", 20)
    status, answer = jupyter.ask("GET", "models/smol/logs", query={"pod": "billing-db-0"})
    assert (status, answer["notices"][0]["message"]) == (404, 'smol has no Pod "billing-db-0".')
    assert not [request for request in api.requests if "billing-db-0/log" in request]
