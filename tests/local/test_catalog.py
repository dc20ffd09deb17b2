"""What this machine can serve, as any client of Kubernetes reads it; and what cannot run, said with the write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.daemon import CONFIG_MAPS, MODELS, model_of
from tests.support.http_server import HttpServer, json_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.daemon import Daemon

DRY = f"{MODELS}?dryRun=All"


@pytest.fixture
def mine(make_daemon: Callable[..., Daemon], tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with a file of the user's, and a registry that has no model at all."""
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"GGUF" + bytes(1_000_000))
    with HttpServer(lambda _request: json_answer({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, 404)) as registry:
        yield make_daemon("--weights", f"ollama://mine:1={file}", OLLAMA_REGISTRY=registry.address)


def catalog_of(daemon: Daemon) -> dict[str, Any]:
    status, config_map = daemon.api("GET", f"{CONFIG_MAPS}/kubeai-local-catalog")
    assert status == 200
    return json.loads(config_map["data"]["catalog.json"])


def warnings(daemon: Daemon, method: str, path: str, body: object) -> list[str]:
    with daemon.request(method, path, body) as response:
        response.read()
        assert response.status in (200, 201)
        return response.headers.get_all("Warning") or []


def test_lists_what_lies_here_and_how_much_room_there_is(mine: Daemon) -> None:
    listed = catalog_of(mine)
    assert {"memory_bytes", "free_memory_bytes", "free_disk_bytes", "accelerator", "cores"} == listed["machine"].keys()
    assert 0 < listed["machine"]["free_memory_bytes"] <= listed["machine"]["memory_bytes"]
    entries = {entry["url"]: entry for entry in listed["models"]}
    own = entries["ollama://mine:1"]
    assert (own["here"], own["fits"], own["bytes"]) == (True, True, 1_000_004)
    assert entries["ollama://smollm2:135m"]["bytes"] > 90_000_000
    keys = {"url", "title", "features", "bytes", "memory_bytes", "here", "fits", "why"}
    assert all(entry.keys() - {"known", "lacks"} == keys for entry in listed["models"])
    assert entries["ollama://qwen3:0.6b"]["known"] is True
    whisper = entries["hf://Systran/faster-whisper-medium.en"]
    assert (whisper["fits"], whisper["lacks"]) == (None, True)
    assert whisper["why"] == "This machine has no engine for FasterWhisper yet."
    assert entries["ollama://all-minilm"]["features"] == ["TextEmbedding"]


def test_says_with_a_dry_run_what_the_registry_has_not(mine: Daemon) -> None:
    (header,) = warnings(mine, "POST", DRY, model_of("a", url="ollama://qwen3:0.5b"))
    assert header.startswith('299 kubeai-local "')
    assert "Did you mean ollama://qwen3:0.6b?" in header
    assert mine.api("GET", f"{MODELS}/a")[0] == 404


def test_says_nothing_of_what_can_run(mine: Daemon) -> None:
    assert warnings(mine, "POST", DRY, model_of("a", url="ollama://mine:1")) == []
    assert warnings(mine, "POST", DRY, model_of("a", url="ollama://smollm2:135m")) == []


def test_says_it_again_of_what_a_change_brings_and_of_nothing_else(mine: Daemon) -> None:
    mine.create("a", url="ollama://mine:1", minReplicas=0)
    path = f"{MODELS}/a"
    missing = {"spec": {"url": "ollama://nothing:1"}}
    (header,) = warnings(mine, "PATCH", f"{path}?dryRun=All", missing)
    assert "nothing" in header
    assert len(warnings(mine, "PATCH", path, missing)) == 1
    assert warnings(mine, "PATCH", path, {"spec": {"maxReplicas": 3}}) == []
    assert warnings(mine, "PATCH", path, {"metadata": {"labels": {"a": "b"}}}) == []


def test_says_that_an_engine_is_not_on_the_machine(kubeai: Daemon) -> None:
    whisper = {"url": "hf://Systran/faster-whisper-tiny.en", "engine": "FasterWhisper", "features": ["SpeechToText"]}
    (header,) = warnings(kubeai, "POST", DRY, model_of("a", **whisper))
    assert "This machine has no engine for FasterWhisper yet." in header


@pytest.mark.parametrize("url", ["ollama://x:\u00fc\u4e2d", 'ollama://x:"y\\', "hf://a/b?token=abcdefgh12345678"])
def test_keeps_a_header_whole_whatever_the_url_is(kubeai: Daemon, url: str) -> None:
    for header in warnings(kubeai, "POST", DRY, model_of("a", url=url, engine="FasterWhisper")):
        assert "\n" not in header
        assert "abcdefgh" not in header
