from kubeai_notebook.core.notice import Notice
from kubeai_notebook.core.plan import Plan
from kubeai_notebook.core.remedy import Remedy
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.present.plan_report import PlanReport

SPEC = spec_of({"url": "ollama://smollm2:135m", "name": "smol"})
CREATE = Plan(action="create", manifest={"kind": "Model"})
WELL = Notice(code="KubeAI", severity="info", message="KubeAI 0.23 is installed.")
WARNING = Notice(code="Slow", severity="warning", message="It is slow.", remedies=(Remedy(title="Take another."),))
ERROR = Notice(
    code="ProfileUnknown",
    message="No such profile.",
    field="resource_profile",
    remedies=(Remedy(title="Write cpu:1."),),
)


def test_says_what_would_happen_and_what_speaks_against_it() -> None:
    lines = repr(PlanReport(SPEC, (WELL, WARNING), CREATE)).splitlines()
    assert lines[0] == "smol would be created."
    assert lines[-3:] == ["✓ KubeAI 0.23 is installed.", "⚠ It is slow.", "    Take another."]
    assert any(line.startswith("  engine OLlama") for line in lines)


def test_is_refused_by_an_error_and_by_nothing_else() -> None:
    assert PlanReport(SPEC, (WELL, WARNING), CREATE).refusal is None
    report = PlanReport(SPEC, (WELL, ERROR), CREATE)
    assert report.title == "smol would not serve as it is."
    assert str(report.refusal) == "resource_profile: No such profile. Write cpu:1."
    assert report.refusal.notices == (ERROR,)


def test_says_whether_pods_restart() -> None:
    current = {"spec": {"url": "ollama://a", "minReplicas": 0}}
    scaled = Plan(action="update", manifest={}, current=current, changes={"minReplicas": (0, 1)})
    assert PlanReport(SPEC, (), scaled).title == "smol would be changed; its Pods go on."
    moved = Plan(action="update", manifest={}, current=current, changes={"url": ("ollama://a", "ollama://b")})
    assert PlanReport(SPEC, (), moved).title == "smol would be changed; its Pods restart."
    assert PlanReport(SPEC, (), Plan(action="attach", manifest={})).title.endswith("nothing would change.")
