"""Handles as values: compared, kept in sets, and sent to other processes."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import weakref
from copy import copy, deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook import settings
from kubeai_notebook.session.model import Model
from kubeai_notebook.session.session import Session
from kubeai_notebook.settings import Settings
from tests.support.daemon import SMOL
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.fake_api import FakeApi


@pytest.fixture
def two(clusters: tuple[FakeApi, FakeApi], kubeconfig: Callable[..., str]) -> Iterator[Callable[..., Session]]:
    """Make Sessions on two clusters, whose contexts are a and b."""
    path, made = kubeconfig(*(api.url for api in clusters)), []

    def session(context: str = "a", namespace: str = "") -> Session:
        stated = Settings(kubeconfig=path, endpoint="http://me:pass@gateway")
        made.append(Session(context=context, namespace=namespace, settings=stated))
        return made[-1]

    yield session
    for one in made:
        one.close()


def test_compares_by_place_and_name(two: Callable[..., Session]) -> None:
    smol = two().attach("smol")
    assert smol == two("a").attach("smol")
    elsewhere = Settings(kubeconfig="other", context="a", namespace="default", endpoint="http://gateway")
    assert smol != Model(Session(settings=elsewhere), "smol")  # another cluster may be called a there
    assert smol == Model(Session(settings=replace(elsewhere, kubeconfig=smol.session.settings.kubeconfig)), "smol")
    assert smol != two("b").attach("smol")
    assert smol != Model(two(namespace="team"), "smol")
    assert smol != Model(smol.session, "other")
    assert smol != "smol"
    assert len({smol, two("a").attach("smol"), Model(smol.session, "other")}) == 2


@pytest.mark.parametrize("setting", ["endpoint", "platform_endpoint"])
def test_goes_through_its_own_gateway_in_another_process(setting: str) -> None:
    def through(gateway: str) -> Model:
        place = {"context": "a", "namespace": "team", "kubeconfig": "file", setting: gateway}
        return Model(Session(settings=Settings(**place)), "smol")

    first, second = through("http://a.example"), through("http://b.example")
    assert first != second
    again = [pickle.loads(pickle.dumps(handle)) for handle in (first, second, first)]
    assert [getattr(handle.session.settings, setting) for handle in again] == [
        "http://a.example", "http://b.example", "http://a.example",
    ]  # fmt: skip
    assert (again[0], again[1]) == (first, second)
    assert again[0].session is again[2].session


def test_takes_the_login_of_a_gateway_from_the_process_that_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stated = Settings(context="a", namespace="team", kubeconfig="file", endpoint="https://me:pass@a.example/v1")
    sent = pickle.dumps(Model(Session(settings=stated), "smol"))
    assert b"pass" not in sent
    pickle.loads(sent).session.close()
    assert b"https://a.example/v1" in sent
    monkeypatch.setattr(settings.configurable(), "endpoint", "https://you:word@a.example/v1")
    again = pickle.loads(sent)
    assert again == Model(Session(settings=stated), "smol")
    assert again.session.settings.endpoint == "https://you:word@a.example/v1"


def test_keeps_no_closed_session_of_another_process() -> None:
    sent = pickle.dumps(Model(Session(settings=Settings(context="a", namespace="closed", kubeconfig="file")), "smol"))
    session = pickle.loads(sent).session
    session.close()
    gone = weakref.ref(session)
    del session
    pickle.loads(sent)
    gc.collect()
    assert gone() is None


def test_compares_when_its_session_is_closed(two: Callable[..., Session]) -> None:
    here, there = two(), two()
    one, other = here.attach("smol"), there.attach("smol")
    here.close()
    assert one == other
    assert hash(one) == hash(other)


def test_goes_to_another_process_without_a_login(two: Callable[..., Session]) -> None:
    smol = two().attach("smol")
    sent = pickle.dumps(smol)
    assert not any(secret in sent for secret in (b"token", b"pass", b"Bearer"))
    script = "import pickle, sys; print(pickle.load(sys.stdin.buffer))"
    told = subprocess.run([sys.executable, "-c", script], input=sent, capture_output=True, check=True)
    assert told.stdout.startswith(b"Model('smol', ")
    assert told.stderr == b""


def test_is_read_again_without_connecting(two: Callable[..., Session]) -> None:
    smol = two("b").attach("smol")
    again = pickle.loads(pickle.dumps(smol))
    assert not again.session.connected
    assert again == smol
    assert again.session is pickle.loads(pickle.dumps(smol)).session
    again.session.close()
    assert pickle.loads(pickle.dumps(smol)).session is not again.session


def test_is_copied(two: Callable[..., Session]) -> None:
    smol = two().attach("smol")
    assert copy(smol) == deepcopy([smol])[0] == smol
    assert not copy(smol).created


def test_says_where_it_is_and_whether_it_is_ready(session: Session) -> None:
    smol = session.serve("named", SMOL["url"], wait=True)
    assert (smol.ready, smol.url) == (True, SMOL["url"])
    assert smol.base_url == smol.endpoint.base_url
    asleep = smol.scale(0)
    until(lambda: not asleep.ready, 30)  # (its Pod has to end first)


def test_serves_by_the_url_alone_and_by_name_and_url(session: Session) -> None:
    assert session.plan(SMOL["url"]).spec.url == SMOL["url"]
    planned = session.plan("short", "smollm2:135m")
    assert (planned.spec.name, planned.spec.url) == ("short", SMOL["url"])
    assert "url ollama://smollm2:135m (a model of Ollama's library)" in str(planned)
    first = session.serve("short", "smollm2:135m", min_replicas=0)
    assert "Inferred: url ollama://smollm2:135m (a model of Ollama's library)" in first.note
    assert session.serve(name="short", url=SMOL["url"], min_replicas=0) == first


def test_takes_the_profile_that_a_word_means(session: Session) -> None:
    assert session.plan("short", SMOL["url"], profile="l4").spec.resource_profile == "nvidia-gpu-l4:1"
