"""Chat over rows by openaivec's ``Series.aio.responses``, one row a request.

``batch_openaivec.py URL ROWS IN_FLIGHT`` prints seconds and CPU seconds. By default it packs many rows into one
request, which makes another question of it. When it is first used it downloads a table of OpenAI's tokens.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import openai
import openaivec
import pandas as pd
from openaivec import pandas_ext  # noqa: F401  (gives Series its accessor)

url, rows, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
texts = pd.Series([f"row {number}" for number in range(rows)])
openaivec.set_responses_model("m")


async def main() -> pd.Series:
    async with openai.AsyncOpenAI(base_url=url, api_key="unused") as client:
        openaivec.set_async_client(client)
        return await texts.aio.responses("Classify", batch_size=1, max_concurrency=in_flight, show_progress=False)


begun, cpu = time.perf_counter(), time.process_time()
assert asyncio.run(main()).notna().all()
print(json.dumps({"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}))
