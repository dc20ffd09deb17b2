"""Whatever a cluster holds as a Model can be read and shown: fields that lack, are null, of another type or new."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubeai_notebook.core.manifest import fields_of_manifest, spec_of_manifest, to_yaml
from kubeai_notebook.core.phase import status_of
from kubeai_notebook.core.spec import draft_of
from kubeai_notebook.present.card import card_of
from kubeai_notebook.present.server_wire import yaml_of
from tests.core.diagnosis.scenes import NOW, model
from tests.core.diagnosis.test_robustness import broken
from tests.support.views import view_in

WHOLE = model(
    metadata={"annotations": {"x": "y"}, "finalizers": ["f"], "ownerReferences": [{"name": "o"}]},
    args=["--a=1"],
    env={"A": "b"},
    envFrom=[{"secretRef": {"name": "s"}}, {"configMapRef": {"name": "c"}}],
    files=[{"path": "/a", "content": "b"}],
    adapters=[{"name": "l", "url": "hf://a/l"}],
    loadBalancing={"strategy": "PrefixHash", "prefixHash": {"meanLoadFactor": 125, "replication": 3}},
    future={"a": [1]},
    status={"cache": {"loaded": True}, "conditions": [{"type": "New"}]},
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_is_read_and_shown_whatever_its_fields_hold(data):
    (odd,) = broken([WHOLE], data)
    if not isinstance(odd, dict):
        return
    whole = view_in("Ready", ready=1)
    seen = replace(whole.observation, model=odd)
    view = replace(whole, observation=seen, status=status_of(seen, now=NOW))
    assert isinstance(fields_of_manifest(odd), dict)
    assert to_yaml(spec_of_manifest(odd))
    assert draft_of(odd).notices is not None
    assert card_of(view, namespace="ai").verbs is not None
    assert yaml_of(odd)
