"""A cluster and an engine that say the texts of ``tests/golden/hostile.yaml`` wherever somebody else's words stand."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from tests.support.fake_api import CLAIMS, EVENTS, JOBS, MODELS, PODS, FakeApi, kubeconfig, model, pod
from tests.support.hostile import hostile
from tests.support.http_server import Answer, HttpServer, Received, json_answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TALKS = "talks"
"""The Model that is ready: ``say <id>`` is answered by the text, ``fail <id>`` by an error that holds it."""
PIECE = 50_000
CONFIG_MAPS = "api/v1/namespaces/default/configmaps"


class Engine(HttpServer):
    """A gateway whose only Model answers with hostile texts."""

    def __init__(self, port: int = 9, more: dict[str, str] | None = None) -> None:
        texts = {one.id: one.text for one in hostile(port)} | (more or {})

        def answer(request: Received) -> Answer:
            if request.method == "GET":
                return json_answer({"object": "list", "data": []})
            verb, _, name = request.json["messages"][-1]["content"].partition(" ")
            if verb == "fail":
                return json_answer({"error": {"message": texts[name], "type": "x", "code": 400}}, 400)
            return Answer(_streamed(texts[name]), headers={"Content-Type": "text/event-stream"})

        super().__init__(answer)
        self.start()


def _streamed(text: str) -> Iterator[bytes]:
    for begin in range(0, len(text), PIECE):
        choice = {"index": 0, "delta": {"content": text[begin : begin + PIECE]}, "finish_reason": None}
        chunk = {"id": "x", "object": "chat.completion.chunk", "model": TALKS, "choices": [choice]}
        yield f"data: {json.dumps(chunk)}\n\n".encode()
    yield b"data: [DONE]\n\n"


@contextlib.contextmanager
def hostile_cluster(folder: Path, texts: Sequence[str]) -> Iterator[Path]:
    """A kubeconfig for a namespace with `TALKS` and, for each text, a Model ``m<number>`` that cannot start."""
    with FakeApi().in_thread() as api:
        for path in (MODELS, PODS, EVENTS, JOBS, CLAIMS, "apis/kubeai.org/v1/models"):
            api.objects[path] = {}
        api.put(CONFIG_MAPS, _configuration(texts))
        api.put(MODELS, model(TALKS))
        api.put(PODS, pod(f"model-{TALKS}-1", TALKS))
        api.logs[f"model-{TALKS}-1/server"] = "\n".join(texts).encode("utf-8", "replace").decode()
        for number, text in enumerate(texts):
            _put_broken(api, f"m{number}", text)
        yield kubeconfig(api, folder)


def _configuration(texts: Sequence[str]) -> dict[str, Any]:
    """KubeAI's own, whose profiles are called so."""
    named = {text.encode("utf-8", "replace").decode(): {"imageName": "cpu", "requests": {"cpu": 1}} for text in texts}
    system = {"resourceProfiles": named, "cacheProfiles": {name: {} for name in named}}
    return {"metadata": {"name": "kubeai-config"}, "data": {"system.yaml": json.dumps(system)}}


def _put_broken(api: FakeApi, name: str, text: str) -> None:
    said = {"reason": "CrashLoopBackOff", "message": text}
    status: dict[str, Any] = {
        "name": "server",
        "restartCount": 1,
        "state": {"waiting": said},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": text}},
    }
    api.put(MODELS, model(name, url=f"hf://org/{text}", resourceProfile=f"{text}:1", features=[text]))
    api.put(PODS, pod(f"model-{name}-1", name, ready=False, containerStatuses=[status], message=text))
    involved = {"kind": "Pod", "name": f"model-{name}-1", "namespace": "default", "uid": f"uid-{PODS}-model-{name}-1"}
    api.put(
        EVENTS,
        {
            "metadata": {"name": f"{name}-1"},
            "involvedObject": involved,
            "reason": "BackOff",
            "type": "Warning",
            "message": text,
            "lastTimestamp": "2026-11-22T20:02:00Z",
        },
    )
    log = text.encode("utf-8", "replace").decode()
    api.logs[f"model-{name}-1/server"] = api.logs[f"model-{name}-1/server previous"] = (
        f"starting\n{log}\nValueError: {log}"
    )
