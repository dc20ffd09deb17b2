"""A cluster whose KubeAI knows an engine that ours does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.errors import CallError, SpecError
from kubeai_notebook.session.session import Session
from kubeai_notebook.settings import Settings
from tests.support.fake_api import MODELS, PODS, kubeconfig, model, pod
from tests.support.kubeai_schemas import newest, openapi, released

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.fake_api import FakeApi

SGLANG = {"engine": "SGLang", "features": ["TextGeneration"]}


@pytest.fixture
def session(canned: FakeApi, tmp_path: Path) -> Iterator[Session]:
    with Session(settings=Settings(kubeconfig=str(kubeconfig(canned, tmp_path)))) as one:
        yield one


def test_accepts_reads_and_shows_an_engine_that_the_cluster_lists(canned: FakeApi, session: Session) -> None:
    canned.objects["openapi/v3/apis/kubeai.org"] = {"v1": openapi(newest())}
    canned.put(MODELS, model("there", url="hf://org/other", **SGLANG))
    assert session.serve("served", "hf://org/model", profile="cpu", **SGLANG).spec.engine == "SGLang"
    report = session.plan("fresh", "hf://org/model", profile="cpu", **SGLANG)
    assert report.spec.engine == report.plan.manifest["spec"]["engine"] == "SGLang"
    assert not [notice for notice in report.notices if "SGLang" in notice.message and notice.severity == "error"]
    there = session.attach("there")
    assert there.spec.engine == "SGLang"
    assert "SGLang" in there.yaml
    assert "SGLang" in session.models().to_string()


def test_refuses_an_engine_that_the_cluster_does_not_list(canned: FakeApi, session: Session) -> None:
    canned.objects["openapi/v3/apis/kubeai.org"] = {"v1": openapi(released())}
    with pytest.raises(SpecError, match=r'no engine "SGLang"\. KubeAI has OLlama, VLLM, FasterWhisper, Infinity'):
        session.plan("fresh", "hf://org/model", **SGLANG)


@pytest.mark.parametrize("asleep", [True, False])
def test_sends_nothing_where_kubeai_takes_no_requests(canned: FakeApi, session: Session, *, asleep: bool) -> None:
    canned.put("api/v1/services", {"metadata": {"name": "kubeai", "namespace": "default"}})
    config = {"metadata": {"name": "kubeai-config"}, "data": {"system.yaml": "proxy: {mode: external}"}}
    canned.put("api/v1/namespaces/default/configmaps", config)
    canned.put(MODELS, model("there", replicas=0, minReplicas=0) if asleep else model("there"))
    if not asleep:
        canned.put(PODS, pod("model-there-a-1", "there"))
    with pytest.raises(CallError, match=r"proxy\.mode: external.*set endpoint"):
        session.attach("there").complete("Hi")
