"""What the hub says of a model's size, in passing: nobody waits for it, and no login goes there.

A form shows an estimate while its user types. So the hub has two seconds; where it is slow, away, or hides the
repository behind a login, there is nothing, and the estimate rests on the url's own words. Redirects are followed
within the hub only.
"""

from __future__ import annotations

import asyncio
import json
import queue
import re
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from kubeai_notebook.core.estimate import figures_of_hub
from kubeai_notebook.core.objects import map_at, maps_at, number_at, text_at
from kubeai_notebook.core.source import Source

from .poster import bounded, proxy_to

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.estimate import Figures

SECONDS = 2.0
_MOST_BYTES = 4 << 20
_MOST_REDIRECTS = 3
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def figures_of(url: str, *, hub: str, seconds: float = SECONDS) -> Figures | None:
    """The figures of an ``hf://`` url's repository; ``None`` of any other url, and where ``hub`` does not say them."""
    source = Source(url)
    if not hub or source.scheme != "hf" or not _REPOSITORY.fullmatch(source.reference):
        return None
    answers: queue.SimpleQueue[Figures | None] = queue.SimpleQueue()
    # A thread of its own, since the caller's may run a loop; a name that is looked up cannot be stopped, so it is left.
    threading.Thread(
        target=lambda: answers.put(asyncio.run(_asked(hub.rstrip("/"), source.reference, seconds))), daemon=True
    ).start()
    try:
        return answers.get(timeout=seconds)
    except queue.Empty:
        return None


async def _asked(hub: str, repository: str, seconds: float) -> Figures | None:
    timeout = aiohttp.ClientTimeout(total=seconds)
    try:
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            config, facts = await asyncio.gather(
                _json(session, f"{hub}/{repository}/resolve/main/config.json"),
                _json(session, f"{hub}/api/models/{repository}?blobs=true"),
            )
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RecursionError):
        return None
    if not config and not facts:
        return None
    sizes = [
        number_at(file, "size") or 0
        for file in maps_at(facts, "siblings")
        if text_at(file, "rfilename").endswith(".safetensors") and "/" not in text_at(file, "rfilename")
    ]
    counted = map_at(facts, "safetensors", "parameters")
    weights = {kind: count for kind, count in counted.items() if isinstance(count, int)}
    return figures_of_hub(config, weights, weights_bytes=sum(sizes) or None)


async def _json(session: aiohttp.ClientSession, url: str) -> Mapping[str, Any]:
    """The JSON object of a page of the hub; empty where there is none."""
    for _ in range(_MOST_REDIRECTS + 1):
        async with session.get(url, proxy=proxy_to(url), allow_redirects=False) as answer:
            if 300 <= answer.status < 400:
                target = urljoin(url, answer.headers.get("Location", ""))
                if urlsplit(target)[:2] != urlsplit(url)[:2]:
                    return {}
                url = target
                continue
            body = await bounded(answer.content, _MOST_BYTES) if answer.status == 200 else b"{}"
            return map_at(json.loads(body))
    return {}
