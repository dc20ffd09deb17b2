"""Runs another program as a child that dies with our parent, however that ends; its exit is ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial

from kubeai_notebook.local.leash import WATCH_SECONDS, tie_to


def main() -> int:
    """``python -m kubeai_notebook.local.engines.supervisor PARENT COMMAND ARGUMENTS…``."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    # The child is on a leash to us as well: where the system knows how (Linux), it dies when we are killed.
    child = subprocess.Popen(command, start_new_session=True, preexec_fn=partial(_leashed, os.getpid()))  # noqa: PLW1509  (we have one thread)
    signal.signal(signal.SIGTERM, lambda *_: _end(child, signal.SIGTERM))
    while True:
        with suppress(subprocess.TimeoutExpired):
            code = child.wait(WATCH_SECONDS)
            return 128 - code if code < 0 else code
        if os.getppid() != parent:
            _end(child, signal.SIGKILL)


def _leashed(parent: int) -> None:
    if sys.platform == "linux":
        tie_to(parent)


def _end(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


if __name__ == "__main__":
    sys.exit(main())
