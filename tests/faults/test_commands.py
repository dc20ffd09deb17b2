"""Commands that are no cure by themselves, or whose fault cannot be played: run, or read by the real kubectl."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.core.diagnosis.engine.case import Case
from kubeai_notebook.core.diagnosis.engine.remedies import remedy_of
from kubeai_notebook.core.diagnosis.engine.scene import Scene
from kubeai_notebook.core.diagnosis.engine.text_source import Passage
from kubeai_notebook.core.objects import Pod
from kubeai_notebook.core.observation import Observation, Operator
from tests.core.diagnosis.rules import rules
from tests.core.diagnosis.scenes import NOW
from tests.support.daemon import MODELS, model_of

from .remedies import all_remedies, label_of
from .table import faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .stage import Stage

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on PATH")

PLAYED = {(fault.code, fault.fix) for fault in faults()}
LEFT = sorted(all_remedies(commands=True) - PLAYED)
NAME, CLAIM = "commanded", "shared-model-cache-standard"
NOT_HERE = {
    "get nodes": "this machine is no node of the API",
    "taint nodes": "this machine is no node of the API",
    "get deviceclasses": "no devices are claimed here",
    "get volumeattachments": "no volumes here",
    "get authorizationpolicies": "no mesh here",
    "get pods,services,endpoints": "no Services here",
    "get service ": "no Services here",
    "get workloads": "no Kueue here",
    "get deploy": "KubeAI's operator is a part of the daemon",
    "logs deploy/kubeai": "KubeAI's operator is a part of the daemon",
    "get storageclass": "no storage classes here",
    "get priorityclass": "no priority classes here",
    "logs -f job/": "no cache, so no Job that loads one",
    "exec ": "no containers here",
    " pvc": "no volumes here, and no short names",
}
"""What the daemon cannot answer: kubectl understands the command and misses the thing itself."""
_MISUSED = re.compile(r"unknown (?:shorthand )?flag|unknown command|Usage:|must be|required|invalid argument")
_MISSED = re.compile(r"doesn't have a resource type|not found|could not find|the server could not|no matches for kind")


@pytest.fixture(scope="module")
def objects(stage: Stage) -> Iterator[dict[str, str]]:
    """The objects that the commands name, but for the Pod."""
    stage.daemon.create(NAME, url="ollama://scripted")
    core = "/api/v1/namespaces/default"
    stage.daemon.api("POST", f"{core}/secrets", {"metadata": {"name": "commanded"}, "stringData": {"other": "x"}})
    stage.daemon.api("POST", f"{core}/persistentvolumeclaims", {"metadata": {"name": CLAIM}})
    yield {"object": "commanded", "kind": "Secret", "key": "token", "weights": "smollm2", "service": "vllm"}
    stage.remove(NAME)


@pytest.fixture
def facts(stage: Stage, objects: dict[str, str]) -> dict[str, str]:
    """Those objects, and the Pod that the Model has now: some commands delete it, and KubeAI makes another."""
    pod = stage.daemon.ready_pod(NAME)["metadata"]["name"]
    return {**objects, "pod": pod, "other": pod, "late": pod, "missing": CLAIM}


def command_of(code: str, label: str, facts: dict[str, str]) -> str:
    """The very command that the rule's remedy makes, with these names in it."""
    spec = {"url": "ollama://scripted", "engine": "OLlama", "cacheProfile": "standard", "resourceProfile": "cpu:1"}
    made = {"metadata": {"name": NAME, "namespace": "default"}, "spec": spec}
    scene = Scene(Observation(model=made, operator=Operator(namespace="default")), NOW)
    case = Case(scene, Passage("log", "p", ("x",)), 0, Pod({"metadata": {"name": facts["pod"]}}), facts)
    templates = [template for rule in rules() if rule.code == code for template in rule.remedies]
    remedy = remedy_of(next(template for template in templates if label_of(template) == label), case)
    assert remedy is not None
    assert remedy.command
    return remedy.command.line


@pytest.mark.parametrize(("code", "label"), [key for key in LEFT if key[0] != "WrongNamespace"])
def test_runs_or_is_understood(code, label, facts, stage, tmp_path):
    (tmp_path / "key.json").write_text("{}")
    done = stage.shell(command_of(code, label, facts).replace("<file>", str(tmp_path / "key.json")))
    assert not _MISUSED.search(done.stderr), done.stderr
    missed = any(part in label for part in NOT_HERE) and _MISSED.search(done.stderr)
    assert done.returncode == 0 or missed, done.stderr


def test_makes_kubeai_look_again(facts, stage):
    assert stage.shell(command_of("QuotaExceeded", label_with("touch="), facts)).returncode == 0
    assert stage.daemon.api("GET", f"{MODELS}/{NAME}")[1]["metadata"]["annotations"]["touch"].isdigit()


def test_adds_the_key_that_a_secret_lacks(facts, stage):
    assert stage.shell(command_of("SecretKeyNotFound", label_with("patch {kind}"), facts)).returncode == 0
    secret = stage.daemon.api("GET", "/api/v1/namespaces/default/secrets/commanded")[1]
    assert secret["data"].keys() == {"other", "token"}


@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq on PATH")
def test_moves_a_model_to_the_namespace_of_kubeai(stage):
    elsewhere = MODELS.replace("/default/", "/elsewhere/")
    stage.daemon.api("POST", "/api/v1/namespaces", {"metadata": {"name": "elsewhere"}})
    stage.daemon.api("POST", elsewhere, model_of("moved", url="ollama://scripted"))
    for label in (label_with(" jq "), label_with(" delete model ")):
        command = command_of("WrongNamespace", label, {"pod": "p"}).replace("-n default", "-n elsewhere")
        done = stage.shell(command.replace(NAME, "moved"))
        assert done.returncode == 0, done.stderr
    assert stage.daemon.api("GET", f"{elsewhere}/moved")[0] == 404
    stage.daemon.ready_pod("moved")
    stage.remove("moved")


def label_with(part: str) -> str:
    return next(label for _, label in LEFT if part in label)
