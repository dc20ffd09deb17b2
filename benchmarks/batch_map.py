"""Chat over rows by `Model.map`'s own road, as the programs in ``baselines/`` do it by others.

``batch_map.py URL ROWS IN_FLIGHT [STORE]`` prints seconds and CPU seconds; ``IN_FLIGHT`` is what KubeAI would scale
for, below which the limiter finds the server's pace by itself.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import narwhals  # noqa: F401  (imported before the clock starts, as the others import theirs)
import pandas as pd

from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.job import Job
from kubeai_notebook.calls.map_frame import planned_map
from kubeai_notebook.calls.question import Target
from kubeai_notebook.core.access import Access

url, rows, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
frame = pd.DataFrame({"n": range(rows)})

begun, cpu = time.perf_counter(), time.process_time()
target = Target(name="m", most_in_flight=in_flight)
store = Path(sys.argv[4]) if sys.argv[4:] else False
with Endpoint(Access(base_url=url)) as endpoint:
    planned = planned_map(target, frame, prompt="Classify: row {n}", fields={"store": store})
    out = planned.start(endpoint, Job).result()
assert out["answer"].notna().all()
print(json.dumps({"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}))
