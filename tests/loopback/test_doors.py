"""Who is let in, and how long somebody stays who reads slowly."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
import ssl

import pytest
import trustme
from aiohttp import web

from kubeai_notebook.local.machine import raise_descriptors
from kubeai_notebook.loopback import doors, peers
from kubeai_notebook.loopback.doors import FOREIGN_PLACES, MOST_PLACES, Clocks, Places, answering, door
from tests.support.waiting import eventually


def taken(places, port, *, foreign=False):
    """How many find a place, one after the other."""
    count = 0
    while places.take(port, foreign=foreign):
        count += 1
    return count


@pytest.mark.parametrize("descriptors", [256, 1024, 20_000, 1_000_000])
def test_keeps_places_of_each_port_from_the_guests_of_the_other(descriptors):
    places = Places(descriptors)
    first = taken(places, "gateway")
    assert 0 < taken(places, "API") < first <= MOST_PLACES
    assert descriptors < 1024 or first >= 512


def test_gives_other_users_a_few_places_on_both_ports_together():
    places = Places(1024)
    assert taken(places, "gateway", foreign=True) == FOREIGN_PLACES
    assert taken(places, "API", foreign=True) == 0
    places.give_back("gateway", foreign=True)
    assert taken(places, "API", foreign=True) == 1
    assert taken(places, "API") >= 512


def test_gives_a_place_to_the_next():
    places = Places(1024)
    full = taken(places, "API")
    places.give_back("API", foreign=False)
    assert taken(places, "API") == 1
    assert full > 512


@pytest.fixture
def pair():
    """A connection on loopback, from the server's side: the client's socket, and both addresses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, peer = server.accept()
        with accepted, client:
            yield client, peer, server.getsockname()


@pytest.mark.skipif(not peers.KNOWN, reason="only Linux tells whose a socket is")
def test_finds_the_peer_by_netlink_and_in_the_tables_alike(pair):
    _, peer, here = pair
    assert peers.is_ours(peer, here)
    found = peers._listed(peer, here)
    assert peers._has_sock_diag()
    assert found == peers._asked(peer, here)
    assert found.inode


@pytest.mark.skipif(not peers.KNOWN, reason="only Linux tells whose a socket is")
def test_takes_a_socket_that_nobody_holds_for_nobodys(pair):
    client, peer, here = pair
    client.close()
    assert not peers.is_ours(peer, here)


def test_takes_a_peer_that_is_not_there_for_nobodys(pair):
    _, peer, here = pair
    assert not peers.is_ours((peer[0], here[1]), (here[0], peer[1] ^ 1))


@pytest.mark.skipif(not peers.KNOWN, reason="only Linux tells whose a socket is")
def test_says_so_when_no_descriptor_is_left_to_ask_whose_a_connection_is(pair):
    _, peer, here = pair
    peers._has_sock_diag.cache_clear()
    limits, next_one = resource.getrlimit(resource.RLIMIT_NOFILE), os.dup(0)
    os.close(next_one)
    # Asking for the first time takes three.
    for room in range(3):
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_one + room, limits[1]))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                peers.is_ours(peer, here)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert peers.is_ours(peer, here)
    assert peers._has_sock_diag()


@pytest.mark.parametrize("allowed", [1_000_000, 61_440, 10_240, 9_999])
def test_takes_as_many_descriptors_as_the_system_lets_it(monkeypatch, allowed):
    asked = []

    def limited(_kind, pair):
        asked.append(pair[0])
        if pair[0] > allowed:
            raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", limited)
    assert raise_descriptors() == asked[-1] == max(most for most in (65_536, 10_240, 4_096) if most <= allowed)


def listening():
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen(16)
    return made, made.getsockname()[1]


def app_of(text):
    async def handler(_request):
        return web.Response(body=text)

    app = web.Application(middlewares=[answering])
    app.router.add_route("*", "/", handler)
    return app


async def answer(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(10):
        said = await reader.read()
    writer.close()
    return said


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ETIMEDOUT])
def test_goes_on_letting_in_after_the_kernel_could_not_be_asked(monkeypatch, number):
    left = [OSError(number, os.strerror(number))]

    def is_ours(_peer, _here):
        if left:
            raise left.pop()
        return True

    async def asked():
        bound, port = listening()
        async with door(app_of(b"here"), bound, Places(1024), port="API"):
            return [await answer(port) for _ in range(2)]

    monkeypatch.setattr(doors, "is_ours", is_ours)
    assert all(said.endswith(b"here") for said in asyncio.run(asked()))


def test_goes_on_letting_in_after_an_accept_that_failed(monkeypatch):
    async def asked():
        bound, port = listening()
        loop = asyncio.get_running_loop()
        accept, left = (
            loop.sock_accept,
            [OSError(errno.ENFILE, "x"), OSError(errno.EPERM, "x"), ConnectionAbortedError()],
        )

        async def failing(sock):
            if left:
                raise left.pop()
            return await accept(sock)

        monkeypatch.setattr(loop, "sock_accept", failing)
        async with door(app_of(b"here"), bound, Places(1024), port="API"):
            return await answer(port)

    assert asyncio.run(asked()).endswith(b"here")


def test_hands_out_the_task_that_lets_in_so_that_its_end_is_seen(monkeypatch):
    def broken(_peer, _here):
        raise ZeroDivisionError

    async def ended():
        bound, port = listening()
        async with door(app_of(b""), bound, Places(1024), port="API") as accepting:
            with socket.create_connection(("127.0.0.1", port)):
                await asyncio.wait([accepting], timeout=10)
            return accepting.exception()

    monkeypatch.setattr(doors, "is_ours", broken)
    assert isinstance(asyncio.run(ended()), ZeroDivisionError)


@pytest.mark.parametrize("begun", [True, False], ids=["within its answer", "before its answer"])
def test_takes_it_for_no_error_that_a_guest_hangs_up(caplog, begun):
    async def watched(request):
        response = web.StreamResponse()
        if begun:
            await response.prepare(request)
            await response.write(b"one")
        request.transport.close()  # as it is for a moment after the guest has hung up, before its request is cancelled
        if not begun:
            await response.prepare(request)
        await response.write(b"two")
        pytest.fail("nobody was there to read it")

    async def asked():
        bound, port = listening()
        app = web.Application(middlewares=[answering])
        app.router.add_route("*", "/", watched)
        async with door(app, bound, Places(1024), port="API"):
            return await answer(port)

    assert (b"one" in asyncio.run(asked())) is begun
    assert caplog.records == []


def test_says_what_a_connection_to_somebody_else_failed_of(caplog):
    async def broken(_request):
        raise ConnectionResetError("the engine's")

    async def asked():
        bound, port = listening()
        app = web.Application(middlewares=[answering])
        app.router.add_route("*", "/", broken)
        async with door(app, bound, Places(1024), port="API"):
            return await answer(port)

    assert b" 500 " in asyncio.run(asked())
    assert "the engine's" in caplog.text


@pytest.fixture(scope="module")
def certificates():
    """TLS of a server and of a client that trusts it; no TLS at all is the other way."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return {"TLS": (server, client), "plain": (None, None)}


BYTES = 24_000_000
HURRIED = Clocks(idle_seconds=0.3, hang_up_seconds=0.1)


@pytest.mark.parametrize("way", ["plain", "TLS"])
def test_waits_for_whoever_reads_an_answer_slowly(certificates, way):
    """The clock strikes after each 1 MiB, of which the reader's buffers hold half at most."""
    server, client = certificates[way]
    guests = []

    async def handler(request):
        guests.append(doors.guest_of(request))
        return web.Response(body=b"x" * BYTES)

    async def read():
        bound, port = listening()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)  # which the connection has from it
        app = web.Application(middlewares=[answering])
        app.router.add_route("*", "/", handler)
        async with door(app, bound, Places(1024), port="API", tls=server, clocks=Clocks(hang_up_seconds=0.001)):
            reader, writer = await connected(port, client)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            size = 0
            for _ in range(16):
                size += len(await reader.readexactly(1 << 20))
                guests[0]._end()
            size += len(await reader.readexactly(BYTES - size))
            writer.transport.abort()
            return size

    assert asyncio.run(read()) == BYTES


async def connected(port, tls):
    """A connection whose end holds little."""
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
    end.connect(("127.0.0.1", port))
    return await asyncio.open_connection(sock=end, ssl=tls, server_hostname="127.0.0.1" if tls else None)


@pytest.mark.parametrize("way", ["plain", "TLS"])
def test_ends_whoever_reads_nothing_of_an_answer(certificates, way):
    server, client = certificates[way]

    async def is_ended():
        bound, port = listening()
        places = Places(1024)
        async with door(app_of(b"x" * BYTES), bound, places, port="API", tls=server, clocks=HURRIED):
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, limit=1 << 10)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await eventually(lambda: places._taken["API"], 10)
            await eventually(lambda: not places._taken["API"], 10)
            writer.transport.abort()

    asyncio.run(is_ended())
