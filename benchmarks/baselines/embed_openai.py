"""Vectors of many texts by the openai client, in batches made by hand, several at once, into one array.

``embed_openai.py float|default URL TEXTS IN_FLIGHT`` prints seconds and CPU seconds; ``float`` asks for lists of
numbers, as engines without base64 answer, and ``default`` leaves the encoding to the client.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import numpy as np
import openai

encoding, url, count, in_flight = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
texts = [f"A sentence of some words, the {number}th of many." for number in range(count)]
BATCH = 64


async def main() -> np.ndarray:
    starts, vectors = iter(range(0, count, BATCH)), [[]] * count
    options = {"encoding_format": "float"} if encoding == "float" else {}
    async with openai.AsyncOpenAI(base_url=url, api_key="unused") as client:

        async def work() -> None:
            for start in starts:
                answer = await client.embeddings.create(model="m", input=texts[start : start + BATCH], **options)
                vectors[start : start + BATCH] = [item.embedding for item in answer.data]

        await asyncio.gather(*(work() for _ in range(in_flight)))
    return np.array(vectors, dtype=np.float32)


begun, cpu = time.perf_counter(), time.process_time()
assert asyncio.run(main()).shape == (count, 1024)
print(json.dumps({"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}))
