"""Whether a Model that has just become ready answers: one small request."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.answers import parsed, refuser_of
from kubeai_notebook.core.objects import maps_at
from kubeai_notebook.core.observation import HttpAnswer
from kubeai_notebook.errors import KubeAIError

from .errors import answer_of
from .http import library

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    import openai

    from .endpoint import Endpoint

PROBE_SECONDS, GRACE_SECONDS = 60.0, 5.0
LONGEST_BODY = 2_000
SILENCE = b"RIFF\xa4\x0c\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80>\0\0\0}\0\0\x02\0\x10\0data\x80\x0c\0\0" + bytes(3200)
"""A tenth of a second of nothing: WAV, 16 bits, mono, 16 kHz."""
_NOT_REACHED = frozenset({"ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol"})
"""Errors of the HTTP library that tell of the way to the gateway, not of the Model."""


class Probe:
    """Asks for one token or one vector; may be cancelled from another thread."""

    def __init__(self, endpoint: Endpoint, model: str, features: Sequence[str]) -> None:
        self._endpoint, self._model, self._features = endpoint, model, features
        self._lock = threading.Lock()
        self._asking: Future[HttpAnswer | None] | None = None
        self._cancelled = False

    def run(self) -> HttpAnswer | None:
        """The answer.

        ``None`` when it was cancelled, when the gateway cannot be reached or refuses us, and for a Model
        that does neither (speech, reranking).
        """
        if not {"TextGeneration", "TextEmbedding"} & set(self._features):
            return None
        with self._lock:
            if self._cancelled:
                return None
            request = _ask(self._endpoint.own_client, self._model, self._features)
            self._asking = asking = self._endpoint.loop.submit(request)
        try:
            return asking.result()
        except CancelledError:
            return None

    def cancel(self) -> None:
        """End the request, and the engine's work on it."""
        with self._lock:
            self._cancelled = True
            if self._asking is not None:
                self._asking.cancel()


async def small_request(client: Any, model: str, features: Sequence[str]) -> Any:
    """The raw answer to the smallest request that a Model with these features takes."""
    if "TextGeneration" in features:
        # Not a chat: a base model has no template for one.
        ask, asked = client.completions.with_raw_response.create, {"prompt": "Hi", "max_tokens": 1}
    elif "TextEmbedding" in features or not features:
        ask, asked = client.embeddings.with_raw_response.create, {"input": ["Hi"], "encoding_format": "float"}
    elif "Reranking" in features:
        body = {"model": model, "query": "Hi", "documents": ["Hi"]}
        return await client.post("/rerank", cast_to=library().Response, body=body)
    else:
        ask, asked = client.audio.transcriptions.with_raw_response.create, {"file": ("silence.wav", SILENCE)}
    return await ask(model=model, **asked)


async def _ask(client: openai.AsyncOpenAI, model: str, features: Sequence[str]) -> HttpAnswer | None:
    import openai

    limited = client.with_options(timeout=PROBE_SECONDS)
    began = time.monotonic()
    try:
        # The client's own time-out begins anew with each byte.
        async with asyncio.timeout(PROBE_SECONDS + GRACE_SECONDS):
            response = (await small_request(limited, model, features)).http_response
    except TimeoutError:
        return HttpAnswer(status=None, seconds=time.monotonic() - began)
    except openai.APIStatusError as error:
        response = error.response
    except openai.APIConnectionError as error:  # a time-out is one as well
        if type(error.__cause__).__name__ in _NOT_REACHED or isinstance(error.__cause__, KubeAIError):
            return None
        return HttpAnswer(status=None, seconds=time.monotonic() - began)
    answer = replace(answer_of(response), seconds=time.monotonic() - began)
    if answer.status in (401, 403) and refuser_of(answer) in ("gateway", "api-server"):
        return None  # we may not ask: that says nothing about the Model
    return replace(answer, body="" if _is_a_models(response) else answer.body[:LONGEST_BODY])


def _is_a_models(response: Any) -> bool:
    """Whether this is what a Model answers; a login page or a portal sends a success as well."""
    document = parsed(response.content)
    return response.status_code == 200 and any(maps_at(document, name) for name in ("choices", "data"))
