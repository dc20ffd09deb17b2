"""Errors as answers: an HTTP status that fits, and Notices that say what is wrong and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kubeai_notebook import errors
from kubeai_notebook.core.notice import Notice
from kubeai_notebook.core.remedy import Remedy
from kubeai_notebook.present.notices import notices_of
from kubeai_notebook.present.server_wire import problem_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.present.server_wire import Problem

STATUSES: Final[Mapping[type[errors.KubeAIError], int]] = {
    errors.UsageError: 400,
    errors.ForbiddenError: 403,
    errors.NotFoundError: 404,
    errors.NotYoursError: 409,
    errors.ConflictError: 409,
    errors.QuotaError: 409,
    errors.SessionClosedError: 409,
    errors.SpecError: 422,
    # The browser's own login is in order: 401 would have it log in to Jupyter anew.
    errors.UnauthorizedError: 502,
    errors.CallError: 502,
    errors.UnreachableError: 503,
    errors.NotInstalledError: 503,
    errors.KubeconfigError: 503,
    errors.LocalError: 503,
    errors.WaitTimeoutError: 504,
}
OTHER: Final = 502
"""Of an error that is of no kind above: the Kubernetes API did not do what was asked."""


def answer_to(error: errors.KubeAIError) -> tuple[int, Problem]:
    """The status, and what is wrong in words."""
    status = next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), OTHER)
    stake = error.stake if isinstance(error, errors.NotYoursError) else None
    return status, problem_of(notices_of(error), stake=stake)


def problem(code: str, message: str, *steps: str) -> Problem:
    """A problem of this server's own."""
    return problem_of([Notice(code=code, message=message, remedies=tuple(Remedy(title=step) for step in steps))])
