"""The real kubectl, where there is one."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import yaml

from tests.support.daemon import SCRIPTED, model_of
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on PATH")


@pytest.fixture
def kubectl(scripted, tmp_path):
    def run(*arguments, stdin="", code=0):
        command = ["kubectl", "--kubeconfig", str(scripted.home / "kubeconfig"), *arguments]
        # A folder of its own, so that no discovery is remembered from another server.
        environment = {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin:" + PATH}
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=60, check=False, env=environment
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    return run


PATH = str(shutil.which("kubectl") or "").rpartition("/")[0]


@pytest.fixture
def applied(kubectl, scripted):
    manifest = yaml.safe_dump(model_of("applied", url=SCRIPTED))
    assert kubectl("apply", "-f", "-", stdin=manifest) == "model.kubeai.org/applied created\n"
    yield manifest
    scripted.delete("applied")


def test_applies_and_applies_again(kubectl, applied):
    assert kubectl("apply", "-f", "-", stdin=applied) == "model.kubeai.org/applied unchanged\n"
    changed = applied.replace("minReplicas: 1", "minReplicas: 0")
    assert kubectl("apply", "--dry-run=server", "-f", "-", stdin=changed).endswith("configured (server dry run)\n")
    assert "+  minReplicas: 0" in kubectl("diff", "-f", "-", stdin=changed, code=1)
    assert kubectl("apply", "-f", "-", stdin=changed) == "model.kubeai.org/applied configured\n"


def test_says_what_is_wrong_with_a_manifest(kubectl, scripted):
    manifest = yaml.safe_dump(model_of("wrong", url=SCRIPTED, nonsense=1))
    kubectl("apply", "-f", "-", stdin=manifest, code=1)
    assert scripted.api("GET", "/apis/kubeai.org/v1/namespaces/default/models/wrong")[0] == 404


def test_gets_and_describes(kubectl, applied, scripted):
    assert "applied" in kubectl("get", "models")
    assert yaml.safe_load(kubectl("get", "model", "applied", "-o", "yaml"))["spec"]["url"] == SCRIPTED
    pod = scripted.ready_pod("applied")["metadata"]["name"]
    assert "Kind:         Model" in kubectl("describe", "model", "applied")
    described = kubectl("describe", "pod", pod)
    assert "Controlled By:" in described
    assert "Started container server" in described


def test_watches(kubectl, applied):
    assert "applied" in kubectl("get", "models", "-w", "--request-timeout=1s")


def test_scales(kubectl, applied, scripted):
    kubectl("scale", "--replicas=2", "model/applied")
    until(lambda: len(scripted.pods("applied")) == 2)


def test_follows_logs_until_the_pod_is_gone(kubectl, applied, scripted):
    pod = scripted.ready_pod("applied")["metadata"]["name"]
    assert "scripted engine for applied" in kubectl("logs", pod)
    following = subprocess.Popen(
        ["kubectl", "--kubeconfig", str(scripted.home / "kubeconfig"), "logs", "-f", pod], stdout=subprocess.PIPE
    )
    assert b"standing in" in following.stdout.readline()
    scripted.delete("applied")
    assert b"scripted engine for applied" in following.stdout.read()
    assert following.wait(20) == 0


def test_deletes(kubectl, applied, scripted):
    assert kubectl("delete", "model", "applied") == 'model.kubeai.org "applied" deleted\n'
    assert scripted.api("GET", "/apis/kubeai.org/v1/namespaces/default/models/applied")[0] == 404


def test_asks_the_gateway_through_the_api(kubectl, applied):
    path = "/api/v1/namespaces/default/services/http:kubeai:80/proxy/openai/v1/models"
    assert '"applied"' in kubectl("get", "--raw", path)
