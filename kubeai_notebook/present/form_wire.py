"""What a form's own widgets show, as it goes to the browser: made here, where the texts of others become plain.

ipywidgets' controls hold what the user has stated; these hold the rest. A secret's value is in none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from kubeai_notebook.core.notice import NOT_ASKED

from .field_words import in_form
from .wire import Words  # noqa: TC001 - pydantic reads it
from .wording import in_magics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeai_notebook.core.notice import Notice

MessageSeverity = Literal["error", "warning", "info", "well", "change"]
"""That of a Notice; ``well``: a line of a checklist that is in order; ``change``: a line of a diff."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MessageRemedy(_Part):
    """A button that makes a change of the form."""

    id: str
    title: Words


class MessageLine(_Part):
    """One line below a field, or of a checklist."""

    severity: MessageSeverity
    text: Words
    remedies: tuple[MessageRemedy, ...] = ()


class MessagesState(_Part):
    """The traits of a `messages` widget."""

    field: str
    lines: tuple[MessageLine, ...]
    about: str | None = None
    """The text of the field that the lines are about."""


class Action(_Part):
    """One button of the form."""

    id: str
    title: str
    primary: bool = False
    enabled: bool = True
    expanded: bool | None = None
    """Whether what it unfolds is seen; ``None``: it unfolds nothing."""


class ActionsState(_Part):
    """The traits of a `buttons` widget."""

    buttons: tuple[Action, ...]
    status: Words


class RowColumn(_Part):
    """One column of a row editor."""

    title: str
    placeholder: str = ""
    multiline: bool = False
    suggestions: tuple[str, ...] = ()


class RowsState(_Part):
    """The traits of a `rows` widget."""

    label: str
    columns: tuple[RowColumn, ...]
    rows: tuple[tuple[str, ...], ...]
    uploads: bool


class NumberState(_Part):
    """The traits of a `number` widget."""

    label: str
    help: str
    placeholder: str
    value: int | None


class SecretValueState(_Part):
    """The traits of a `secret_value` widget: the variables that have a value, and no value."""

    names: tuple[str, ...]


class CodeTab(_Part):
    """One text that stands for the form, exactly: it is copied, and shown in an editor or as a text node."""

    title: str
    text: str
    editable: bool = True
    reason: Words = ""
    """Why there is no text: with the fields as they are it would not run."""


class CodeState(_Part):
    """The traits of a `code` widget."""

    tabs: tuple[CodeTab, ...]
    edited: int | None
    """The place of the tab whose text differs from the fields; ``None``: there is none."""


class StartGroup(_Part):
    """What a form can be filled from, of one kind and under its heading."""

    title: str
    options: tuple[Words, ...]


class StartsState(_Part):
    """The traits of a `starts` widget; what is chosen is told by its place among the options of all groups."""

    label: str
    groups: tuple[StartGroup, ...]


class FormWidgets(_Part):
    """All that crosses the wire, for the types of the browser's half."""

    messages: MessagesState
    actions: ActionsState
    rows: RowsState
    number: NumberState
    secret_value: SecretValueState
    code: CodeState
    starts: StartsState


def lines_of(notices: Iterable[Notice]) -> list[MessageLine]:
    """A form's Notices as lines; a Remedy that changes a field is a button, and other advice goes into the words."""
    return [_line(notice, notice.severity) for notice in notices]


def checklist(notices: Iterable[Notice]) -> list[MessageLine]:
    """Notices of a preflight: one of severity info is a check that went well, or one that nobody has asked."""
    return [
        _line(notice, "well" if notice.severity == "info" and notice.code != NOT_ASKED else notice.severity)
        for notice in notices
    ]


def _line(notice: Notice, severity: MessageSeverity) -> MessageLine:
    advice = [remedy.title for remedy in notice.remedies if not remedy.changes]
    buttons = (remedy for remedy in notice.remedies if remedy.changes)
    return MessageLine(
        severity=severity,
        text=in_magics(in_form(" ".join([notice.message, *advice]))),
        remedies=tuple(MessageRemedy(id=remedy.id, title=in_form(remedy.title).rstrip(".")) for remedy in buttons),
    )
