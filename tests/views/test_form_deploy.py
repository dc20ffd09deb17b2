"""What a form deploys, and what it asks before."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kubeai_notebook.core.notice import Notice
from kubeai_notebook.present.plan_report import PlanReport
from kubeai_notebook.session.model import Model
from kubeai_notebook.session.session import Session
from kubeai_notebook.views import live
from kubeai_notebook.views.commands import Progress
from kubeai_notebook.views.form import Form
from kubeai_notebook.views.form_context import FormContext, context_of
from kubeai_notebook.views.form_model import FormModel
from tests.support.fake_api import MODELS, model
from tests.support.forms import URL, AtOnce, Cluster, form_of, from_browser
from tests.support.talking import talking_cluster
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("built")


def test_focuses_the_first_field_that_is_wrong_instead_of_deploying() -> None:
    cluster = Cluster()
    form = form_of(context=cluster.context, url=URL, min_replicas=-1)
    sent: list[Any] = []
    form._messages["min_replicas"].send = lambda content, buffers=None: sent.append(content)
    form.deploy()
    assert sent == [{"focus": True}]
    assert form._fold.buttons[0]["expanded"] is True
    assert form._actions.status.startswith("Not deployed: ")
    assert cluster.served == []


@pytest.mark.parametrize("button", ["deploy", "check"])
@pytest.mark.parametrize(("place", "title"), [(1, "YAML"), (2, "Magic"), (3, "Python")])
def test_neither_deploys_nor_checks_while_a_text_is_edited(button: str, place: int, title: str) -> None:
    cluster = Cluster("create")
    form = form_of(context=cluster.context, url=URL)
    sent: list[Any] = []
    form._code.send = lambda content, buffers=None: sent.append(content)
    form._code.set_state({"edited": place})
    from_browser(form._actions, {"press": button})
    assert form._actions.status == f"The text under {title} was edited; fill the form with it, or take the edit back."
    assert sent == [{"focus": True}]
    assert (cluster.served, form._checks.lines) == ([], [])
    assert not form._actions.buttons[0]["primary"]


def test_deploys_again_once_the_edit_is_filled_in_or_taken_back() -> None:
    cluster = Cluster("create")
    form = form_of(context=cluster.context, url=URL)
    form._code.set_state({"edited": 1})
    form.deploy()
    form._code.set_state({"edited": None})
    assert form._actions.status == ""
    assert form._actions.buttons[0]["primary"]
    form._code.set_state({"edited": 1})
    assert from_browser(form._code, {"paste": f"url: {URL}\nmin_replicas: 3"}) == [{"problem": ""}]
    form.deploy()
    assert [report.spec.scaling.min_replicas for report in cluster.served] == [3]


def test_is_edited_and_says_so_at_deploy_once_its_session_is_closed() -> None:
    session = Session(context="local")
    session.close()
    form = form_of(context=context_of(session), url=URL)
    form.name.value = "other"
    form.deploy()
    assert "other" in form.texts.magic
    assert next(line["text"] for line in form._checks.lines).startswith("This Session is closed: close() was called.")


def test_deploys_what_is_new_at_once() -> None:
    cluster = Cluster("create")
    form = form_of(context=cluster.context, url=URL)
    from_browser(form._actions, {"press": "deploy"})
    assert len(cluster.served) == 1


def test_shows_what_would_change_of_a_running_model_and_asks_again() -> None:
    cluster = Cluster("update")
    form = form_of(context=cluster.context, url=URL)
    form.deploy()
    assert cluster.served == []
    assert any(
        "minReplicas" in text or "min_replicas" in text for text in [line["text"] for line in form._checks.lines]
    )
    assert form._checks.lines[0]["severity"] == "change"
    assert form._actions.buttons[0]["title"] == "Apply this change"
    form.min_replicas.value = 3
    assert form._actions.buttons[0]["title"] == "Deploy"
    form.deploy()
    assert cluster.served == []
    form.deploy()
    assert len(cluster.served) == 1


def test_shows_a_preflight_that_refuses_and_deploys_nothing() -> None:
    missing = Notice(code="NoProfile", field="resource_profile", message='There is no profile "gpu".')
    cluster = Cluster("create", Notice(code="ApiAnswers", severity="info", message="The API answers."), missing)
    form = form_of(context=cluster.context, url=URL)
    form.deploy()
    assert cluster.served == []
    assert [line["severity"] for line in form._checks.lines] == ["well", "error"]
    assert "would not serve" in form._actions.status


def test_asks_before_it_replaces_what_somebody_else_served() -> None:
    cluster = Cluster("update")
    cluster.yours = False
    form = form_of(context=cluster.context, url=URL)
    form.deploy()
    form.deploy()
    assert "Ann served smol." in form._checks.lines[0]["text"]
    assert form._actions.buttons[0]["title"] == "Replace it all the same"
    form.deploy()
    assert "serves nothing" in form._checks.lines[0]["text"]


def test_deploys_what_was_planned_and_nothing_that_was_typed_meanwhile() -> None:
    cluster = Cluster("create")
    form = form_of(context=FormContext(plan=lambda fields: typed_into(form, cluster.plan(fields)), serve=cluster.serve),
                   url=URL, name="smol")  # fmt: skip
    form.deploy()
    (report,) = cluster.served
    assert (report.spec.url, report.spec.name) == (URL, "smol")


def typed_into(form: Form, report: PlanReport) -> PlanReport:
    """The report, while somebody types."""
    form.name.value = "existing"
    form.url.value = "hf://half/typ"
    return report


def test_plans_anew_after_somebody_elses_change() -> None:
    """A conflict ends what was planned; the next press shows the new diff."""
    cluster = Cluster("update")
    form = form_of(context=cluster.context, url=URL, name="smol")
    form.deploy()
    assert form._report is not None
    form.deploy()
    assert len(cluster.served) == 1
    form.deploy()
    assert len(cluster.served) == 1
    form.deploy()
    assert len(cluster.served) == 2


def test_goes_on_where_the_same_is_asked_for_twice() -> None:
    """What is under way already has not failed."""
    waiting: list[Callable[[], None]] = []

    class Slow(AtOnce):
        def hand_off(self, work: Any, on_progress: Any, *, key: Hashable, queue: str = "") -> bool:
            if key == ("form", form.model_id) and waiting:
                on_progress(Progress("failed", notices=(Notice(code="UnderWay", message="This is under way."),)))
                return False
            on_progress(Progress("queued"))
            waiting.append(lambda: on_progress(Progress("done", work())))
            return True

    form = Form(FormModel(Cluster().context, fields={"url": URL, "name": "smol"}), doing=Slow())  # type: ignore[arg-type]
    form.check()
    form.check()
    assert form._busy
    assert "Not done" not in form._actions.status
    waiting[-1]()
    assert not form._busy


def test_looks_away_from_a_model_that_it_has_served_before(tmp_path: Path) -> None:
    with talking_cluster(tmp_path) as (smol, _, _, api):
        other = model("other")
        api.change(MODELS, other)
        until(lambda: "other" in smol.session.publisher.names())
        handles = [smol, smol, Model(smol.session, "other")]
        context = FormContext(plan=Cluster("create").plan, serve=lambda *_, **_how: handles.pop(0))
        form = form_of(context=context, url=URL)
        for shown in ({"smol"}, {"smol"}, {"other"}):
            form.deploy()
            assert live._cards_by_session()[smol.session].changes.names == shown
            assert [box.children[0].shown.name for box in form._card.children] == list(shown)
        form.close()
        assert live._cards_by_session()[smol.session].changes.names == set()


def test_starts_from_what_was_served_since_the_cluster_was_asked_last(tmp_path: Path) -> None:
    with talking_cluster(tmp_path) as (smol, _, _, api):
        session = smol.session
        serves = Model(session, "deployed")
        context = replace(context_of(session), plan=Cluster("create").plan, serve=lambda *_, **_how: serves)
        form = form_of(context=context, url=URL)

        def served() -> list[str]:
            return sorted(start.title for start in form._starts if start.group == "model")

        form.look()
        assert served() == ["smol"]
        api.change(MODELS, model("other"))
        form.look()
        assert served() == ["other", "smol"]
        api.change(MODELS, model("deployed"))
        assert until(lambda: "deployed" in session.publisher.names())
        form.deploy()
        assert served() == ["deployed", "other", "smol"]
        form.close()
