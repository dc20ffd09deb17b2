"""From an answer of the API server to one of our errors."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.wording import sentence_of
from kubeai_notebook.errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    KubeAIError,
    NotFoundError,
    NotInstalledError,
    Problem,
    QuotaError,
    SpecError,
    UnauthorizedError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_CANNOT = re.compile(r'User "(?P<user>.*?)" cannot (?P<verb>\w+) resource "(?P<resource>.*?)"')
_UNKNOWN = re.compile(r'unknown field "(.*?)"')
_WHERE_TO_LOOK = {
    "model": "%kubeai_models lists what is there.",
    "namespace": "Name another one with -n, or ask an administrator to create it.",
}
_NOT_CHECKED = "some validation rules were not checked"
_DEFAULT_PAUSE_SECONDS = 1.0


class BusyError(ClusterError):
    """The API server has too much to do; it did nothing and says when to come back."""

    def __init__(self, message: str, hint: str = "", *, retry_after_seconds: float) -> None:
        super().__init__(message, hint)
        self.retry_after_seconds = retry_after_seconds


class ExpiredError(ClusterError):
    """The history from the version that was asked for is gone: list again."""


class LostAnswerError(UnreachableError):
    """The request was sent and no answer came: whether it was carried out is not known."""

    def __init__(self, message: str, hint: str = "", *, timed_out: bool = False) -> None:
        super().__init__(message, hint)
        self.timed_out = timed_out


def error_of(status: int, body: bytes, *, retry_after: str | None = None) -> KubeAIError:
    """The error that an HTTP answer of 400 and above means.

    Reads ``reason`` and ``details`` of the Status body, never the HTTP reason phrase; a 404
    without a Status is a group that the server does not know: KubeAI is not installed.
    """
    if status == 429:
        return _busy(retry_after)
    answer = _status_body(body)
    if answer is None:
        if status == 404:
            return NotInstalledError(
                "This cluster has no KubeAI.", "Ask an administrator to install it (helm chart kubeai/kubeai)."
            )
        return ClusterError(f"The Kubernetes API answered {status} without an explanation.", "Try again.")
    message = masked(str(answer.get("message", "")))
    explain = _EXPLAINED.get(status)
    if explain:
        error = explain(answer)
        if isinstance(error, ClusterError):
            error.said = message
        return error
    if "strict decoding error" in message:
        fields = _UNKNOWN.findall(message)
        return SpecError([Problem(field, "UnknownField", f'KubeAI here knows no field "{field}".') for field in fields])
    return ClusterError(f"The Kubernetes API answered {status}: {message}")


def _busy(retry_after: str | None) -> BusyError:
    try:
        pause = float(retry_after or _DEFAULT_PAUSE_SECONDS)
    except ValueError:
        pause = _DEFAULT_PAUSE_SECONDS  # HTTP allows a date; no API server sends one
    return BusyError(
        "The Kubernetes API has too many requests at the moment.",
        f"Run this again in {pause:.0f} s.",
        retry_after_seconds=pause,
    )


def _expired(_answer: Mapping[str, Any]) -> KubeAIError:
    return ExpiredError("The Kubernetes API no longer knows what happened since the last look.", "Run this again.")


def _status_body(body: bytes) -> Mapping[str, Any] | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else None


def _unauthorized(_answer: Mapping[str, Any]) -> KubeAIError:
    return UnauthorizedError("The Kubernetes API refused your credentials.", "Log in to the cluster again.")


def _forbidden(answer: Mapping[str, Any]) -> KubeAIError:
    message = masked(str(answer.get("message", "")))
    if "exceeded quota:" in message:
        quota = message.partition("exceeded quota: ")[2]
        return QuotaError(f"The namespace's quota is used up: {quota}.", "Delete a Model.")
    denied = _CANNOT.search(message)
    if denied:
        said = f'You ("{denied["user"]}") may not {denied["verb"]} {denied["resource"]} here.'
        return ForbiddenError(said, "Ask an administrator for that right.")
    return ForbiddenError(f"The Kubernetes API refused this: {message}")


def _not_found(answer: Mapping[str, Any]) -> KubeAIError:
    kind = str((answer.get("details") or {}).get("kind", "object")).removesuffix("s")
    hint = _WHERE_TO_LOOK.get(kind, "Is the right cluster chosen?")
    name = (answer.get("details") or {}).get("name")
    return NotFoundError(f'There is no {kind} "{name}".' if name else f"There is no such {kind}.", hint)


def _conflict(answer: Mapping[str, Any]) -> KubeAIError:
    name = _name_in(answer)
    if answer.get("reason") == "AlreadyExists":
        return ConflictError(f"{name} exists already.", "Choose another name, or attach to it.")
    return ConflictError(f"{name} was changed by somebody else meanwhile.", "Run this again.")


def _invalid(answer: Mapping[str, Any]) -> KubeAIError:
    return SpecError(_problems(answer.get("details") or {}, masked(str(answer.get("message", "")))))


_EXPLAINED = {
    401: _unauthorized,
    403: _forbidden,
    404: _not_found,
    409: _conflict,
    410: _expired,
    422: _invalid,
}


def _name_in(answer: Mapping[str, Any]) -> str:
    name = (answer.get("details") or {}).get("name")
    return f'"{name}"' if name else "It"


def _problems(details: Mapping[str, Any], message: str) -> list[Problem]:
    causes = [cause for cause in details.get("causes") or [] if _NOT_CHECKED not in cause.get("message", "")]
    return [
        Problem(
            str(cause.get("field", "")).removeprefix("spec.").replace("<nil>", "name"),
            str(cause.get("reason", "Invalid")),
            f"{cause.get('field', '')}: {masked(sentence_of(str(cause.get('message', ''))))}".removeprefix("<nil>: "),
        )
        for cause in causes
    ] or [Problem("", "Invalid", message)]
