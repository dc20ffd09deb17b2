"""A Model that no node takes is offered another profile of the cluster that gives as much and has room."""

import pytest

from kubeai_notebook.core.diagnosis import diagnose

from .scenes import CONFIG, NOW, model, seen, unscheduled

FULL = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."


def gpu(count="1", **more):
    return {"imageName": "nvidia-gpu", "limits": {"nvidia.com/gpu": count}, **more}


PROFILES = {
    "cpu": {"imageName": "cpu", "requests": {"cpu": "1", "memory": "2Gi"}},
    "cpu-large": {"imageName": "cpu", "requests": {"cpu": "4", "memory": "8Gi"}},
    "nvidia-gpu-l4": gpu(),
    "nvidia-gpu-t4": gpu(),
    "nvidia-gpu-a100-80gb": gpu(),
    "nvidia-gpu-h100-pair": gpu("2"),
    "nvidia-gpu-b200": gpu(),
    "amd-gpu-mi300x": {"imageName": "amd-gpu", "limits": {"amd.com/gpu": "1"}},
    "mig": {"imageName": "nvidia-gpu", "limits": {"nvidia.com/mig-1g.10gb": "1"}},
}


def offered(profile, free, text=FULL):
    config = CONFIG | {"resourceProfiles": PROFILES}
    waits = seen(model(resourceProfile=profile), unscheduled(text), config=config, free=free)
    (found,) = diagnose(waits, now=NOW)
    return [
        change.value
        for remedy in found.remedies
        for change in remedy.changes
        if change.name == "resourceProfile" and not str(change.value).startswith(f"{profile.partition(':')[0]}:")
    ]


@pytest.mark.parametrize(
    ("profile", "free", "other"),
    [
        ("nvidia-gpu-l4:1", {"nvidia-gpu-a100-80gb": 4}, "nvidia-gpu-a100-80gb:1"),
        ("nvidia-gpu-l4:2", {"nvidia-gpu-a100-80gb": 4}, "nvidia-gpu-a100-80gb:2"),
        ("nvidia-gpu-l4:4", {"nvidia-gpu-h100-pair": 4}, "nvidia-gpu-h100-pair:2"),
        ("nvidia-gpu-t4:1", {"nvidia-gpu-l4": 1, "nvidia-gpu-a100-80gb": 4}, "nvidia-gpu-l4:1"),
        ("cpu:4", {"cpu-large": 1}, "cpu-large:1"),
    ],
)
def test_offers_the_smallest_that_gives_as_much_and_has_room(profile, free, other):
    assert offered(profile, free) == [other]


@pytest.mark.parametrize(
    ("profile", "free"),
    [
        ("nvidia-gpu-l4:1", {"nvidia-gpu-a100-80gb": 0, "nvidia-gpu-l4": 0}),
        ("nvidia-gpu-l4:2", {"nvidia-gpu-a100-80gb": 1}),
        ("nvidia-gpu-l4:1", {"nvidia-gpu-t4": 8}),
        ("nvidia-gpu-l4:1", {"nvidia-gpu-b200": 8}),
        ("nvidia-gpu-l4:1", {"cpu": 8, "amd-gpu-mi300x": 8, "mig": 8}),
        ("cpu:1", {"nvidia-gpu-l4": 8}),
        ("cpu-large:1", {"cpu": 3}),
        ("nvidia-gpu-l4:1", None),
        ("nvidia-gpu-l4:1", {}),
    ],
)
def test_offers_none_that_gives_less_or_of_another_kind_or_without_room(profile, free):
    assert offered(profile, free) == []


@pytest.mark.parametrize(
    "text",
    [
        FULL,
        "0/3 nodes are available: 3 Insufficient memory.",
        "0/3 nodes are available: 3 node(s) had untolerated taint {team: other}.",
        "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
    ],
)
def test_offers_it_whatever_keeps_the_pod_off_the_nodes_of_its_own(text):
    assert offered("nvidia-gpu-l4:1", {"nvidia-gpu-a100-80gb": 4}, text) == ["nvidia-gpu-a100-80gb:1"]
