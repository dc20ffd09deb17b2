"""A Session is open or closed, its parts are made once, and it acts on one cluster only."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from kubeai_notebook import deploy, settings
from kubeai_notebook.errors import KubeAIError, SessionClosedError
from kubeai_notebook.session.session import Session, close_defaults, default
from tests.support.daemon import SMOL
from tests.support.fake_api import MODELS, writes
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.deploy.facts import Facts


@pytest.fixture
def traits() -> Iterator[settings.KubeAI]:
    """The traits in force, for a test to set; forgotten afterwards, with the Sessions made by them."""
    before = settings.configurable()
    settings.install(settings.KubeAI())
    yield settings.configurable()
    close_defaults()
    settings.install(before)


class Silent:
    """A server that takes connections and answers none."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._taken: list[socket.socket] = []

    def wait_asked(self) -> None:
        self._taken.append(self._listening.accept()[0])

    def close(self) -> None:
        for taken in (*self._taken, self._listening):
            taken.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    server = Silent()
    yield server
    server.close()


def unplaced(kubeconfig: Callable[..., str], silent: Silent) -> str:
    """A kubeconfig without a namespace: the cluster is asked where KubeAI is, before there is a connection."""
    return kubeconfig(silent.address, namespace="")


def test_never_acts_on_another_cluster_than_the_one_it_was_made_for(clusters, kubeconfig, traits) -> None:
    one, other = clusters
    traits.kubeconfig, traits.context = kubeconfig(one.url, other.url), "a"
    handle = default().attach("smol")
    traits.context = "b"
    assert default().attach("smol").status.phase
    with pytest.raises(KubeAIError, match="handle on smol is of a Session that is closed: the setting context was"):
        handle.delete()
    assert (writes(one), writes(other)) == ([], [])


@pytest.mark.parametrize(
    "use",
    [
        lambda session, handle: session.cluster,
        lambda session, handle: session.publisher,
        lambda session, handle: session.facts,
        lambda session, handle: session.names(),
        lambda session, handle: session.attach("smol"),
        lambda session, handle: session.serve(name="smol", **SMOL),
        lambda session, handle: session.models(),
        lambda session, handle: handle.view,
        lambda session, handle: handle.scale(1),
        lambda session, handle: handle.endpoint,
        lambda session, handle: handle.delete(),
        lambda session, handle: handle.wait(1),
    ],
)
def test_stays_closed_whatever_is_asked_of_it(clusters, kubeconfig, use) -> None:
    one, _ = clusters
    session = Session(settings=settings.Settings(kubeconfig=kubeconfig(one.url)), context="a")
    handle = session.attach("smol")
    session.close()
    session.close()
    asked = len(one.requests)
    with pytest.raises(KubeAIError, match="closed: close\\(\\) was called"):
        use(session, handle)
    assert len(one.requests) == asked


def test_shows_in_a_line_that_the_session_of_a_handle_is_closed(clusters, kubeconfig) -> None:
    one, _ = clusters
    with Session(settings=settings.Settings(kubeconfig=kubeconfig(one.url)), context="a") as session:
        handle = session.attach("smol")
    assert repr(handle).startswith("Model('smol', not seen: This handle on smol is of a Session that is closed: its ")
    assert handle._repr_mimebundle_() == {"text/plain": repr(handle)}


def test_makes_its_parts_once_for_all_threads(clusters, kubeconfig) -> None:
    one, _ = clusters
    with Session(settings=settings.Settings(kubeconfig=kubeconfig(one.url)), context="a") as session:
        together = threading.Barrier(4)

        def use(_: int) -> tuple[int, int]:
            together.wait(10)
            return id(session.cluster), id(session.publisher)

        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(use, range(4)))) == 1
        until(lambda: one.requests.count(f"GET {MODELS}?watch") == 1)
        assert one.requests.count(f"GET {MODELS}") == 1


def test_does_not_wait_for_another_session_that_connects(clusters, kubeconfig, silent) -> None:
    one, _ = clusters
    slow = Session(settings=settings.Settings(kubeconfig=unplaced(kubeconfig, silent)))
    failures: list[KubeAIError] = []
    connecting = in_thread(lambda: slow.cluster, failures)
    silent.wait_asked()
    quick = Session(settings=settings.Settings(kubeconfig=kubeconfig(one.url)), context="a")
    assert quick.attach("smol").name == "smol"
    assert connecting.is_alive()
    quick.close()
    slow.close()
    silent.close()
    connecting.join(10)
    assert [type(error) for error in failures] == [SessionClosedError]


def test_closes_at_once_while_it_connects_and_stays_closed(kubeconfig, silent) -> None:
    session = Session(settings=settings.Settings(kubeconfig=unplaced(kubeconfig, silent)))
    failures: list[KubeAIError] = []
    connecting = in_thread(lambda: session.cluster, failures)
    silent.wait_asked()
    waiting = in_thread(lambda: session.cluster, failures)
    session.close()
    waiting.join(10)
    assert connecting.is_alive()
    silent.close()
    connecting.join(10)
    assert [type(error) for error in failures] == [SessionClosedError, SessionClosedError]
    with pytest.raises(SessionClosedError):
        _ = session.cluster


def test_closes_while_its_first_lists_are_awaited(kubeconfig, silent) -> None:
    session = Session(settings=settings.Settings(kubeconfig=kubeconfig(silent.address)), context="a")
    failures: list[KubeAIError] = []
    listing = in_thread(lambda: session.publisher, failures)
    silent.wait_asked()
    session.close()
    listing.join(10)
    assert [type(error) for error in failures] == [SessionClosedError]


def test_asks_again_for_facts_that_were_forgotten_while_they_were_asked(clusters, kubeconfig, monkeypatch) -> None:
    one, _ = clusters
    facts_of, answered, go_on = deploy.facts_of, threading.Event(), threading.Event()

    def held(cluster: Cluster) -> Facts:
        facts = facts_of(cluster)
        answered.set()
        assert go_on.wait(30)
        return facts

    monkeypatch.setattr(deploy, "facts_of", held)
    with (
        Session(settings=settings.Settings(kubeconfig=kubeconfig(one.url)), context="a") as session,
        ThreadPoolExecutor(1) as pool,
    ):
        older = pool.submit(lambda: session.facts)
        assert answered.wait(30)
        session.forget_facts()
        go_on.set()
        assert session.facts.asked_at_seconds > older.result().asked_at_seconds
        assert session.facts is session.facts


def test_leaves_nothing_to_threads_that_use_it_while_it_closes(clusters, kubeconfig) -> None:
    """Whoever is at it meanwhile hears that it is closed, and connects to nothing anew."""
    cluster, _ = clusters
    chosen = settings.Settings(kubeconfig=kubeconfig(cluster.url))
    held = psutil.Process()

    def use_until_closed(session: Session, started: threading.Barrier) -> None:
        started.wait(10)
        while True:
            session.attach("smol")
            session.names()

    def close_in_use() -> None:
        session, failures, started = Session(settings=chosen, context="a"), [], threading.Barrier(5)
        users = [in_thread(lambda: use_until_closed(session, started), failures) for _ in range(4)]
        started.wait(10)
        session.close()
        for user in users:
            user.join(10)
        assert [type(error) for error in failures] == [SessionClosedError] * 4

    close_in_use()  # what a process makes once
    threads, descriptors = threading.active_count(), held.num_fds()
    for _ in range(20):
        close_in_use()
    until(lambda: threading.active_count() <= threads and held.num_fds() <= descriptors)


def in_thread(use: Callable[[], object], failures: list[KubeAIError]) -> threading.Thread:
    def run() -> None:
        try:
            use()
        except KubeAIError as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_is_one_default_session_by_both_names_of_its_namespace(clusters, kubeconfig, traits) -> None:
    one, _ = clusters
    traits.kubeconfig, traits.context = kubeconfig(one.url), "a"
    main = default()
    assert default("default") is main
    assert default("other") is not main
    assert default("other") is default("other")
    assert (main.cluster.namespace, default("other").cluster.namespace) == ("default", "other")


def test_follows_the_settings_that_select_no_other_place(clusters, kubeconfig, traits) -> None:
    one, _ = clusters
    traits.kubeconfig, traits.context = kubeconfig(one.url), "a"
    session = default()
    handle = session.attach("smol")
    traits.wait_timeout_seconds, traits.default_profile = 7.0, "gpu"
    assert default() is session
    assert (handle.session.settings.wait_timeout_seconds, session.settings.default_profile) == (7.0, "gpu")


@pytest.mark.parametrize(("name", "value"), [("endpoint", "elsewhere:80"), ("namespace", "team"), ("context", "b")])
def test_is_made_anew_where_another_place_is_set(clusters, kubeconfig, traits, name, value) -> None:
    one, other = clusters
    traits.kubeconfig, traits.context = kubeconfig(one.url, other.url), "a"
    session = default()
    setattr(traits, name, value)
    assert default() is not session
    assert session.closed == f"the setting {name} was changed"


@pytest.mark.parametrize(("name", "value"), [("context", "a"), ("namespace", "default"), ("kubeconfig", "~/config")])
def test_stays_open_where_a_setting_names_the_same_place(
    clusters, kubeconfig, traits, monkeypatch, name, value
) -> None:
    one, other = clusters
    path = Path(kubeconfig(one.url, other.url))
    path.rename(path.with_name("config"))
    monkeypatch.setenv("HOME", str(path.parent))
    traits.kubeconfig = str(path.with_name("config"))
    session = default()
    handle = session.attach("smol")
    setattr(traits, name, value)
    assert (default(), handle.session, session.closed) == (session, session, "")
    setattr(traits, name, "")
    assert (default() is session) is (name != "kubeconfig")
    assert session.closed == ("the setting kubeconfig was changed" if name == "kubeconfig" else "")


def test_keeps_the_settings_that_it_was_made_with(clusters, kubeconfig, traits) -> None:
    one, other = clusters
    traits.kubeconfig, traits.context = kubeconfig(one.url, other.url), "a"
    session = Session()
    traits.context, traits.wait_timeout_seconds = "b", 7.0
    assert session.cluster.api.host == one.url
    assert session.settings.wait_timeout_seconds == 900.0
    session.close()


USED = """
import json, pathlib, sys, tempfile, threading, psutil
from kubeai_notebook.errors import NotFoundError
from kubeai_notebook.session.session import Session
from kubeai_notebook.settings import Settings

def use():
    with Session(settings=Settings(kubeconfig=sys.argv[1])) as session:
        assert session.publisher.names() == []
        assert session.facts.this_machine
        assert session.endpoint.client.models.list().data == []
        try:
            session.attach("nobody")
        except NotFoundError:
            pass

def held():
    process, files = psutil.Process(), list(pathlib.Path(tempfile.gettempdir()).iterdir())
    threads = [thread.name for thread in threading.enumerate()]
    return [threads, len(process.net_connections("all")), process.num_fds(), len(files)]

use()  # what is imported or made once a process
before = held()
for _ in range(100):
    use()
print(json.dumps([before, held()]))
"""


def test_leaves_no_thread_socket_or_file_behind_a_hundred_times(daemon: str, tmp_path: Path) -> None:
    # A process of its own: in that of the tests others come and go meanwhile.
    command = [sys.executable, "-X", "faulthandler", "-c", USED, daemon]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout)
    assert after == before
