"""From an answer that is no success, or cannot be read, or never came, to a CallError.

An engine, KubeAI's gateway, a proxy, a mesh, a login page or the Kubernetes API may refuse one request, and each has
its own next step. `core.answers` tells who it was, and the rows that explain a Model's test request
(`core.diagnosis`) say what it means; here the two become one sentence, with the other side's own words in brackets
behind it, and a next step. An error that comes inside a stream or as a success is no other than one with a status.

The cause is kept where it can show no secret: errors of the network. An error of the client quotes a body, and an
error in a header quotes the login.
"""

from __future__ import annotations

import json
import math
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol

from kubeai_notebook.core.answers import refuser_of, telling, words_in
from kubeai_notebook.core.foreign import MOST_ERROR_BYTES, described, is_page, origin_of
from kubeai_notebook.core.messages import what_it_does
from kubeai_notebook.core.objects import number_at, text_at, texts_at
from kubeai_notebook.core.observation import HttpAnswer, Observation
from kubeai_notebook.errors import LOCAL_GONE, CallError, KubeAIError, SessionClosedError, WaitInterruptedError

from .http import library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kubeai_notebook.core.access import Access
    from kubeai_notebook.errors import Refuser

_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
"""Statuses that the same request may not meet again; 529 is what overloaded engines add to HTTP."""
_REDIRECTED = "A redirect is never followed: it would take your prompt, and your login, to somebody else."
_SHOWN_STEPS = 2
_TO_WHO_STARTS_IT = re.compile(r" (Start it with|increase the physical batch size).*", re.DOTALL)
"""So ends what llama.cpp says to a call of another kind (``Start it with `--embeddings` ``): no step of a user's."""
NO_CHOICE = "it holds no choice, so no text"
GATEWAY = "KubeAI's gateway"
"""Whose name errors tell where no Model was asked."""
_NAMES: Mapping[Refuser, str] = {"gateway": GATEWAY, "login": "A login page", "proxy": "A proxy or a portal"}


class Asked(Protocol):
    """What an error tells of the way that a request took: an `Endpoint`, which stands above this module."""

    seen: Callable[[str], Observation | None]

    @property
    def access(self) -> Access:
        """How the gateway is reached."""


class ErrorInAnswerError(Exception):
    """A success, or an event of a stream, that tells of an error; `explained` makes a CallError of it."""

    def __init__(self, answer: HttpAnswer) -> None:
        super().__init__("the answer tells of an error")
        self.answer = answer


@contextmanager
def explained(model: str, endpoint: Asked) -> Iterator[None]:
    """Turn the client's errors, and those that an answer tells of, into one sentence each."""
    import openai

    try:
        yield
    except KeyboardInterrupt:
        raise interrupted(model) from None
    except openai.APIConnectionError as error:
        cause = error.__cause__ or error
        if isinstance(cause, KubeAIError):
            raise cause from None  # ours, from below the client
        raise _unreached(model, endpoint.access, cause) from _shown_cause(cause)
    except openai.APIStatusError as error:
        raise refused(model, answer_of(error.response), endpoint, headers=error.response.headers) from None
    except ErrorInAnswerError as error:
        raise refused(model, error.answer, endpoint, headers={}) from None
    except TimeoutError:
        raise late(model) from None
    except openai.OpenAIError as error:
        raise unreadable(model, f"the client gives up with {type(error).__name__}") from None
    except (library().HTTPError, library().StreamError) as error:
        if isinstance(error, (library().TimeoutException, library().ConnectError, library().ProxyError)):
            raise _unreached(model, endpoint.access, error) from _shown_cause(error)
        message = f"The answer of {model} broke off ({type(error).__name__})."
        hint = f'Send it again; attach("{model}").why() says whether its Pod has ended.'
        raise CallError(message, hint, kind="network", retryable=True) from _shown_cause(error)


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


def session_closed() -> SessionClosedError:
    """The error of everything that comes after the end of its Session."""
    return SessionClosedError("This Session is closed.", "Open a new one and attach to the Model there.")


_ASKED_BY = {
    "TextGeneration": "chat() or complete()",
    "TextEmbedding": "embed()",
    "Reranking": "rerank()",
    "SpeechToText": "transcribe()",
}


def check_feature(
    name: str, spec: Mapping[str, Any], feature: str, *, stand_in: str = "", others: Callable[[], Sequence[str]] = list
) -> None:
    """Refuse what the Model was not served for: its engine would, after it was woken for that, in words of its own.

    ``stand_in`` is the engine that really runs, ``others`` gives the names of the Models that were served for it.

    Raises:
        CallError: the Model has features, and not this one; nothing was sent.
    """
    features = texts_at(spec, "features")
    # Ollama makes embeddings by any model; llama.cpp in its place does what it was started for.
    by_any_model = feature == "TextEmbedding" and text_at(spec, "engine") == "OLlama" and not stand_in
    does = what_it_does(features)
    if feature in features or by_any_model or not does:
        return
    ways = " or ".join(_ASKED_BY[known] for known in features if known in _ASKED_BY)
    able = " and ".join(f'"{other}"' for other in others()[:_SHOWN_STEPS])
    then = f"Here {able} can." if able else _SERVE[feature]
    raise CallError(f'"{name}" {does}; it {_CANNOT[feature]}.', f"Ask it by {ways}. {then}")


_CANNOT = {
    "TextGeneration": "does not generate text",
    "TextEmbedding": "makes no embeddings",
    "Reranking": "ranks no texts",
    "SpeechToText": "writes down no speech",
}
_SERVE = {
    "TextGeneration": "Serve a text model for chat, such as ollama://smollm2:135m.",
    "TextEmbedding": "Serve an embedding model for embeddings, such as ollama://all-minilm.",
    "Reranking": "Serve a reranking model in a cluster, such as hf://BAAI/bge-reranker-base, or rank by an embedding "
    "model's search().",
    "SpeechToText": "Serve a speech model in a cluster, such as hf://Systran/faster-whisper-medium.en.",
}


def object_of(data: bytes, model: str) -> Mapping[str, Any]:
    """The JSON object of a body or of an event of a stream.

    Raises:
        CallError: it holds something else.
        ErrorInAnswerError: it tells of an error; for `explained`, which has to stand around the call.
    """
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        raise no_answer(model, data) from None
    if not isinstance(answer, dict):
        raise unreadable(model, "it holds JSON that is not an object")
    if answer.get("error") or answer.get("object") == "error":
        code = number_at(answer, "error", "code") or number_at(answer, "code")
        status = code if code in range(400, 600) else 200
        raise ErrorInAnswerError(HttpAnswer(status=status, body=data[:MOST_ERROR_BYTES].decode(errors="replace")))
    return answer


def no_answer(model: str, data: bytes) -> CallError:
    """The error of a success that is no JSON: a page says who answered in the Model's place."""
    if not is_page(data):
        return unreadable(model, f"it is {described(data)}")
    kind = refuser_of(HttpAnswer(status=200, body=data[:MOST_ERROR_BYTES].decode(errors="replace")))
    message = f"{_NAMES.get(kind, 'A proxy')} answers in the place of {model}: {described(data)}."
    hint = "Look at the gateway's address; Session().doctor() names it."
    return CallError(message, hint, status=200, kind=kind)


def answer_of(response: Any) -> HttpAnswer:
    """What is kept of an answer that is no success; its body is bounded by the client already."""
    body = response.content[:MOST_ERROR_BYTES].decode(errors="replace")
    return HttpAnswer(status=int(response.status_code), body=body, headers=telling(response.headers))


def refused(model: str, answer: HttpAnswer, endpoint: Asked, *, headers: Mapping[str, str]) -> CallError:
    """The error of an answer that is no success, in the sentence of the row that explains it."""
    from kubeai_notebook.core.diagnosis import explanation_of

    status, who = answer.status or 200, refuser_of(answer)
    seen = endpoint.seen(model) or Observation(model={"metadata": {"name": model}})
    finding = explanation_of(answer, seen, now=datetime.now(UTC))
    steps = [remedy.title for remedy in finding.remedies[:_SHOWN_STEPS]] if finding else []
    hint = _begun(" ".join(steps)) or _next_step(model, who)
    if 300 <= status < 400:
        where = f"redirects the request to {origin_of(headers.get('location'))} ({status})"
        message, hint = f"{_NAMES[who]} before {GATEWAY} {where}, so {model} was not asked.", f"{_REDIRECTED} {hint}"
    else:
        fact = finding.message if finding else _fact(model, who, status)
        words = _TO_WHO_STARTS_IT.sub("", words_in(answer.body, seen.secrets))
        message = _sentence(fact, status, words.rstrip("."))
    if endpoint.access.this_machine:
        message = message.replace(GATEWAY, f"{GATEWAY} on this machine", 1)
    return CallError(
        message,
        hint,
        status=status,
        kind=who,
        code=finding.code if finding else "",
        retryable=status in PASSING,
        retry_after_seconds=retry_after_seconds(headers),
    )


def _fact(model: str, who: Refuser, status: int) -> str:
    """What happened, where no row explains it."""
    if GATEWAY in (model, _NAMES.get(who)):
        return f"{GATEWAY} refused the request{'' if model == GATEWAY else f' to {model}'}."
    happened = "failed while it answered" if status == 200 or status >= 500 else "refused the request"
    return f"The engine of {model} {happened}."


def _next_step(model: str, who: Refuser) -> str:
    if GATEWAY in (model, _NAMES.get(who)):
        return "Session().doctor() follows the way to the gateway."
    return f'attach("{model}").why() and its log may say more.'


def _begun(steps: str) -> str:
    """The steps, also where the first of a row's is not for this Model and the second begins with "Or"."""
    second = steps.removeprefix("Or ")
    return steps if second == steps else f"{second[:1].upper()}{second[1:]}"


def _sentence(fact: str, status: int, words: str) -> str:
    """The fact, with status and words of the other side where it does not tell them itself; one full stop."""
    fact = fact.rstrip(".")
    where = "" if status == 200 else f" ({status})"
    repeated = not words or words.lower() in fact.lower()
    return f"{fact}{where}." if repeated else f"{fact}{where}: {words}."


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
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
        return late(model)
    return not_connected(access, type(cause).__name__, is_refused=isinstance(cause, http.ConnectError))


def not_connected(access: Access, cause: str, *, is_refused: bool) -> CallError:
    """The error of a gateway that was not reached; ``is_refused``: its address takes no connection."""
    if access.this_machine and is_refused:
        return CallError(*LOCAL_GONE, kind="network")
    message = f"The gateway did not answer ({cause})."
    return CallError(message, "Is KubeAI still running?", kind="network", retryable=True)


def late(model: str) -> CallError:
    """The error of a request whose time is over."""
    hint = "Its status says what it is doing."
    return CallError(f"{model} gave no answer in time.", hint, kind="network", retryable=True)


def _shown_cause(cause: BaseException) -> BaseException | None:
    """The cause, unless it may show a secret: an error in the request itself quotes what was to be sent."""
    http = library()
    network = (http.NetworkError, http.TimeoutException, http.RemoteProtocolError, http.ProxyError)
    return cause if isinstance(cause, network) else None
