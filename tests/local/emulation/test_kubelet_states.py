"""What a kubelet makes of a Pod."""

from __future__ import annotations

import os

import pytest

from kubeai_notebook.local.emulation.kinds import PODS, Ref
from kubeai_notebook.local.emulation.kubelet_states import (
    ContainerRun,
    backing_off,
    in_state,
    memory_limit_of,
    termination,
    threads_of,
    unschedulable,
)

RUN = ContainerRun(Ref(PODS, "default", "p"), "uid", 2)


def pod(**container):
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "server", "image": "i", **container}]}}


@pytest.mark.parametrize(("cpu", "threads"), [("500m", 1), ("0", 1), ("1", 1), ("1000", os.cpu_count())])
def test_uses_as_many_threads_as_the_profile_requests(cpu, threads):
    assert threads_of(pod(resources={"requests": {"cpu": cpu}}), os.cpu_count()) == threads


def test_reads_the_memory_limit():
    assert memory_limit_of(pod(resources={"limits": {"memory": "2Gi"}})) == 2 * 1024**3
    assert memory_limit_of(pod(resources={"requests": {"memory": "2Gi"}})) is None
    assert memory_limit_of(pod()) is None


def test_finds_no_place_for_a_gpu_or_a_claim_that_is_not_there():
    assert unschedulable(pod(), None) is None
    gpu = unschedulable(pod(resources={"limits": {"nvidia.com/gpu": "1"}}), None)
    assert gpu.startswith("0/1 nodes are available: 1 Insufficient nvidia.com/gpu. preemption:")
    assert 'persistentvolumeclaim "c" not found' in unschedulable(pod(), "c")


def test_shows_a_signal_as_container_runtimes_do():
    ended = termination(RUN, -9, started="then", moment="now")
    assert (ended["exitCode"], ended["reason"], ended["containerID"]) == (137, "Error", "local://uid/2")
    assert termination(RUN, 0, started="then", moment="now")["reason"] == "Completed"


@pytest.mark.parametrize(("seconds", "shown"), [(10, "10s"), (80, "1m20s"), (300, "5m0s")])
def test_backs_off_in_the_kubelets_words(seconds, shown):
    message = backing_off(RUN, seconds)["waiting"]["message"]
    assert message == f"back-off {shown} restarting failed container=server pod=p_default(uid)"


def test_keeps_the_time_at_which_a_condition_last_changed():
    before = in_state(pod(), RUN, {"running": {}}, moment="first")["status"]
    after = in_state({**pod(), "status": before}, RUN, {"running": {}}, moment="second", ready=True)["status"]
    moments = {item["type"]: item["lastTransitionTime"] for item in after["conditions"]}
    assert moments == {"PodScheduled": "first", "Initialized": "first", "ContainersReady": "second", "Ready": "second"}
