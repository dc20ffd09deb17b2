"""From what the ``openai`` client raises, and from answers that cannot be read, to a CallError.

Five parties can refuse one request, and each has its own next step: the engine, KubeAI's gateway, a proxy or a mesh
before it, the Kubernetes API where the request goes through that, and the network. They are told apart by the shape of
the body alone, since none of them signs its answers: KubeAI writes ``{"error": "text"}``, engines ``{"error":
{"message": …}}`` or ``{"detail": …}``, an API server a Status, a proxy a page or plain words.

The cause is kept where it can show no secret: errors of the network. An error of the client quotes a body, and an
error in a header quotes the login.
"""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.foreign import MOST_ERROR_BYTES, described, is_page, origin_of, page_of, shown, words_of
from kubeai_notebook.core.objects import text_at
from kubeai_notebook.errors import LOCAL_GONE, CallError, KubeAIError, WaitInterruptedError

from .http import library

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeai_notebook.core.access import Access
    from kubeai_notebook.errors import Refuser

_PROXY_RIGHT = (
    "The gateway is reached through the Kubernetes API here. A Role with this rule allows it: "
    '- {apiGroups: [""], resources: ["services/proxy"], verbs: ["get", "create"]}'
)
_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
"""Statuses that the same request may not meet again; 529 is what overloaded engines add to HTTP."""


@contextmanager
def explained(model: str, access: Access) -> Iterator[None]:
    """Turn the client's errors into one sentence each."""
    import openai

    try:
        yield
    except KeyboardInterrupt:
        raise interrupted(model) from None
    except openai.APIConnectionError as error:
        cause = error.__cause__ or error
        if isinstance(cause, KubeAIError):
            raise cause from None  # ours, from below the client
        raise _unreached(model, access, cause) from _shown_cause(cause)
    except openai.APIStatusError as error:
        raise _refused(model, error) from None
    except openai.OpenAIError as error:
        raise unreadable(model, f"the client gives up with {type(error).__name__}") from None
    except (library().HTTPError, library().StreamError) as error:
        if isinstance(error, library().TimeoutException):
            raise _late(model) from error
        message = f"The answer of {model} broke off ({type(error).__name__})."
        raise CallError(message, "Send it again.", kind="network", retryable=True) from _shown_cause(error)


@contextmanager
def reading(model: str) -> Iterator[None]:
    """Around the reading of an answer, and nothing else: what fails in there was sent wrongly."""
    try:
        yield
    except _UNREADABLE:
        raise unreadable(model, "it is not what the OpenAI API says") from None


def unreadable(model: str, why: str, kind: Refuser = "engine") -> CallError:
    """An answer of status 200 that does not hold what it should."""
    return CallError(f"{model} answered something that cannot be read: {why}.", "Its log may say why.", kind=kind)


def interrupted(model: str) -> WaitInterruptedError:
    """The error of an interrupt that ended a request."""
    return WaitInterruptedError(f"Stopped. The request to {model} was cancelled.")


def session_closed() -> CallError:
    """The error of everything that comes after the end of its Session."""
    return CallError("This Session is closed.", "Open a new one and attach to the Model there.")


def object_of(data: bytes, model: str) -> Mapping[str, Any]:
    """The JSON object of a body or of an event of a stream.

    Raises:
        CallError: it holds something else, or it tells of an error, which is told in the engine's words.
    """
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        raise unreadable(model, f"it is {described(data)}", "proxy" if is_page(data) else "engine") from None
    if not isinstance(answer, dict):
        raise unreadable(model, "it holds JSON that is not an object")
    if answer.get("error"):
        words = words_of_error(answer) or "it gives no reason"
        raise CallError(f"{model} answered with an error: {words}.", kind=_refuser(answer))
    return answer


def words_of_error(body: Any) -> str:
    """The sentence in an error body, whichever of the known shapes it has."""
    if isinstance(body, dict):
        inner = body.get("error", body.get("message", body.get("detail", "")))
        return words_of_error(inner) if isinstance(inner, dict) else shown(inner).strip().rstrip(".")
    text = shown(body).strip().rstrip(".")
    return page_of(text.encode(errors="replace")) if is_page(text.encode(errors="replace")) else text


def _refused(model: str, error: Any) -> CallError:
    """The error of an answer that is no success."""
    status, response = int(error.status_code), error.response
    if 300 <= status < 400:
        where = origin_of(response.headers.get("location"))
        hint = "A redirect is never followed: it would take your prompt, and your login, to somebody else."
        return CallError(f"{model} redirects the request to {where} ({status}).", hint, status=status, kind="proxy")
    body = response.content[:MOST_ERROR_BYTES]
    words = words_of_error(error.body) or words_of(body) or shown(error.message).rstrip(".")
    message, hint = f"{model} refused the request ({status}): {words}.", ""
    if status == 404:
        message = f"{model} cannot be called: {words}."
        hint = "Look up its name in the list of Models; an adapter is asked for as <model>_<adapter>."
    elif status == 403 and "services/proxy" in words:
        hint = _PROXY_RIGHT
    return CallError(
        message,
        hint,
        status=status,
        kind=_refuser(_parsed(body)),
        retryable=status in _PASSING,
        retry_after_seconds=_retry_after_seconds(response.headers),
    )


def _refuser(answer: Any) -> Refuser:
    """Who wrote an error body, by its shape; ``None``: it is no JSON, which KubeAI and the engines answer in."""
    if answer is None:
        return "proxy"
    if text_at(answer, "kind") == "Status" and text_at(answer, "apiVersion"):
        return "api-server"
    return "gateway" if text_at(answer, "error") else "engine"


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """The seconds of ``Retry-After``, which may be a date: then as seen from the answer's own ``Date``."""
    text = headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - parsedate_to_datetime(headers["date"])).total_seconds()
        except (LookupError, ValueError, TypeError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _unreached(model: str, access: Access, cause: BaseException) -> CallError:
    """The error of a request that got no answer."""
    http = library()
    if isinstance(cause, http.TimeoutException) and not isinstance(cause, http.ConnectTimeout):
        return _late(model)
    if access.this_machine and isinstance(cause, http.ConnectError):
        return CallError(*LOCAL_GONE, kind="network")
    message = f"The gateway did not answer ({type(cause).__name__})."
    return CallError(message, "Is KubeAI still running?", kind="network", retryable=True)


def _late(model: str) -> CallError:
    hint = "Its status says what it is doing."
    return CallError(f"{model} gave no answer in time.", hint, kind="network", retryable=True)


def _shown_cause(cause: BaseException) -> BaseException | None:
    """The cause, unless it may show a secret: an error in the request itself quotes what was to be sent."""
    http = library()
    network = (http.NetworkError, http.TimeoutException, http.RemoteProtocolError, http.ProxyError)
    return cause if isinstance(cause, network) else None
