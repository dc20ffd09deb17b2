"""Form: fill in fields, see the code that they stand for, deploy, and follow the Model in the same place.

What a form knows and says is `form_model.FormModel`; here are its controls, and what happens when one is used. The
controls are ipywidgets', so that ``form.url.value = …`` and ``form.url.observe(…)`` do what they do of any widget, and
a value that is set in Python goes the same way as one that is typed. A control holds what was stated; what is inferred
stands in it faintly, and again once it is emptied.

A handler works out what the fields say now, which asks nobody, or hands off and returns: a kernel that waits for a
cluster handles no other button.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ipywidgets import Label, VBox

from kubeai_notebook.core.field_aliases import ASK
from kubeai_notebook.core.pasted import checked_fields
from kubeai_notebook.errors import KubeAIError
from kubeai_notebook.present.field_words import in_form
from kubeai_notebook.present.form_snapshot import form_bundle, form_text
from kubeai_notebook.present.form_wire import Action, CodeTab, MessageLine, StartGroup, checklist, lines_of
from kubeai_notebook.present.plan_report import PlanReport
from kubeai_notebook.text import plain
from kubeai_notebook.views import commands
from kubeai_notebook.views.beside import display_beside
from kubeai_notebook.views.form_context import context_of
from kubeai_notebook.views.form_controls import FOLDED, SHOWN, arguments_of, controls, secrets_apart, shown_value
from kubeai_notebook.views.form_model import FormModel
from kubeai_notebook.views.form_widgets import Actions, Code, Messages, Number, SecretValues, Starts
from kubeai_notebook.views.live import follow, let_go

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kubeai_notebook.core.spec import Draft, ModelSpec
    from kubeai_notebook.present.serve_code import Texts
    from kubeai_notebook.session.model import Model
    from kubeai_notebook.session.session import Session
    from kubeai_notebook.views.commands import Commands, Progress
    from kubeai_notebook.views.form_context import Start
    from kubeai_notebook.views.status_card import StatusCard

REST_SECONDS = 0.7
"""How long a url stands still before a hub is asked about it."""
_GROUPS = {"preset": "My presets", "model": "Models that are there", "catalog": "Catalog"}


class Form(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A form for one Model; each field is an attribute with a ``value``, as ``form.url`` and ``form.min_replicas``."""

    def __init__(
        self,
        model: FormModel,
        *,
        where: Callable[[], str] = lambda: "",
        save_preset: Callable[[str, Mapping[str, Any]], None] = lambda _name, _fields: None,
        doing: Commands | None = None,
    ) -> None:
        self._model, self._where, self._doing = model, where, doing or commands.commands()
        self._save_preset = save_preset
        # The browser's messages, cells and the threads that work all come here.
        self._lock = threading.RLock()
        self._filling = self._busy = self._asks_yes = False
        self._edition = 0
        """Counts the changes of the fields: what was planned of others is old."""
        self._resting = threading.Timer(0, self._look_up)
        self._report: PlanReport | None = None
        self._served: tuple[Model, StatusCard] | None = None
        self._replaces = ""
        """The preset that the next press of its button replaces."""
        self._renew: Callable[[Mapping[str, str]], None] | None = None
        self._controls = controls()
        self._secret_values = SecretValues()
        self._messages = {name: Messages(name, self._apply) for name in (*self._controls, "")}
        self._place = Label("Looking at the cluster …")
        self._starts: list[Start] = []
        self._start_list = Starts("Start from", self._start)
        # An Accordion of ipywidgets cannot be unfolded by keyboard.
        self._fold = Actions(lambda _button: self._unfold(self._folded.layout.display == "none"))
        self._folded = VBox([self._field(name) for name in FOLDED], layout={"display": "none"})
        self._code = Code(self._paste)
        self._checks = Messages("checks", self._apply)
        self._actions = Actions(self._press)
        self._card = VBox()
        super().__init__(self._parts())
        self.add_class("kubeai-form")
        self._observe()
        self._fill()

    def __getattr__(self, name: str) -> Any:
        """The control of a field."""
        try:
            return self.__dict__["_controls"][name]
        except KeyError:
            raise AttributeError(f"a form has no field {name!r}") from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._controls]

    def __repr__(self) -> str:
        return form_text(self.texts)

    @property
    def draft(self) -> Draft:
        """All that can be said of the fields as they are now."""
        return self._model.draft

    @property
    def spec(self) -> ModelSpec | None:
        """What would be served; None as long as a field is wrong."""
        return self._model.draft.spec

    @property
    def texts(self) -> Texts:
        """The form as a summary, as YAML, as a magic and as Python."""
        return self._model.texts

    @property
    def model(self) -> Model | None:
        """The handle on what was deployed here; None before."""
        return self._served[0] if self._served else None

    def check(self) -> None:
        """Ask the cluster what deploying would do, and show it; returns at once."""
        if not self._refuses_edit() and not self._refuses_error("Not checked"):
            self._hand_off("Checking …", self._model.plan)

    def deploy(self) -> None:
        """Deploy, or show what is wrong; a Model that is there is changed only where its diff was shown before."""
        if self._refuses_edit() or self._refuses_error("Not deployed"):
            return
        if self._report is not None and self._report.plan.action == "update":
            self._hand_off("Deploying …", partial(self._serve, self._report, yes=self._asks_yes))
        else:
            self._hand_off("Checking, then deploying …", self._plan_and_serve)

    def _refuses_edit(self) -> bool:
        """Whether a text was edited that the fields do not hold, which is said: what is deployed are the fields."""
        title = self._code.edited_title
        if title:
            self._say(f"The text under {title} was edited; fill the form with it, or take the edit back.")
            self._code.focus_edit()
        return bool(title)

    def _refuses_error(self, verdict: str) -> bool:
        """Whether a field is wrong: then each shows what is wrong with it, and the first gets the focus."""
        error = self._model.first_error()
        if error is not None:
            self._model.show_all()
            self._show()
            self._focus(self._model.field_of(error))
            self._say(f"{verdict}: {in_form(error.message)}")
        return error is not None

    def undo(self) -> None:
        """Take back what filled the form last: a text that was pasted, a start, or a button below a field."""
        with self._lock:
            self._model.undo()
            self._fill()

    def redo(self) -> None:
        """Take `undo` back."""
        with self._lock:
            self._model.redo()
            self._fill()

    def save_preset(self) -> None:
        """Keep the fields under the Model's name, for another form to start from; no value of a secret is kept."""
        name = str(self._model.value("name") or "")
        if not name:
            self._focus("url")
            self._say("Give a url or a name first: a preset is kept under the Model's name.")
            return
        asks = name in self._model.context.presets() and self._replaces != name
        self._replaces = name if asks else ""
        if asks:
            self._say(f"There is a preset {plain(name)} already. Press again to replace it, or change the name.")
            return
        try:
            self._save_preset(name, self._model.fields)
        except KubeAIError as error:
            self._say(error.message)
        else:
            self.look()
            self._say(f"Saved as preset {plain(name)}; it stands under Start from.")

    # What is shown.

    def _parts(self) -> list[Any]:
        own = [self._field(name) for name in SHOWN]
        return [
            self._place, self._start_list, *own, self._fold, self._folded, self._messages[""],
            self._code, self._checks, self._actions, self._card,
        ]  # fmt: skip

    def _field(self, name: str) -> VBox:
        """A control with its messages below it."""
        beside = [self._secret_values] if name == "secrets" else []
        box = VBox([self._controls[name], *beside, self._messages[name]])
        box.add_class("kubeai-form-field").add_class(f"kubeai-form-{name.replace('_', '-')}")
        return box

    def _fill(self) -> None:
        """Put what is stated into the controls, then show what follows from it."""
        with self._lock:
            self._filling = True
            try:
                for name, control in self._controls.items():
                    stated = None if self._model.inferred(name) else self._model.value(name)
                    if name == "secrets":
                        # Those that have a value go to the widget that shows no value.
                        control.value, values = secrets_apart(stated)
                        self._secret_values.keep(values)
                    else:
                        control.value = shown_value(name, stated and self._model.hidden(name))
            finally:
                self._filling = False
            self._show()

    def _show(self) -> None:
        """Show what follows from the fields as they are now; whatever was planned was planned for others."""
        self._report, self._asks_yes, self._replaces = None, False, ""
        self._edition += 1
        self._checks.show([])
        self._show_fields()
        if not self._busy:
            self._say("")

    def _show_fields(self) -> None:
        """Show what is known of the fields by now, and the texts that they make."""
        for name, messages in self._messages.items():
            text = getattr(self._controls.get(name), "value", None)
            messages.show(self._lines(name), text if isinstance(text, str) else None)
        for name, control in self._controls.items():
            if hasattr(control, "placeholder"):
                value = self._model.value(name) if self._model.inferred(name) else None
                word = "" if isinstance(control, Number) else " (inferred)"
                control.placeholder = "" if value is None else plain(f"{value}{word}")
        self._show_fold()
        self.features.infer(self._model.value("features") or () if self._model.inferred("features") else ())
        self.args.suggest(arguments_of(str(self._model.value("engine"))))
        texts = self._model.texts
        # What is shown as code is what would run.
        codes = {"YAML": texts.yaml, "Magic": texts.magic, "Python": texts.python}
        self._code.show([
            CodeTab(title="Summary", text=texts.summary, editable=False),
            *(CodeTab(title=title, text="" if texts.problem else code, reason=texts.problem)
              for title, code in codes.items()),
        ])  # fmt: skip
        if self._renew is not None:
            self._renew(form_bundle(texts))

    def _show_fold(self) -> None:
        """Show how many fields are stated in the folded part, and whether it is unfolded."""
        is_open = self._folded.layout.display != "none"
        count = sum(not self._model.inferred(name) for name in FOLDED)
        title = f"{'▾' if is_open else '▸'} More: scaling, cache, load balancing … ({count} set)"
        self._fold.show([Action(id="fold", title=title, expanded=is_open)], "")

    def _unfold(self, is_open: bool = True) -> None:
        self._folded.layout.display = None if is_open else "none"
        self._show_fold()

    def _lines(self, name: str) -> list[MessageLine]:
        """What stands below a field; below the profile also what that means, as far as it is known."""
        meaning = []
        if name == "resource_profile" and (spec := self._model.draft.spec):
            choices = (choice for choice in self._model.profiles() if choice.name == spec.resource_profile)
            meaning = [MessageLine(severity="info", text=choice.sentence) for choice in choices]
        return [*meaning, *lines_of(self._model.shown(name))]

    def _say(self, status: str) -> None:
        """Show how far it is, and the buttons that can be pressed now."""
        update = self._report is not None and self._report.plan.action == "update"
        deploy = "Replace it all the same" if self._asks_yes else "Apply this change" if update else "Deploy"
        self._actions.show(
            [
                Action(id="deploy", title=deploy, primary=not self._code.edited_title, enabled=not self._busy),
                Action(id="check", title="Check", enabled=not self._busy),
                Action(id="undo", title="Undo", enabled=self._model.can_undo),
                Action(id="redo", title="Redo", enabled=self._model.can_redo),
                Action(id="preset", title="Replace the preset" if self._replaces else "Save as preset"),
            ],
            status,
        )

    def _focus(self, field: str) -> None:
        if field in FOLDED:
            self._unfold()
        self._messages.get(field, self._messages["url"]).focus_field()

    # What is done.

    def _observe(self) -> None:
        for name, control in self._controls.items():
            control.observe(partial(self._stated, name), "value")
        self._secret_values.observe(partial(self._stated, "secrets"), "names")
        self._code.observe(self._edited, "edited")

    def _stated(self, name: str, change: dict[str, Any]) -> None:
        """A control has another value, whoever gave it."""
        with self._lock:
            if self._filling:
                return
            value = self._controls[name].value
            if name == "secrets":
                asked = {f"{env}={ASK}" for env in self._secret_values.names}
                value = [
                    *(word for word in value if word not in asked),
                    *({"env": env, "value": kept} for env, kept in self._secret_values.values.items()),
                ]
            self._model.set(name, None if value is False else value)
            if name == "url":
                self._look_up_soon()
            # A value that is given goes out of the rows that ask for it.
            (self._fill if change["owner"] is self._secret_values else self._show)()

    def _edited(self, change: dict[str, Any]) -> None:
        """A text was edited, or is again what the fields say."""
        with self._lock:
            self._say(self._actions.status if self._busy or change["new"] is not None else "")

    def _apply(self, remedy_id: str) -> None:
        try:
            self._filled_by(lambda: self._model.apply(remedy_id))
        except KubeAIError as error:
            self._say(error.message)

    def _paste(self, text: str) -> None:
        self._filled_by(lambda: self._model.paste(text))

    def _start(self, place: int) -> None:
        """Fill the form from what was chosen, which may have to be asked for."""
        # The browser knows places only: a key may hold a url with a login.
        key = self._starts[place].key if 0 <= place < len(self._starts) else ""

        def tell(progress: Progress) -> None:
            if progress.state == "done":
                self._filled_by(lambda: None)
            elif progress.state == "failed":
                self._say(progress.notices[0].message)

        self._doing.hand_off(partial(self._model.start, key), tell, key=("form-start", id(self), key))

    def _filled_by(self, fill: Callable[[], None]) -> None:
        """Let this fill the form, which can be undone; where it raises, the form stays as it is."""
        with self._lock:
            fill()
            self._fill()
            self._look_up_soon()

    def _press(self, button: str) -> None:
        pressed = {"deploy": self.deploy, "check": self.check, "undo": self.undo, "redo": self.redo}
        {**pressed, "preset": self.save_preset}[button]()

    def look(self) -> None:
        """Ask what the form can start from and what the cluster has, and show it; returns at once."""
        # Each time anew: what was asked before does not know what was deployed or saved since.
        asked = partial(self._doing.hand_off, key=object(), queue=f"form-look {id(self)}")
        asked(lambda: (self._where(), self._model.starts()), self._looked)

    def _looked(self, progress: Progress) -> None:
        with self._lock:
            if progress.state == "failed":
                self._place.value = ""
                self._say(progress.notices[0].message)
            elif progress.state == "done":
                where, self._starts = progress.result
                self._place.value = f"A Model {where}" if where else ""
                self._start_list.show(_groups(self._starts))
                self.url.options = [start.title for start in self._starts if start.key == f"catalog:{start.title}"]
                self.resource_profile.options = [plain(choice.name) for choice in self._model.profiles()]
                self._show_fields()
                self._look_up()

    def _look_up(self) -> None:
        """Ask what the model of the url takes, what is free and what the plan will say of the url, and show it."""

        def tell(progress: Progress) -> None:
            if progress.state == "done":
                with self._lock:
                    for name in ("url", "resource_profile"):
                        self._messages[name].show(self._lines(name))

        # Of each url, one after the other: the last one that stands there is asked about, too.
        key = ("form-look-up", id(self), str(self.url.value))
        self._doing.hand_off(self._model.look_up, tell, key=key, queue=f"form-look-up {id(self)}")

    def _look_up_soon(self) -> None:
        """The same once a url stands still: nobody is asked about each of its letters."""
        self._resting.cancel()
        self._resting = threading.Timer(REST_SECONDS, self._look_up)
        self._resting.daemon = True
        self._resting.start()

    def _plan_and_serve(self) -> PlanReport | tuple[Model, StatusCard]:
        """Serve what is new; of a Model that is there, or of what cannot serve, give the plan."""
        report = self._model.plan()
        return report if report.refusal or report.plan.action == "update" else self._serve(report)

    def _serve(self, report: PlanReport, *, yes: bool = False) -> tuple[Model, StatusCard]:
        model = self._model.serve(report, yes=yes)
        return model, follow(model, self._card.model_id)

    def _hand_off(self, status: str, work: Callable[[], Any]) -> None:
        edition = self._edition

        def tell(progress: Progress) -> None:
            with self._lock:
                self._progressed(status, progress, is_old=edition != self._edition)

        self._doing.hand_off(work, tell, key=("form", id(self)))

    def _progressed(self, status: str, progress: Progress, *, is_old: bool) -> None:
        if progress.is_under_way:
            return
        self._busy = progress.state in ("queued", "doing")
        if self._busy:
            self._say(status)
        elif progress.state == "failed":
            self._asks_yes = any(notice.code == "NotYoursError" for notice in progress.notices)
            self._report = self._report if self._asks_yes else None  # what did not hold is planned anew
            self._checks.show(lines_of(progress.notices))
            self._say("Not done.")
        elif not isinstance(progress.result, PlanReport):
            self._deployed(*progress.result)
        elif is_old:
            self._say("The fields have changed meanwhile. Press the button again.")
        else:
            self._planned(progress.result)

    def _planned(self, report: PlanReport) -> None:
        self._report = report
        diff = (MessageLine(severity="change", text=line) for line in report.plan.diff.splitlines())
        self._checks.show([*diff, *checklist(report.notices)])
        self._say(report.title)

    def _deployed(self, model: Model, card: StatusCard) -> None:
        before, self._served, self._report, self._asks_yes = self._served, (model, card), None, False
        self._checks.show([])
        self._card.children = (card.box,)
        if before and before[1] is not card:
            let_go(before[0].session, before[1], self._card.model_id)
        self._say("")
        self.look()

    def close(self) -> None:
        """Take it away; what it was asking goes on, and shows nothing."""
        self._resting.cancel()
        if self._served:
            let_go(self._served[0].session, self._served[1], self._card.model_id)
        super().close()

    # How it is displayed.

    def _ipython_display_(self) -> None:
        self._renew = display_beside(self, form_bundle(self.texts))

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        return {**super()._repr_mimebundle_(**options), **form_bundle(self.texts)}


def _groups(starts: Sequence[Start]) -> list[StartGroup]:
    """What a form can start from, by its kind and in its order; a kind that has none is left out."""
    titles = [(start.group, f"{start.title} ({start.detail})" if start.detail else start.title) for start in starts]
    return [
        StartGroup(title=_GROUPS[kind], options=tuple(title for _, title in own))
        for kind, own in groupby(titles, itemgetter(0))
    ]


def form_of(session: Session, given: Mapping[str, Any], *, read_magic: Callable[[str], dict[str, Any]]) -> Form:
    """A form of this Session, filled with these fields; a name without a url is that of a Model that is there.

    Raises:
        SpecError: no Model has one of the fields, or it is of another type: no control could hold it.
    """
    from kubeai_notebook import store

    checked_fields(given)
    name = given.get("name")
    context = context_of(session, read_magic=read_magic)
    model = FormModel(context, fields=given)
    if name and not given.get("url"):
        session.forget_facts()  # what was served a moment ago is there now
        with suppress(KubeAIError):
            model.start(f"model:{name}")
            for field, value in given.items():
                model.set(field, value)
    form = Form(model, where=lambda: session.where.phrase, save_preset=store.save_preset)
    form.look()
    return form
