"""Chat over rows by Daft's ``prompt`` over the route of chats, as its documentation points it at an own provider.

``batch_daft.py URL ROWS IN_FLIGHT`` prints seconds and CPU seconds.
"""

from __future__ import annotations

import json
import sys
import time

import daft
from daft.ai.openai.provider import OpenAIProvider
from daft.functions.ai import prompt

url, rows, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
provider = OpenAIProvider(name="own", base_url=url, api_key="unused")
frame = daft.from_pydict({"text": [f"Classify: row {number}" for number in range(rows)]})

begun, cpu = time.perf_counter(), time.process_time()
asked = prompt(daft.col("text"), provider=provider, model="m", use_chat_completions=True, concurrency=in_flight)
assert all(frame.with_column("answer", asked).to_pydict()["answer"])
print(json.dumps({"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}))
