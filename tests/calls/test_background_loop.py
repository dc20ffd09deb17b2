"""The threads beside the loop: one is kept for the next job, and no job waits for another."""

from __future__ import annotations

import asyncio
import threading

from kubeai_notebook.calls.background_loop import BackgroundLoop

SECONDS = 30


async def closed() -> None:
    """Nothing is left to close."""


def test_gives_the_next_job_to_the_same_thread() -> None:
    async def idents() -> list[int]:
        return [await asyncio.to_thread(threading.get_ident) for _ in range(50)]

    loop = BackgroundLoop("kubeai-test")
    try:
        threads = set(loop.submit(idents()).result(SECONDS))
    finally:
        loop.close(closed())
    assert len(threads) < 10  # a thread that is not quite through is not waited for


def test_lets_no_job_wait_for_another() -> None:
    meeting = threading.Barrier(8, timeout=SECONDS)

    async def meet() -> None:
        await asyncio.gather(*(asyncio.to_thread(meeting.wait) for _ in range(8)))

    loop = BackgroundLoop("kubeai-test")
    try:
        loop.submit(meet()).result(SECONDS)
    finally:
        loop.close(closed())


def test_leaves_no_thread_where_it_is_closed() -> None:
    before = set(threading.enumerate())

    async def work() -> None:
        await asyncio.gather(*(asyncio.to_thread(threading.get_ident) for _ in range(20)))

    for _ in range(20):
        loop = BackgroundLoop("kubeai-test")
        loop.submit(work()).result(SECONDS)
        loop.close(closed())
        assert set(threading.enumerate()) <= before
