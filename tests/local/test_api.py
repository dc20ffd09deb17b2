from __future__ import annotations

import json

import kubernetes
import pytest

MODELS = "/apis/kubeai.org/v1/namespaces/default/models"
PODS = "/api/v1/namespaces/default/pods"
SPEC = {"url": "ollama://smollm2:135m", "engine": "OLlama", "features": ["TextGeneration"], "minReplicas": 0}


def model(name, **spec):
    return {"apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": {"name": name}, "spec": SPEC | spec}


@pytest.fixture
def asleep(kubeai):
    """A Model that is stored and has no Pod."""
    created = kubeai.api("POST", MODELS, model("asleep"))[1]
    yield created
    kubeai.delete("asleep")


def test_fills_in_the_defaults_of_the_crd(asleep):
    assert asleep["spec"]["targetRequests"] == 100
    assert asleep["spec"]["scaleDownDelaySeconds"] == 30
    prefix_hash = {"meanLoadFactor": 125, "prefixCharLength": 100, "replication": 256}
    assert asleep["spec"]["loadBalancing"] == {"strategy": "LeastLoad", "prefixHash": prefix_hash}
    assert asleep["metadata"]["uid"]
    assert asleep["metadata"]["generation"] == 1


def test_refuses_a_second_model_of_a_name(kubeai, asleep):
    status, body = kubeai.api("POST", MODELS, model("asleep"))
    assert (status, body["reason"]) == (409, "AlreadyExists")
    assert body["message"] == 'models.kubeai.org "asleep" already exists'
    assert body["details"] == {"name": "asleep", "group": "kubeai.org", "kind": "models"}


def test_refuses_a_write_on_an_old_version(kubeai, asleep):
    patch = {"metadata": {"resourceVersion": "1"}, "spec": {"minReplicas": 0}}
    status, body = kubeai.api("PATCH", f"{MODELS}/asleep", patch)
    assert (status, body["reason"]) == (409, "Conflict")


def test_says_which_object_is_missing(kubeai):
    status, body = kubeai.api("GET", f"{MODELS}/nope")
    assert (status, body["message"]) == (404, 'models.kubeai.org "nope" not found')


def test_says_which_namespace_is_missing(kubeai):
    status, body = kubeai.api("POST", MODELS.replace("default", "nons"), model("a"))
    assert (status, body["message"]) == (404, 'namespaces "nons" not found')


def test_answers_plain_text_for_a_group_that_is_not_there(kubeai):
    assert kubeai.api("GET", "/apis/example.com/v1/namespaces/default/things") == (404, "404 page not found\n")


def test_refuses_a_request_without_the_token(kubeai):
    status, body = kubeai.api("GET", MODELS, Authorization="Bearer wrong")
    assert (status, body["reason"]) == (401, "Unauthorized")


def test_refuses_verbs_that_no_client_of_ours_sends(kubeai):
    assert kubeai.api("DELETE", MODELS)[0] == 405
    assert kubeai.api("POST", f"{MODELS}/a", {})[0] == 405


def test_refuses_a_patch_that_is_no_merge_patch(kubeai, asleep):
    headers = {"Content_Type": "application/strategic-merge-patch+json"}
    status, body = kubeai.api("PATCH", f"{MODELS}/asleep", {}, **headers)
    assert (status, body["reason"]) == (415, "UnsupportedMediaType")


def test_names_every_wrong_field(kubeai):
    spec = {"engine": "Foo", "features": ["Chat"]}
    status, body = kubeai.api("POST", MODELS, model("wrong") | {"spec": spec})
    assert (status, body["reason"]) == (422, "Invalid")
    causes = {cause["field"]: cause["message"] for cause in body["details"]["causes"]}
    assert causes["spec.url"] == "Required value"
    assert causes["spec.engine"].startswith('Unsupported value: "Foo": supported values: "OLlama", "VLLM"')
    assert causes["spec.features[0]"].startswith('Unsupported value: "Chat"')
    assert "some validation rules were not checked" in causes["<nil>"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"url": "http://x"},
            'spec.url: Invalid value: "http://x": url must start with "hf://", "pvc://", "ollama://", "s3://", "gs://"'
            ', or "oss://" and not be empty.',
        ),
        (
            {"maxReplicas": 0},
            "spec.maxReplicas: Invalid value: 0: spec.maxReplicas in body should be greater than or equal to 1",
        ),
    ],
)
def test_words_a_broken_rule_as_kubernetes_does(kubeai, spec, message):
    status, body = kubeai.api("POST", MODELS, model("g", **spec))
    assert (status, body["message"]) == (422, f'Model.kubeai.org "g" is invalid: {message}')


def test_tells_of_a_wrong_type(kubeai):
    body = kubeai.api("POST", MODELS, model("g", minReplicas="string"))[1]
    text = 'Invalid value: "string": spec.minReplicas in body must be of type integer: "string"'
    cause = {"reason": "FieldValueTypeInvalid", "message": text, "field": "spec.minReplicas"}
    assert body["details"]["causes"][0] == cause


def test_refuses_a_name_with_underscore(kubeai):
    status, body = kubeai.api("POST", MODELS, model("a_b"))
    assert status == 422
    assert "a lowercase RFC 1123 subdomain" in body["message"]


def test_refuses_an_unknown_field_only_when_asked_to_be_strict(kubeai):
    query = "?dryRun=All&fieldValidation="
    status, body = kubeai.api("POST", f"{MODELS}{query}Strict", model("typo", nonsense=1))
    assert (status, body["reason"]) == (400, "BadRequest")
    assert body["message"].endswith('strict decoding error: unknown field "spec.nonsense"')
    status, body = kubeai.api("POST", f"{MODELS}{query}Ignore", model("typo", nonsense=1))
    assert status == 201
    assert "nonsense" not in body["spec"]


def test_stores_nothing_on_a_dry_run(kubeai):
    assert kubeai.api("POST", f"{MODELS}?dryRun=All", model("dry"))[0] == 201
    assert kubeai.api("GET", f"{MODELS}/dry")[0] == 404


def test_scales_by_the_subresource(kubeai):
    kubeai.api("POST", MODELS, model("scaled", autoscalingDisabled=True))
    status, scale = kubeai.api("PATCH", f"{MODELS}/scaled/scale", {"spec": {"replicas": 0}})
    assert (status, scale["kind"], scale["spec"]) == (200, "Scale", {"replicas": 0})
    assert kubeai.api("PATCH", f"{MODELS}/scaled/scale", {"spec": {"replicas": -1}})[0] == 422
    kubeai.delete("scaled")


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("tier=gold", ["a"]),
        ("tier!=gold", ["b", "c"]),
        ("tier in (gold,silver)", ["a", "b"]),
        ("tier notin (gold)", ["b", "c"]),
        ("tier", ["a", "b"]),
        ("!tier", ["c"]),
        ("tier in (gold, silver),odd", ["a"]),
    ],
)
def test_selects_by_labels(kubeai, selector, names):
    maps = "/api/v1/namespaces/default/configmaps"
    for name, labels in {"a": {"tier": "gold", "odd": "1"}, "b": {"tier": "silver"}, "c": {}}.items():
        kubeai.api("POST", maps, {"metadata": {"name": name, "labels": labels | {"test": "select"}}})
    query = f"{selector},test=select".replace(" ", "%20")
    items = kubeai.api("GET", f"{maps}?labelSelector={query}")[1]["items"]
    assert [item["metadata"]["name"] for item in items] == names


def test_encodes_the_plain_strings_of_a_secret(kubeai):
    secret = {"metadata": {"generateName": "token-"}, "stringData": {"token": "abc"}}
    created = kubeai.api("POST", "/api/v1/namespaces/default/secrets", secret)[1]
    assert created["data"] == {"token": "YWJj"}
    assert "stringData" not in created
    assert len(created["metadata"]["name"]) == len("token-") + 5


def test_has_what_an_installation_of_kubeai_has(kubeai):
    config = kubeai.api("GET", "/api/v1/namespaces/default/configmaps/kubeai-config")[1]
    assert "nvidia-gpu-l4" in config["data"]["system.yaml"]
    service = kubeai.api("GET", "/api/v1/namespaces/default/services/kubeai")[1]
    assert service["spec"]["ports"][0]["port"] == 80
    assert service["metadata"]["labels"]["app.kubernetes.io/version"] == "0.22.1"


def test_lists_what_it_serves(kubeai):
    assert kubeai.api("GET", "/version")[1]["minor"] == "32"
    names = {item["name"] for item in kubeai.api("GET", "/apis/kubeai.org/v1")[1]["resources"]}
    assert names == {"models", "models/scale", "models/status"}


def test_tells_its_version_as_the_official_client_reads_it(daemon):
    with kubernetes.config.new_client_from_config(daemon) as client:
        version = kubernetes.client.VersionApi(client).get_code()
    assert (version.major, version.minor, version.platform) == ("1", "32", "kubeai-local")


def test_ignores_a_model_of_another_namespace(kubeai):
    kubeai.api("POST", "/api/v1/namespaces", {"metadata": {"name": "elsewhere"}})
    path = MODELS.replace("default", "elsewhere")
    kubeai.api("POST", path, model("lost", minReplicas=1))
    kubeai.api("POST", MODELS, model("known"))
    kubeai.delete("known")
    lost = kubeai.api("GET", f"{path}/lost")[1]
    assert "status" not in lost
    assert "labels" not in lost["metadata"]


def watched(daemon, query, count):
    """The first events of a watch."""
    with daemon.request("GET", f"{MODELS}?watch=true&{query}") as response:
        assert response.status == 200
        return [json.loads(response.readline()) for _ in range(count)]


def test_watches_from_a_version(kubeai):
    version = kubeai.api("GET", MODELS)[1]["metadata"]["resourceVersion"]
    kubeai.api("POST", MODELS, model("seen"))
    kubeai.delete("seen")
    query = f"resourceVersion={version}&fieldSelector=metadata.name=seen&timeoutSeconds=5"
    first = watched(kubeai, query, 1)[0]
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "seen")
    with kubeai.request("GET", f"{MODELS}?watch=true&{query.replace('=5', '=1')}") as response:
        kinds = [json.loads(line)["type"] for line in response.read().splitlines()]
    assert kinds[0] == "ADDED"
    assert kinds[-1] == "DELETED"
    assert set(kinds[1:-1]) == {"MODIFIED"}


def test_ends_a_watch_after_its_time_with_a_bookmark(kubeai):
    query = "resourceVersion=0&timeoutSeconds=1&allowWatchBookmarks=true&fieldSelector=metadata.name=none"
    event = watched(kubeai, query, 1)[0]
    assert event["type"] == "BOOKMARK"
    assert int(event["object"]["metadata"]["resourceVersion"]) > 0


def test_lists_by_watching(kubeai, asleep):
    query = "sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=5"
    added, bookmark = watched(kubeai, f"{query}&fieldSelector=metadata.name=asleep", 2)
    assert (added["type"], bookmark["type"]) == ("ADDED", "BOOKMARK")
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_asks_for_json_instead_of_protobuf(kubeai):
    assert kubeai.api("POST", MODELS, {}, Content_Type="application/vnd.kubernetes.protobuf")[0] == 415


def test_grants_every_right_to_its_one_user(kubeai):
    review = {"spec": {"resourceAttributes": {"verb": "create", "resource": "models", "group": "kubeai.org"}}}
    status, body = kubeai.api("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert (status, body["status"]) == (201, {"allowed": True})


def test_sends_410_for_a_version_that_is_forgotten(kubeai):
    event = watched(kubeai, "resourceVersion=5&timeoutSeconds=5", 1)[0]
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert event["object"]["message"].startswith("too old resource version: 5 (")
