"""HTTP clients that wait for a Model before they ask it: those under the OpenAI clients that users and programs get.

The gateway holds a request for a Model that is not ready, silently and for as long as that takes. So a client's
time-out ended in the middle of a wake, and a Model that can never come kept a program for ten minutes. Here a request
waits before it leaves, as `Model.chat` does; the time-out is for the answer alone. Where nothing will come, the client
gets what a gateway would answer, 503 with the Finding's sentence: of an error below it, an OpenAI client tells
"Connection error." and no more.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import KubeAIError

from .http import library

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    Waiting = Callable[[str], Iterable[object]]

TICK_SECONDS = 0.05
LARGE_BYTES = 256 << 10
"""From here on a body is read beside the event loop."""
MODEL, ERROR = "kubeai_model", "kubeai_error"
"""Extensions: of a request, the Model that it is for where its body does not say so; of an answer, the error in it."""


def patient(waiting: Waiting) -> Any:
    """A class of HTTP clients for threads that wait as ``waiting`` says (`Endpoint`)."""
    import openai

    class Patient(openai.DefaultHttpxClient):
        def send(self, request: Any, **options: Any) -> Any:
            try:
                with closing(_steps(waiting, _model_of(request))) as steps:
                    for _ in steps:
                        time.sleep(TICK_SECONDS)
            except KubeAIError as error:
                return _refusal(request, error)
            return super().send(request, **options)

    return Patient


def patient_async(waiting: Waiting) -> Any:
    """The same for ``await``."""
    import openai

    class Patient(openai.DefaultAsyncHttpxClient):
        async def send(self, request: Any, **options: Any) -> Any:
            large = int(request.headers.get("content-length", 0)) > LARGE_BYTES
            model = await asyncio.to_thread(_model_of, request) if large else _model_of(request)
            try:
                with closing(_steps(waiting, model)) as steps:
                    for _ in steps:
                        await asyncio.sleep(TICK_SECONDS)
            except KubeAIError as error:
                return _refusal(request, error)
            return await super().send(request, **options)

    return Patient


def _steps(waiting: Waiting, model: str) -> Generator[object, None, None]:
    """What is waited for, in a form that can be closed: else a traceback would keep the wait alive."""
    yield from waiting(model)


def _model_of(request: Any) -> str:
    """The Model that a request is for; ``""`` where it does not say so in JSON."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        return str(request.extensions.get(MODEL, ""))
    try:
        name = json.loads(request.content)["model"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return name if isinstance(name, str) else ""


def _refusal(request: Any, error: KubeAIError) -> Any:
    """The answer that tells an OpenAI client of an error, which asking again does not mend."""
    reason = {"message": f"{error.message} {error.hint}".strip(), "type": type(error).__name__}
    headers, extensions = {"x-should-retry": "false"}, {ERROR: error}
    answer = library().Response(503, json={"error": reason}, headers=headers, extensions=extensions)
    answer.request = request
    return answer
