"""Handles as values: compared, kept in sets, and sent to other processes."""

from __future__ import annotations

import pickle
import subprocess
import sys
from copy import copy, deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.session.model import Model
from kubeai_notebook.session.session import Session
from kubeai_notebook.settings import Settings
from tests.support.daemon import SMOL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.fake_api import FakeApi


@pytest.fixture
def two(clusters: tuple[FakeApi, FakeApi], kubeconfig: Callable[..., str]) -> Iterator[Callable[..., Session]]:
    """Make Sessions on two clusters, whose contexts are a and b."""
    path, made = kubeconfig(*(api.url for api in clusters)), []

    def session(context: str = "a", namespace: str = "") -> Session:
        settings = Settings(kubeconfig=path, endpoint="http://me:pass@gateway")
        made.append(Session(context=context, namespace=namespace, settings=settings))
        return made[-1]

    yield session
    for one in made:
        one.close()


def test_compares_by_place_and_name(two: Callable[..., Session]) -> None:
    smol = two().attach("smol")
    assert smol == two("a").attach("smol")
    elsewhere = Settings(kubeconfig="other", context="a", namespace="default")
    assert smol != Model(Session(settings=elsewhere), "smol")  # another cluster may be called a there
    assert smol == Model(Session(settings=replace(elsewhere, kubeconfig=smol.session.settings.kubeconfig)), "smol")
    assert smol != two("b").attach("smol")
    assert smol != Model(two(namespace="team"), "smol")
    assert smol != Model(smol.session, "other")
    assert smol != "smol"
    assert len({smol, two("a").attach("smol"), Model(smol.session, "other")}) == 2


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
    assert not smol.scale(0).ready


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
