"""What ``kubeai-local`` costs: each figure beside its direct baseline, medians of five rounds taken in turn.

``python benchmarks/local.py [gateway|start|ready|idle|list|watch]…``; the exit code is 1 when a bar is missed.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 5
MODELS, PODS = "/apis/kubeai.org/v1/namespaces/default/models", "/api/v1/namespaces/default/pods"
SPEC = {"url": "ollama://smollm2:135m", "engine": "OLlama", "features": ["TextGeneration"], "resourceProfile": "cpu:2"}
COMMAND = [sys.executable, "-m", "kubeai_notebook.local"]
missed: list[str] = []


def main(parts: list[str]) -> int:
    """Run the parts asked for, or all."""
    for part in [PARTS[name] for name in parts or PARTS]:
        part()
    return 1 if missed else 0


def row(name: str, value: float, unit: str, *, bar: float, beside: str, at_least: bool = False) -> None:
    """One figure, its bar and its baseline."""
    met = value >= bar if at_least else value <= bar
    if not met:
        missed.append(name)
    bound = f"{'>=' if at_least else '<='} {bar:g}"
    sys.stdout.write(f"{name:34} {value:9.3f} {unit:4} {bound} {'ok' if met else 'MISSED':7} {beside}\n")
    sys.stdout.flush()


class Local:
    """A daemon in a folder of its own."""

    def __init__(self, home: str) -> None:
        self.home = Path(home)
        self.environment = {**os.environ, "KUBEAI_LOCAL_HOME": home}

    def run(self, *words: str) -> str:
        return subprocess.run(
            [*COMMAND, *words], env=self.environment, check=True, capture_output=True, text=True
        ).stdout

    def client(self, *, url: str = "") -> aiohttp.ClientSession:
        config = yaml.safe_load((self.home / "kubeconfig").read_text())
        cluster = config["clusters"][0]["cluster"]
        trusted = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
        headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        connector = aiohttp.TCPConnector(ssl=trusted, limit=0)
        return aiohttp.ClientSession(url or cluster["server"], headers=headers, connector=connector)

    @property
    def gateway(self) -> str:
        return str(json.loads(self.run("status", "--json"))["gateway"])


@contextmanager
def local() -> Iterator[Local]:
    """A running daemon, gone afterwards."""
    with tempfile.TemporaryDirectory() as home:
        daemon = Local(home)
        daemon.run("start")
        try:
            yield daemon
        finally:
            daemon.run("stop")


def model(name: str, **spec: object) -> dict[str, Any]:
    body = {"apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": {"name": name}}
    return {**body, "spec": {**SPEC, "minReplicas": 1, **spec}}


async def ready(client: aiohttp.ClientSession, name: str) -> dict[str, Any]:
    """Wait for the Model's Pod."""
    while True:
        async with client.get(PODS, params={"labelSelector": f"model={name}"}) as answer:
            for pod in (await answer.json())["items"]:
                conditions = pod["status"].get("conditions", ())
                if any(item["type"] == "Ready" and item["status"] == "True" for item in conditions):
                    return pod
        await asyncio.sleep(0.02)


def gateway() -> None:
    """Through the gateway, by our client's way (TLS and token) and the plain one, and straight at such an engine."""
    with local() as daemon, engine() as (address, key), tls_proxy(address) as (proxy, authority):
        asyncio.run(_gateway(daemon, address, key, proxy=proxy, authority=authority))


@contextmanager
def tls_proxy(upstream: str) -> Iterator[tuple[str, str]]:
    """The bare proxy in TLS, and the file of its authority."""
    script = str(Path(__file__).with_name("baselines") / "tls_proxy.py")
    process = subprocess.Popen([sys.executable, script, upstream], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip(), process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


@contextmanager
def engine() -> Iterator[tuple[str, str]]:
    """llama.cpp's worker as the kubelet starts it, without a kubelet."""
    from kubeai_notebook.local.weights import shipped_packages

    cache = Path(os.environ.get("KUBEAI_CACHE") or Path.home() / ".cache" / "kubeai-notebook" / "weights")
    file = cache / shipped_packages()[SPEC["url"]].kept_as
    arguments = ["--parent", str(os.getpid()), "--weights", str(file), "--alias", "smol", "--threads", "2"]
    worker = [sys.executable, "-m", "kubeai_notebook.local.engines.llamacpp_worker"]
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}
    quiet = {"stdin": subprocess.PIPE, "stderr": subprocess.DEVNULL, "env": environment}
    process = subprocess.Popen([*worker, *arguments], stdout=subprocess.PIPE, **quiet)
    # Its arguments come by stdin, where ps shows them to nobody; the pipe stays open, since adapters come by it too.
    process.stdin.write(b"[]\n")
    process.stdin.flush()
    told = json.loads(process.stdout.readline())
    try:
        yield told["address"], told["key"]
    finally:
        process.terminate()
        process.wait()


async def _gateway(daemon: Local, address: str, key: str, *, proxy: str, authority: str) -> None:
    async with daemon.client() as api:
        await api.post(MODELS, json=model("smol"))
        await ready(api, "smol")
        trusted = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=authority))
        login = {"Authorization": f"Bearer {key}"}
        async with (
            aiohttp.ClientSession() as plain,
            aiohttp.ClientSession(headers=login) as straight,
            aiohttp.ClientSession(headers=login, connector=trusted) as proxied,
        ):
            ways: dict[str, tuple[aiohttp.ClientSession, str]] = {
                # Two engines in turn: the second of two requests to one of them is some milliseconds slower.
                "TLS": (api, "/openai/v1/completions"),
                "proxy": (proxied, f"{proxy}/v1/completions"),
                "plain": (plain, f"{daemon.gateway}/completions"),
                "direct": (straight, f"{address}/v1/completions"),
            }
            over, shares, base = await _compared(ways)
    bare = f"direct: {base:.1f} ms, a bare TLS proxy: +{over['proxy']:.2f} ms"
    row("gateway by TLS, p50 over direct", over["TLS"], "ms", bar=max(2, over["proxy"]), beside=bare)
    row("gateway in plain, p50 over direct", over["plain"], "ms", bar=2, beside=bare)
    bare = f"direct: 1, a bare TLS proxy: {shares['proxy']:.3f}"
    row("gateway by TLS, share of tokens/s", shares["TLS"], "", bar=0.95, beside=bare, at_least=True)
    row("gateway in plain, share of tokens/s", shares["plain"], "", bar=0.95, beside=bare, at_least=True)


async def _compared(
    ways: dict[str, tuple[aiohttp.ClientSession, str]],
) -> tuple[dict[str, float], dict[str, float], float]:
    """Milliseconds over direct (p50) and the share of its token rate, by way; and direct's own milliseconds."""
    delays: dict[str, list[float]] = {way: [] for way in ways}
    shares: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(40):
            for way, (client, url) in ways.items():
                times[way].append(await _timed(client, url, 1))
        rates = {way: 200 / await _timed(client, url, 200) for way, (client, url) in ways.items()}
        for way in ways:
            delays[way].append(statistics.median(times[way]) - statistics.median(times["direct"]))
            shares[way].append(rates[way] / rates["direct"])
    over = {way: statistics.median(found) * 1000 for way, found in delays.items()}
    return (
        over,
        {way: statistics.median(found) for way, found in shares.items()},
        statistics.median(times["direct"]) * 1000,
    )


async def _timed(client: aiohttp.ClientSession, url: str, tokens: int) -> float:
    body = {"model": "smol", "prompt": "Once upon a time", "max_tokens": tokens, "temperature": 0, "stream": tokens > 1}
    began = time.perf_counter()
    async with client.post(url, json=body | {"ignore_eos": True}) as answer:
        answer.raise_for_status()
        await answer.read()
    return time.perf_counter() - began


def start() -> None:
    """A daemon until its API answers, beside a bare aiohttp server's process."""
    ours, bare = [], []
    program = "import sys, ssl, yaml, trustme, aiohttp.web; trustme.CA(); print(1, flush=True)"
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as home:
            daemon = Local(home)
            ours.append(_spent(lambda: daemon.run("start")))  # noqa: B023  (used within the turn)
            daemon.run("stop")
        bare.append(_spent(lambda: subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)))
    beside = f"imports and a CA alone: {statistics.median(bare):.2f} s"
    row("daemon ready", statistics.median(ours), "s", bar=1.5, beside=beside)


def _spent(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def make_ready() -> None:
    """From create to Ready with the weights at hand, beside the worker alone."""
    with local() as daemon:
        ours, bare = asyncio.run(_made_ready(daemon))
    row("create to Ready", ours, "s", bar=5, beside=f"the engine's process alone: {bare:.2f} s")


async def _made_ready(daemon: Local) -> tuple[float, float]:
    ours, bare = [], []
    async with daemon.client() as api:
        for number in range(ROUNDS + 1):  # the first fetches or warms the weights
            began = time.perf_counter()
            await api.post(MODELS, json=model(f"m{number}"))
            await ready(api, f"m{number}")
            ours.append(time.perf_counter() - began)
            await api.delete(f"{MODELS}/m{number}")
            began = time.perf_counter()
            with engine():
                bare.append(time.perf_counter() - began)
    return statistics.median(ours[1:]), statistics.median(bare[1:])


def idle() -> None:
    """A daemon with one sleeping Model that nobody asks anything."""
    with local() as daemon:
        asyncio.run(_asleep(daemon))
        pid = json.loads(daemon.run("status", "--json"))["pid"]
        time.sleep(2)
        shares = []
        for _ in range(ROUNDS):
            before = _cpu_seconds(pid)
            time.sleep(4)
            shares.append((_cpu_seconds(pid) - before) / 4 * 100)
        listed = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], check=True, capture_output=True, text=True)
    bare = _bare_megabytes()
    row("idle CPU", statistics.median(shares), "%", bar=1, beside="a sleeping process: 0 %")
    row("idle memory", int(listed.stdout) / 1000, "MB", bar=90, beside=f"python with aiohttp and yaml: {bare:.0f} MB")


async def _asleep(daemon: Local) -> None:
    async with daemon.client() as api:
        await api.post(MODELS, json=model("asleep", minReplicas=0))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _bare_megabytes() -> float:
    program = "import ssl, yaml, aiohttp.web, resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return int(done.stdout) / 1000


def list_models() -> None:
    """A list of a thousand Models, beside the same bytes from a bare server's memory."""
    with local() as daemon:
        asyncio.run(_listed(daemon))


async def _listed(daemon: Local) -> None:
    async with daemon.client() as api:
        for number in range(1000):
            async with api.post(MODELS, json=model(f"m{number}", minReplicas=0)) as answer:
                answer.raise_for_status()
        times, parses = [], []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            async with api.get(MODELS) as answer:
                text = await answer.read()
            times.append(time.perf_counter() - began)
            parses.append(_spent(lambda: json.dumps(json.loads(text)).encode()))  # noqa: B023  (used within the turn)
    beside = f"json alone, there and back: {statistics.median(parses) * 1000:.0f} ms"
    row("list 1,000 Models", statistics.median(times) * 1000, "ms", bar=150, beside=beside)


def watch() -> None:
    """A hundred watchers, each of whom sees a change."""
    with local() as daemon:
        asyncio.run(_watched(daemon))


async def _watched(daemon: Local) -> None:
    async with daemon.client() as api:
        await api.post(MODELS, json=model("seen", minReplicas=0))
        await asyncio.sleep(2)
        streams = [await api.get(MODELS, params={"watch": "1", "timeoutSeconds": "60"}) for _ in range(100)]
        for stream in streams:
            await stream.content.readline()
        ninety_five, bare = [], []
        for number in range(ROUNDS):
            delays: list[float] = []
            began = time.perf_counter()
            readers = [asyncio.create_task(_line_after(stream, began, delays)) for stream in streams]
            patch = {"metadata": {"labels": {"turn": str(number)}}}
            kind = {"Content-Type": "application/merge-patch+json"}
            async with api.patch(f"{MODELS}/seen", data=json.dumps(patch), headers=kind) as answer:
                await answer.read()
            bare.append(time.perf_counter() - began)
            await asyncio.gather(*readers)
            ninety_five.append(statistics.quantiles(delays, n=20)[-1])
            await asyncio.sleep(0.5)
        for stream in streams:
            stream.close()
    beside = f"the patch itself, answered: {statistics.median(bare) * 1000:.0f} ms"
    row("100 watchers see a change, p95", statistics.median(ninety_five) * 1000, "ms", bar=50, beside=beside)


async def _line_after(stream: aiohttp.ClientResponse, began: float, delays: list[float]) -> None:
    await stream.content.readline()
    delays.append(time.perf_counter() - began)


PARTS = {"gateway": gateway, "start": start, "ready": make_ready, "idle": idle, "list": list_models, "watch": watch}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
