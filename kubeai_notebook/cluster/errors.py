"""From an answer of the API server to one of our errors."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.foreign import is_page, origin_of, shown, words_of
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.messages import sentence_of
from kubeai_notebook.core.notice import Notice, wrong
from kubeai_notebook.core.objects import maps_at, text_at
from kubeai_notebook.core.whereabouts import OFFER, Whereabouts
from kubeai_notebook.errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    KubeAIError,
    NotFoundError,
    NotInstalledError,
    QuotaError,
    SpecError,
    UnauthorizedError,
    UnreachableError,
)

from .answer import NoApiError, no_api
from .warnings import quoted_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

_CANNOT = re.compile(
    r'User "(?P<user>.*?)" cannot (?P<verb>\w+) resource "(?P<resource>.*?)"'
    r'(?: in API group ".*?")?(?: in the namespace "(?P<namespace>.*?)")?'
)
_ANONYMOUS = "system:anonymous"
_UNKNOWN = re.compile(r'unknown field "(.*?)"')
_WHERE_TO_LOOK = {
    "model": "models() lists what is there.",
    "namespace": "Name another one with -n, or ask an administrator to create it.",
}
_NOT_CHECKED = "some validation rules were not checked"
_DEFAULT_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 300.0
_UNKNOWN_PLACE = Whereabouts()
_MOST_PROBLEMS = 50


class BusyError(ClusterError):
    """The API server has too much to do; it did nothing and says when to come back."""

    def __init__(self, message: str, hint: str = "", *, retry_after_seconds: float) -> None:
        super().__init__(message, hint)
        self.retry_after_seconds = retry_after_seconds


class ExpiredError(ClusterError):
    """The history from the version that was asked for is gone: list again."""


class BrokenHandshakeError(UnreachableError):
    """The connection ended while it was being made: nothing was sent."""


class LostAnswerError(UnreachableError):
    """The request was sent and no answer came: whether it was carried out is not known."""

    def __init__(self, message: str, hint: str = "", *, timed_out: bool = False) -> None:
        super().__init__(message, hint)
        self.timed_out = timed_out


def error_of(
    status: int,
    body: bytes,
    *,
    where: Whereabouts = _UNKNOWN_PLACE,
    headers: Mapping[str, str] | None = None,
    reads: bool = False,
) -> KubeAIError:
    """The error that an HTTP answer of ``where`` means which is no success.

    ``reads``: nothing was sent that could be wrong. The status chooses the kind, since a proxy or a login page refuses
    without a Status body. From a Status ``reason`` and ``details`` are read, never the HTTP reason phrase; a 404
    without one is a group that the server does not know: KubeAI is not installed.
    """
    headers = headers or {}
    secrets = quoted_secrets()
    answer = _status_body(body, secrets)
    message = shown(text_at(answer, "message")) or words_of(_without(secrets, body.decode(errors="replace")).encode())
    if 300 <= status < 400:
        return no_api(where.address, f"it redirects to {origin_of(headers.get('Location'))}, which is not followed")
    if status == 400 and not answer and b"HTTPS server" in body:
        return no_api(where.address, f"{message.rstrip('.')}; write https:// in the kubeconfig")
    if status == 429:
        error: KubeAIError = _busy(headers.get("Retry-After"), where)
    elif status == 404 and not answer:
        error = no_api(where.address, f"it sends {message}") if is_page(body) else not_installed(where)
    elif status == 422 and not reads:
        error = SpecError(_problems(answer, message))
    elif status in _EXPLAINED:
        error = _EXPLAINED[status](answer, message, where)
    elif not reads and "strict decoding error" in message and _UNKNOWN.search(message):
        fields = _UNKNOWN.findall(message)
        error = SpecError([wrong(field, "UnknownField", f'KubeAI here knows no field "{field}".') for field in fields])
    elif message:
        error = ClusterError(f"{where.api} answered {status}: {message}", _next(status, where))
    else:
        error = ClusterError(f"{where.api} answered {status} without an explanation.", _next(status, where))
    if isinstance(error, ClusterError) and answer:
        error.server_message = message
    return error


def _next(status: int, where: Whereabouts) -> str:
    """The next step after an answer that no rule explains: a server that is not well may be, the next time."""
    ask = (
        "Session().doctor() looks closer." if where.this_machine else "Ask whoever runs the cluster, with this answer."
    )
    return f"Try again in a moment. {ask}" if status >= 500 else ask


def _busy(retry_after: str | None, where: Whereabouts) -> BusyError:
    pause = pause_seconds(retry_after)
    return BusyError(
        f"{where.api} has too many requests at the moment.",
        f"Run this again in {pause:.0f} s.",
        retry_after_seconds=pause,
    )


def pause_seconds(retry_after: str | None) -> float:
    """How long a server wants to be left alone, within reason.

    >>> pause_seconds("2"), pause_seconds("86400"), pause_seconds("nan"), pause_seconds("Fri, 27 Nov 2026")
    (2.0, 300.0, 1.0, 1.0)
    """
    try:
        pause = float(retry_after or _DEFAULT_PAUSE_SECONDS)
    except ValueError:
        pause = _DEFAULT_PAUSE_SECONDS  # HTTP allows a date; no API server sends one
    if math.isnan(pause) or pause < 0:
        pause = _DEFAULT_PAUSE_SECONDS
    return min(pause, LONGEST_PAUSE_SECONDS)


def _expired(_answer: Mapping[str, Any], _message: str, _where: Whereabouts) -> KubeAIError:
    return ExpiredError("The Kubernetes API no longer knows what happened since the last look.", "Run this again.")


def _without(secrets: tuple[str, ...], value: Any) -> Any:
    return masked(value, secrets) if secrets and isinstance(value, str) else value


def _status_body(body: bytes, secrets: tuple[str, ...]) -> Mapping[str, Any]:
    """The Status that the body holds, without these secrets; empty where it holds none."""
    try:
        answer = json.loads(body, object_hook=lambda item: {key: _without(secrets, item[key]) for key in item})
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else {}


def _unauthorized(answer: Mapping[str, Any], message: str, where: Whereabouts) -> KubeAIError:
    seen = "" if answer or not message else f" ({message})"
    return UnauthorizedError(f"{where.api} refused your credentials{seen}.", _or_here("Log in to it again.", where))


def _or_here(step: str, where: Whereabouts) -> str:
    """The next step, and the way out where it is another's cluster that cannot be used."""
    return step if where.this_machine else f"{step} {OFFER}"


def _forbidden(answer: Mapping[str, Any], message: str, where: Whereabouts) -> KubeAIError:
    if "exceeded quota:" in message:
        quota = message.partition("exceeded quota: ")[2]
        return QuotaError(f"The namespace's quota is used up: {quota}.", "Delete a Model.")
    denied = _CANNOT.search(message)
    if denied and denied["user"] == _ANONYMOUS:
        step = "Log in again, or name a user with a login in that context."
        return UnauthorizedError(f"{where.api} does not know who you are: it got no login.", _or_here(step, where))
    if denied:
        there = replace(where, namespace=denied["namespace"] or "").phrase
        refusal = f'You ("{denied["user"]}") may not {denied["verb"]} {denied["resource"]} {there}.'
        return ForbiddenError(refusal, "Ask an administrator for that right.")
    if answer:
        step = "Change what it names, or ask an administrator what is allowed."
        return ForbiddenError(f"{where.api} refused this: {message or 'it gives no reason.'}", step)
    step = "Check the network (a login page of a wifi, a proxy)."
    between = f"Something before the Kubernetes API at {where.address} refused this: {message or 'it gives no reason'}."
    return NoApiError(between, _or_here(step, where))


def _not_found(answer: Mapping[str, Any], _message: str, where: Whereabouts) -> KubeAIError:
    kind = shown(text_at(answer, "details", "kind") or "object").removesuffix("s")
    hint = _WHERE_TO_LOOK.get(kind, "Is the right cluster chosen?")
    name = shown(text_at(answer, "details", "name"))
    return NotFoundError(
        f'There is no {kind} "{name}" {where.phrase}.' if name else f"There is no such {kind} {where.phrase}.", hint
    )


def _conflict(answer: Mapping[str, Any], _message: str, _where: Whereabouts) -> KubeAIError:
    name = shown(text_at(answer, "details", "name"))
    named = f'"{name}"' if name else "It"
    if answer.get("reason") == "AlreadyExists":
        return ConflictError(f"{named} exists already.", "Choose another name, or attach to it.")
    return ConflictError(f"{named} was changed by somebody else meanwhile.", "Run this again.")


def not_installed(where: Whereabouts) -> NotInstalledError:
    """A Kubernetes that does not know what a Model is."""
    step = "Ask an administrator to install it (helm chart kubeai/kubeai), or name another context."
    return NotInstalledError(f"{where.api} has no KubeAI.", _or_here(step, where))


_EXPLAINED = {401: _unauthorized, 403: _forbidden, 404: _not_found, 409: _conflict, 410: _expired}


def _problems(answer: Mapping[str, Any], message: str) -> list[Notice]:
    causes = maps_at(answer, "details", "causes")[:_MOST_PROBLEMS]
    fields = [(text_at(cause, "field"), text_at(cause, "reason"), text_at(cause, "message")) for cause in causes]
    return [
        wrong(
            shown(field).removeprefix("spec.").replace("<nil>", "name"),
            reason or "Invalid",
            f"{shown(field)}: {sentence_of(shown(message))}".removeprefix("<nil>: "),
        )
        for field, reason, message in fields
        if _NOT_CHECKED not in message
    ] or [wrong("", "Invalid", message or "The Kubernetes API refused it as invalid, without an explanation.")]
