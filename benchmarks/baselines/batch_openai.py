"""Chat over rows by the openai client, a semaphore and gather, as its documentation shows asynchronous use.

``batch_openai.py httpx|aiohttp URL ROWS IN_FLIGHT`` prints seconds and CPU seconds; ``httpx`` is its default (httpx2
from 3.0), and ``aiohttp`` is ``DefaultAioHttpClient``, which its documentation recommends for many requests at once.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import openai

library, url, rows, in_flight = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
options = {"http_client": openai.DefaultAioHttpClient()} if library == "aiohttp" else {}


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
