"""The 13 rules as functions against the same rules run by a real CEL engine, ours and KubeAI's own."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubeai_notebook.core.rules.admission import admit
from kubeai_notebook.core.rules.admission_errors import blocks

from . import test_crd
from .documents import GOOD_MODELS

pytest.importorskip("cel_expr_python", reason="cel-expr-python, which has wheels for Linux only, is not installed")
from . import cel_oracle


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(GOOD_MODELS, st.none() | GOOD_MODELS)
def test_finds_what_a_cel_engine_finds_by_every_definitions_rules(item: Any, old: Any) -> None:
    stored = admit(old).object if old else None
    verdict = admit(item, stored)
    assert not blocks(verdict.causes)
    for definition in test_crd.definitions():
        found = Counter(cel_oracle.causes(test_crd.schema_of(definition), verdict.object, stored))
        assert Counter(verdict.causes) == found
