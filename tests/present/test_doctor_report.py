import re
from html import unescape

from kubeai_notebook.core.remedy import Command, Remedy
from kubeai_notebook.present.doctor_report import Doctor, Station

API = Station(name="API", code="API", severity="info", message="The Kubernetes API answers.")
GATEWAY = Station(
    name="gateway",
    code="CallError",
    message="The gateway said <404>.",
    remedies=(
        Remedy(title="Name its address.", command=Command(verb="config", arguments=("endpoint=host:port",))),
        Remedy(title="Look.", command=Command(arguments=("kubeai-local", "status"))),
    ),
)
RIGHTS = Station(name="rights", code="RightMissing", severity="warning", message="You may not list pods here.")
DOCTOR = Doctor((API, GATEWAY, RIGHTS), role="kind: Role\n")


def test_reads_as_text_with_the_next_steps() -> None:
    assert repr(DOCTOR).splitlines() == [
        "✓ API: The Kubernetes API answers.",
        "✗ gateway: The gateway said <404>.",
        "    Name its address.",
        "    %kubeai_config endpoint=host:port",
        "    Look.",
        "    %kubeai_local status",
        "⚠ rights: You may not list pods here.",
        "",
        "Somebody who runs the cluster can grant what is missing by this Role, bound to you:",
        "kind: Role",
    ]


def test_says_the_same_in_html_and_never_as_markup() -> None:
    html = DOCTOR._repr_html_()
    assert unescape(re.sub(r"<[^>]*>", " ", html)).split() == repr(DOCTOR).split()
    assert "&lt;404&gt;" in html


def test_is_healthy_unless_something_is_in_the_way() -> None:
    assert Doctor((API, RIGHTS)).healthy
    assert not DOCTOR.healthy
