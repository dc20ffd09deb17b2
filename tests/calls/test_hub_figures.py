"""The hub is asked in passing: it has two seconds, gets no login, and leads nowhere else."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.calls.hub_figures import figures_of
from tests.support.http_server import Answer, HttpServer, Received, json_answer
from tests.support.hub import Hub

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = {"model_type": "llama", "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64}


def hub() -> Hub:
    hub = Hub({"org/model": {"config.json": json.dumps(CONFIG).encode(), "model.safetensors": b"x"}})
    hub.sizes["model.safetensors"] = 10**9
    return hub


def test_reads_config_and_size_of_a_repository() -> None:
    with HttpServer(hub()) as server:
        figures = figures_of("hf://org/model", hub=server.address)
    assert figures is not None
    assert (figures.weights_bytes, figures.token_bytes) == (10**9, 2 * 2 * 64 * 2)


@pytest.mark.parametrize(
    "url", ["hf://org/none", "ollama://x", "hf://../..", "hf://../../etc", "hf://", "s3://org/model"]
)
def test_knows_nothing_of_what_is_not_there(url: str) -> None:
    with HttpServer(hub()) as server:
        figures = figures_of(url, hub=server.address)
    assert figures is None


def test_asks_nobody_where_the_hub_may_not_be_asked() -> None:
    assert figures_of("hf://org/model", hub="") is None


def test_knows_nothing_of_a_gated_repository() -> None:
    gated = hub()
    gated.gated.add("org/model")
    with HttpServer(gated) as server:
        assert figures_of("hf://org/model", hub=server.address) is None


def test_ends_in_time_where_the_hub_does_not_answer() -> None:
    over = threading.Event()

    def silent(_request: Received) -> Answer | None:
        over.wait()
        return None

    with HttpServer(silent) as server:
        try:
            assert figures_of("hf://org/model", hub=server.address, seconds=0.2) is None
        finally:
            over.set()


@pytest.mark.parametrize(
    "body", [b"[1]", b"{", b"\xff", b"{}" * 3_000_000, b"[" * 100_000, b'{"siblings": 3, "safetensors": []}']
)
def test_makes_nothing_of_an_answer_that_is_none(body: bytes) -> None:
    with HttpServer(lambda _request: Answer(body)) as server:
        figures = figures_of("hf://org/model", hub=server.address)
    assert figures is None or figures.weights_bytes is None


def test_sends_no_login_and_follows_no_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("default login me password swordfish\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HF_TOKEN", "hf_swordfish")
    outside: list[Received] = []
    inside: list[Received] = []

    def away(request: Received) -> Answer:
        outside.append(request)
        return json_answer(CONFIG)

    with HttpServer(away) as other:

        def here(request: Received) -> Answer:
            inside.append(request)
            if "config.json" not in request.path:
                return Answer(status=302, headers={"Location": f"{other.address}/x"})
            if "moved" in request.path:
                return json_answer(CONFIG)
            return Answer(status=307, headers={"Location": "/moved/config.json"})

        with HttpServer(here) as server:
            figures = figures_of("hf://org/model", hub=server.address)
    assert figures is not None
    assert figures.token_bytes
    assert outside == []
    assert "swordfish" not in " ".join(map(str, inside))


def test_ends_where_the_hub_leads_in_circles() -> None:
    with HttpServer(lambda _request: Answer(status=302, headers={"Location": "/again"})) as server:
        assert figures_of("hf://org/model", hub=server.address) is None
