from __future__ import annotations

import json
import threading

import pytest
import yaml

from tests.support.daemon import CONFIG_MAPS, MODELS, PODS, SCRIPTED, is_ready
from tests.support.waiting import until


def model(daemon, name):
    return daemon.api("GET", f"{MODELS}/{name}")[1]


def serve(daemon, name, **spec):
    daemon.create(name, url=SCRIPTED, **spec)
    return daemon.ready_pod(name)


def names(pods):
    return {pod["metadata"]["name"] for pod in pods}


@pytest.mark.parametrize(
    ("spec", "replicas"),
    [
        ({"minReplicas": 0}, 0),
        ({"minReplicas": 2}, 2),
        ({"minReplicas": 0, "maxReplicas": 1, "replicas": 5}, 1),
        ({"minReplicas": 0, "replicas": 3, "autoscalingDisabled": True}, 3),
    ],
)
def test_keeps_replicas_within_their_bounds(scripted, spec, replicas):
    scripted.create("bounded", url=SCRIPTED, **spec)
    until(lambda: "status" in model(scripted, "bounded"))
    assert model(scripted, "bounded")["spec"]["replicas"] == replicas
    scripted.delete("bounded")


def test_follows_the_features_with_labels(scripted):
    scripted.create("labelled", url=SCRIPTED, minReplicas=0)
    scripted.api("PATCH", f"{MODELS}/labelled", {"spec": {"features": ["TextEmbedding", "Reranking"]}})
    wanted = {"features.kubeai.org/TextEmbedding": "true", "features.kubeai.org/Reranking": "true"}
    until(lambda: model(scripted, "labelled")["metadata"]["labels"] == wanted)
    scripted.delete("labelled")


def test_replaces_pods_for_the_one_feature_that_they_hold(scripted):
    before = names([serve(scripted, "featured", features=["TextGeneration"])])
    arguments = scripted.pods("featured")[0]["spec"]["containers"][0]["args"]
    assert "--features=TextGeneration" in arguments
    for features, same in ((["TextGeneration", "TextEmbedding"], True), (["TextEmbedding"], False)):
        scripted.api("PATCH", f"{MODELS}/featured", {"spec": {"features": features}})
        label = f"features.kubeai.org/{features[-1]}"
        until(lambda label=label: label in model(scripted, "featured")["metadata"]["labels"])
        if same:
            assert names(scripted.pods("featured")) == before
        else:
            until(lambda: names(scripted.pods("featured")).isdisjoint(before), 20)
    scripted.delete("featured")


@pytest.mark.parametrize(
    "spec",
    [
        {"resourceProfile": ""},
        {"resourceProfile": "cpu"},
        {"resourceProfile": "cpu:1:2"},
        {"resourceProfile": "cpu:many"},
        {"resourceProfile": "nowhere:1"},
        {"priorityClassName": "nowhere"},
        {"url": "hf://a/b", "engine": "VLLM", "cacheProfile": "nowhere"},
    ],
)
def test_keeps_silent_on_what_it_cannot_use(scripted, spec):
    scripted.create("silent", **({"url": SCRIPTED} | spec))
    until(lambda: "status" in model(scripted, "silent"))
    found = model(scripted, "silent")
    assert found["status"] == {"replicas": {"all": 0, "ready": 0}}
    assert found["metadata"]["labels"] == {"features.kubeai.org/TextGeneration": "true"}
    assert scripted.pods("silent") == []
    scripted.delete("silent")


def test_serves_from_a_cache_profile_of_its_own_configuration(scripted):
    scripted.create("cached", url="hf://org/cached", engine="VLLM", cacheProfile="disk")
    until(lambda: model(scripted, "cached").get("status", {}).get("cache") == {"loaded": True})
    assert until(lambda: scripted.pods("cached"))
    scripted.delete("cached")


def test_uses_the_profiles_of_its_own_configuration(scripted):
    pod = serve(scripted, "own", resourceProfile="1xa100:3")
    assert pod["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "1500m"}}
    text = scripted.api("GET", f"{CONFIG_MAPS}/kubeai-config")[1]["data"]["system.yaml"]
    assert {"cpu", "nvidia-gpu-l4", "1xa100"} <= yaml.safe_load(text)["resourceProfiles"].keys()
    scripted.delete("own")


def test_keeps_files_in_a_config_map_of_the_model(scripted):
    files = [{"path": "/etc/a.txt", "content": "A"}, {"path": "/b", "content": "B"}]
    pod = serve(scripted, "filed", files=files)
    stored = scripted.api("GET", f"{CONFIG_MAPS}/model-filed-files")[1]
    assert stored["data"] == {"_etc_a.txt": "A", "_b": "B"}
    assert stored["metadata"]["ownerReferences"][0]["name"] == "filed"
    mounts = [mount for mount in pod["spec"]["containers"][0]["volumeMounts"] if mount["name"] == "model-files"]
    assert [(mount["mountPath"], mount["subPath"]) for mount in mounts] == [("/etc/a.txt", "_etc_a.txt"), ("/b", "_b")]
    # Another content makes no new Pod, as in KubeAI.
    changed = [files[0] | {"content": "AA"}, files[1]]
    scripted.api("PATCH", f"{MODELS}/filed", {"spec": {"files": changed}})
    until(lambda: scripted.api("GET", f"{CONFIG_MAPS}/model-filed-files")[1]["data"]["_etc_a.txt"] == "AA")
    assert names(scripted.pods("filed")) == {pod["metadata"]["name"]}
    scripted.delete("filed")
    assert scripted.api("GET", f"{CONFIG_MAPS}/model-filed-files")[0] == 404


def test_gives_the_pod_environment_and_credentials_in_kubeais_order(scripted):
    scripted.create("env", url="hf://a/b", engine="VLLM", env={"B": "2", "A": "1"}, envFrom=[{"prefix": "x"}])
    pod = until(lambda: next(iter(scripted.pods("env")), None))
    container = pod["spec"]["containers"][0]
    token = {"secretKeyRef": {"name": "kubeai-huggingface", "key": "token", "optional": True}}
    assert container["env"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "2"},
        {"name": "HF_TOKEN", "valueFrom": token},
    ]
    assert container["envFrom"] == [{"prefix": "x"}]
    scripted.delete("env")


def test_rolls_out_with_a_surge_pod_while_the_old_ones_serve(scripted):
    serve(scripted, "rolled", minReplicas=2)
    old = until(lambda: ready_names(scripted, "rolled", 2))
    seen = []

    def done():
        pods = scripted.pods("rolled")
        seen.append((len(pods), sum(map(is_ready, pods))))
        return len(pods) == 2 and not names(pods) & old and all(map(is_ready, pods))

    scripted.api("PATCH", f"{MODELS}/rolled", {"spec": {"args": ["--answer-seconds=0.1"]}})
    until(done, 20)
    assert max(pods for pods, _ in seen) <= 4
    assert min(ready for _, ready in seen) >= 1
    scripted.delete("rolled")


def test_keeps_the_old_pod_while_the_new_one_never_gets_ready(scripted):
    old = serve(scripted, "stuck")["metadata"]["name"]
    scripted.api("PATCH", f"{MODELS}/stuck", {"spec": {"resourceProfile": "nvidia-gpu-l4:1"}})
    pods = until(lambda: len(pods := scripted.pods("stuck")) == 2 and pods)
    assert {pod["metadata"]["name"]: pod["status"]["phase"] for pod in pods}[old] == "Running"
    assert model(scripted, "stuck")["spec"]["replicas"] == 1
    scripted.delete("stuck")


def test_keeps_a_failed_pod_as_a_replica(scripted):
    scripted.create("failed", url=SCRIPTED, resourceProfile="nvidia-gpu-l4:1")
    pod = until(lambda: next(iter(scripted.pods("failed")), None))
    name = pod["metadata"]["name"]
    scripted.api("PATCH", f"{PODS}/{name}/status", {"status": {"phase": "Failed", "reason": "Evicted"}})
    scripted.api("PATCH", f"{MODELS}/failed", {"metadata": {"annotations": {"touched": "yes"}}})
    until(lambda: model(scripted, "failed").get("status") == {"replicas": {"all": 1, "ready": 0}})
    assert [pod["status"]["phase"] for pod in scripted.pods("failed")] == ["Failed"]
    scripted.delete("failed")


def test_scales_up_with_requests_and_back_to_zero(scripted):
    args = ["--answer-seconds=3"]
    limits = {"minReplicas": 0, "maxReplicas": 2, "targetRequests": 1, "scaleDownDelaySeconds": 1}
    scripted.create("scaled", url=SCRIPTED, args=args, **limits)
    until(lambda: "status" in model(scripted, "scaled"))
    body = {"model": "scaled", "prompt": "Hi"}
    threads = [threading.Thread(target=scripted.ask, args=("/completions", body)) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: model(scripted, "scaled")["spec"]["replicas"] == 2)
    state = json.loads(scripted.api("GET", f"{CONFIG_MAPS}/kubeai-autoscaler-state")[1]["data"]["models"])
    assert state["models"]["scaled"]["averageActiveRequests"] > 0
    for thread in threads:
        thread.join()
    until(lambda: model(scripted, "scaled")["spec"]["replicas"] == 0, 20)
    until(lambda: scripted.pods("scaled") == [])
    scripted.delete("scaled")


def test_leaves_replicas_alone_where_autoscaling_is_off(scripted):
    scripted.create("fixed", url=SCRIPTED, replicas=1, autoscalingDisabled=True, minReplicas=0)
    scripted.ready_pod("fixed")
    before = state_time(scripted)
    until(lambda: state_time(scripted) != before)
    assert model(scripted, "fixed")["spec"]["replicas"] == 1
    scripted.delete("fixed")


def ready_names(daemon, name, count):
    found = names(pod for pod in daemon.pods(name) if is_ready(pod))
    return found if len(found) == count else None


def state_time(daemon):
    state = daemon.api("GET", f"{CONFIG_MAPS}/kubeai-autoscaler-state")[1]["data"]["models"]
    return json.loads(state)["lastCalculationTime"]
