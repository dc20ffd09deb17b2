"""An OpenAI server in a process of its own, as fast, as narrow and as faulty as a test or a benchmark asks.

``python -m tests.support.batch_server '{"latency_seconds": 0.05}'`` serves one and prints its url; ``GET /stats`` tells
how often each prompt was asked and answered. Faults befall a prompt by its hash, at its first try only.
"""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen
from zlib import crc32

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = b"<!doctype html><html><head><title>Sign in</title></head></html>"


@dataclass
class Server:
    """How it behaves, and what it has seen."""

    latency_seconds: float = 0.0
    slots: int = 0
    """How many are answered at once; 0: all."""
    refuses: bool = False
    """429 for what is beyond the slots, which otherwise waits."""
    faults: dict[str, float] = field(default_factory=dict)
    """Shares of the prompts, by ``busy``, ``hang``, ``cut``, ``page`` or ``no_choice``."""
    dimensions: int = 384
    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    refused: int = 0
    at_once: int = 0

    def __post_init__(self) -> None:
        self._gate = asyncio.Semaphore(self.slots) if self.slots else None

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        content = body["messages"][-1]["content"]
        prompt = content if isinstance(content, str) else "".join(part["text"] for part in content)
        key = prompt[:200]
        self.asked[key] += 1
        if self.asked[key] == 1 and (fault := self.fault_of(key)):
            return await self.failing(request, fault)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.refuses and self.slots and self.at_once > self.slots:
                self.refused += 1
                return web.json_response({"error": {"message": "too many requests"}}, status=429)
            if self._gate is None:
                await asyncio.sleep(self.latency_seconds)
            else:
                async with self._gate:
                    await asyncio.sleep(self.latency_seconds)
        finally:
            self.at_once -= 1
        self.answered[key] += 1
        return web.json_response(self.answer(body, prompt))

    def answer(self, body: dict[str, Any], prompt: str) -> dict[str, Any]:
        form = body.get("response_format")
        text = f"re: {prompt[:40]}"
        if form:
            labels = form["json_schema"]["schema"]["properties"]["label"]["enum"]
            text = json.dumps({"label": labels[crc32(prompt.encode()) % len(labels)]})
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": 5, "total_tokens": len(prompt) // 4 + 5}
        fields = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"]}
        return {**fields, "choices": [choice], "usage": usage}

    def fault_of(self, key: str) -> str:
        point, below = crc32(key.encode()) / (1 << 32), 0.0
        for fault, share in self.faults.items():
            below += share
            if point < below:
                return fault
        return ""

    async def failing(self, request: web.Request, fault: str) -> web.StreamResponse:
        if fault == "busy":
            return web.json_response({"error": "busy"}, status=503, headers={"Retry-After": "0.05"})
        if fault == "page":
            return web.Response(body=PAGE, content_type="text/html")
        if fault == "no_choice":
            return web.json_response({"choices": []})
        if fault == "cut":
            return web.Response(body=b'{"choices": [{"message": {"content": "a', content_type="application/json")
        await asyncio.sleep(3600)
        return web.Response()

    async def responses(self, request: web.Request) -> web.StreamResponse:
        """OpenAI's newer route, as far as openaivec asks it: several messages as JSON, an answer to each."""
        body = json.loads(await request.read())
        await asyncio.sleep(self.latency_seconds)
        messages = json.loads(body["input"])["user_messages"]
        answers = [{"id": message["id"], "body": f"re: {message['body'][:40]}"} for message in messages]
        text = {"type": "output_text", "text": json.dumps({"assistant_messages": answers}), "annotations": []}
        message = {"type": "message", "id": "msg-1", "role": "assistant", "status": "completed", "content": [text]}
        fields = {"id": "resp-1", "object": "response", "created_at": 1, "model": body["model"], "tools": []}
        return web.json_response(
            {**fields, "output": [message], "parallel_tool_calls": False, "tool_choice": "auto", "status": "completed"}
        )

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        texts = body["input"]
        await asyncio.sleep(self.latency_seconds)
        self.asked.update(text[:200] for text in texts)
        as_base64 = body.get("encoding_format") == "base64"
        vectors = [vector(crc32(text.encode()) % 1000, self.dimensions, as_base64=as_base64) for text in texts]
        data = ", ".join(f'{{"index": {index}, "embedding": {vector}}}' for index, vector in enumerate(vectors))
        tokens = sum(map(len, texts)) // 4
        usage = json.dumps({"prompt_tokens": tokens, "total_tokens": tokens})
        # Written by hand: Python takes longer to write a million numbers than a client to read them.
        return web.Response(text=f'{{"data": [{data}], "usage": {usage}}}', content_type="application/json")

    async def stats(self, request: web.Request) -> web.StreamResponse:
        seen = {"asked": self.asked, "answered": self.answered, "most_at_once": self.most_at_once}
        return web.json_response({**seen, "refused": self.refused})


@cache
def vector(number: int, dimensions: int, *, as_base64: bool) -> str:
    """A text's vector as JSON: its number, and a last digit that makes others as long as real ones."""
    import numpy as np

    values = np.full(dimensions, number, dtype="<f4")
    values[1:] += np.linspace(0, 0.4, dimensions - 1, dtype="<f4")
    return json.dumps(base64.b64encode(values.tobytes()).decode() if as_base64 else values.tolist())


def main() -> None:
    """Serve until this process is ended."""
    server = Server(**json.loads(sys.argv[1]))
    app = web.Application(client_max_size=1 << 30)
    for prefix in ("/openai/v1", "/v1"):
        app.router.add_post(f"{prefix}/chat/completions", server.chat)
        app.router.add_post(f"{prefix}/embeddings", server.embeddings)
        app.router.add_post(f"{prefix}/responses", server.responses)
    app.router.add_get("/stats", server.stats)

    async def serve() -> None:
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=2048)
        await site.start()
        port = runner.addresses[0][1]
        sys.stdout.write(f"http://127.0.0.1:{port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    asyncio.run(serve())


class Running:
    """A server in its process."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.url = f"{address}/openai/v1"

    @property
    def stats(self) -> dict[str, Any]:
        with urlopen(f"{self.address}/stats") as response:
            return json.loads(response.read())


@contextmanager
def batch_server(**behaviour: Any) -> Iterator[Running]:
    """Serve beside the test."""
    command = [sys.executable, "-m", "tests.support.batch_server", json.dumps(behaviour)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Running(process.stdout.readline().strip())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    main()
