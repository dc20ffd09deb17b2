"""A publisher on an API of canned objects, and a Model whose engine says what a test scripts."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes.client import Configuration

from kubeai_notebook.calls.endpoint import Endpoint, access_of
from kubeai_notebook.cluster.client import Api, Cluster
from kubeai_notebook.cluster.timing import Timing
from kubeai_notebook.session.live.publisher import Publisher
from tests.support.fake_api import FakeApi
from tests.support.talking import Engine, said, saying, talking_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeai_notebook.session.model import Model

QUICK = Timing(log_fresh=0.1, log_look=0.1, log_pause=0.05, log_refused=0.2, tick=0.1)
"""So that no test waits for what a kernel lets rest."""


@pytest.fixture
def canned() -> Iterator[FakeApi]:
    with FakeApi.empty().in_thread() as api:
        yield api


@pytest.fixture
def canned_cluster(canned: FakeApi) -> Iterator[Cluster]:
    cluster = Cluster(Api(Configuration(host=canned.url)), "default")
    yield cluster
    cluster.close()


@pytest.fixture
def publishers(canned_cluster: Cluster) -> Iterator[Callable[..., Publisher]]:
    """Makes publishers that are ready, with one endpoint, and sees that they leave no thread."""
    before = set(threading.enumerate())
    made: list[Publisher] = []
    with ExitStack() as opened:

        @cache
        def endpoint() -> Endpoint:
            near, far = canned_cluster.near(), canned_cluster.access
            return opened.enter_context(Endpoint(access_of(near, far, "default", now=canned_cluster.settings)))

        def make(timing: Timing = QUICK, **options: Any) -> Publisher:
            made.append(Publisher(canned_cluster, timing, endpoint=endpoint, **options))
            made[-1].ready()
            return made[-1]

        yield make
        for publisher in made:
            publisher.close()
    assert set(threading.enumerate()) <= before


@pytest.fixture
def publisher(publishers: Callable[..., Publisher]) -> Publisher:
    return publishers()


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Model, Engine, Any]]:
    with talking_model(tmp_path_factory.mktemp("kubeconfig")) as talking:
        yield talking


@pytest.fixture
def smol(talking: tuple[Model, Engine, Any]) -> Model:
    return talking[0]


@pytest.fixture
def engine(talking: tuple[Model, Engine, Any]) -> Engine:
    """That of ``smol``: it was asked nothing so far, and says Hello."""
    engine = talking[1]
    engine.asked.clear()
    engine.says = saying(said("Hel", "lo"))
    return engine


@pytest.fixture
def hung_up(talking: tuple[Model, Engine, Any]) -> threading.Event:
    """Set when the gateway's client has hung up."""
    event: threading.Event = talking[2].hung_up
    event.clear()
    return event
