"""What no honest client sends."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from urllib.parse import urlsplit

import pytest

from tests.support.daemon import MODELS, PODS, model_of


@pytest.fixture
def raw(kubeai):
    """Send bytes to the API; what comes back until it closes or says nothing for a second."""
    config = kubeai.kubeconfig
    cluster = config["clusters"][0]["cluster"]
    trusted = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    url, token = urlsplit(cluster["server"]), config["users"][0]["user"]["token"]

    def send(method, path, body=b"", **headers):
        fields = {"Host": "x", "Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        fields |= {"Content-Length": str(len(body))} | {key.replace("_", "-"): text for key, text in headers.items()}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{key}: {text}\r\n" for key, text in fields.items())
        with trusted.wrap_socket(
            socket.create_connection((url.hostname, url.port), 15), server_hostname=url.hostname
        ) as connection:
            connection.sendall(head.encode() + b"\r\n" + body)
            return connection.recv(1 << 16).decode()

    yield send
    assert kubeai.api("GET", MODELS)[0] == 200


def test_refuses_a_huge_body(kubeai, raw):
    status, body = kubeai.api("POST", MODELS, model_of("huge", args=["x" * (3 << 20)]))
    assert (status, body["reason"]) == (413, "RequestEntityTooLarge")


def test_answers_others_while_a_body_is_slow_and_then_ends_it(kubeai, raw):
    answer = raw("POST", MODELS, b"{", Content_Length="1000")
    assert answer.startswith("HTTP/1.1 504")
    assert '"reason": "Timeout"' in answer


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe{}", b'{"spec": NaN}', b"9" * 10_000, b"\0"]
)
def test_refuses_what_is_no_json(raw, body):
    assert raw("POST", MODELS, body).startswith("HTTP/1.1 400")


@pytest.mark.parametrize(
    "path",
    [
        f"{PODS}/..%2f..%2fetc%2fpasswd/log",
        f"{PODS}/../../../../etc/passwd/log",
        f"{MODELS}/%2e%2e/%2e%2e",
        f"{MODELS}/a%00b",
        "/api/v1/namespaces/default/services/http:kubeai:80/proxy/../../../../../../etc/passwd",
        "//etc/passwd",
    ],
)
def test_finds_nothing_outside_its_addresses(raw, path):
    assert raw("GET", path)[9:12] in ("400", "404")


def test_shows_no_file_that_a_pod_names(kubeai, raw):
    pod = {"metadata": {"name": "liar"}, "spec": {"containers": []}}
    assert kubeai.api("POST", PODS, pod)[0] == 201
    status = {"containerStatuses": [{"containerID": "local://../../../../etc/passwd", "state": {"running": {}}}]}
    kubeai.api("PATCH", f"{PODS}/liar/status", {"status": status})
    code, body = kubeai.api("GET", f"{PODS}/liar/log")
    assert (code, body["reason"]) == (400, "BadRequest")
    kubeai.api("DELETE", f"{PODS}/liar")


def test_refuses_a_patch_that_grows_without_end(kubeai, raw):
    kubeai.api("POST", MODELS, model_of("grown", minReplicas=0))
    copies = [{"op": "copy", "from": "/spec", "path": f"/spec/{number}"} for number in range(60)]
    kind = "application/json-patch+json"
    assert kubeai.api("PATCH", f"{MODELS}/grown", copies, Content_Type=kind)[0] == 422
    too_many = [{"op": "test", "path": "/spec/url", "value": "x"}] * 10_001
    assert kubeai.api("PATCH", f"{MODELS}/grown", too_many, Content_Type=kind)[0] == 413
    for wrong in ({}, 5, ["x"], [{"op": "add"}], [{"op": "add", "path": 5, "value": 1}], [{"op": 5, "path": "/a"}]):
        assert kubeai.api("PATCH", f"{MODELS}/grown", wrong, Content_Type=kind)[0] in (400, 422)
    for wrong in ([], 5, {"metadata": 5}, {"spec": 5}, {"metadata": {"labels": {"a": 5}}}):
        assert kubeai.api("PATCH", f"{MODELS}/grown", wrong)[0] in (400, 422)
    kubeai.delete("grown")


@pytest.mark.parametrize("header", ["Bearer", "Bearer \xff", "Basic x", ""])
def test_refuses_a_wrong_token(raw, header):
    assert raw("GET", MODELS, Authorization=header).startswith("HTTP/1.1 401")


def test_survives_unicode_and_odd_numbers(kubeai, raw):
    for metadata in ({"name": "\ud800"}, {"name": "ü"}, {"name": "a" * 300}, {"name": 5}, {"labels": {"": ""}}, []):
        body = {**model_of("odd"), "metadata": metadata}
        assert kubeai.api("POST", MODELS, json.loads(json.dumps(body)))[0] in (400, 422)
    for replicas in (2**70, -1, 1.5, "1", True, [], {}):
        assert kubeai.api("POST", MODELS, model_of("odd", replicas=replicas))[0] == 422


def test_takes_a_model_without_a_spec_and_does_nothing_with_it(kubeai, raw):
    status, body = kubeai.api(
        "POST", MODELS, {key: model_of("bare")[key] for key in ("apiVersion", "kind", "metadata")}
    )
    assert (status, body["metadata"]["generation"]) == (201, 1)
    assert kubeai.api("GET", f"{MODELS}/bare/scale")[0] == 500
    assert kubeai.api("PATCH", f"{MODELS}/bare/scale", {"spec": {"replicas": 1}})[0] == 422
    assert kubeai.command("status").returncode == 0
    assert kubeai.api("DELETE", f"{MODELS}/bare")[0] == 200
