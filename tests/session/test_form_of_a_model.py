"""A form that was filled from a Model of the cluster, as kubectl makes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.objects import map_at
from kubeai_notebook.views.form_context import context_of
from kubeai_notebook.views.form_model import FormModel
from tests.support.daemon import SMOL

if TYPE_CHECKING:
    from kubeai_notebook.session.session import Session

KUBECTL = {
    "apiVersion": "kubeai.org/v1",
    "kind": "Model",
    "metadata": {"name": "made"},
    "spec": {
        "url": SMOL["url"], "engine": "OLlama", "features": ["TextGeneration"], "resourceProfile": "cpu:1",
        "minReplicas": 0, "maxReplicas": 3, "env": {"A": "1", "B": "2"}, "args": ["--ctx-size=512"],
        "scaleDownDelaySeconds": 7,
    },
}  # fmt: skip


def test_takes_from_the_model_what_is_taken_out_of_the_form_and_says_so_before(session: Session) -> None:
    session.cluster.create_model(KUBECTL)
    session.forget_facts()
    form = FormModel(context_of(session))
    form.start("model:made")
    assert form.value("args") == ["--ctx-size=512"]
    form.set("env", {"A": "1"})
    for name in ("args", "max_replicas", "scale_down_delay_seconds"):
        form.set(name, None)
    report = form.plan()
    for change in ("args: without --ctx-size=512", "env: without B=2", "maxReplicas: 3 → not set"):
        assert change in report.plan.diff
    # Somebody else's change after the form was filled is none of the form's.
    session.cluster.patch_model("made", {"spec": {"env": {"C": "3"}}})
    form.plan()
    form.serve(yes=True)
    spec = map_at(session.cluster.model("made"), "spec")
    assert (spec["env"], spec.get("args"), spec.get("maxReplicas")) == ({"A": "1", "C": "3"}, None, None)
    assert spec["scaleDownDelaySeconds"] == 30
