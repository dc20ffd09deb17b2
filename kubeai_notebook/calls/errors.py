"""From what the ``openai`` client raises, and from answers that cannot be read, to a CallError."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.foreign import MOST_ERROR_BYTES, described, is_page, origin_of, page_of, shown, words_of
from kubeai_notebook.errors import LOCAL_GONE, CallError, KubeAIError, WaitInterruptedError

from .http import library

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PROXY_RIGHT = (
    "The gateway is reached through the Kubernetes API here. A Role with this rule allows it: "
    '- {apiGroups: [""], resources: ["services/proxy"], verbs: ["get", "create"]}'
)
_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, RecursionError)


@contextmanager
def explained(model: str, *, this_machine: bool = False) -> Iterator[None]:
    """Turn the client's errors into one sentence each.

    KubeAI's gateway answers ``{"error": "text"}``, engines ``{"error": {"message": …}}`` or
    ``{"detail": …}``: all three are read. ``this_machine``: the gateway is that of our own daemon.
    """
    import openai

    try:
        yield
    except KeyboardInterrupt:
        raise WaitInterruptedError(f"Stopped; {model} no longer works on this request.") from None
    except openai.APITimeoutError:
        raise CallError(f"{model} gave no answer in time.", f'See what it is doing: attach("{model}").status') from None
    except openai.APIConnectionError as error:
        cause = error.__cause__ or error
        if isinstance(cause, KubeAIError):
            raise cause from None  # ours, from below the client
        if this_machine and isinstance(cause, library().ConnectError):
            raise CallError(*LOCAL_GONE) from None
        raise CallError(f"The gateway did not answer ({type(cause).__name__}).", "Is KubeAI still running?") from None
    except openai.APIStatusError as error:
        raise _refused(model, error) from None
    except openai.OpenAIError as error:
        raise CallError(f"{model} answered something that cannot be read ({type(error).__name__}).") from None
    except (library().HTTPError, library().StreamError) as error:
        raise CallError(f"The answer of {model} broke off ({type(error).__name__}).", "Send it again.") from None


@contextmanager
def reading(model: str) -> Iterator[None]:
    """Around the reading of an answer, and nothing else: what fails in there was sent wrongly."""
    try:
        yield
    except _UNREADABLE:
        raise unreadable(model, "it is not what the OpenAI API says") from None


def unreadable(model: str, why: str) -> CallError:
    """An answer that is none."""
    return CallError(f"{model} answered something that cannot be read: {why}.", "Its log may say why.")


def object_of(data: bytes, model: str) -> Mapping[str, Any]:
    """The JSON object of a body or of an event of a stream.

    Raises:
        CallError: it is none, or it tells of an error, which is told in the engine's words.
    """
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        raise unreadable(model, f"it is {described(data)}") from None
    if not isinstance(answer, dict):
        raise unreadable(model, "it is no JSON object")
    if answer.get("error"):
        raise CallError(f"{model} answered with an error: {said(answer) or 'it gives no reason'}.")
    return answer


def _refused(model: str, error: Any) -> CallError:
    """The error of an answer that is no success."""
    status, response = int(error.status_code), error.response
    if 300 <= status < 400:
        where = origin_of(response.headers.get("location"))
        hint = "A redirect is never followed: it would take your prompt, and your login, to somebody else."
        return CallError(f"{model} redirects the request to {where} ({status}).", hint, status=status)
    words = said(error.body) or words_of(response.content[:MOST_ERROR_BYTES]) or shown(error.message).rstrip(".")
    if status == 404:
        hint = "models() lists the names; an adapter is asked for as <model>_<adapter>."
        return CallError(f"{model} cannot be called: {words}.", hint, status=404)
    # The Kubernetes API's own refusal, where it stands between us and the gateway.
    hint = _PROXY_RIGHT if status == 403 and "services/proxy" in words else ""
    return CallError(f"{model} refused the request ({status}): {words}.", hint, status=status)


def said(body: Any) -> str:
    """The sentence in an error body, whichever of the known shapes it has."""
    if isinstance(body, dict):
        inner = body.get("error", body.get("message", body.get("detail", "")))
        return said(inner) if isinstance(inner, dict) else shown(inner).strip().rstrip(".")
    text = shown(body).strip().rstrip(".")
    return page_of(text.encode(errors="replace")) if is_page(text.encode(errors="replace")) else text
