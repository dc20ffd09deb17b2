"""Each message of a scripted node leads to the right cause, without what the daemon's scheduler said of the Pod before.

`test_faults` takes any Finding that comes in time, so one that the scheduler's first words caused would satisfy it.
"""

from __future__ import annotations

import pytest

from kubeai_notebook.core.diagnosis import diagnose
from tests.core.diagnosis.scenes import NOW, event, model, seen, unscheduled

from .table import faults

PROFILE = "nvidia-gpu-l4:8"
UNSCHEDULED = [fault for fault in faults() if "unscheduled" in fault.script]


@pytest.mark.parametrize("fault", UNSCHEDULED, ids=lambda fault: fault.name)
def test_is_named_by_the_nodes_own_words(fault):
    pod = unscheduled(fault.script["unscheduled"])
    given = fault.script.get("events", ())
    events = [event(reason, message, source=component) for reason, message, component in given]
    findings = diagnose(
        seen(model(**{**fault.script["spec"], "resourceProfile": PROFILE}), pod, events=events), now=NOW
    )
    assert [finding.code for finding in findings][:1] == [fault.code]
