"""What the API promises about lists, watches and what it serves."""

from __future__ import annotations

import json
import uuid

import pytest

from .conftest import model


@pytest.fixture
def group(server):
    """Three Models with a label of their own: ``{name: object}`` by their short names a, b, c."""
    mark, stored = f"g{uuid.uuid4().hex[:8]}", {}
    for name, labels in {"a": {"tier": "gold", "odd": "1"}, "b": {"tier": "silver"}, "c": {}}.items():
        body = model(f"{mark}-{name}")
        body["metadata"]["labels"] = labels | {"mark": mark}
        stored[name] = server.post(server.models, body)[1]
    stored["mark"] = mark
    return stored


def short(items):
    return [item["metadata"]["name"].rpartition("-")[2] for item in items]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("tier=gold", ["a"]),
        ("tier==gold", ["a"]),
        ("tier!=gold", ["b", "c"]),
        ("tier in (gold,silver)", ["a", "b"]),
        ("tier notin (gold)", ["b", "c"]),
        ("tier", ["a", "b"]),
        ("!tier", ["c"]),
        ("tier in (gold, silver),odd", ["a"]),
    ],
)
def test_selects_by_labels(server, group, selector, names):
    items = server.get(server.models, labelSelector=f"{selector},mark={group['mark']}")[1]["items"]
    assert short(items) == names


def test_selects_by_name(server, group):
    name = group["b"]["metadata"]["name"]
    assert short(server.get(server.models, fieldSelector=f"metadata.name={name}")[1]["items"]) == ["b"]
    left = server.get(server.models, fieldSelector=f"metadata.name!={name}", labelSelector=f"mark={group['mark']}")[1][
        "items"
    ]
    assert short(left) == ["a", "c"]


@pytest.mark.parametrize(
    "query",
    [
        {"labelSelector": "a b"},
        {"labelSelector": "a in (b"},
        {"fieldSelector": "spec.engine=VLLM"},
        {"limit": "x"},
        {"continue": "x"},
    ],
)
def test_refuses_a_query_it_cannot_read(server, query):
    status, body = server.get(server.models, **query)
    assert (status, body["reason"]) == (400, "BadRequest")


def test_selects_events_by_their_object(server):
    for name in ("x", "y"):
        involved = {"kind": "Pod", "namespace": server.namespace, "name": name, "uid": f"uid-{name}"}
        event = {"metadata": {"name": f"e-{name}"}, "involvedObject": involved, "reason": "Pulled", "type": "Normal"}
        assert server.post(f"{server.core}/events", event)[0] == 201
    for selector in ("involvedObject.uid=uid-x", "involvedObject.name=x,involvedObject.kind=Pod,reason=Pulled"):
        items = server.get(f"{server.core}/events", fieldSelector=selector)[1]["items"]
        assert [item["metadata"]["name"] for item in items] == ["e-x"]


def test_pages_show_the_moment_of_the_first(server, group):
    query = {"limit": 2, "labelSelector": f"mark={group['mark']}"}
    first = server.get(server.models, **query)[1]
    assert short(first["items"]) == ["a", "b"]
    server.delete(server.path(group["c"]))
    server.post(server.models, model(f"{group['mark']}-d"))
    second = server.get(server.models, **query, **{"continue": first["metadata"]["continue"]})[1]
    assert short(second["items"]) == ["c"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert not second["metadata"].get("continue")


def test_lists_all_namespaces(server, group):
    items = server.get("/apis/kubeai.org/v1/models", labelSelector=f"mark={group['mark']}")[1]["items"]
    assert short(items) == ["a", "b", "c"]


def test_lists_nothing_in_a_namespace_that_is_not_there(server):
    assert server.get(server.models.replace(server.namespace, "nowhere"))[1]["items"] == []


def test_watches_from_a_version(server):
    version = server.get(server.models)[1]["metadata"]["resourceVersion"]
    stored = server.model()
    server.patch(server.path(stored), {"spec": {"minReplicas": 1}})
    server.delete(server.path(stored))
    name = stored["metadata"]["name"]
    events = server.watch(server.models, 3, resourceVersion=version, fieldSelector=f"metadata.name={name}")
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))


def test_shows_a_watch_what_enters_and_leaves_its_selection(server):
    stored = server.model()
    version = stored["metadata"]["resourceVersion"]
    for value in ("in", "out"):
        server.patch(server.path(stored), {"metadata": {"labels": {"place": value}}})
    events = server.watch(server.models, 2, resourceVersion=version, labelSelector="place=in")
    assert [event["type"] for event in events] == ["ADDED", "DELETED"]


def test_begins_a_watch_without_a_version_with_what_is_there(server):
    name = server.model()["metadata"]["name"]
    event = server.watch(server.models, 1, fieldSelector=f"metadata.name={name}")[0]
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", name)


def test_ends_a_watch_after_its_time(server):
    version = server.get(server.models)[1]["metadata"]["resourceVersion"]
    with server.open(
        "GET", server.models, watch=1, timeoutSeconds=1, resourceVersion=version, allowWatchBookmarks="true"
    ) as response:
        events = [json.loads(line) for line in response.read().splitlines()]
    assert {event["type"] for event in events} <= {"BOOKMARK"}


def test_sends_410_for_a_version_that_is_forgotten(server):
    with server.open("GET", server.models, watch=1, timeoutSeconds=2, resourceVersion=1) as response:
        event = json.loads(response.readline())
    if server.local or event.get("type") == "ERROR":  # A young etcd still remembers its first version.
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_lists_by_watching(modern, group):
    query = {"sendInitialEvents": "true", "allowWatchBookmarks": "true", "resourceVersionMatch": "NotOlderThan"}
    events = modern.watch(modern.models, 4, labelSelector=f"mark={group['mark']}", **query)
    assert [event["type"] for event in events] == ["ADDED", "ADDED", "ADDED", "BOOKMARK"]
    assert events[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_tells_what_it_serves(server):
    served = {item["name"]: item for item in server.get("/apis/kubeai.org/v1")[1]["resources"]}
    assert served.keys() == {"models", "models/scale", "models/status"}
    assert {"create", "delete", "get", "list", "patch", "update", "watch"} <= set(served["models"]["verbs"])
    assert {"pods", "secrets"} <= {item["name"] for item in server.get("/api/v1")[1]["resources"]}
    assert "kubeai.org" in {group["name"] for group in server.get("/apis")[1]["groups"]}


def test_answers_plain_text_for_a_group_that_is_not_there(server):
    for path in ("/apis/example.com/v1/things", "/apis/kubeai.org/v9/models"):
        assert server.get(path) == (404, "404 page not found\n")


def test_publishes_the_schema(modern):
    url = modern.get("/openapi/v3")[1]["paths"]["apis/kubeai.org/v1"]["serverRelativeURL"]
    document = modern.get(url)[1]
    path = "/apis/kubeai.org/v1/namespaces/{namespace}/models/{name}"
    names = {item["name"] for item in document["paths"][path]["patch"]["parameters"] if "name" in item}
    assert "fieldValidation" in names


def test_passes_requests_on_to_the_gateway(whole):
    path = "/api/v1/namespaces/default/services/http:kubeai:80/proxy/openai/v1/models"
    assert whole.get(path)[1]["object"] == "list"
    assert whole.get(path.replace("http:kubeai:80", "kubeai"))[0] == 200
    assert whole.get(path.replace(":80", ":81"))[0] == 503
    assert whole.get(path.replace("kubeai:80", "nothing:80"))[0] == 404
    status, body = whole.post(path.replace("models", "completions"), {"model": "nope", "prompt": "x"})
    assert (status, json.loads(body) if isinstance(body, str) else body) == (404, {"error": 'model not found: "nope"'})
