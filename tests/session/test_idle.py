"""For how long nobody has asked a Model: exactly on this machine, and in a cluster no more than it tells."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pandas as pd

from kubeai_notebook.session.session import Session
from tests.support.daemon import SMOL
from tests.support.fake_api import MODELS, PODS, FakeApi, model, pod
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def test_knows_of_each_request_on_this_machine(session: Session) -> None:
    session.serve(name="unused", min_replicas=0, **SMOL)
    smol = session.serve(name="asked", **SMOL, wait=True)
    begun = time.monotonic()
    smol.complete("a", max_tokens=1)
    frame = session.models().set_index("name")
    assert frame.loc["asked", "idle_seconds"] <= time.monotonic() - begun
    unused = frame.loc["unused"]
    assert abs(unused["idle_seconds"] - unused["age"].total_seconds()) < 1
    assert "or more" not in repr(session.models())


def test_claims_nothing_of_a_cluster_that_samples(
    clusters: tuple[FakeApi, FakeApi], kubeconfig: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    api = clusters[0]
    api.put(MODELS, model("busy"))
    averages = {"smol": {"averageActiveRequests": 0.0}, "busy": {"averageActiveRequests": 0.2}}
    state = {"metadata": {"name": "kubeai-autoscaler-state"}, "data": {"models": json.dumps({"models": averages})}}
    api.put("api/v1/namespaces/default/configmaps", state)
    monkeypatch.setenv("KUBECONFIG", kubeconfig(api.url))
    with Session(context="a") as session:
        frame = session.models()
    idle = frame.set_index("name")["idle_seconds"]
    assert pd.isna(idle["smol"])  # an embedding is answered between two samples
    assert idle["busy"] == 0
    assert "10 min or less" in repr(frame)


def test_reads_the_averages_where_kubeai_runs_by_the_name_of_its_configuration(
    clusters: tuple[FakeApi, FakeApi], kubeconfig: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    api = clusters[0]
    api.put("api/v1/services", {"metadata": {"name": "kubeai", "namespace": "operators"}})
    there = "api/v1/namespaces/operators/configmaps"
    config = "modelAutoscaling: {stateConfigMapName: averages}\nwatchNamespaces: ['*']"
    api.put(there, {"metadata": {"name": "kubeai-config"}, "data": {"system.yaml": config}})
    written = json.dumps({"models": {"smol": {"averageActiveRequests": 0.2}}})
    api.put(there, {"metadata": {"name": "averages"}, "data": {"models": written}})
    monkeypatch.setenv("KUBECONFIG", kubeconfig(api.url))
    with Session(context="a") as session:
        frame = session.models()
    assert frame.set_index("name")["idle_seconds"]["smol"] == 0


def test_says_why_a_model_does_not_go_to_sleep(
    clusters: tuple[FakeApi, FakeApi], kubeconfig: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    api = clusters[0]
    asked = {"targetRequests": 100, "scaleDownDelaySeconds": 30, "minReplicas": 0}
    api.put(MODELS, model("busy", **asked))
    api.put(PODS, pod("model-busy-a-1", "busy"))
    written = json.dumps({"models": {"busy": {"averageActiveRequests": 0.2}}})
    state = {"metadata": {"name": "kubeai-autoscaler-state"}, "data": {"models": written}}
    api.put("api/v1/namespaces/default/configmaps", state)
    monkeypatch.setenv("KUBECONFIG", kubeconfig(api.url))
    with Session(context="a") as session:
        why = session.attach("busy").why()
    assert "0.2 requests at work on average" in repr(why)
    assert "goes down to 0 replicas at the latest in 10 min 40 s" in repr(why)


def test_says_when_a_model_of_this_machine_goes_to_sleep(session: Session) -> None:
    smol = session.serve(name="asked", min_replicas=0, **SMOL)
    smol.complete("a", max_tokens=1)
    until(lambda: "requests at work" in repr(smol.why()), 30)  # (at the autoscaler's next look)
