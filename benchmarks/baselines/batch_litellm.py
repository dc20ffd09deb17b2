"""Chat over rows by litellm's ``batch_completion``, which is its way to ask many prompts at once.

``batch_litellm.py URL ROWS IN_FLIGHT`` prints seconds and CPU seconds.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks another host when it is imported

import litellm

url, rows, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
turns = [[{"role": "user", "content": f"Classify: row {number}"}] for number in range(rows)]

begun, cpu = time.perf_counter(), time.process_time()
answers = litellm.batch_completion(
    model="openai/m", messages=turns, api_base=url, api_key="unused", max_workers=in_flight
)
assert all(answer.choices[0].message.content for answer in answers)
print(json.dumps({"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}))
