"""One request and its further tries: how long a busy server is waited for."""

from __future__ import annotations

import pytest

from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.poster import FailedTryError
from kubeai_notebook.calls.question import Limits, Target
from kubeai_notebook.calls.tries import Tries
from kubeai_notebook.core.access import Access
from tests.support.http_server import HttpServer, json_answer

SECONDS = 60


def test_asks_a_busy_server_once_more_as_the_time_ends_whatever_it_asks_for() -> None:
    far_away = json_answer({"error": "busy"}, 429, Retry_After="600")
    limits = Limits(busy_seconds=0.05, timeout_seconds=3600)
    with HttpServer(lambda _request: far_away) as server:
        with Endpoint(Access(base_url=f"{server.address}/openai/v1")) as endpoint:

            async def ask() -> None:
                tries = Tries(endpoint, Target(name="m"), limits, path="/chat/completions", check=lambda: None)
                try:
                    await tries.ask(lambda: b"{}", lambda answer: answer)
                finally:
                    await tries.close()

            with pytest.raises(FailedTryError):
                endpoint.loop.submit(ask()).result(SECONDS)
        assert len(server.received) == 2
