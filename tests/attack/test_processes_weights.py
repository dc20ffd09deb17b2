"""Weights that were damaged in the cache are never served; they are fetched again, and the log says so."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml

import kubeai_notebook
from tests.support.attack import rounds
from tests.support.daemon import MODELS, Daemon
from tests.support.waiting import until

LISTED = yaml.safe_load((Path(kubeai_notebook.__file__).parent / "local" / "weights" / "packages.yaml").read_text())
(SMOL,) = [entry for entry in LISTED if "ollama://smollm2:135m" in entry["urls"]]
((MEMBER, SUM),) = SMOL["files"].items()
KEPT = f"{SUM[:12]}-{SMOL['title']}"


def truncated(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    os.truncate(path, 0)


def garbage(path):
    path.write_bytes(b"garbage" * 1000)


def zeros_inside(path):
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(1024))


DAMAGES = [zeros_inside, truncated, empty, garbage][: rounds(full=4, short=1)]


@pytest.fixture(scope="module")
def index(daemon, tmp_path_factory):
    """A package index in a folder, with the very weights."""
    running = Daemon(Path(os.environ["KUBEAI_LOCAL_HOME"]))
    running.create("first")
    running.ready_pod("first")
    running.delete("first")
    folder = tmp_path_factory.mktemp("index")
    name, _, version = SMOL["requirement"].partition("==")
    base = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(folder / f"{base}-py3-none-any.whl", "w") as wheel:
        wheel.write(Path(os.environ["KUBEAI_CACHE"]) / KEPT, MEMBER)
        wheel.writestr(f"{base}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{base}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{base}.dist-info/RECORD", "")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def caching(index, tmp_path_factory):
    """A daemon with a cache of its own, and its one Model."""
    cache = tmp_path_factory.mktemp("cache")
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": os.devnull}
    running = Daemon(tmp_path_factory.mktemp("home"), KUBEAI_CACHE=str(cache), **pip)
    shutil.copy(Path(os.environ["KUBEAI_CACHE"]) / KEPT, cache / KEPT)
    running.start()
    running.create("heals")
    running.ready_pod("heals")
    yield running, cache / KEPT
    running.stop()
    shutil.rmtree(cache)


def served_again(running, meanwhile):
    """The Model's next Pod and its log, after something happened while it slept."""
    running.api("PATCH", f"{MODELS}/heals", {"spec": {"minReplicas": 0, "replicas": 0}})
    until(lambda: not running.pods("heals"), 20)
    meanwhile()
    running.api("PATCH", f"{MODELS}/heals", {"spec": {"minReplicas": 1, "replicas": 1}})

    def ready():
        return next((pod for pod in running.pods("heals") if _is_ready(pod)), None)

    pod = until(ready, 40)
    return pod, running.log(pod)


def _is_ready(pod):
    return any(item["type"] == "Ready" and item["status"] == "True" for item in pod["status"].get("conditions", []))


def sum_of(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.finding("M15")
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_fetches_damaged_weights_again(caching, damage):
    running, path = caching
    pod, log = served_again(running, lambda: damage(path))
    assert sum_of(path) == SUM
    assert "are damaged" in log
    assert "WeightsDamaged" in running.events(pod)


@pytest.mark.finding("M15")
def test_fetches_nothing_again_that_is_whole(caching):
    running, path = caching
    inode = path.stat().st_ino
    pod, log = served_again(running, lambda: None)
    assert path.stat().st_ino == inode
    assert "already on this machine" in log
    assert "WeightsDamaged" not in running.events(pod)
