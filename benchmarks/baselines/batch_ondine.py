"""Chat over rows by ondine's ``enrich``, one row a request, as its documentation points it at an own endpoint.

``batch_ondine.py URL ROWS IN_FLIGHT`` prints seconds and CPU seconds.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time

import pandas as pd
from ondine import enrich

url, rows, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.chdir(tempfile.mkdtemp())  # it leaves checkpoints where it runs
frame = pd.DataFrame({"n": [f"row {number}" for number in range(rows)]})

begun, cpu = time.perf_counter(), time.process_time()
out = enrich(
    frame,
    "Classify: {n}",
    output_columns=["answer"],
    model="m",
    provider="openai_compatible",
    base_url=url,
    api_key="unused",
    batch_size=1,
    concurrency=in_flight,
)
assert out["answer"].notna().all()
print(json.dumps({"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}))
