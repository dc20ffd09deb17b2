"""A Model that is ready on a cluster of canned objects, whose engine says what a test scripts."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubeai_notebook.session.model import Model
from kubeai_notebook.session.session import Session
from tests.support.fake_api import CLAIMS, EVENTS, JOBS, MODELS, PODS, FakeApi, model, pod
from tests.support.scripted_gateway import STREAM, Exchange, scripted_gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ADAPTERS = [{"name": "loud", "url": "hf://me/loud"}]


def event(choice: dict[str, Any] | None, **fields: Any) -> bytes:
    """One event of a stream."""
    chunk = {"id": "c-1", "object": "chat.completion.chunk", "choices": [] if choice is None else [choice], **fields}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def said(*texts: str, finish_reason: str = "stop", **usage: int) -> bytes:
    """The events of an answer in these pieces, as vLLM sends them."""
    head = event({"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None})
    pieces = [event({"index": 0, "delta": {"content": text}, "finish_reason": None}) for text in texts]
    end = event({"index": 0, "delta": {}, "finish_reason": finish_reason})
    counts = event(None, usage=usage) if usage else b""
    return b"".join([head, *pieces, end, counts, b"data: [DONE]\n\n"])


class Engine:
    """What it was asked, newest last, and what it says next."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.says: Callable[[Exchange], None] = saying(said("Hello"))

    def answer(self, exchange: Exchange) -> None:
        self.asked.append(json.loads(exchange.body))
        self.says(exchange)

    @property
    def turns(self) -> list[dict[str, Any]]:
        """Those of the last request."""
        turns: list[dict[str, Any]] = self.asked[-1]["messages"]
        return turns


def saying(events: bytes) -> Callable[[Exchange], None]:
    """Answers with these events, and ends."""

    def answer(exchange: Exchange) -> None:
        exchange.say(STREAM + events)
        exchange.end()

    return answer


def hanging_after(events: bytes) -> Callable[[Exchange], None]:
    """Answers with these events, and then with nothing until the client hangs up."""

    def answer(exchange: Exchange) -> None:
        exchange.say(STREAM + events)
        exchange.read_until_hung_up()

    return answer


@contextmanager
def session_of(folder: Path, patch: pytest.MonkeyPatch, *, api: str, gateway: str) -> Iterator[Session]:
    """A Session on this API and this gateway, as kernels and scripts of the test have it, too."""
    config = {
        "clusters": [{"name": "x", "cluster": {"server": api}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x", "namespace": "default"}}],
        "users": [{"name": "x", "user": {"token": "x"}}],
        "current-context": "x",
    }
    (folder / "config").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **config}))
    patch.setenv("KUBECONFIG", str(folder / "config"))
    patch.setenv("KUBEAI_ENDPOINT", gateway)
    with Session(context="x") as session:
        yield session


@contextmanager
def talking_model(folder: Path, **spec: Any) -> Iterator[tuple[Model, Engine, Any]]:
    """A Model ``smol``, its engine, and the gateway between them."""
    with talking_cluster(folder, **spec) as (model, engine, gateway, _):
        yield model, engine, gateway


@contextmanager
def talking_cluster(folder: Path, **spec: Any) -> Iterator[tuple[Model, Engine, Any, FakeApi]]:
    """The same with the API of its cluster."""
    engine = Engine()
    with (
        FakeApi().in_thread() as api,
        scripted_gateway(engine.answer) as gateway,
        pytest.MonkeyPatch.context() as patch,
    ):
        for path in (MODELS, PODS, EVENTS, JOBS, CLAIMS, "apis/kubeai.org/v1/models"):
            api.objects[path] = {}
        api.put(MODELS, model("smol", adapters=ADAPTERS, features=["TextGeneration"], **spec))
        api.put(PODS, pod("model-smol-1", "smol"))
        with session_of(folder, patch, api=api.url, gateway=gateway.url) as session:
            yield Model(session, "smol"), engine, gateway, api
