"""Vectors of many texts by `Model.embed`'s own road: ``embed_texts.py URL TEXTS IN_FLIGHT`` prints seconds, CPU too."""

from __future__ import annotations

import json
import sys
import time

from kubeai_notebook.calls.embed_many import embed_many
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.question import Target
from kubeai_notebook.core.access import Access

url, count, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
texts = [f"A sentence of some words, the {number}th of many." for number in range(count)]

begun, cpu = time.perf_counter(), time.process_time()
with Endpoint(Access(base_url=url)) as endpoint:
    array = embed_many(endpoint, Target(name="m", most_in_flight=in_flight), texts).whole()
assert array.shape == (count, 1024)
print(json.dumps({"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}))
