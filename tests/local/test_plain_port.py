from __future__ import annotations

import asyncio
import json
import socket
from datetime import UTC, datetime

import aiohttp

from kubeai_notebook.local.emulation.refusals import StatusError
from kubeai_notebook.local.gateway import Gateway, connections
from kubeai_notebook.local.plain_port import plain_app
from kubeai_notebook.loopback.doors import Places, door

TOKEN = "t" * 40


class FullDisk:
    """A store with one sleeping Model, which finds no room to wake it."""

    def now(self):
        return datetime.now(UTC)

    def find(self, _ref):
        return {"metadata": {"name": "m", "namespace": "default"}, "spec": {"replicas": 0}}

    def patch(self, *_):
        raise StatusError(507, "InsufficientStorage", "the disk is full")


def test_tells_of_a_full_disk_as_the_gateway_tells_of_everything(tmp_path, caplog):
    async def asked():
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        bound.listen(8)
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/openai/v1/completions"
        async with connections() as client, aiohttp.ClientSession() as program:
            app = plain_app(Gateway(FullDisk(), {}, client, token=TOKEN, folder=tmp_path), TOKEN)
            async with door(app, bound, Places(1024), port="gateway"):
                login = {"Authorization": f"Bearer {TOKEN}"}
                async with program.post(url, json={"model": "m", "prompt": "x"}, headers=login) as answer:
                    return answer.status, await answer.text()

    status, text = asyncio.run(asked())
    assert (status, json.loads(text)) == (507, {"error": "the disk is full"})
    assert caplog.records == []
