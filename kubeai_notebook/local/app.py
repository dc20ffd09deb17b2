"""The daemon: one asyncio program of API, operator, kubelet and gateway."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp.http import HttpProcessingError

from kubeai_notebook.core.rules.machine_checks import MOST_ENGINES_A_CORE
from kubeai_notebook.errors import LocalError
from kubeai_notebook.loopback.doors import Places, door

from .api.http import api_app
from .api.journal import Journal
from .api.store import Store
from .catalog import LocalCatalog, machine_here
from .daemon import READY
from .gateway import Gateway, connections
from .home import server_tls
from .log_file import keep_bounded
from .machine import raise_descriptors
from .mappings import Mappings
from .operator.autoscaler import Autoscaler
from .operator.kubelet import MOST_PODS, Kubelet
from .operator.reconcile import Reconciler
from .operator.recorder import Recorder
from .operator.runtime import Runtime
from .operator.system import preload
from .plain_port import plain_app
from .weights import Weights

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path

    from .home import Home

log = logging.getLogger("kubeai-local")

BACKLOG = 2048
"""Connections that wait to be taken; whoever comes when it is full waits for a second at least."""


def run(home: Home, options: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """Run as the command line says until SIGTERM or SIGINT. LocalError when a daemon runs in this home already."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("aiohttp.server").addFilter(_noteworthy)
    home.prepare()
    if not home.claim():
        raise LocalError(f"A daemon runs in {home.folder} already.", "See: kubeai-local status")
    os.chdir(home.folder)
    asyncio.run(_serve(home, options, environment))


def _noteworthy(record: logging.LogRecord) -> bool:
    """Whether aiohttp has more to say than that somebody sent no HTTP: anybody may, and each time with a stack."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


async def _serve(home: Home, options: argparse.Namespace, environment: Mapping[str, str]) -> None:
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    api_socket, gateway_socket = map(_bound, home.ports())
    journal = Journal(home.folder / "state.db")
    notes = [f"{journal.path} was empty: there are no Models."] if journal.empty and home.kubeconfig.exists() else []
    store, pods = Store(journal=journal), home.folder / "pods"
    preload(store, options.config or "")
    access, renewals = home.renewed(api_socket.getsockname()[1], gateway_socket.getsockname()[1])
    for note in (notes := notes + renewals):
        log.warning(note)
    home.note(notes)
    tls, places = server_tls(home.certificate), Places(raise_descriptors())
    weights = Weights(options.cache, mapped=Mappings(dict(options.weights), home), environment=environment)
    kubelet = _kubelet(store, options, pods, environment=environment, weights=weights)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connections())
        gateway = Gateway(store, kubelet.endpoints, client, token=access.token, folder=home.folder)
        machine = partial(machine_here, options.cache)
        catalog = LocalCatalog(weights, machine, environment, idle_seconds=gateway.idle_seconds)
        api = api_app(store, token=access.token, logs=pods, gateway=gateway, catalog=catalog)
        plain = plain_app(gateway, access.token)
        doors = (
            door(api, api_socket, places, port="API", tls=tls),
            door(plain, gateway_socket, places, port="gateway"),
        )
        tasks = [await stack.enter_async_context(opened) for opened in doors]
        parts = (
            kubelet.run(),
            Reconciler(store).run(),
            Autoscaler(store, gateway.active_requests).run(),
            keep_bounded(home.log),
        )
        tasks += [asyncio.create_task(part) for part in parts]
        ended = asyncio.create_task(ending.wait())
        log.info("ready: %s %s", access.api, access.gateway)
        if options.ready_fd is not None:
            os.write(options.ready_fd, READY)
        await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done() and (error := task.exception()):
                log.error("a part of the daemon broke; all of it ends", exc_info=error)
        # A watch that saw the Pods end would tell of Models without Pods, when all of this machine's KubeAI ends.
        await stack.aclose()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    log.info("stopped")


def _kubelet(
    store: Store, options: argparse.Namespace, folder: Path, *, environment: Mapping[str, str], weights: Weights
) -> Kubelet:
    kept: dict[str, Any] = {"store": store, "recorder": Recorder(store), "weights": weights, "folder": folder}
    runtime = Runtime(**kept, environment=environment, test_engine=options.test_engine)
    cores = machine_here(options.cache).cores or 1
    return Kubelet(store, runtime, most_pods=min(MOST_PODS, MOST_ENGINES_A_CORE * cores))


def _bound(port: int) -> socket.socket:
    """A loopback socket on the port of old, or on a new one when that is taken."""
    for wanted in (port, 0):
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(("127.0.0.1", wanted))
            # At once, since until then another program may still take the port.
            bound.listen(BACKLOG)
        except OSError:
            bound.close()
            if wanted == 0:
                raise
        else:
            return bound
    raise AssertionError
