import copy
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
import urllib3
from kubernetes.client import Configuration

from kubeai_notebook.cluster.api import Api
from kubeai_notebook.cluster.client import CORE, MODELS, Cluster
from kubeai_notebook.cluster.connect import connect
from kubeai_notebook.cluster.reflector import Reflector
from kubeai_notebook.cluster.timing import Timing
from kubeai_notebook.core.manifest import to_manifest
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.core.view import Link
from tests.support.daemon import SMOL, kubeai_local
from tests.support.fake_api import MODELS as MODELS_PATH
from tests.support.fake_api import PODS, FakeApi, model, pod
from tests.support.waiting import until

SLEEPING = {"min_replicas": 0}


class Noting(Reflector):
    """Notes for how long it rests after a failure, and the states of its link from the first on."""

    def __init__(self, *arguments, **options) -> None:
        self.rests: list[float] = []
        self.states: list[str] = []
        super().__init__(*arguments, **options)

    def _set_link(self, link: Link) -> None:
        if self.states[-1:] != [link.state]:
            self.states.append(link.state)
        super()._set_link(link)

    def _rest(self, seconds: float, *others: Configuration) -> bool:
        self.rests.append(seconds)
        return super()._rest(seconds, *others)


@dataclass
class Seen:
    """Wakes whoever waits at each change of a reflector."""

    changed: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, _group: object = None) -> None:
        with self.changed:
            self.changed.notify_all()

    def until(self, condition: Callable[[], bool], timeout_seconds: float = 20) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, timeout_seconds)


@pytest.fixture
def cluster(daemon) -> Iterator[Cluster]:
    cluster = connect("local")
    yield cluster
    cluster.close()


def names(reflector: Reflector) -> set[str]:
    return {item["metadata"]["name"] for item in reflector.objects()}


def test_follows_what_is_created_changed_and_deleted(cluster) -> None:
    seen = Seen()
    reflector = Reflector(cluster.api, cluster.path(MODELS, "models"), on_change=seen)
    seen.until(lambda: reflector.link.state == "live")
    cluster.create_model(to_manifest(spec_of({"name": "watched", "scaling": SLEEPING, **SMOL})))
    seen.until(lambda: "watched" in names(reflector))
    cluster.patch_model("watched", {"metadata": {"labels": {"a": "b"}}})
    seen.until(lambda: any(item["metadata"].get("labels", {}).get("a") == "b" for item in reflector.objects()))
    cluster.delete_model("watched")
    seen.until(lambda: "watched" not in names(reflector))
    reflector.close()


def test_keeps_only_the_fields_it_is_told_to(cluster) -> None:
    seen = Seen()
    reflector = Reflector(
        cluster.api,
        cluster.path(CORE, "configmaps"),
        keep=lambda item: {"metadata": {"name": item["metadata"]["name"]}},
        on_change=seen,
    )
    seen.until(lambda: bool(reflector.objects()))
    assert reflector.objects()[0] == {"metadata": {"name": reflector.objects()[0]["metadata"]["name"]}}
    reflector.close()


def test_closes_at_once_in_a_silent_watch(cluster) -> None:
    before, seen = set(threading.enumerate()), Seen()
    reflector = Reflector(cluster.api, cluster.path(MODELS, "models"), on_change=seen)
    seen.until(lambda: reflector.link.state == "live")
    reflector.close()  # the server ends the watch after minutes, and `close` waits three seconds for its thread
    assert not [one for one in set(threading.enumerate()) - before if "kubeai-watch" in one.name]


def test_closes_at_once_where_it_is_about_to_rest() -> None:
    class ClosedBeforeItRests(Reflector):
        def _rest(self, seconds: float, *others: Configuration) -> bool:
            resting.set()
            until(self._hurried.is_set)
            return super()._rest(seconds, *others)

    resting = threading.Event()
    with FakeApi().in_thread() as api:
        api.refused_watches.add(MODELS_PATH)
        api.objects[MODELS_PATH] = {}
        timing = Timing(first_pause=60, longest_pause=60)
        reflector = ClosedBeforeItRests(Api(Configuration(host=api.url)), MODELS_PATH, timing=timing)
        assert resting.wait(5)
        reflector.close()
        assert not reflector._thread.is_alive()


def test_shows_a_refusal_as_its_state(cluster) -> None:
    configuration = copy.copy(cluster.api.configuration)
    configuration.api_key = {"authorization": "Bearer wrong", "BearerToken": "Bearer wrong"}
    configuration.refresh_api_key_hook = None
    reflector = Reflector(Api(configuration), cluster.path(MODELS, "models"))
    assert reflector.wait_listed(10)
    assert reflector.link.state == "forbidden"
    assert "refused your credentials" in str(reflector.link.error)
    reflector.close()


def test_catches_up_after_the_api_was_gone(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KUBEAI_LOCAL_HOME", str(tmp_path))
    cluster = connect("local")
    seen = Seen()
    reflector = Reflector(cluster.api, cluster.path(MODELS, "models"), on_change=seen)
    try:
        cluster.create_model(to_manifest(spec_of({"name": "before", "scaling": SLEEPING, **SMOL})))
        seen.until(lambda: "before" in names(reflector))
        kubeai_local("stop")
        seen.until(lambda: reflector.link.state == "reconnecting")
        assert names(reflector) == {"before"}
        kubeai_local("start")
        cluster.create_model(to_manifest(spec_of({"name": "after", "scaling": SLEEPING, **SMOL})))
        seen.until(lambda: reflector.link.state == "live" and "after" in names(reflector))
    finally:
        reflector.close()
        cluster.close()
        kubeai_local("stop")


def test_begins_anew_when_it_cannot_read_what_was_sent(cluster, caplog) -> None:
    broken = [True]

    def keep(item):
        if broken.pop() if broken else False:
            raise KeyError("a field that every object has")
        return item

    seen = Seen()
    reflector = Reflector(cluster.api, cluster.path(CORE, "configmaps"), keep=keep, on_change=seen)
    seen.until(lambda: reflector.link.state == "live" and bool(reflector.objects()))
    assert "failed and begins anew" in caplog.text
    reflector.close()


def test_misses_a_server_sooner_that_usually_speaks_often() -> None:
    """It is silent after two bookmarks: the watch is given up and begun anew, and nobody is alarmed."""
    mark = {"type": "BOOKMARK", "object": {"kind": "Model", "metadata": {"resourceVersion": "5"}}}
    with FakeApi().in_thread() as api:
        api.objects[MODELS_PATH] = {}
        reflector = Noting(
            Api(Configuration(host=api.url)),
            MODELS_PATH,
            timing=Timing(shortest_silence=0.3),
        )
        until(lambda: api.requests.count(f"GET {MODELS_PATH}?watch") == 1)
        for _ in range(2):
            api.send(MODELS_PATH, mark)
        until(lambda: api.requests.count(f"GET {MODELS_PATH}?watch") == 2)
        assert reflector.states == ["live"]
        reflector.close()


def test_sorts_objects_into_groups() -> None:
    with FakeApi().in_thread() as api:
        api.objects[PODS] = {}
        changed: list[str | None] = []
        reflector = Reflector(
            Api(Configuration(host=api.url)),
            PODS,
            keep=lambda pod: pod if pod["metadata"]["name"] != "no" else None,
            group=lambda pod: pod["metadata"]["labels"]["model"],
            on_change=changed.append,
        )
        assert reflector.wait_listed(5)
        for name, of in (("a-1", "a"), ("a-2", "a"), ("b-1", "b"), ("no", "b")):
            api.change(PODS, pod(name, of))
        until(lambda: reflector.groups() == ("a", "b"))
        assert [one["metadata"]["name"] for one in reflector.of("a")] == ["a-1", "a-2"]
        api.change(PODS, pod("b-1", "b"), gone=True)
        until(lambda: reflector.groups() == ("a",))
        assert reflector.of("b") == ()
        assert [name for name in changed if name] == ["a", "a", "b", "b"]
        assert len(reflector.objects()) == 2
        reflector.close()


def test_begins_another_watch_when_it_is_doubted(monkeypatch) -> None:
    """Also with an urllib3 before 2.3, whose answers cannot be shut down."""
    for kind in (urllib3.HTTPResponse, urllib3.BaseHTTPResponse):
        monkeypatch.delattr(kind, "shutdown", raising=False)
    with FakeApi().in_thread() as api:
        api.objects[MODELS_PATH] = {}
        reflector = Reflector(Api(Configuration(host=api.url)), MODELS_PATH)
        until(lambda: reflector._stream)
        reflector.doubt()
        until(lambda: api.requests.count(f"GET {MODELS_PATH}?watch") == 2)
        reflector.close()


def test_sees_what_another_server_has_that_answers_at_once_after_a_cut() -> None:
    """Its versions count anew: to a watch from where the old one was it would send nothing."""
    old = FakeApi()
    old.objects[MODELS_PATH] = {}
    with old.in_thread():
        for number in range(20):
            old.put(MODELS_PATH, model(f"filler-{number}"))
        port = urlsplit(old.url).port
        timing = Timing(first_pause=2.0)  # long enough for the other one to begin
        reflector = Reflector(Api(Configuration(host=old.url)), MODELS_PATH, timing=timing)
        until(lambda: f"GET {MODELS_PATH}?watch" in old.requests)
        old.change(MODELS_PATH, model("watched"))
        until(lambda: "watched" in reflector.groups())
    new = FakeApi(port)
    new.objects[MODELS_PATH] = {}
    new.put(MODELS_PATH, model("lives"))
    with new.in_thread():
        until(lambda: reflector.groups() == ("lives",))
        reflector.close()


def test_backs_off_and_stays_refused_where_only_the_watch_is_denied() -> None:
    with FakeApi().in_thread() as api:
        api.objects[MODELS_PATH] = {}
        api.refused_watches.add(MODELS_PATH)
        reflector = Noting(
            Api(Configuration(host=api.url)),
            MODELS_PATH,
            timing=Timing(first_pause=0.02, longest_pause=0.02),
        )
        until(lambda: len(reflector.rests) >= 6)
        # Half of each pause is chance, so one is longer than the one before the last for certain.
        assert all(later > earlier for earlier, later in zip(reflector.rests, reflector.rests[2:], strict=False))
        assert reflector.states == ["live", "forbidden"]
        api.refused_watches.clear()
        until(lambda: reflector.link.state == "live")
        reflector.close()


def test_is_as_fresh_as_its_last_list_where_only_the_watch_is_denied() -> None:
    with FakeApi().in_thread() as api:
        api.objects[MODELS_PATH] = {}
        api.refused_watches.add(MODELS_PATH)
        timing = Timing(first_pause=0.01, longest_pause_refused=0.01)
        reflector = Reflector(Api(Configuration(host=api.url)), MODELS_PATH, timing=timing)
        until(lambda: reflector.link.state == "forbidden")
        first = reflector.link.since_seconds
        until(lambda: reflector.link.since_seconds > first)
        reflector.close()
