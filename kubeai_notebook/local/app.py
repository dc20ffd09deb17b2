"""The daemon: one asyncio program of API, operator, kubelet and gateway."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme
from aiohttp import web

from kubeai_notebook.errors import LocalError

from .api.http import api_app
from .api.journal import Journal
from .api.store import Store
from .gateway import Gateway
from .operator.autoscaler import Autoscaler
from .operator.kubelet import Kubelet
from .operator.reconcile import Operator
from .operator.system import preload
from .weights import Weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .home import Access, Home

log = logging.getLogger("kubeai-local")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the daemon was asked to run."""

    home: Home
    cache: Path
    mapped: Mapping[str, Path]
    environment: Mapping[str, str]
    config: str = ""
    """YAML that is merged over KubeAI's default ``system.yaml``."""
    test_engine: Path | None = None
    ready_fd: int | None = None


def run(options: Options) -> None:
    """Run until SIGTERM or SIGINT. LocalError when a daemon runs in this home already."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    options.home.prepare()
    if not options.home.claim():
        raise LocalError(f"A daemon runs in {options.home.folder} already.", "See: kubeai-local status")
    asyncio.run(_serve(options))


async def _serve(options: Options) -> None:
    home, ending = options.home, asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    old = home.access()
    api_socket = _bound(old.api_port if old else 0)
    gateway_socket = _bound(old.gateway_port if old else 0)
    access = home.renewed(old, api_port=api_socket.getsockname()[1], gateway_port=gateway_socket.getsockname()[1])
    store = Store(journal=Journal(home.folder / "state.db"))
    preload(store, options.config)
    kubelet = _kubelet(store, options)
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(Gateway(store, kubelet.endpoints))
        origin = f"http://127.0.0.1:{access.gateway_port}"
        api = api_app(store, token=access.token, logs=home.folder / "pods", gateway=origin)
        await _listen(stack, api, web_socket=api_socket, tls=_tls(access))
        await _listen(stack, gateway.app(), web_socket=gateway_socket, tls=None)
        parts = (kubelet.run(), Operator(store).run(), Autoscaler(store, gateway.active_requests).run())
        tasks = [asyncio.create_task(part) for part in parts]
        ended = asyncio.create_task(ending.wait())
        log.info("ready: %s %s", access.api, access.gateway)
        if options.ready_fd is not None:
            os.write(options.ready_fd, b"1")
            os.close(options.ready_fd)
        await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done() and (error := task.exception()):
                log.error("a part of the daemon broke; all of it ends", exc_info=error)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    log.info("stopped")


def _kubelet(store: Store, options: Options) -> Kubelet:
    environment, pods = options.environment, options.home.folder / "pods"
    weights = Weights(options.cache, mapped=options.mapped, environment=environment)
    return Kubelet(store, weights=weights, folder=pods, environment=environment, test_engine=options.test_engine)


async def _listen(
    stack: AsyncExitStack, app: web.Application, *, web_socket: socket.socket, tls: ssl.SSLContext | None
) -> None:
    # With handler_cancellation a client that hangs up ends its request, and so the engine's work for it.
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, web_socket, ssl_context=tls).start()


def _bound(port: int) -> socket.socket:
    """A loopback socket on the port of old, or on a new one when that is taken."""
    for wanted in (port, 0):
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(("127.0.0.1", wanted))
        except OSError:
            bound.close()
            if wanted == 0:
                raise
        else:
            return bound
    raise AssertionError


def _tls(access: Access) -> ssl.SSLContext:
    ca = trustme.CA.from_pem(access.ca_certificate.encode(), access.ca_key.encode())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context
