"""One streamed chat beside the raw HTTP stream: the rate of its tokens, its first token, and how fast it stops.

``python benchmarks/stream.py`` runs a server in a process of its own that writes each token as an event, at a pace or
as fast as it can, and reads it by turns with ``http.client`` alone and with a ChatStream, over connections that are
open already. It prints medians of the paired runs for each pace, and how long a ``close()`` takes to reach the server.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from aiohttp import web

if TYPE_CHECKING:
    from kubeai_notebook.calls.endpoint import Endpoint

ROUNDS = 9
PACES = {50: 50, 200: 200, 1000: 1000, 0: 5000}
"""Tokens a second (0: as fast as the server writes), and how many are read."""
SHARE, FIRST_MS = 0.97, 5.0


async def chat(request: web.Request) -> web.StreamResponse:
    """So many tokens, at this pace; a client that hangs up is written down."""
    body = await request.json()
    pace, count = body["pace"], body["count"]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    begun = time.perf_counter()
    try:
        for number in range(count):
            if pace and (wait := begun + number / pace - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            choice = {"index": 0, "delta": {"content": f" word{number}"}, "finish_reason": None}
            event = {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}
            await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
    except (ConnectionError, asyncio.CancelledError):
        request.app["hung_up"].append(time.time())
        raise
    return response


def serve() -> None:
    """Answer on a free port, which is printed."""

    async def run() -> None:
        app = web.Application()
        app["hung_up"] = []
        app.router.add_post("/openai/v1/chat/completions", chat)
        app.router.add_get("/hung_up", lambda _: asyncio.sleep(0, web.json_response(app["hung_up"])))
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(run())


class Run(NamedTuple):
    """One stream."""

    first_seconds: float
    first_cpu_seconds: float
    """Of this process up to the first token: what another load on the machine does not change."""
    tokens_per_second: float


def raw(connection: http.client.HTTPConnection, fields: dict[str, Any]) -> Run:
    """Read it by ``http.client``, and count events."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True, **fields})
    begun, cpu = time.perf_counter(), time.process_time()
    first = last = first_cpu = 0.0
    seen, tail = 0, b""
    connection.request("POST", "/openai/v1/chat/completions", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    while piece := response.read1(65536):
        last = time.perf_counter()
        if not first:
            first, first_cpu = last, time.process_time()
        whole = tail + piece
        seen, tail = seen + whole.count(b"\n\n"), b"\n" * whole.endswith(b"\n") * (not whole.endswith(b"\n\n"))
    assert seen == fields["count"] + 1
    return Run(first - begun, first_cpu - cpu, (seen - 2) / (last - first))


def ours(endpoint: Endpoint, fields: dict[str, Any]) -> Run:
    """The same by a ChatStream, each Delta printed into a list as a user would."""
    from kubeai_notebook.calls.stream import ChatStream

    begun, cpu = time.perf_counter(), time.process_time()
    first = last = first_cpu = 0.0
    seen = 0
    with ChatStream(endpoint, "m", [{"role": "user", "content": "Hi"}], extra_body=fields) as deltas:
        for delta in deltas:
            if str(delta):
                seen += 1
                last = time.perf_counter()
                if not first:
                    first, first_cpu = last, time.process_time()
    assert seen == fields["count"]
    return Run(first - begun, first_cpu - cpu, (seen - 1) / (last - first))


def stop_ms(endpoint: Endpoint, connection: http.client.HTTPConnection) -> float:
    """From `close` to the moment at which the server sees that nobody listens."""
    from kubeai_notebook.calls.stream import ChatStream

    def hung_up() -> list[float]:
        connection.request("GET", "/hung_up")
        return list(json.loads(connection.getresponse().read()))

    before = len(hung_up())
    stream = ChatStream(endpoint, "m", [], extra_body={"pace": 100, "count": 10_000})
    for _ in range(5):
        next(stream)
    closed = time.time()
    stream.close()
    while len(seen := hung_up()) == before:
        time.sleep(0.001)
    return (seen[-1] - closed) * 1000


def main() -> None:
    """Run the pairs, and say whether they meet the bounds."""
    from kubeai_notebook.calls.endpoint import Endpoint
    from kubeai_notebook.core.access import Access

    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        address = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        connection = http.client.HTTPConnection(urlsplit(address).netloc)
        with Endpoint(Access(base_url=f"{address}/openai/v1")) as endpoint:
            good = True
            for pace, count in PACES.items():
                fields = {"pace": pace, "count": count}
                raw(connection, {**fields, "count": 5}), ours(endpoint, {**fields, "count": 5})
                pairs = [(raw(connection, fields), ours(endpoint, fields)) for _ in range(ROUNDS)]
                share = statistics.median(mine.tokens_per_second / bare.tokens_per_second for bare, mine in pairs)
                first = statistics.median(mine.first_seconds - bare.first_seconds for bare, mine in pairs) * 1000
                cpu = statistics.median(mine.first_cpu_seconds - bare.first_cpu_seconds for bare, mine in pairs) * 1000
                good = good and (share >= SHARE or not pace) and first <= FIRST_MS
                rates = [round(statistics.median(pair[side].tokens_per_second for pair in pairs)) for side in (0, 1)]
                shown = {"pace": pace or "unbounded", "raw_tokens_per_second": rates[0]}
                shown |= {"ours_tokens_per_second": rates[1], "share": round(share, 3)}
                shown |= {"first_token_later_ms": round(first, 2), "first_token_cpu_ms": round(cpu, 2)}
                print(json.dumps(shown), flush=True)
            stops = sorted(stop_ms(endpoint, connection) for _ in range(ROUNDS))
            good = good and stops[-1] <= 100
            load = [round(value, 2) for value in os.getloadavg()]
            print(json.dumps({"stop_ms": round(stops[-1], 1), "load": load, "meets_the_bounds": good}))
    finally:
        server.terminate()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--serve", action="store_true")
    serve() if arguments.parse_args().serve else main()
