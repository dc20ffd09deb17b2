"""An API server of canned objects that lists and watches, for numbers that no real one on this machine could hold.

``python -m tests.support.fake_api MODELS PODS`` serves that many Models with so many Pods each, and prints its url;
``POST /_put?path=…`` with an object changes one, ``POST /_drop?path=…`` deletes one, and whoever watches is told;
``GET /_requests`` lists what was asked so far.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODELS = "apis/kubeai.org/v1/namespaces/default/models"
PODS = "api/v1/namespaces/default/pods"
EVENTS = "api/v1/namespaces/default/events"
JOBS = "apis/batch/v1/namespaces/default/jobs"
CLAIMS = "api/v1/namespaces/default/persistentvolumeclaims"
_FORBIDDEN = (
    'models.kubeai.org is forbidden: User "u" cannot list resource "models" in API group "kubeai.org" '
    'in the namespace "default"'
)


class FakeApi:
    """Objects by the path of their collection."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self.objects: dict[str, dict[str, dict[str, Any]]] = {}
        self.logs: dict[str, str] = {}
        """By ``pod/container``, with `` previous`` behind it for the run before."""
        self.refused_logs: set[str] = set()
        """Names of Pods whose log may not be read."""
        self.silent_logs: set[str] = set()
        """Names of Pods whose log is asked for in vain."""
        self.refused_watches: set[str] = set()
        """Paths that may be listed and not be watched."""
        self.refuses_models = False
        """Whether Models may not be read."""
        self.requests: list[str] = []
        self.following: set[str] = set()
        self._history: dict[str, deque[tuple[int, dict[str, Any]]]] = {}
        self._watchers: dict[str, set[tuple[str, asyncio.Queue[bytes]]]] = {}
        self._version = 0
        self.url = ""

    @classmethod
    def empty(cls) -> FakeApi:
        """One that has every kind of which a Model is made, and no object."""
        api = cls()
        api.objects = {path: {} for path in (MODELS, PODS, EVENTS, JOBS, CLAIMS)}
        return api

    def put(self, path: str, item: dict[str, Any], *, gone: bool = False) -> None:
        """Add or change an object; on the server's loop, once it serves."""
        self._version += 1
        metadata = {"namespace": "default", **item["metadata"], "resourceVersion": str(self._version)}
        item = {**item, "metadata": {"uid": f"uid-{path}-{metadata['name']}", **metadata}}
        there = self.objects.setdefault(path, {})
        kind = "DELETED" if gone else "MODIFIED" if metadata["name"] in there else "ADDED"
        if gone:
            there.pop(metadata["name"])
        else:
            there[metadata["name"]] = item
        self._tell(path, {"type": kind, "object": item})

    def _tell(self, path: str, event: dict[str, Any]) -> None:
        self._history.setdefault(path, deque(maxlen=1000)).append((self._version, event))
        line = json.dumps(event).encode() + b"\n"
        for label, queue in self._watchers.get(path, ()):
            if not label or label in event["object"]["metadata"].get("labels", {}):
                queue.put_nowait(line)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path, query = request.match_info["path"], request.query
        if request.method == "POST" and path in ("_put", "_drop"):
            self.put(query["path"], await request.json(), gone=path == "_drop")
            return web.json_response({})
        if path == "_requests":
            return web.json_response(self.requests)
        self.requests.append(f"{request.method} {path}{'?watch' if 'watch' in query else ''}")
        if path.endswith("/log"):
            return await self._log(request, path.split("/")[-2])
        collection, _, name = path.rpartition("/")
        if name in self.objects.get(collection, ()) and path not in self.objects:
            return self._object(request.method, collection, name)
        if path not in self.objects or (path == MODELS and self.refuses_models):
            return self._refused(path)
        if request.method == "POST":
            made = await request.json()
            if not query.get("dryRun"):
                self.put(path, made)
            return web.json_response(made, status=201)
        if query.get("watch") == "true":
            if path in self.refused_watches:
                return _refusal(f'{path.rpartition("/")[2]} is forbidden: User "u" cannot watch resource')
            return await self._watch(request, path)
        label = query.get("labelSelector", "")
        items = [item for item in self.objects[path].values() if not label or label in item["metadata"]["labels"]]
        begin = int(query.get("continue") or 0)
        end = begin + int(query.get("limit") or len(items) or 1)
        more = {"continue": str(end)} if end < len(items) else {}
        metadata = {"resourceVersion": str(self._version), **more}
        return web.json_response({"metadata": metadata, "items": items[begin:end]})

    def _refused(self, path: str) -> web.Response:
        if path != MODELS:
            status = {"kind": "Status", "code": 404, "reason": "NotFound", "message": "not found"}
            return web.json_response(status, status=404)
        # Of a kind that it does not know, an API server says no more.
        return _refusal(_FORBIDDEN) if self.refuses_models else web.Response(status=404, text="404 page not found")

    def _object(self, method: str, collection: str, name: str) -> web.Response:
        item = self.objects[collection][name]
        if method == "DELETE" and item["metadata"].get("finalizers"):
            going = {**item["metadata"], "deletionTimestamp": "2026-11-22T21:00:00Z"}
            self.put(collection, {**item, "metadata": going})
        elif method == "DELETE":
            self.put(collection, item, gone=True)
        return web.json_response(item)

    async def _watch(self, request: web.Request, path: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        watcher = (request.query.get("labelSelector", ""), queue)
        since = int(request.query["resourceVersion"])
        for version, event in self._history.get(path, ()):
            labels = event["object"]["metadata"].get("labels", {})
            if version > since and (not watcher[0] or watcher[0] in labels):
                queue.put_nowait(json.dumps(event).encode() + b"\n")
        self._watchers.setdefault(path, set()).add(watcher)
        try:
            while True:
                await response.write(await queue.get())
        finally:
            self._watchers[path].discard(watcher)

    async def _log(self, request: web.Request, pod: str) -> web.StreamResponse:
        query = request.query
        if pod in self.refused_logs:
            return _refusal(f'pods "{pod}" is forbidden: User "u" cannot get resource "pods/log"')
        while pod in self.silent_logs:
            await asyncio.sleep(0.02)
        key = f"{pod}/{query['container']}{' previous' if query.get('previous') == 'true' else ''}"
        if query.get("follow") != "true":
            return web.Response(text=self.logs.get(key, ""))
        response = web.StreamResponse()
        await response.prepare(request)
        self.following.add(key)
        sent = 0
        try:
            while request.transport is not None:
                text = self.logs.get(key, "")
                await response.write(text[sent:].encode())
                sent = len(text)
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        finally:
            self.following.discard(key)
        return response

    @contextlib.asynccontextmanager
    async def serving(self) -> Any:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield self
        await runner.cleanup()

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[FakeApi]:
        """Serve beside the test."""
        begun, over = threading.Event(), asyncio.Event()

        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            async with self.serving():
                begun.set()
                await over.wait()

        # asyncio.run awaits what the end of the server leaves to be done, such as closing sockets.
        thread = threading.Thread(target=lambda: asyncio.run(main()))
        thread.start()
        begun.wait(10)
        try:
            yield self
        finally:  # else a test that fails leaves a thread for which the process waits at its end
            self._loop.call_soon_threadsafe(over.set)
            thread.join()

    def send(self, path: str, event: dict[str, Any]) -> None:
        """An event of a watch as it is, from the test's thread."""
        self._loop.call_soon_threadsafe(lambda: self._tell(path, event))

    def change(self, path: str, item: dict[str, Any], *, gone: bool = False) -> None:
        """As `put`, from the test's thread."""
        self._loop.call_soon_threadsafe(lambda: self.put(path, item, gone=gone))


def _refusal(message: str) -> web.Response:
    status = {"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden", "message": message}
    return web.json_response(status, status=403)


def kubeconfig(api: FakeApi, folder: Path) -> Path:
    """A kubeconfig whose context ``x`` leads there."""
    cluster = {"name": "x", "cluster": {"server": api.url}}
    context = {"name": "x", "context": {"cluster": "x", "user": "x", "namespace": "default"}}
    users = [{"name": "x", "user": {"token": "x"}}]
    config = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context], "users": users}
    file = folder / "kubeconfig"
    file.write_text(json.dumps({**config, "current-context": "x"}))
    return file


def model(name: str, **spec: Any) -> dict[str, Any]:
    full = {
        "url": "hf://org/repo", "engine": "VLLM", "features": ["TextGeneration"], "resourceProfile": "cpu:1",
        "minReplicas": 1, "replicas": 1, "targetRequests": 100, "scaleDownDelaySeconds": 30,
        "loadBalancing": {"strategy": "LeastLoad", "prefixHash": {"meanLoadFactor": 125, "replication": 256}},
    }  # fmt: skip
    metadata = {
        "name": name, "generation": 1, "creationTimestamp": "2026-11-22T20:00:00Z",
        "labels": {"features.kubeai.org/TextGeneration": "true"},
        "managedFields": [{"manager": "kubeai-manager", "fieldsV1": {f"f:{number}": {} for number in range(30)}}],
    }  # fmt: skip
    replicas = full.get("replicas")
    kind = {"apiVersion": "kubeai.org/v1", "kind": "Model"}
    status = {"replicas": {"all": replicas, "ready": replicas}}
    return {**kind, "metadata": metadata, "spec": {**full, **spec}, "status": status}


def pod(
    name: str, of: str, *, ready: bool = True, labels: dict[str, str] | None = None, **status: Any
) -> dict[str, Any]:
    """A Pod as a kubelet reports it, at about its usual size."""
    at = "2026-11-22T20:01:00Z"
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    conditions = [
        {"type": kind, "status": str(ready or kind[0] != "R"), "lastProbeTime": None, "lastTransitionTime": at}
        for kind in kinds
    ]
    env = [{"name": f"NAME_{number}", "value": f"value-{number}"} for number in range(8)]
    server = {
        "name": "server", "image": "vllm/vllm-openai:v0.10.2", "args": ["--model=org/repo"], "env": env,
        "resources": {"limits": {"nvidia.com/gpu": "1"}}, "ports": [{"containerPort": 8000, "name": "http"}],
        "startupProbe": {"httpGet": {"path": "/health", "port": "http"}, "failureThreshold": 5400},
        "volumeMounts": [{"name": "dshm", "mountPath": "/dev/shm"}],
    }  # fmt: skip
    running: dict[str, Any] = {"name": "server", "ready": ready, "started": True, "restartCount": 0}
    running |= {
        "image": "vllm/vllm-openai:v0.10.2",
        "imageID": "docker.io/vllm/vllm-openai@sha256:" + "c" * 64,
        "containerID": "containerd://" + "b" * 64,
        "state": {"running": {"startedAt": at}},
        "lastState": {},
    }
    own = {"app": "model", "model": of, "pod-hash": "bcdf", "app.kubernetes.io/managed-by": "kubeai"}
    owner = {"apiVersion": "kubeai.org/v1", "kind": "Model", "name": of, "uid": f"u-{of}", "controller": True}
    metadata = {
        "name": name,
        "labels": own if labels is None else labels,
        "creationTimestamp": at,
        "ownerReferences": [owner],
        "annotations": {"model-pod-port": "8000"},
        "managedFields": [{"manager": "kubelet", "fieldsV1": {f"f:{number}": {} for number in range(60)}}],
    }
    spec = {"nodeName": "node-1", "containers": [server], "tolerations": [{"key": "a"}], "volumes": [{"name": "dshm"}]}
    found = {"phase": "Running", "conditions": conditions, "containerStatuses": [running], "podIP": "10.0.0.1"}
    return {"metadata": metadata, "spec": spec, "status": {**found, **status}}


async def _main(models: int, pods: int) -> None:
    api = FakeApi.empty()
    for number in range(models):
        name = f"model-{number:04}"
        api.put(MODELS, model(name, replicas=pods, minReplicas=pods))
        for replica in range(pods):
            api.put(PODS, pod(f"model-{name}-bcdf-{replica:05}", name))
    async with api.serving():
        sys.stdout.write(f"{api.url}\n")
        sys.stdout.flush()
        parent = os.getppid()
        while os.getppid() == parent:
            await asyncio.sleep(1)


def writes(api: FakeApi) -> list[str]:
    return [request for request in api.requests if "/models" in request and not request.startswith("GET")]


if __name__ == "__main__":
    asyncio.run(_main(*(int(argument) for argument in sys.argv[1:])))
