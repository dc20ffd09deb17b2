"""Label and field selectors."""

from __future__ import annotations

import pytest

from kubeai_notebook.local.emulation.selectors import selector_of

POD = {
    "metadata": {"name": "p", "namespace": "a", "labels": {"tier": "gold", "new": ""}},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("labels", "fits"),
    [
        ("", True),
        ("tier=gold", True),
        ("tier == gold", True),
        ("tier!=gold", False),
        ("tier in (gold, silver),new", True),
        ("tier notin (gold)", False),
        ("other notin (gold)", True),
        ("!other,!new", False),
        ("new=", True),
    ],
)
def test_selects_by_labels(labels, fits):
    assert selector_of(labels)(POD) is fits


@pytest.mark.parametrize(
    ("fields", "fits"),
    [("metadata.name=p", True), ("status.phase!=Running", False), ("metadata.name=p,metadata.namespace=b", False)],
)
def test_selects_by_the_fields_that_a_kind_has(fields, fits):
    assert selector_of("", fields, kind="Pod")(POD) is fits


@pytest.mark.parametrize(
    ("labels", "fields"), [("tier in (gold", ""), ("a b", ""), ("=", ""), ("", "spec.x=1"), ("", "metadata.name")]
)
def test_refuses_what_it_cannot_read(labels, fields):
    with pytest.raises(ValueError, match=r"unable to parse|invalid selector|not supported"):
        selector_of(labels, fields, kind="Pod")
