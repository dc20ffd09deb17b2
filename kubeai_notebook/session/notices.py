"""Checks of the preflight and errors as Notices, for the faces that show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kubeai_notebook.core.notice import Notice
from kubeai_notebook.core.remedy import Remedy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.notice import Severity
    from kubeai_notebook.deploy.check import Check, State

SEVERITIES: Final[Mapping[State, Severity]] = {"ok": "info", "warn": "warning", "fail": "error"}


def notice_of(check: Check) -> Notice:
    """One line of the preflight as a Notice; a line without a code has the name of what was checked."""
    return Notice(
        code=check.code or check.name,
        severity=SEVERITIES[check.state],
        message=check.message,
        field=check.field,
        remedies=advice(check.hint),
    )


def advice(hint: str) -> tuple[Remedy, ...]:
    """The next step that a sentence names, as a Remedy; none where it names none."""
    return (Remedy(title=hint),) if hint else ()
