"""Batches by a Model's own handle: real answers, and what KubeAI gets to see."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from kubeai_notebook.errors import CallError, UsageError
from kubeai_notebook.local.weights import shipped_packages
from kubeai_notebook.session.mapping import BatchJob, target_of
from kubeai_notebook.session.session import Session
from kubeai_notebook.settings import Settings
from tests.support.daemon import SMOL, kubeai_local
from tests.support.fake_api import MODELS, PODS, FakeApi, pod
from tests.support.fake_api import model as model_object
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.session.model import Model

LABELS = ["file", "network", "memory"]


@pytest.fixture
def model(session: Session) -> Model:
    return session.serve(name="smol", scaling={"min_replicas": 1, "max_replicas": 1}, **SMOL, wait=True)


def messages() -> pd.DataFrame:
    """What this operating system says of its errors."""
    return pd.DataFrame({"message": [os.strerror(code) for code in sorted(errno.errorcode)[:50]]})


def test_gives_nothing_but_the_labels_for_fifty_rows_of_a_real_model(model: Model, tmp_path: Path) -> None:
    out = model.map(
        messages(),
        "Is this about a file, a network or memory? {message}",
        schema=LABELS,
        temperature=0,
        store=tmp_path / "a.db",
    )
    assert len(out) == 50
    assert out["error"].isna().all()
    assert out["label"].isin(LABELS).all()
    assert out["label"].nunique() > 1
    job = model.map(
        messages(),
        "Is this about a file, a network or memory? {message}",
        schema=LABELS,
        temperature=0,
        store=tmp_path / "a.db",
        block=False,
    )
    assert isinstance(job, BatchJob)
    assert list(job.result(60)["label"]) == list(out["label"])
    assert job.progress.sent == 0
    assert "50 of 50 rows, 50 known from before" in repr(job)


def test_names_max_tokens_where_a_real_answer_is_cut(model: Model) -> None:
    out = model.map(pd.DataFrame({"text": ["Tell a long story."]}), "{text}", max_tokens=4, store=False)
    assert "The answer was cut after 4 tokens; a higher max_tokens lets" in out["error"][0]
    assert out["answer"][0]


def test_ends_where_the_model_is_deleted_meanwhile(model: Model) -> None:
    table = pd.DataFrame({"text": [f"Tell a long story of {number}." for number in range(300)]})
    job = model.map(table, "{text}", max_tokens=30, store=False, block=False)
    assert isinstance(job, BatchJob)
    assert until(lambda: job.progress.done >= 2, 60)
    model.delete(yes=True)
    out = job.result(30)
    gone = 'There is no Model "smol" in namespace "default" on this machine.'
    assert job.progress.ended == gone
    assert out["error"].iloc[-1] == f"Not asked: {gone}"
    assert gone in set(out["error"])


def test_waits_where_the_model_sleeps_and_comes_back(model: Model) -> None:
    model.scale(0, yes=True)
    job = model.map(messages()[:3], "{message}", max_tokens=4, store=False, block=False)
    assert isinstance(job, BatchJob)
    assert job.result(60)["error"].str.contains("no Model").sum() == 0


def test_refuses_before_anything_is_sent(model: Model) -> None:
    with pytest.raises(UsageError, match=r"map\(\) takes no temprature="):
        model.map(messages(), "{message}", temprature=0)
    with pytest.raises(UsageError, match='smol has no adapter "x". It has none.'):
        model.map(messages(), "{message}", adapter="x")


def test_asks_as_much_at_once_as_the_model_is_scaled_for(session: Session) -> None:
    model = session.serve(name="many", scaling={"min_replicas": 0, "max_replicas": 3, "target_requests": 20}, **SMOL)
    target = target_of(model.view)
    in_a_cluster = replace(model.view, where=replace(model.view.where, this_machine=False))
    assert target_of(in_a_cluster).most_in_flight == 60
    assert target_of(model.scale(2).view).revision == target.revision
    changed = session.serve(name="many", **SMOL, args=["--ctx-size=512"])
    assert target_of(changed.view).revision != target.revision


def test_asks_anew_where_other_weights_lie_behind_the_same_url(session: Session, tmp_path: Path) -> None:
    """The same weights answer from the store, also as a new file; with one byte changed they are others."""
    weights, table = tmp_path / "mine.gguf", pd.DataFrame({"text": ["Hello"]})
    fetched = Path(os.environ["KUBEAI_CACHE"]) / shipped_packages()[SMOL["url"]].kept_as

    def sent(content: bytes) -> int:
        fresh = tmp_path / "fresh.gguf"
        fresh.write_bytes(content)
        fresh.replace(weights)
        assert kubeai_local("add", f"ollama://mine={weights}").returncode == 0
        model = session.serve(name="mine", url="ollama://mine", engine="OLlama", wait=True)
        job = model.map(table, "{text}", max_tokens=4, store=tmp_path / "a.db", block=False)
        job.result(60)
        model.delete(yes=True)
        return job.progress.sent

    session.serve(name="smol", **SMOL, wait=True)  # so that they are fetched
    content = fetched.read_bytes()
    assert sent(content) == 1
    assert sent(content) == 0
    assert sent(content[:-1] + bytes([content[-1] ^ 1])) == 1
    assert sent(content) == 0


@pytest.mark.parametrize(
    ("image_id", "note", "adapter"),
    [
        ("vllm@sha256:2", "", ""),
        ("vllm@sha256:1", "kubeai-notebook/weights", ""),
        ("vllm@sha256:1", "weights.kubeai-notebook/loud", "loud"),
    ],
)
def test_asks_anew_where_an_image_or_weights_are_others(
    clusters: tuple[FakeApi, FakeApi], kubeconfig: Callable[..., str], image_id: str, note: str, adapter: str
) -> None:
    api, _ = clusters
    api.put(MODELS, model_object("smol", adapters=[{"name": "loud", "url": "hf://me/loud"}]))

    def revision(image_id: str, digest: str) -> str:
        replica = pod("model-smol-1", of="smol")
        replica["status"]["containerStatuses"][0]["imageID"] = image_id
        replica["metadata"]["annotations"][note] = digest
        api.put(PODS, replica)
        with Session(settings=Settings(kubeconfig=kubeconfig(api.url))) as session:
            return target_of(session.attach("smol").view, adapter).revision

    before = revision("vllm@sha256:1", "a")
    assert before == revision("vllm@sha256:1", "a")
    assert before != revision(image_id, "b")


@pytest.mark.parametrize(("args", "most"), [([], 1), (["--parallel=4"], 3), (["-np", "1"], 1)])
def test_leaves_a_place_for_a_chat_on_this_machine(session: Session, args: list[str], most: int) -> None:
    model = session.serve(name="many", scaling={"min_replicas": 0, "max_replicas": 3}, **SMOL, args=args)
    assert target_of(model.view).most_in_flight == most


def test_maps_by_no_model_that_makes_no_text(session: Session) -> None:
    model = session.serve(name="mini", url="ollama://all-minilm", engine="OLlama", features=["TextEmbedding"])
    with pytest.raises(CallError, match="does not generate text|makes embeddings"):
        model.map(messages(), "{message}")


def test_shows_every_argument_in_its_help() -> None:
    import inspect

    from kubeai_notebook.session.model import Model

    names = list(inspect.signature(Model.map).parameters)
    assert names[:4] == ["self", "table", "prompt", "block"]
    assert {"schema", "limit", "max_tokens", "extra_body"} <= set(names)
    assert "    max_errors: end when more rows" in (Model.map.__doc__ or "")
