"""Ties a process to its parent: it never outlives it, even when the parent is killed."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial

WATCH_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tie_to(parent: int) -> None:
    """End this process as soon as ``parent`` is no longer its parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=_watch, args=(parent,), name="leash", daemon=True).start()


def leashed(*command: str) -> tuple[str, ...]:
    """The command that runs another program so that it, and all that it starts, dies with this process.

    This very file is run, alone (``-I``): nothing is imported from the working folder, and the variables that the
    other program is given mean nothing here.
    """
    return (sys.executable, "-I", __file__, str(os.getpid()), *command)


def main() -> int:
    """``python leash.py PARENT COMMAND ARGUMENTS…``; the command's exit is ours."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    # The child is on a leash to us as well: where the system knows how (Linux), it dies when we are killed.
    child = subprocess.Popen(command, start_new_session=True, preexec_fn=partial(_tied, os.getpid()))  # noqa: PLW1509  (we have one thread)
    signal.signal(signal.SIGTERM, lambda *_: _end(child, signal.SIGTERM))
    while True:
        with suppress(subprocess.TimeoutExpired):
            code = child.wait(WATCH_SECONDS)
            return 128 - code if code < 0 else code
        if os.getppid() != parent:
            _end(child, signal.SIGKILL)


def _tied(parent: int) -> None:
    if sys.platform == "linux":
        tie_to(parent)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


def _end(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


if __name__ == "__main__":
    sys.exit(main())
