from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from kubeai_notebook.local.api.store import Store
from kubeai_notebook.local.emulation import environment
from kubeai_notebook.local.emulation.environment import ConfigError
from kubeai_notebook.local.emulation.kinds import CONFIG_MAPS, NAMESPACES, PODS, SECRETS, Ref
from kubeai_notebook.local.emulation.kubelet_states import NO_PLACE
from kubeai_notebook.local.environment import FETCHING, import_path, inherited
from kubeai_notebook.local.operator import kubelet
from kubeai_notebook.local.operator.container import MountError, data_of, files_of, kill_over, placed_in
from kubeai_notebook.local.operator.recorder import Recorder, RunLog


@pytest.fixture
def store():
    made = Store()
    made.create(NAMESPACES, {"metadata": {"name": "default"}})
    metadata = {"name": "mine", "namespace": "default"}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in {"A": "secret", "B": "other"}.items()}
    made.create(SECRETS, {"metadata": metadata, "data": encoded})
    made.create(CONFIG_MAPS, {"metadata": metadata, "data": {"A": "map", "C": "plain", "key": "content"}})
    return made


def pod(**container):
    server = {"name": "server", **container}
    volumes = [{"name": "model-files", "configMap": {"name": "mine"}}, {"name": "dshm", "emptyDir": {}}]
    return {"metadata": {"namespace": "default"}, "spec": {"containers": [server], "volumes": volumes}}


def environment_of(pod, store):
    return environment.environment_of(pod, partial(data_of, store, namespace="default"))


def key_of(name, key, **more):
    return {"valueFrom": {"secretKeyRef": {"name": name, "key": key, **more}}}


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"envFrom": [{"secretRef": {"name": "x"}}]}, 'secret "x" not found'),
        ({"envFrom": [{"configMapRef": {"name": "x"}}]}, 'configmap "x" not found'),
        ({"env": [{"name": "T", **key_of("mine", "t")}]}, "couldn't find key t in Secret default/mine"),
    ],
)
def test_words_a_missing_reference_as_the_kubelet_does(store, container, message):
    with pytest.raises(ConfigError) as refused:
        environment_of(pod(**container), store)
    assert refused.value.message == message


def test_inherits_paths_but_no_keys():
    paths = {"PATH": "/bin", "HF_HOME": "/hf", "https_proxy": "http://proxy", "LC_ALL": "C", "OMP_NUM_THREADS": "2"}
    keys = dict.fromkeys(("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "PGPASSWORD", "NVIDIA_API_KEY"), "x")
    loads = dict.fromkeys(("PYTHONPATH", "PYTHONSTARTUP", "BASH_ENV"), "x")
    assert inherited(paths | keys | loads) == paths | {"AWS_EC2_METADATA_DISABLED": "true"}


def test_lets_a_download_know_pips_settings_and_no_store_login():
    given = {"PIP_INDEX_URL": "https://me:pw@index", "AWS_ENDPOINT_URL": "http://s3", "AWS_SECRET_ACCESS_KEY": "x"}
    assert inherited(given, FETCHING).keys() == {"PIP_INDEX_URL", "AWS_ENDPOINT_URL", "AWS_EC2_METADATA_DISABLED"}
    assert "PIP_INDEX_URL" not in inherited(given)


def test_imports_nothing_from_the_working_folder():
    given = import_path({"PYTHONPATH": "/of/a/model", "A": "1"}, os.pathsep.join(("", ".", "here", "/abs")))
    assert given["PYTHONSAFEPATH"] == "1"
    paths = given["PYTHONPATH"].split(os.pathsep)
    assert paths[-1] == "/abs"
    assert all(Path(path).is_absolute() for path in paths)
    assert "/of/a/model" not in paths


@pytest.mark.parametrize(
    ("text", "placed"),
    [
        ("--template=/pk", "--template=HERE"),
        ("/a:/pk:/b", "/a:HERE:/b"),
        ('{"file": "/pk"}', '{"file": "HERE"}'),
        ("/pkg", "/pkg"),
        ("/pk/x", "/pk/x"),
        ("/pk.json", "/pk.json"),
        ("/home/pk", "/home/pk"),
        ("files/pk", "files/pk"),
        ("http://host/pk", "http://host/pk"),
        ("--x=/pk.d/a", "--x=LONGER"),
    ],
)
def test_puts_a_files_place_in_for_whole_paths_only(text, placed):
    assert placed_in(text, {"/pk": Path("HERE"), "/pk.d/a": Path("LONGER")}) == placed


@pytest.mark.parametrize("path", ["/config/key", "/../../config/key", "/config/../config/./key"])
def test_keeps_files_below_the_pods_folder(store, tmp_path, path):
    mounts = [{"name": "dshm", "mountPath": "/dev/shm"}, {"name": "model-files", "mountPath": path, "subPath": "key"}]
    placed = files_of(pod(volumeMounts=mounts), store, tmp_path)
    assert placed == {path: tmp_path / "config/key"}
    assert (tmp_path / "config/key").read_text() == "content"


@pytest.mark.parametrize("path", ["/", "/" + "x" * 300, "/a\0b"])
def test_explains_a_path_that_cannot_be_a_file(store, tmp_path, path):
    mounts = [{"name": "model-files", "mountPath": path, "subPath": "key"}]
    with pytest.raises(MountError, match="cannot be made"):
        files_of(pod(volumeMounts=mounts), store, tmp_path)


def test_kills_a_process_and_its_children_over_the_limit():
    program = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()']); print(1, flush=True); input()"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.read(1)
    assert not kill_over(10**12, process.pid)
    assert kill_over(1_000_000, process.pid)
    assert process.wait(10) == -9
    # Both ends of the pipe are closed: the child is gone as well.
    assert process.stdout.read() == b"\n"
    process.stdin.close()


def test_limits_a_log_and_keeps_the_part_before(tmp_path):
    log = RunLog(tmp_path / "0", max_bytes=100)
    for number in range(50):
        log.say(f"line {number}")
    assert (tmp_path / "0").read_text().endswith("Z line 49\n")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 200
    log.forget()
    assert list(tmp_path.iterdir()) == []


def test_tells_how_much_of_a_log_found_no_room(tmp_path):
    folder = tmp_path / "pod"
    folder.mkdir()
    log = RunLog(folder / "0", max_bytes=1000)
    folder.rename(tmp_path / "away")
    for _ in range(50):
        log.say("x" * 99)
    folder.mkdir()
    log.say("back")
    said = [line.partition("Z ")[2] for line in (folder / "0").read_text().splitlines()]
    assert said[-2].endswith("kB of log were lost here: No such file or directory")
    assert said[-1] == "back"


def test_ends_a_line_that_never_ends(tmp_path):
    log = RunLog(tmp_path / "0")
    for _ in range(40):
        log.write(b"x" * (1 << 16))
    assert (tmp_path / "0").stat().st_size > 1 << 20


def test_closes_a_log_and_opens_it_for_a_later_line(tmp_path):
    log = RunLog(tmp_path / "0")
    log.say("first")
    log.close()
    assert log._file is None
    log.say("second")
    log.close()
    assert [line.partition("Z ")[2] for line in (tmp_path / "0").read_text().splitlines()] == ["first", "second"]


def made_pod(store, name):
    labels = {"app.kubernetes.io/name": "vllm", "model": "m"}
    args = ["--model=hf://a/b", "--features=", "--lora=false"]
    spec = {"containers": [{"name": "server", "image": "i", "args": args}]}
    return store.create(PODS, {"metadata": {"name": name, "namespace": "default", "labels": labels}, "spec": spec})


def kubelet_of(store, folder, *, most_pods=1):
    weights = SimpleNamespace(missing_claim=lambda _url: None)
    runtime = SimpleNamespace(folder=folder / "pods", recorder=Recorder(store), weights=weights)
    return kubelet.Kubelet(store, runtime, most_pods=most_pods)


def test_leaves_no_log_open_at_a_pods_end(monkeypatch, tmp_path, store):
    opened = []

    class Noted(RunLog):
        def __init__(self, path):
            super().__init__(path)
            opened.append(self)

    async def contain(_kubelet, _run, _started, *, log):
        log.say("begun")
        raise OSError

    monkeypatch.setattr(kubelet, "RunLog", Noted)
    monkeypatch.setattr(kubelet.Kubelet, "_contain", contain)
    with pytest.raises(OSError, match="^$"):
        asyncio.run(kubelet_of(store, tmp_path)._lived(made_pod(store, "p")))
    assert [log._file for log in opened] == [None]


def test_runs_no_more_pods_at_a_time_than_a_node_has_places(monkeypatch, tmp_path, store):
    async def contain(_kubelet, _run, _started, *, log):
        await asyncio.Event().wait()

    def places():
        pods = {pod["metadata"]["name"]: pod for pod in store.items(PODS)}
        return {name: "here" if pod["spec"].get("nodeName") else told(pod) for name, pod in pods.items()}

    def told(pod):
        conditions = pod.get("status", {}).get("conditions", [])
        return [condition.get("message") for condition in conditions]

    async def lived(*turns):
        running = asyncio.create_task(kubelet_of(store, tmp_path, most_pods=2).run())
        async with asyncio.timeout(10):
            for gone, then in turns:
                if gone:
                    store.remove(Ref(PODS, "default", gone))
                while places() != then:
                    await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    monkeypatch.setattr(kubelet.Kubelet, "_contain", contain)
    for name in ("p1", "p2", "p3", "p4"):
        made_pod(store, name)
    waits = [NO_PLACE]
    first = {"p1": "here", "p2": "here", "p3": waits, "p4": waits}
    second = {"p2": "here", "p3": "here", "p4": waits}
    asyncio.run(lived(("", first), ("p1", second), ("p3", {"p2": "here", "p4": "here"})))
