"""Text from a Model in one answer: a completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.chat_messages import Reply, reason_of, usage_of, words_of
from kubeai_notebook.core.naming import name_and_adapter
from kubeai_notebook.core.objects import maps_at

from .errors import NO_CHOICE, explained, object_of, reading, unreadable

if TYPE_CHECKING:
    from .endpoint import Endpoint


def complete(
    endpoint: Endpoint, model: str, prompt: str, *, timeout_seconds: float | None = None, **options: Any
) -> Reply:
    """Continue a text; ``options`` are those of the OpenAI API (``max_tokens``, ``temperature`` …).

    Raises:
        CallError: the gateway or the engine refused it, or answered something that cannot be read.
    """
    asked, (model, _) = model, name_and_adapter(model)
    if timeout_seconds is not None:
        options["timeout"] = timeout_seconds
    with explained(model, endpoint):
        response: Any = endpoint.thread_client.completions.with_raw_response.create(
            model=asked, prompt=prompt, **options
        )
        answer = object_of(response.content, model)
    choice = next(iter(maps_at(answer, "choices")), None)
    if choice is None:
        raise unreadable(model, NO_CHOICE)
    with reading(model):
        reply = Reply(words_of(choice.get("text")), finish_reason=reason_of(choice), usage=usage_of(answer))
    reply.model, reply.raw = asked, answer
    return reply
