"""How much of a gateway's answer is taken, and for how long."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from kubeai_notebook.calls.http import BODY_SECONDS, MOST_BYTES, Bound
from kubeai_notebook.core.foreign import MOST_ERROR_BYTES
from kubeai_notebook.errors import CallError


def bound(*, success: bool = True, kind: str = "application/json", moments: tuple[float, ...] = (0.0,)) -> Bound:
    """A bound whose clock shows each of the moments once, and the last for ever."""
    left = list(moments)
    response = SimpleNamespace(is_success=success, headers={"content-type": kind})
    return Bound(response, clock=lambda: left.pop(0) if len(left) > 1 else left[0])


def test_takes_an_answer_within_its_bounds():
    assert bound().lets_go_on(b"{}")


def test_refuses_an_answer_that_is_too_long():
    long = bound()
    assert long.lets_go_on(bytes(MOST_BYTES))
    with pytest.raises(CallError, match="longer than 256 MiB"):
        long.lets_go_on(b"x")


def test_refuses_an_answer_that_trickles_without_end():
    trickling = bound(moments=(0.0, 1.0, BODY_SECONDS + 1))
    assert trickling.lets_go_on(b"{")
    with pytest.raises(CallError, match="does not end within 600 s"):
        trickling.lets_go_on(b" ")


def test_lets_a_stream_go_on():
    assert bound(kind="text/event-stream; charset=utf-8", moments=(0.0, 1e9)).lets_go_on(b"data: {}")


def test_cuts_an_error():
    refused = bound(success=False)
    assert refused.lets_go_on(bytes(MOST_ERROR_BYTES))
    assert not refused.lets_go_on(b"x")
