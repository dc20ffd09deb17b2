"""Which object a path means."""

from __future__ import annotations

import pytest

from kubeai_notebook.local.emulation.kinds import MODELS, NAMESPACES, PODS, Ref, address_of


@pytest.mark.parametrize(
    ("path", "ref"),
    [
        ("/apis/kubeai.org/v1/namespaces/a/models/m/scale", Ref(MODELS, "a", "m", "scale")),
        ("/apis/kubeai.org/v1/models", Ref(MODELS, "", "")),
        ("/api/v1/namespaces/a/pods/", Ref(PODS, "a", "")),
        ("/api/v1/namespaces/a", Ref(NAMESPACES, "", "a")),
        ("/api/v1/models", None),
        ("/api/v1/pods/p", None),
        ("/api/v1/namespaces/a/namespaces/b", None),
        ("/api/v1/namespaces/a/pods/p/exec", None),
        ("/version", None),
    ],
)
def test_reads_the_addresses_of_its_kinds_and_no_others(path, ref):
    assert address_of(path) == ref
