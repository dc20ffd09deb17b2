"""Whatever answers in place of the Kubernetes API: one of our errors, in time, and no write counts as done."""

from __future__ import annotations

import inspect
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes.client import Configuration

from kubeai_notebook.cluster import api as api_module
from kubeai_notebook.cluster.client import Api, Cluster
from kubeai_notebook.errors import ClusterError, KubeAIError, UnauthorizedError, UnreachableError
from tests.support.attack import rounds
from tests.support.garbage import Garbage, garbage_of, serving, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OBJECT = {"metadata": {"name": "m", "annotations": {}}, "spec": {}, "stringData": {"key": "value"}}
COLLECTION = "api/v1/namespaces/default/things"
ARGUMENTS: dict[str, Any] = {
    "name": "m", "pod": "m-1", "replicas": 2, "manifest": OBJECT, "patch": {"spec": {"replicas": 2}},
    "owner": {"uid": "u"}, "sentence": "words", "namespace": "default",
}  # fmt: skip
PATHS = {"listed": COLLECTION, "create": COLLECTION}
NO_REQUEST = {"close", "path", "note"}
WRITES = ("create", "write", "patch", "scale", "own", "delete")
LIMIT_SECONDS = 10.0


def verbs() -> list[str]:
    """Every public method of a Cluster that sends something; a new one is tried as well."""
    public = [name for name, _ in inspect.getmembers(Cluster, inspect.isfunction) if not name.startswith("_")]
    return [name for name in public if name not in NO_REQUEST]


def call(cluster: Cluster, verb: str) -> Callable[[], Any]:
    method = getattr(cluster, verb)
    needed = [one.name for one in inspect.signature(method).parameters.values() if one.default is one.empty]
    given = {name: PATHS.get(verb, f"{COLLECTION}/m") if name == "path" else ARGUMENTS[name] for name in needed}

    def act() -> Any:
        answer = method(**given)
        if verb == "follow_log":
            # A log is followed for hours, so what never ends is ended by the reader.
            threading.Timer(0.5, answer.close).start()
            return list(answer)
        return answer

    return act


def api_at(url: str, **bounds: float) -> Api:
    """A client that is in a hurry, where it can be."""
    hurry = getattr(api_module, "Bounds", None)
    short = {"read_seconds": 0.1, "busy_seconds": 0.1, "list_seconds": 1.0, "pages": 50, **bounds}
    return Api(Configuration(host=url), **({"bounds": hurry(**short)} if hurry else {}))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    with serving() as url:
        yield url
    logging.getLogger("urllib3").setLevel(logging.NOTSET)


def verdict(verb: str, found: Any, garbage: Garbage) -> str:
    """What is wrong with this outcome; ``""`` where nothing is."""
    if isinstance(found, KubeAIError):
        return (
            ""
            if len(str(found)) < 2_500 and str(found).replace("\n", " ").isprintable()
            else f"shows {str(found)[:80]!r}"
        )
    if isinstance(found, BaseException):
        return f"{type(found).__name__}: {str(found)[:80]}"
    if found == "hangs":
        return "hangs"
    return f"taken for done: {garbage.body[:40]!r}" if verb.startswith(WRITES) else ""


def tried(cluster: Cluster, number: int, verb: str) -> str:
    garbage = garbage_of(number)
    said = verdict(verb, within(LIMIT_SECONDS, call(cluster, verb)), garbage)
    return said and f"{number} {verb} {garbage.status} {garbage.way} {garbage.headers}: {said}"


@pytest.mark.finding("M5")
@pytest.mark.finding("L2")
def test_takes_no_garbage_for_an_answer_whatever_is_asked(address: str) -> None:
    count = rounds(500, 20)
    clusters = [Cluster(api_at(f"{address}/{number}"), "default") for number in range(count)]
    asked = [(clusters[number], number, verb) for number in range(count) for verb in verbs()]
    # The slow ones first: they wait, and the others go on beside them.
    asked.sort(key=lambda one: not garbage_of(one[1]).is_slow)
    with ThreadPoolExecutor(16) as pool:
        wrong = [said for said in pool.map(lambda one: tried(*one), asked) if said]
    for cluster in clusters:
        cluster.close()
    assert not wrong, f"{len(wrong)} of {len(asked)}:\n" + "\n".join(wrong[:40])


@pytest.mark.finding("M5")
@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("verb", ["create_model", "delete_model", "patch_model", "models", "model"])
def test_takes_no_redirect_for_done(verb: str, status: int) -> None:
    with saying(status, b"", Location="https://sso.example/login?token=SECRET") as url:
        found = within(20, call(Cluster(api_at(url), "default"), verb))
    assert isinstance(found, ClusterError)
    assert "https://sso.example" in str(found)
    assert "SECRET" not in str(found)


@pytest.mark.finding("M5")
def test_names_the_page_that_answers_in_its_place() -> None:
    with saying(200, b"<html><head><title>Hotel Wifi</title></head></html>") as url:
        found = within(20, call(Cluster(api_at(url), "default"), "models"))
    assert isinstance(found, ClusterError)
    assert "no Kubernetes API" in str(found)
    assert "Hotel Wifi" in str(found)
    assert url in str(found)


@pytest.mark.finding("M5")
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, "UnauthorizedError"), (403, "NoApiError"), (404, "NoApiError"), (409, "ConflictError"),
        (410, "ExpiredError"), (422, "SpecError"), (429, "BusyError"), (500, "ClusterError"), (503, "ClusterError"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("body", [b"", b"no", b"{}", b"[]"])
def test_knows_a_refusal_by_its_status(status: int, kind: str, body: bytes) -> None:
    with saying(status, body) as url:
        assert type(within(10, call(Cluster(api_at(url), "default"), "create_model"))).__name__ == kind


@pytest.mark.finding("M5")
def test_renews_a_login_that_is_refused_without_a_status(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubeai_notebook.cluster.connect import connect

    with saying(200, b'{"metadata": {"resourceVersion": "1"}, "items": []}', token="second") as url:
        path = tmp_path / "config"
        path.write_text(KUBECONFIG.format(server=url, token="first"))
        monkeypatch.setenv("KUBECONFIG", str(path))
        with pytest.raises(UnauthorizedError):
            connect().models()
        path.write_text(KUBECONFIG.format(server=url, token="second"))
        cluster = connect()
        assert cluster.models() == []
        cluster.close()


@pytest.mark.finding("L2")
@pytest.mark.parametrize("body", ["same", "endless"])
def test_ends_a_list_that_has_no_end(body: str) -> None:
    count = iter(range(10**9))

    def page() -> bytes:
        token = "again" if body == "same" else f"page-{next(count)}"
        return b'{"metadata": {"resourceVersion": "1", "continue": "%s"}, "items": []}' % token.encode()

    with saying(200, page) as url:
        found = within(20, call(Cluster(api_at(url), "default"), "models"))
    assert isinstance(found, ClusterError)
    assert "end" in str(found)


@pytest.mark.finding("M11")
@pytest.mark.parametrize("asked", ["inf", "1e308", "nan", "86400", "-5", "soon", "Fri, 27 Nov 2026 10:00:00 GMT", ""])
def test_comes_back_within_reason_whatever_a_busy_server_asks_for(asked: str) -> None:
    with saying(429, b"", Retry_After=asked) as url:
        found = within(20, call(Cluster(api_at(url), "default"), "models"))
    assert type(found).__name__ == "BusyError"
    assert 0 <= found.retry_after_seconds <= 300


KUBECONFIG = """
clusters: [{{name: c, cluster: {{server: "{server}"}}}}]
users: [{{name: u, user: {{token: "{token}"}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u, namespace: team}}}}]
current-context: x
"""


def saying(status: int, body: Any, *, token: str = "", **headers: str) -> Any:
    """A server with one answer to everything; with a token it lets nobody in who has another."""
    from tests.support.garbage import Handler

    class One(Handler):
        def handle(self) -> None:
            authorized, line = not token, b"-"
            length = 0
            while line.strip():
                line = self.rfile.readline()
                authorized = authorized or line.strip().endswith(f"Bearer {token}".encode())
                length = int(line.split(b":")[1]) if line.lower().startswith(b"content-length") else length
            self.rfile.read(length)
            told = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
            data = (body() if callable(body) else body) if authorized else b"who?"
            head = f"HTTP/1.1 {status if authorized else 401} X\r\nConnection: close\r\n{told}"
            self.say(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)

    return serving(One)


@pytest.mark.finding("L2")
@pytest.mark.parametrize("number", [19, 39, 59, 79, 99])
@pytest.mark.parametrize("verb", ["models", "create_model", "pod_log", "operator"])
def test_gives_every_trickle_a_deadline(address: str, verb: str, number: int) -> None:
    assert garbage_of(number).is_slow
    found = within(20, call(Cluster(api_at(f"{address}/{number}"), "default"), verb))
    assert isinstance(found, UnreachableError)
