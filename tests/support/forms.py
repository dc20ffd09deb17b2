"""A form without a browser: what a test gives it, and what it shows."""

import json
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import ipywidgets

from kubeai_notebook.core.notice import Notice
from kubeai_notebook.core.plan import Plan
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.errors import KubeAIError, NotYoursError
from kubeai_notebook.magics.serve import fields_of_text
from kubeai_notebook.present.notices import notices_of
from kubeai_notebook.present.plan_report import PlanReport
from kubeai_notebook.views.commands import Progress
from kubeai_notebook.views.form import Form
from kubeai_notebook.views.form_context import FormContext
from kubeai_notebook.views.form_model import FormModel

URL = "ollama://smollm2:135m"


class AtOnce:
    """Commands that are done in the thread that gives them."""

    def hand_off(
        self,
        work: Callable[[], Any],
        on_progress: Callable[[Progress], None],
        *,
        key: Hashable,
        queue: str = "",
    ) -> bool:
        on_progress(Progress("queued"))
        try:
            on_progress(Progress("done", work()))
        except KubeAIError as error:
            on_progress(Progress("failed", notices=notices_of(error)))
        return True


class Cluster:
    """Plans what it is told to, and remembers what was served."""

    def __init__(self, action: str = "update", *notices: Notice) -> None:
        self.action, self.notices = action, notices
        self.served: list[Any] = []
        self.yours = True

    def plan(self, fields: Mapping[str, Any]) -> PlanReport:
        changes = {"spec.minReplicas": (1, 2)} if self.action == "update" else {}
        plan = Plan(action=self.action, manifest={}, changes=changes)  # type: ignore[arg-type]
        return PlanReport(spec_of(fields), self.notices, plan)

    def serve(self, what: Any, *, force: bool = False, yes: bool = False) -> Any:
        self.served.append(what)
        if not self.yours and not yes:
            raise NotYoursError("Ann served smol.", "Say yes=True.")
        raise KubeAIError("This test serves nothing.")

    @property
    def context(self) -> FormContext:
        return FormContext(plan=self.plan, serve=self.serve)


def form_of(*, context: FormContext | None = None, **fields: Any) -> Form:
    return Form(FormModel(context or FormContext(), fields=fields), doing=AtOnce())  # type: ignore[arg-type]


def form(fields: Mapping[str, Any] | None = None, **context: Any) -> FormModel:
    """A form without widgets."""
    return FormModel(FormContext(read_magic=fields_of_text, **context), fields=fields)


def codes(model: FormModel, field: str) -> list[str]:
    """The codes of what is said of a field."""
    return [notice.code for notice in model.notices(field)]


def lines(form: Form, field: str) -> list[str]:
    return [line["text"] for line in form._messages[field].lines]


def from_browser(widget: ipywidgets.Widget, message: dict[str, Any]) -> list[Any]:
    """Give the widget a message; what it sends back."""
    sent: list[Any] = []
    widget.send = lambda content, buffers=None: sent.append(content)
    widget._handle_custom_msg(message, [])
    return sent


def choose(form: Form, title: str) -> None:
    """Choose what the form can start from, by the beginning of its title."""
    titles = [option for group in form._start_list.groups for option in group["options"]]
    place = next(place for place, option in enumerate(titles) if option.startswith(title))
    from_browser(form._start_list, {"choose": place})


def all_state(form: Form) -> str:
    """Everything that the form's widgets would keep in a saved notebook."""

    def widgets_in(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
        return [widget, *(one for child in getattr(widget, "children", ()) for one in widgets_in(child))]

    return json.dumps([widget.get_state() for widget in widgets_in(form)], default=str)
