"""An observer on an API of canned objects."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from kubernetes.client import Configuration

from kubeai_notebook.cluster.client import Api, Cluster
from kubeai_notebook.session.live.publisher import Observer, View
from tests.support.fake_api import CLAIMS, EVENTS, JOBS, MODELS, PODS, FakeApi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def canned() -> Iterator[FakeApi]:
    with FakeApi().in_thread() as api:
        for path in (MODELS, PODS, EVENTS, JOBS, CLAIMS):
            api.objects[path] = {}
        yield api


@pytest.fixture
def canned_cluster(canned: FakeApi) -> Iterator[Cluster]:
    cluster = Cluster(Api(Configuration(host=canned.url)), "default")
    yield cluster
    cluster.close()


@pytest.fixture
def observer(canned_cluster: Cluster) -> Iterator[Observer]:
    before = set(threading.enumerate())
    observer = Observer(canned_cluster)
    observer.ready()
    yield observer
    began = time.perf_counter()
    observer.close()
    assert time.perf_counter() - began < 0.3
    assert set(threading.enumerate()) <= before


def shown(observer: Observer, name: str, wanted: Callable[[View], bool]) -> View:
    """The first View that a listener is told and that is as wanted."""
    seen: list[View] = []
    told = threading.Event()

    def listener(view: View | None) -> None:
        if view is not None and wanted(view):
            seen.append(view)
            told.set()

    stop = observer.listen(name, listener)
    assert told.wait(10)
    stop()
    return seen[0]
