"""Every Fix that a rule can give is tried: played through the stack, in pure form, or at kubectl."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.diagnosis.quoted import quotes
from tests.core.diagnosis.scenes import NOW, container, crash, event, merged, model, pod, seen, waiting
from tests.core.diagnosis.test_cluster_findings import CASES

from .remedies import all_remedies, explained
from .table import faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.core.observation import Observation

PLAYED = {(fault.code, fault.fix) for fault in faults()}
Spec = dict[str, Any]


@dataclass(frozen=True)
class Pure:
    """A fault that this machine cannot have: what a cluster shows for as long as ``cause`` holds of the spec."""

    why_not_played: str
    observation: Observation
    cause: Callable[[Spec], bool]
    healed: Observation | None = None


NO_CACHE = "this machine has no cache profiles: its operator refuses the Model that the Fix makes"
PROBED = [event("Killing", "Container server failed startup probe, will be restarted", level="Normal")]
READY = pod("model-m-abc-1", container(running=True), ready=True)
STREAMED = "ModuleNotFoundError: No module named 'runai_model_streamer'"
LORA = {"adapters": [{"name": "colorist", "url": "hf://o/lora"}], "minReplicas": 0}
LOGS = Path(__file__).parents[1] / "golden" / "logs"


def log(name: str) -> str:
    """A recorded log."""
    return (LOGS / f"{name}.log").read_text(errors="replace")


IN_PURE_FORM = {
    ("DiskFull", "_download_once"): Pure(
        NO_CACHE, crash("OSError: [Errno 28] No space left on device"), lambda spec: "cacheProfile" not in spec
    ),
    ("Evicted", "_download_once"): Pure(
        NO_CACHE,
        seen(
            None,
            pod(
                "model-m-abc-1",
                phase="Failed",
                status={
                    "reason": "Evicted",
                    "message": "Pod ephemeral local storage usage exceeds the total limit of containers 10Gi. ",
                },
            ),
        ),
        lambda spec: "cacheProfile" not in spec,
    ),
    ("EngineStartTimeout", "_download_once"): Pure(
        NO_CACHE,
        crash("TimeoutError: Timed out waiting for engine core processes to start."),
        lambda spec: "cacheProfile" not in spec,
    ),
    ("ProbeKilledContainer", "_download_once"): Pure(
        NO_CACHE,
        seen(None, pod("model-m-abc-1", container(running=True)), events=PROBED),
        lambda spec: "cacheProfile" not in spec,
    ),
    ("PythonPackageMissing", "_download_once"): Pure(
        NO_CACHE, crash(STREAMED, model(url="s3://bucket/llama")), lambda spec: "cacheProfile" not in spec
    ),
    ("StorageClassNotFound", "set_field cacheProfile=None"): Pure(
        NO_CACHE, CASES["StorageClassNotFound"], lambda spec: spec.get("cacheProfile") == "standard"
    ),
    ("StorageNoReadWriteMany", "set_field cacheProfile=None"): Pure(
        NO_CACHE, CASES["StorageNoReadWriteMany"], lambda spec: spec.get("cacheProfile") == "standard"
    ),
    ("InvalidModelUrl", "set_field url={better_url}"): Pure(
        NO_CACHE,
        seen(model(cacheProfile="standard", url="hf://o/r?model=x", pods=0)),
        lambda spec: "?" in spec["url"] and "cacheProfile" in spec,
    ),
    ("PriorityClassMissing", "set_field priorityClassName=None"): Pure(
        "the daemon's API does not create Pods in a dry run, so nobody hears the refusal",
        CASES["PriorityClassMissing"],
        lambda spec: spec.get("priorityClassName") == "high",
    ),
    ("CodeInEnvironment", "drop_env {variables}"): Pure(
        "the daemon's API takes no such Model; one that an older daemon has written down shows it",
        seen(
            model(env={"LD_PRELOAD": "/x.so", "A": "b"}),
            waiting("CreateContainerConfigError", quotes()["CodeInEnvironment"]["quote"]),
        ),
        lambda spec: "LD_PRELOAD" in (spec.get("env") or {}),
    ),
    ("ChatTemplateFileMissing", "drop_argument --chat-template"): Pure(
        "the daemon leaves out a template that is no file of the Model's own",
        crash(log("vllm-chat-template-missing"), model(args=["--chat-template=/etc/templates/chatml.jinja"])),
        lambda spec: "--chat-template=/etc/templates/chatml.jinja" in (spec.get("args") or []),
    ),
    ("ProxyUnreachable", "drop_env HTTPS_PROXY https_proxy"): Pure(
        "the daemon reaches the network by its own proxies only",
        crash(log("loader-hf-proxy"), model(env={"HTTPS_PROXY": "http://proxy.corp.example:3128"})),
        lambda spec: "HTTPS_PROXY" in (spec.get("env") or {}),
    ),
    ("QuotaExceeded", "fewer_units"): Pure(
        "the daemon has no quotas",
        seen(
            model(pods=0, resourceProfile="nvidia-gpu-l4:4"),
            refusal='pods "model-m-x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=4, '
            "used: requests.nvidia.com/gpu=6, limited: requests.nvidia.com/gpu=8",
        ),
        lambda spec: 6 + int(spec["resourceProfile"].partition(":")[2]) > 8,
    ),
    ("AdapterNotLoaded", "_keep_one"): Pure(
        "the Finding comes a minute after Ready, which is too long for a test",
        seen(model(ready=1, **LORA), READY),
        # With none kept, the autoscaler takes the Pod away before the adapter is there.
        lambda spec: not spec.get("minReplicas"),
        seen(
            model(ready=1),
            pod("model-m-abc-1", container(running=True), ready=True, labels={"adapter.kubeai.org/colorist": "x"}),
        ),
    ),
}


def test_no_patch_is_left_untried():
    assert all_remedies(commands=False) - PLAYED - IN_PURE_FORM.keys() == set()


def test_nothing_is_tried_that_no_rule_has():
    known = all_remedies(commands=False) | all_remedies(commands=True)
    assert (PLAYED | IN_PURE_FORM.keys()) - known == set()


@pytest.mark.parametrize("key", IN_PURE_FORM, ids=" ".join)
def test_a_patch_cures_as_a_cluster_would_show_it(key):
    (code, label), pure = key, IN_PURE_FORM[key]
    before = pure.observation
    assert pure.cause(before.model["spec"])
    found, labels = explained(before, NOW)
    (fix,) = [fix for finding in found if finding.code == code for fix in finding.fixes if labels[fix] == label]

    after = merged(before.model, fix.patch)

    assert not pure.cause(after["spec"])
    healed = pure.healed or seen(None, READY)
    now = seen({**after, "status": {"replicas": {"all": 1, "ready": 1}, "cache": {"loaded": True}}}, *healed.pods)
    assert code not in [finding.code for finding in explained(now, NOW)[0]]
