"""Every Remedy that a rule can give is tried: played through the stack, in pure form, or at kubectl."""

from __future__ import annotations

import pytest

from kubeai_notebook.core.diagnosis import diagnose
from tests.core.diagnosis.scenes import NOW, merged, seen

from .pure import READY
from .pure_clusters import OF_CLUSTERS
from .pure_engines import OF_ENGINES
from .pure_recorded import OF_RECORDED
from .pure_threads import OF_THREADS
from .remedies import all_remedies, labels_of
from .table import faults

PLAYED = {(fault.code, fault.fix) for fault in faults()}
IN_PURE_FORM = (*OF_CLUSTERS, *OF_ENGINES, *OF_RECORDED, *OF_THREADS)
IN_PURE = {pure.key for pure in IN_PURE_FORM}


def test_no_patch_is_left_untried():
    assert all_remedies(commands=False) - PLAYED - IN_PURE == set()


def test_nothing_is_tried_that_no_rule_has():
    known = all_remedies(commands=False) | all_remedies(commands=True)
    assert (PLAYED | IN_PURE) - known == set()


@pytest.mark.parametrize("pure", IN_PURE_FORM, ids=lambda pure: " ".join(pure.key))
def test_a_patch_cures_as_a_cluster_would_show_it(pure):
    before = pure.observation
    assert pure.cause(before.model["spec"])
    remedies = [
        remedy
        for finding in diagnose(before, now=NOW)
        for remedy in finding.remedies
        if finding.code == pure.code and pure.fix in labels_of(finding, remedy)
    ]

    after = merged(before.model, remedies[0].patch(before.model))

    assert not pure.cause(after["spec"])
    healed = pure.healed or seen(None, READY)
    now = seen({**after, "status": {"replicas": {"all": 1, "ready": 1}, "cache": {"loaded": True}}}, *healed.pods)
    assert pure.code not in [finding.code for finding in diagnose(now, now=NOW)]
