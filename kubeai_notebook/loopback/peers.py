"""Whose program is at the other end of a loopback connection, as the kernel knows it (Linux only).

A port on loopback is open to every user of the machine. The kernel knows who owns the peer's socket, so the owner's
programs need no password; whoever cannot be told apart needs the token. The question goes to netlink's sock_diag,
which finds one socket in some microseconds; /proc/net/tcp says the same where sock_diag is missing, but it is one text
of all the machine's sockets. Neither shows a program in a container with a network of its own, which cannot reach
loopback anyway.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

KNOWN = sys.platform == "linux"
"""Whether the owner of a peer can be found out on this machine."""
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""What goes by: a moment later there may be a descriptor, or memory, again."""

_SOCK_DIAG, _BY_FAMILY, _REQUEST, _ANY_STATE = 4, 20, 1, 0xFFFFFFFF
_QUESTION = struct.Struct("=IHHII BBBBI")
_SOCKET = struct.Struct("!HH16s16s")
_COOKIE = struct.pack("=I8s", 0, b"\xff" * 8)
_ANSWER = struct.Struct("=IHHII BBBB 48x 12x II")
_ESTABLISHED, _CLOSE_WAIT = 1, 8
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Socket:
    state: int
    uid: int
    inode: int


def is_ours(peer: Address, here: Address) -> bool:
    """Whether the program that connected from ``peer`` to our socket ``here`` (IPv4) runs as this process's user.

    False when that cannot be said. A socket that its program has left behind shows the uid 0 and no inode; it is
    nobody's, or the program of any user could pass as root's by hanging up.

    Raises:
        OSError: the kernel could not be asked; asking takes a descriptor.
    """
    if not KNOWN:
        return False
    entry = _asked(peer, here) if _has_sock_diag() else _listed(peer, here)
    if entry is None or not entry.inode or entry.state not in (_ESTABLISHED, _CLOSE_WAIT):
        return False
    return entry.uid == os.geteuid()


@cache
def _has_sock_diag() -> bool:
    """Whether the kernel answers; tried once on a connection of our own, since "no such socket" also means no."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = server.getsockname()
        with socket.create_connection(here) as client:
            try:
                return _asked(client.getsockname(), here) is not None
            except OSError as error:
                if error.errno in EXHAUSTED:  # It would be remembered.
                    raise
                return False


def _asked(peer: Address, here: Address) -> _Socket | None:
    """The peer's socket, from netlink. OSError where the kernel has no sock_diag."""
    ends = (socket.inet_aton(peer[0]).ljust(16, b"\0"), socket.inet_aton(here[0]).ljust(16, b"\0"))
    wanted = _SOCKET.pack(peer[1], here[1], *ends) + _COOKIE
    size = _QUESTION.size + len(wanted)
    head = (size, _BY_FAMILY, _REQUEST, 1, 0)
    question = _QUESTION.pack(*head, socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY_STATE) + wanted
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as kernel:
        kernel.settimeout(1)
        kernel.sendto(question, (0, 0))
        answer = kernel.recv(4096)
    if len(answer) < _ANSWER.size:  # An error, such as "no such socket".
        return None
    _, _, _, _, _, _, state, _, _, uid, inode = _ANSWER.unpack_from(answer)
    return _Socket(state, uid, inode)


def _listed(peer: Address, here: Address) -> _Socket | None:
    """The peer's socket, from the kernel's tables; IPv6 programs reach IPv4 by ``::ffff:127.0.0.1``."""
    ends = rf"[0-9A-F]*{_hex(peer)} [0-9A-F]*{_hex(here)}"
    row = re.compile(rf"^ *\d+: {ends} ([0-9A-F]{{2}}) \S+ \S+ \S+ +(\d+) +\d+ (\d+) ", re.MULTILINE)
    for table in _TABLES:
        try:
            match = row.search(table.read_text())
        except OSError as error:
            if error.errno in EXHAUSTED:
                raise
            continue
        if match:
            return _Socket(int(match[1], 16), int(match[2]), int(match[3]))
    return None


def _hex(address: Address) -> str:
    number = int.from_bytes(socket.inet_aton(address[0]), sys.byteorder)
    return f"{number:08X}:{address[1]:04X}"
