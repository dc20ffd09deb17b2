"""What a kernel sends while a cell runs."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def messages_of(client: Any, request: str, *, seconds: float) -> Iterator[dict[str, Any]]:
    """Every message that answers the request, as far as the one that the kernel is idle; an error where none comes."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            message = client.get_iopub_msg(timeout=1)
        except queue.Empty:
            continue
        if message["parent_header"].get("msg_id") == request:
            yield message
            if message["content"].get("execution_state") == "idle":
                return
    raise AssertionError(f"the kernel is not idle after {seconds} s")
