"""Chat over rows by the openai client, a semaphore and gather, as its documentation shows asynchronous use.

``batch_openai.py URL ROWS IN_FLIGHT [aiohttp]`` prints seconds and CPU seconds; ``aiohttp``: with
``DefaultAioHttpClient``, which its documentation recommends for many requests at once.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import openai

url, rows, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
options = {"http_client": openai.DefaultAioHttpClient()} if sys.argv[4:] == ["aiohttp"] else {}


async def main() -> list[str]:
    numbers, texts = iter(range(rows)), [""] * rows
    async with openai.AsyncOpenAI(base_url=url, api_key="unused", **options) as client:

        async def work() -> None:
            for number in numbers:
                turns = [{"role": "user", "content": f"Classify: row {number}"}]
                answer = await client.chat.completions.create(model="m", messages=turns)
                texts[number] = answer.choices[0].message.content

        await asyncio.gather(*(work() for _ in range(in_flight)))
    return texts


begun, cpu = time.perf_counter(), time.process_time()
assert all(asyncio.run(main()))
print(json.dumps({"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}))
