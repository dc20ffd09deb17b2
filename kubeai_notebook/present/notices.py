"""What is wrong, as Notices and in words for the wire, and how a request of a widget stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.notice import Notice
from kubeai_notebook.core.plan import Outcome, Stake
from kubeai_notebook.core.remedy import Remedy
from kubeai_notebook.errors import SpecError

from .stake import going
from .wire import Details, NoticeLine, RequestProgress
from .wording import in_magics

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from kubeai_notebook.errors import KubeAIError


def progress_of(
    request_id: str,
    state: Literal["queued", "doing", "done", "failed"],
    *,
    name: str,
    result: Outcome | Stake | Details | str | None = None,
    notices: Iterable[Notice] = (),
) -> RequestProgress:
    """How a request about the Model ``name`` stands; ``result`` is what its verb returned."""
    lines = tuple(notice_line(notice, name) for notice in notices)
    if isinstance(result, Details):
        return RequestProgress(id=request_id, state=state, details=result)
    if not isinstance(result, Outcome):
        note = going(result) if isinstance(result, Stake) else result or ""
        return RequestProgress(id=request_id, state=state, note=note, notices=lines)
    return RequestProgress(
        id=request_id,
        state=state,
        note=in_magics(result.note, name),
        diff=result.diff,
        restarts=result.restarts,
        resource_version=result.resource_version,
        notices=lines,
    )


def notices_of(error: KubeAIError) -> tuple[Notice, ...]:
    """An error as Notices: those it carries, or one whose code is its type."""
    if isinstance(error, SpecError):
        return error.notices
    step = (Remedy(title=error.hint),) if error.hint else ()
    return (Notice(code=type(error).__name__, message=error.message, remedies=step),)


def notice_line(notice: Notice, name: str = "") -> NoticeLine:
    """A Notice as a widget shows it; ``name`` is that of the Model whose verbs it may speak of."""
    return NoticeLine(
        code=notice.code,
        severity=notice.severity,
        field=notice.field,
        message=in_magics(notice.message, name),
        remedy=" ".join(in_magics(remedy.title, name) for remedy in notice.remedies),
    )
