"""The form's own widgets, each for something that ipywidgets lacks; all else of a form is ipywidgets' own.

ipywidgets has no list of rows, no number that may be left out, no line that a screen reader hears, and no password
that is kept nowhere. Each widget here is small, since its code goes to the browser with every instance.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import traitlets
from ipywidgets import Checkbox, HBox, Label
from pydantic import SecretStr

from kubeai_notebook.errors import KubeAIError
from kubeai_notebook.present.field_words import in_form
from kubeai_notebook.text import one_line
from kubeai_notebook.views.static_files import BuiltWidget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kubeai_notebook.present.form_wire import Action, CodeTab, MessageLine, RowColumn, StartGroup


_RowsValue = dict[str, str] | tuple[str, ...] | tuple[tuple[str, str], ...]


class _Widget(BuiltWidget):
    """One whose messages are read by ``_take``; the style sheet of the whole form comes with its `Actions`."""

    style = ""

    def __init__(self, **state: Any) -> None:
        super().__init__(**state)
        self.on_msg(lambda _self, content, _buffers: self._take(content if isinstance(content, dict) else {}))

    def _take(self, message: Mapping[str, Any]) -> None:
        """Do what the browser asks."""


class Messages(_Widget):
    """Lines below a field, with buttons for what would cure it; or a checklist."""

    built = "messages"
    field = traitlets.Unicode().tag(sync=True)
    lines: traitlets.List[Any] = traitlets.List().tag(sync=True)
    about = traitlets.Unicode(default_value=None, allow_none=True).tag(sync=True)
    """The text of the field that the lines are about; ``None`` where it has more than one."""

    def __init__(self, field: str, on_apply: Callable[[str], None]) -> None:
        super().__init__(field=field)
        self._on_apply = on_apply

    def show(self, lines: Iterable[MessageLine], about: str | None = None) -> None:
        """Show these in place of what is shown."""
        with self.hold_sync():
            self.about = about
            self.lines = [line.model_dump(mode="json") for line in lines]

    def focus_field(self) -> None:
        """Put the reader's focus on the field that these lines are about."""
        self.send({"focus": True})

    def _take(self, message: Mapping[str, Any]) -> None:
        if isinstance(remedy_id := message.get("apply"), str):
            self._on_apply(remedy_id)
            self.send({"done": True})


class Actions(_Widget):
    """The form's buttons, and how far the last that was pressed is; it brings the style of the whole form."""

    built = "buttons"
    style = "form"
    buttons: traitlets.List[Any] = traitlets.List().tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)

    def __init__(self, on_press: Callable[[str], None]) -> None:
        super().__init__()
        self._on_press = on_press

    def show(self, buttons: Iterable[Action], status: str) -> None:
        """Show these in place of what is shown."""
        self.buttons = [button.model_dump(mode="json") for button in buttons]
        self.status = status

    def _take(self, message: Mapping[str, Any]) -> None:
        if message.get("press") in [button["id"] for button in self.buttons if button["enabled"]]:
            self._on_press(message["press"])
        self.send({"done": True})


class Rows(_Widget):
    """Rows of texts. Of one column the ``value`` is a tuple of texts; of two it is a dict, such as names and urls.

    Where a name stands in two rows, it is a tuple of pairs: a dict would lose one of them.
    """

    built = "rows"
    label = traitlets.Unicode().tag(sync=True)
    columns: traitlets.List[Any] = traitlets.List().tag(sync=True)
    rows: traitlets.List[Any] = traitlets.List(traitlets.List(traitlets.Unicode())).tag(sync=True)
    """As they are typed: also a row that has no name yet."""
    uploads = traitlets.Bool(default_value=False).tag(sync=True)
    value = traitlets.Any()

    def __init__(self, label: str, columns: Sequence[RowColumn], *, uploads: bool = False) -> None:
        self._is_pairs = len(columns) > 1
        titles = [column.model_dump(mode="json") for column in columns]
        super().__init__(label=label, columns=titles, uploads=uploads, value={} if self._is_pairs else ())
        self.observe(self._typed, "rows")
        self.observe(self._stated, "value")

    def suggest(self, texts: Iterable[str]) -> None:
        """Offer these in the first column."""
        first, *others = self.columns
        self.columns = [{**first, "suggestions": list(texts)}, *others]

    @traitlets.validate("value")
    def _checked(self, proposal: Any) -> _RowsValue:
        value = proposal["value"] or ()
        return _paired(value.items() if isinstance(value, Mapping) else value) if self._is_pairs else tuple(value)

    def _typed(self, _change: object) -> None:
        self.value = self._value_of(self.rows)

    def _stated(self, _change: object) -> None:
        if self._value_of(self.rows) != self.value:
            pairs = self.value.items() if isinstance(self.value, Mapping) else self.value
            self.rows = [list(pair) for pair in pairs] if self._is_pairs else [[one] for one in self.value]

    def _value_of(self, rows: Iterable[Sequence[str]]) -> _RowsValue:
        named = [row for row in rows if row[0]]
        return _paired((row[0], row[1]) for row in named) if self._is_pairs else tuple(row[0] for row in named)


def _paired(pairs: Iterable[tuple[str, str]]) -> _RowsValue:
    rows = tuple((name, text) for name, text in pairs)
    by_name = dict(rows)
    return by_name if len(by_name) == len(rows) else rows


class Number(_Widget):
    """A whole number, or ``None``: it is left out."""

    built = "number"
    label = traitlets.Unicode().tag(sync=True)
    help = traitlets.Unicode().tag(sync=True)
    placeholder = traitlets.Unicode().tag(sync=True)
    value = traitlets.Int(default_value=None, allow_none=True).tag(sync=True)


class SecretValues(_Widget):
    """Values for the Model's own Secret: they come in messages, and are in no trait that a notebook would keep."""

    built = "secret_value"
    names: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, SecretStr] = {}

    def keep(self, values: Mapping[str, SecretStr]) -> None:
        """Have these in place of what is there."""
        self.values = dict(values)
        self.names = list(values)

    def _take(self, message: Mapping[str, Any]) -> None:
        variable, value, gone = message.get("keep"), message.get("value"), message.get("forget")
        if isinstance(variable, str) and isinstance(value, str):
            # The value first: whoever observes the names finds it.
            self.keep({**self.values, variable: SecretStr(value)})
        elif isinstance(gone, str):
            self.keep({name: value for name, value in self.values.items() if name != gone})
        self.send({"done": True})


class Code(_Widget):
    """The texts that stand for the form; what is pasted into one is read, or it says why not."""

    built = "code"
    tabs: traitlets.List[Any] = traitlets.List().tag(sync=True)
    edited = traitlets.Int(default_value=None, allow_none=True).tag(sync=True)
    """The place of the tab that was edited since the fields were read; its text stays in the browser."""

    def __init__(self, on_paste: Callable[[str], None]) -> None:
        super().__init__()
        self._on_paste = on_paste
        """Reads a text; a KubeAIError says why it could not, and its ``choices`` are texts that it could."""
        self._choices: tuple[str, ...] = ()

    def show(self, tabs: Iterable[CodeTab]) -> None:
        """Show these in place of what is shown."""
        self.tabs = [tab.model_dump(mode="json") for tab in tabs]

    @property
    def edited_title(self) -> str:
        """The title of the tab that was edited; ``""``: of none."""
        titles = [str(tab["title"]) for tab in self.tabs]
        return titles[self.edited] if self.edited is not None and self.edited < len(titles) else ""

    def focus_edit(self) -> None:
        """Put the reader's focus on the text that was edited."""
        self.send({"focus": True})

    def _take(self, message: Mapping[str, Any]) -> None:
        text, place = message.get("paste"), message.get("choose")
        if isinstance(place, int) and 0 <= place < len(self._choices):
            text = self._choices[place]
        if not isinstance(text, str):
            return
        try:
            self._on_paste(text)
        except KubeAIError as error:
            choices: Mapping[str, str] = getattr(error, "choices", {})
            self._choices = (*choices.values(),)  # the browser has their names, and tells a place among them
            names = {"choices": [one_line(name, 80) for name in choices]} if choices else {}
            self.send({"problem": in_form(error.message), **names})
        else:
            self.edited = None
            self.send({"problem": ""})


class Starts(_Widget):
    """A list in groups, which ipywidgets has not; what is chosen is asked for, and not kept."""

    built = "starts"
    label = traitlets.Unicode().tag(sync=True)
    groups: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(self, label: str, on_choose: Callable[[int], None]) -> None:
        super().__init__(label=label)
        self._on_choose = on_choose

    def show(self, groups: Iterable[StartGroup]) -> None:
        """Show these in place of what is shown."""
        self.groups = [group.model_dump(mode="json") for group in groups]

    def _take(self, message: Mapping[str, Any]) -> None:
        if isinstance(place := message.get("choose"), int):
            self._on_choose(place)
        self.send({"done": True})


class Choices(HBox):  # type: ignore[misc]  # ipywidgets has no types
    """Some of a few words, a box each; where none is stated, those that are inferred are ticked, and say so."""

    value = traitlets.Tuple()

    def __init__(self, label: str, words: Sequence[str], tooltip: str) -> None:
        self._boxes = {word: Checkbox(description=word, indent=False, tooltip=tooltip) for word in words}
        self._inferred: tuple[str, ...] = ()
        self._drawing = False
        super().__init__([Label(label), *self._boxes.values()])
        self.add_class("kubeai-form-choices")
        for word, box in self._boxes.items():
            box.observe(partial(self._ticked, word), "value")
        self.observe(lambda _change: self._draw(), "value")

    def infer(self, words: Iterable[str]) -> None:
        """Tick these as long as none is stated."""
        self._inferred = tuple(words)
        self._draw()

    def _ticked(self, word: str, change: Mapping[str, Any]) -> None:
        if self._drawing:
            return
        # What no box stands for, such as a feature that only this cluster knows, stays.
        others = [other for other in self.value or self._inferred if other != word]
        self.value = (*others, word) if change["new"] else tuple(others)
        self._draw()  # whoever takes the last one out sees what is inferred then

    def _draw(self) -> None:
        self._drawing = True
        try:
            for word, box in self._boxes.items():
                box.value = word in (self.value or self._inferred)
                box.description = f"{word} (inferred)" if box.value and not self.value else word
        finally:
            self._drawing = False
