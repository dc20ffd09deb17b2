"""A publisher on an API of canned objects."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from kubernetes.client import Configuration

from kubeai_notebook.cluster.client import Api, Cluster
from kubeai_notebook.cluster.timing import Timing
from kubeai_notebook.session.live.publisher import Publisher
from tests.support.fake_api import CLAIMS, EVENTS, JOBS, MODELS, PODS, FakeApi

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = Timing(log_fresh=0.1, log_pause=0.05, log_refused=0.2, tick=0.1)
"""So that no test waits for what a kernel lets rest."""


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
def observer(canned_cluster: Cluster) -> Iterator[Publisher]:
    before = set(threading.enumerate())
    publisher = Publisher(canned_cluster, QUICK)
    publisher.ready()
    yield publisher
    publisher.close()
    assert set(threading.enumerate()) <= before
