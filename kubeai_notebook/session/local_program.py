"""``kubeai-local`` as a program of this environment: a kernel need not have it on PATH."""

from __future__ import annotations

import subprocess

from kubeai_notebook import settings
from kubeai_notebook.errors import LocalError

ACTIONS = ("start", "stop", "status", "add", "logs", "token")
"""Those for a notebook, the most used first."""
SECONDS = 120.0
"""Starting takes a few; stopping waits until the engines have ended."""


def run_local(*arguments: str, seconds: float = SECONDS) -> str:
    """Run ``kubeai-local`` with these arguments; what it writes.

    Raises:
        LocalError: it failed, in its own words.
    """
    command = settings.local_command(*arguments)
    try:
        # A session of its own: an interrupt of the kernel must not reach the daemon.
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            start_new_session=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise LocalError(f"kubeai-local {arguments[0]} did not end ({type(error).__name__}).") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise LocalError(lines[-1].removeprefix("kubeai-local: ") if lines else "kubeai-local gave no reason.")
    return done.stdout
