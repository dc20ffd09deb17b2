"""What a client asks before it asks for objects."""

from __future__ import annotations

from kubeai_notebook.local.emulation.discovery import documents
from kubeai_notebook.local.emulation.kinds import RESOURCES


def test_lists_every_kind_that_it_serves_with_its_subresources():
    found = documents()
    for group, version, plural in RESOURCES:
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        names = [resource["name"] for resource in found[root]["resources"]]
        assert {plural, *(f"{plural}/{part}" for part in RESOURCES[group, version, plural].subresources)} <= set(names)


def test_names_every_group_and_its_schemas():
    found = documents()
    groups = {group["name"] for group in found["/apis"]["groups"]}
    assert groups == {group for group, _, _ in RESOURCES if group}
    assert all(found[url["serverRelativeURL"]]["openapi"] == "3.0.0" for url in found["/openapi/v3"]["paths"].values())
