"""Requests whose answers get lost, delayed or refused."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trustme
import urllib3.connection
from kubernetes.client import Configuration

from kubeai_notebook.cluster.api import Bounds
from kubeai_notebook.cluster.client import CORE, Api, Cluster
from kubeai_notebook.cluster.connect import connect
from kubeai_notebook.cluster.errors import BusyError, LostAnswerError
from kubeai_notebook.cluster.requests import REQUEST_ID
from kubeai_notebook.core.manifest import to_manifest
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    NotInstalledError,
    UnauthorizedError,
    UnreachableError,
)
from tests.support.daemon import SMOL
from tests.support.faults import answer_lost, broken, busy, cut_after, cut_before, denied, silent
from tests.support.http_server import HttpServer, json_answer
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def sleeping(name: str, **fields: Any) -> dict[str, Any]:
    return to_manifest(spec_of({"name": name, "scaling": {"min_replicas": 0}, **SMOL, **fields}))


def secret(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def test_finds_a_model_again_whose_creation_was_never_confirmed(cluster, api) -> None:
    api.faults.append(answer_lost(verb="create", resource="models", times=1))
    made = cluster.create_model(sleeping("lost"))
    assert made["metadata"]["annotations"][REQUEST_ID]
    assert (api.count("create", "models"), api.count("get", "models")) == (1, 1)
    assert [model["metadata"]["name"] for model in cluster.models()] == ["lost"]


def test_creates_it_once_where_the_first_request_never_arrived(cluster, api) -> None:
    api.faults.append(cut_before(verb="create", resource="models"))
    assert cluster.create_model(sleeping("again"))["metadata"]["name"] == "again"
    assert api.count("create", "models") == 2


def test_takes_no_object_of_somebody_else_for_its_own(cluster, api) -> None:
    cluster.create_model(sleeping("taken"))
    api.faults.append(answer_lost(verb="create", resource="models", times=1))
    with pytest.raises(ConflictError, match='"taken" exists already'):
        cluster.create_model(sleeping("taken"))


def own(names: tuple[str, ...]) -> list[str]:
    """The Secrets' names, without those that other tests' projects keep in the same cluster."""
    return [name for name in names if not name.startswith("kubeai-notebook.")]


def test_makes_a_secret_once_though_its_answer_was_lost(cluster, api) -> None:
    api.faults.append(answer_lost(verb="create", resource="secrets", times=1))
    cluster.write_secret(secret("once", key="value"))
    assert own(cluster.secret_names()) == ["once"]
    cluster.write_secret(secret("once", key="other"))
    assert cluster.secret("once")["data"] == {"key": "b3RoZXI="}
    cluster.delete_secret("once")


def test_sees_in_the_object_that_a_lost_patch_came_through(cluster, api) -> None:
    cluster.create_model(sleeping("patched"))
    api.faults.append(answer_lost(verb="patch", resource="models", times=1))
    patched = cluster.patch_model("patched", {"spec": {"targetRequests": 7, "env": None}})
    assert patched["spec"]["targetRequests"] == 7
    assert api.count("patch", "models") == 1


def test_sees_that_a_lost_patch_for_one_version_came_through(cluster, api) -> None:
    cluster.write_secret(secret("guarded", key="value"))
    path, version = cluster.path(CORE, "secrets", "guarded"), cluster.secret("guarded")["metadata"]["resourceVersion"]
    api.faults.append(answer_lost(verb="patch", resource="secrets", times=1))
    patch = {"metadata": {"resourceVersion": version, "labels": {"a": "b"}}}
    assert cluster.patch(path, patch)["metadata"]["labels"] == {"a": "b"}
    with pytest.raises(ConflictError):
        cluster.patch(path, patch)
    cluster.delete_secret("guarded")


def test_tells_whether_it_made_a_secret_or_changed_one(cluster) -> None:
    assert cluster.write_secret(secret("told", key="value"))
    assert not cluster.write_secret(secret("told", key="other"))
    cluster.delete_secret("told")


def test_tries_a_patch_without_changing_anything(cluster) -> None:
    cluster.create_model(sleeping("tried"))
    tried = cluster.patch_model("tried", {"spec": {"targetRequests": 7}}, dry_run=True)
    assert (tried["spec"]["targetRequests"], cluster.model("tried")["spec"]["targetRequests"]) == (7, 100)


def test_says_that_a_patch_did_not_come_through(cluster, api) -> None:
    cluster.create_model(sleeping("unpatched"))
    api.faults.append(cut_before(verb="patch", resource="models"))
    with pytest.raises(LostAnswerError):
        cluster.patch_model("unpatched", {"spec": {"targetRequests": 7}})


def test_counts_a_lost_deletion_as_done_when_the_object_is_gone(cluster, api) -> None:
    cluster.create_model(sleeping("going"))
    api.faults.append(answer_lost(verb="delete", resource="models", times=1))
    cluster.delete_model("going")
    with pytest.raises(NotFoundError):
        cluster.model("going")


def test_deletes_no_other_model_that_took_the_name_meanwhile(cluster) -> None:
    seen = cluster.create_model(sleeping("taken"))["metadata"]["uid"]
    cluster.delete_model("taken", seen)
    cluster.create_model(sleeping("taken"))
    with pytest.raises(ConflictError):
        cluster.delete_model("taken", seen)
    assert cluster.model("taken")["metadata"]["uid"] != seen


@pytest.mark.parametrize("verb", ["get", "create"])
def test_comes_back_when_a_busy_server_asks_for_it(cluster, api, verb) -> None:
    cluster.create_model(sleeping("busy"))
    api.faults.append(busy("0.2", verb=verb, resource="models", times=2))
    api.requests.clear()
    if verb == "get":
        cluster.model("busy")
    else:
        cluster.create_model(sleeping("busier"))
    sent = [request.at_seconds for request in api.requests]
    assert all(after - before >= 0.2 for before, after in itertools.pairwise(sent))
    assert (len(sent), api.faults[0].times) == (3, 0)


def test_does_not_wait_for_minutes(cluster, api) -> None:
    api.faults.append(busy("120"))
    with pytest.raises(BusyError, match="Run this again in 120 s"):
        cluster.models()
    assert api.count("list", "models") == 1


def test_reads_again_when_the_connection_broke(cluster, api) -> None:
    api.faults.append(cut_after(10, verb="list", resource="models", times=2))
    assert cluster.models() == []
    assert api.count("list", "models") == 3


def test_trusts_what_the_system_trusts_where_a_kubeconfig_names_no_authority(behind_tls, monkeypatch) -> None:
    server, api = behind_tls
    monkeypatch.setenv("SSL_CERT_FILE", api.configuration.ssl_ca_cert)
    public = Configuration()
    public.host = server.address
    assert Api(public).request("GET", "apis") == {"kind": "Model"}


def test_gives_each_connection_a_tls_context_of_its_own(behind_tls, monkeypatch) -> None:
    """urllib3 writes into it at each connection, and a thread that shakes hands by it reads it without the GIL."""
    _, api = behind_tls
    contexts: list[ssl.SSLContext] = []
    wrap = urllib3.connection.ssl_wrap_socket

    def noted(**options: Any) -> Any:
        contexts.append(options["ssl_context"])
        return wrap(**options)

    monkeypatch.setattr(urllib3.connection, "ssl_wrap_socket", noted)
    for _ in range(2):
        api.open("GET", "apis").close()
    assert len({id(context) for context in contexts}) == 2


@pytest.fixture
def behind_tls() -> Iterator[tuple[HttpServer, Api]]:
    """A server that answers everything, and its client."""
    authority, tls, configuration = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), Configuration()
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with (
        HttpServer(lambda _request: json_answer({"kind": "Model"}), tls=tls) as server,
        authority.cert_pem.tempfile() as ca,
    ):
        configuration.host, configuration.ssl_ca_cert = server.address, ca
        api = Api(configuration)
        yield server, api
        api.close()


@pytest.mark.parametrize("reset", [False, True], ids=["ended", "reset"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_sends_again_what_a_server_hung_up_on_before_anything_was_sent(behind_tls, method, reset) -> None:
    server, api = behind_tls
    server.broken_handshakes, server.unread_handshakes = 2, reset
    assert api.request(method, "apis", body={} if method == "POST" else None) == {"kind": "Model"}
    assert [request.method for request in server.received] == [method]


@pytest.mark.parametrize("reset", [False, True], ids=["ended", "reset"])
def test_gives_up_on_a_server_that_always_hangs_up(behind_tls, reset) -> None:
    server, api = behind_tls
    server.broken_handshakes, server.unread_handshakes = 10, reset
    with pytest.raises(UnreachableError, match="ends the TLS connection before it answers"):
        api.request("GET", "apis")
    assert server.broken_handshakes == 7


@pytest.mark.parametrize("code", [500, 502, 503])
def test_says_what_a_broken_server_answered(cluster, api, code) -> None:
    api.faults.append(broken(code))
    with pytest.raises(ClusterError, match=f"answered {code}: the server is not well"):
        cluster.models()


def test_does_not_wait_for_a_server_that_is_silent(cluster, api) -> None:
    api.faults.append(silent())
    with pytest.raises(LostAnswerError, match="does not answer"):
        cluster.api.request("GET", "version", read_seconds=0.2)
    assert len(api.requests) == 1


def test_ends_what_waits_when_it_is_closed(cluster, api) -> None:
    api.faults.append(silent(resource="pods"))
    apart, ended = cluster.api.apart(), threading.Event()

    def ask() -> None:
        with contextlib.suppress(UnreachableError):
            apart.request("GET", cluster.path(CORE, "pods"))
        ended.set()

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: api.count("list", "pods"))
    apart.close()
    assert ended.wait(10)  # the request itself would take 30 s
    thread.join()


def test_says_that_its_token_has_expired(cluster, api) -> None:
    api.accepted_token = "renewed"
    with pytest.raises(UnauthorizedError):
        cluster.models()
    api.accepted_token = None


def test_reads_a_kubeconfig_anew_whose_token_has_expired(cluster, api, tmp_path: Path) -> None:
    assert cluster.models() == []
    api.accepted_token = "renewed"
    api.kubeconfig(tmp_path / "kubeconfig", token="renewed")
    assert cluster.models() == []


def test_asks_an_exec_plugin_again_when_its_token_is_refused(api, tmp_path: Path, monkeypatch) -> None:
    api.accepted_token = "first"
    said = tmp_path / "credential.json"
    said.write_text(_credential("first"))
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "cat", "args": [str(said)]}
    path = api.kubeconfig(tmp_path / "kubeconfig", exec={**plugin, "interactiveMode": "Never"})
    monkeypatch.setenv("KUBECONFIG", str(path))
    cluster = connect()
    assert cluster.models() == []
    said.write_text(_credential("second"))
    api.accepted_token = "second"
    assert cluster.models() == []
    # Only the refused request was sent twice.
    assert api.count("list", "models") == 3
    cluster.close()


def _credential(token: str) -> str:
    kind = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    return json.dumps({**kind, "status": {"token": token}})


def test_sends_nothing_twice_that_was_forbidden(cluster, api) -> None:
    api.faults.append(denied("list", "models"))
    with pytest.raises(ForbiddenError, match="may not list models"):
        cluster.models()
    assert api.count("list", "models") == 1


def test_lists_names_of_secrets_page_by_page(cluster, api) -> None:
    names = tuple(f"s{number}" for number in range(5))
    for name in names:
        cluster.write_secret(secret(name, key="value"))
    paged = Cluster(Api(login=cluster.api.login, bounds=Bounds(page_objects=2)), cluster.namespace)
    every = paged.secret_names()
    assert own(every) == list(names)
    # Other tests' projects may keep Secrets in the same cluster: then there are more pages than these names fill.
    assert api.count("list", "secrets") == math.ceil(len(every) / 2)
    paged.close()
    for name in names:
        cluster.delete_secret(name)


def test_dry_run_creates_nothing(cluster) -> None:
    cluster.create_model(sleeping("dry"), dry_run=True)
    assert cluster.models() == []


def test_has_an_empty_answer_for_kinds_that_are_not_there(cluster) -> None:
    for ask in (cluster.priority_classes, cluster.resource_quotas):
        with contextlib.suppress(NotFoundError, NotInstalledError):
            assert list(ask()) == []
