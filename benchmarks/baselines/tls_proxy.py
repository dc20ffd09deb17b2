"""The least that a proxy in TLS can cost: aiohttp, a certificate, and every request passed on as it comes.

``python tls_proxy.py UPSTREAM`` prints its url and the path of its authority's certificate, one a line.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import tempfile
from pathlib import Path

import aiohttp
import trustme
from aiohttp import web


async def main(upstream: str) -> None:
    ca, folder = trustme.CA(), Path(tempfile.mkdtemp())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    async with aiohttp.ClientSession(auto_decompress=False) as client:

        async def passed(request: web.Request) -> web.StreamResponse:
            headers = {"Authorization": request.headers["Authorization"], "Content-Type": "application/json"}
            body = await request.read()
            async with client.request(request.method, upstream + request.path_qs, data=body, headers=headers) as answer:
                response = web.StreamResponse(status=answer.status)
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
                return response

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", passed)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        sys.stdout.write(f"https://127.0.0.1:{runner.addresses[0][1]}\n{folder / 'ca.pem'}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
