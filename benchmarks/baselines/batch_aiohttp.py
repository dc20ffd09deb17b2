"""Chat over rows by aiohttp alone: N tasks over one iterator, as its documentation's client session is used.

``batch_aiohttp.py URL ROWS IN_FLIGHT`` prints seconds and CPU seconds; nothing is kept, tried again or checked.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import aiohttp

url, rows, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


async def main() -> list[str]:
    texts: list[str] = [""] * rows
    numbers = iter(range(rows))

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:

        async def work() -> None:
            for number in numbers:
                body = {"model": "m", "messages": [{"role": "user", "content": f"Classify: row {number}"}]}
                async with session.post(f"{url}/chat/completions", json=body) as response:
                    answer = await response.json()
                texts[number] = answer["choices"][0]["message"]["content"]

        await asyncio.gather(*(work() for _ in range(in_flight)))
    return texts


begun, cpu = time.perf_counter(), time.process_time()
assert all(asyncio.run(main()))
print(json.dumps({"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}))
