"""Who is let in, without waiting for anybody to come."""

from __future__ import annotations

import socket

import pytest

from kubeai_notebook.local import peers
from kubeai_notebook.local.doors import FOREIGN_PLACES, MOST_PLACES, Places


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
