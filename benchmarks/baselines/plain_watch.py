"""The baseline of live status: ``kubernetes.watch.Watch`` on Models and Pods, keeping every object whole.

``python plain_watch.py URL NAME ROUNDS`` prints, as JSON, how many MB the objects take and the milliseconds from
each change of the Model to its event.
"""

import gc
import json
import sys
import threading
import time
import urllib.request

import psutil
from kubernetes import client, watch

GROUP = ("kubeai.org", "v1", "default", "models")


def main(url: str, name: str, rounds: int) -> None:
    api = client.ApiClient(client.Configuration(host=url))
    models, core = client.CustomObjectsApi(api), client.CoreV1Api(api)
    gc.collect()
    before = psutil.Process().memory_info().rss
    kept = [models.list_namespaced_custom_object(*GROUP), core.list_namespaced_pod("default")]
    gc.collect()
    grown = (psutil.Process().memory_info().rss - before) / 1e6
    seen: dict[str, float] = {}
    arrived = threading.Event()

    def follow() -> None:
        version = kept[0]["metadata"]["resourceVersion"]
        stream = watch.Watch().stream(models.list_namespaced_custom_object, *GROUP, resource_version=version)
        for event in stream:
            seen[str(event["object"]["metadata"]["generation"])] = time.perf_counter()
            arrived.set()

    threading.Thread(target=follow, daemon=True).start()
    time.sleep(1)
    took = []
    model = next(item for item in kept[0]["items"] if item["metadata"]["name"] == name)
    for generation in range(2, rounds + 2):
        model["metadata"]["generation"] = generation
        arrived.clear()
        where = f"{url}/_put?path=apis/kubeai.org/v1/namespaces/default/models"
        request = urllib.request.Request(where, json.dumps(model).encode())
        began = time.perf_counter()
        urllib.request.urlopen(request).read()
        arrived.wait(10)
        took.append((seen[str(generation)] - began) * 1000)
        time.sleep(0.1)
    sys.stdout.write(json.dumps({"megabytes": grown, "milliseconds": took}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
