"""The same batch on other machines: one callable that holds no login."""

from __future__ import annotations

import os
import pickle
import signal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from kubernetes.client import Configuration

from kubeai_notebook.cluster.client import Api, Cluster
from kubeai_notebook.errors import UsageError
from kubeai_notebook.session.session import Session
from kubeai_notebook.settings import Settings
from tests.support.batch_server import batch_server
from tests.support.fake_api import MODELS, model
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kubeai_notebook.session.mapper import Mapper
    from tests.support.batch_server import Running
    from tests.support.fake_api import FakeApi

ROWS = 10_000
SECONDS = 120


@pytest.fixture
def server() -> Iterator[Running]:
    with batch_server(latency_seconds=0.005) as server:
        yield server


@pytest.fixture
def session(server: Running, clusters: tuple[FakeApi, FakeApi], kubeconfig: Callable[..., str]) -> Iterator[Session]:
    """A Session with a login, whose gateway is the server."""
    api = clusters[0]
    smol = model("smol")
    smol["spec"] |= {"features": ["TextGeneration"]}
    api.put(MODELS, smol)
    with Session(settings=Settings(kubeconfig=kubeconfig(api.url), endpoint=server.url)) as session:
        yield session


@pytest.fixture
def mapper(session: Session, tmp_path: Path) -> Mapper:
    return session.attach("smol").mapper(
        "{text}", schema=["good", "bad"], like=pd.DataFrame({"id": [1], "text": ["a"]}), store=tmp_path / "a.db"
    )


def table(rows: int = ROWS) -> pd.DataFrame:
    return pd.DataFrame({"id": range(rows), "text": [f"t{number}" for number in range(rows)]})


def whole(out: pd.DataFrame, rows: int = ROWS) -> bool:
    out = out.sort_values("id")
    return list(out["id"]) == list(range(rows)) and set(out["label"]) == {"good", "bad"} and out["error"].isna().all()


def test_gives_what_its_meta_says(mapper: Mapper) -> None:
    out = mapper(table(20))
    assert whole(out, 20)
    pd.testing.assert_series_equal(out.dtypes, mapper.meta.dtypes)
    assert len(mapper.meta) == 0


def test_is_pickled_without_a_login(mapper: Mapper) -> None:
    data = pickle.dumps(mapper)
    assert b"token" not in data.lower()
    assert whole(pickle.loads(data)(table(20)), 20)


def test_keeps_the_answers_of_each_cluster_for_itself(
    server: Running, clusters: tuple[FakeApi, FakeApi], kubeconfig: Callable[..., str], tmp_path: Path
) -> None:
    one, other = clusters
    asked = []
    for config in (kubeconfig(one.url), kubeconfig(other.url), kubeconfig(one.url, other.url)):
        with Session(settings=Settings(kubeconfig=config, endpoint=server.url)) as session:
            session.attach("smol").mapper("{text}", store=tmp_path / "a.db")(table(5))
        asked.append(sum(server.stats["asked"].values()))
    assert asked == [5, 10, 10]  # the last file leads to the first cluster again


def test_knows_a_cluster_again_after_a_new_login_and_address(tmp_path: Path) -> None:
    def identity(host: str, authority: bytes, namespace: str = "ai") -> str:
        (tmp_path / "ca.crt").write_bytes(authority)
        configuration = Configuration(host=host)
        configuration.ssl_ca_cert = str(tmp_path / "ca.crt")
        return Cluster(Api(configuration), namespace).identity

    known = identity("https://10.0.0.1:6443", b"one")
    assert identity("https://cluster.example", b"one") == known
    assert len({known, identity("https://10.0.0.1:6443", b"two"), identity("https://10.0.0.1:6443", b"one", "b")}) == 3


def test_refuses_what_only_a_whole_table_has(session: Session) -> None:
    model = session.attach("smol")
    for fields in ({"limit": 3}, {"to": "a.parquet"}, {"errors": "frame"}, {"schema": 3}, {"temprature": 1}):
        with pytest.raises(UsageError):
            model.mapper("{text}", **fields)
    with pytest.raises(UsageError, match='no column "txt"'):
        model.mapper("{txt}", like=table(1))
    with pytest.raises(UsageError, match="like="):
        _ = model.mapper("{text}").meta


def test_is_run_by_dask_and_is_whole_after_a_worker_was_killed(mapper: Mapper, server: Running) -> None:
    dd = pytest.importorskip("dask.dataframe")
    distributed = pytest.importorskip("distributed")
    ddf = dd.from_pandas(table(), npartitions=20)
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True)
    with cluster, distributed.Client(cluster) as client:
        pids = client.run(os.getpid)
        future = client.compute(ddf.map_partitions(mapper, meta=mapper.meta))
        until(lambda: len(server.stats["asked"]) > ROWS // 4, SECONDS)
        os.kill(next(iter(pids.values())), signal.SIGKILL)
        out = future.result(SECONDS)
    assert whole(out)
    asked: dict[str, Any] = server.stats["asked"]
    assert sum(asked.values()) < 1.2 * ROWS  # the store of this machine has what the dead worker was told


def test_is_run_by_ray(mapper: Mapper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # else it leaves a token in the home
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", str(SECONDS))
    ray = pytest.importorskip("ray")
    data = pytest.importorskip("ray.data")
    try:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    except Exception as error:  # noqa: BLE001  (Ray has no class for this)
        pytest.skip(f"Ray cannot start here: {error}")
    try:
        dataset = data.from_pandas(table()).repartition(10)
        out = dataset.map_batches(mapper, batch_format="pandas", batch_size=None, concurrency=2).to_pandas()
    finally:
        ray.shutdown()
    assert whole(out)
