"""A daemon's folder after a full disk, a bad restore or somebody's hands were in it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from tests.support.attack import FULL
from tests.support.daemon import MODELS, Daemon, model_of
from tests.support.network import gateway_of
from tests.support.processes import small_disk

CASES = yaml.safe_load((Path(__file__).parents[1] / "golden" / "damaged_home.yaml").read_text())
EVERY = 1 if FULL else 15
"""Which of the cases the short form tries: each ninth."""


def cases(kind):
    return [pytest.param(case, id=case["name"]) for case in CASES[kind][::EVERY]]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """A home whose daemon has a Model and was stopped, and another one's certificate."""
    folder = tmp_path_factory.mktemp("healthy")
    for name in ("home", "other"):
        running = Daemon(folder / name)
        running.start()
        running.create("kept", minReplicas=0)
        running.stop()
    return folder


@pytest.fixture
def home(healthy, tmp_path):
    shutil.copytree(healthy / "home", tmp_path / "home")
    running = Daemon(tmp_path / "home")
    yield running
    running.command("stop")


def damage(case, home, other):
    path = home / case["file"]
    if "sql" in case:
        with sqlite3.connect(path) as table:
            table.executescript(case["sql"])
        table.close()
        return
    before = path.read_bytes() if path.is_file() else b""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if "folder" in case:
        path.mkdir()
    elif "link" in case:
        path.symlink_to(home / "nowhere" / "at all")
    elif "of" in case:
        shutil.copy(other / case["file"], path)
    elif "delete" not in case:
        path.write_bytes(damaged(case, before))


def damaged(case, before):
    if "text" in case:
        return case["text"].encode()
    if "bytes" in case:
        return bytes.fromhex(case["bytes"])
    if "cut" in case:
        return before[: case["cut"]]
    if "replace" in case:
        old, new = (word.encode() for word in case["replace"])
        assert old in before
        return before.replace(old, new)
    patch = bytes.fromhex(case["overwrite"])
    return before[: case["at"]] + patch + before[case["at"] + len(patch) :]


def said_in_a_sentence(done, *names):
    """Whether a command ended in one sentence that names a thing, with a next step and no stack."""
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert all(name in last for name in names), last
    assert last.endswith(".")
    return last


def answering(running):
    status, body = running.api("GET", MODELS)
    assert status == 200
    return [item["metadata"]["name"] for item in body["items"]]


@pytest.mark.finding("L3")
@pytest.mark.parametrize("case", cases("state"))
def test_never_loses_models_without_a_word(home, healthy, case):
    damage(case, home.home, healthy / "other")
    path = home.home / "state.db"
    before = path.read_bytes() if path.is_file() else None
    done = home.command("start")
    if done.returncode == 0:
        assert answering(home) == ["kept"] or "there are no Models" in done.stderr
    else:
        said_in_a_sentence(done, "state.db", "Move it away")
        assert (path.read_bytes() if path.is_file() else None) == before
        for name in ("state.db", "state.db-wal", "state.db-shm"):
            with suppress(FileNotFoundError):
                (home.home / name).rename(home.home / f"{name}.away")
        home.start()
        assert answering(home) == []


@pytest.mark.finding("L3")
@pytest.mark.parametrize("case", cases("certificate"))
def test_makes_a_damaged_certificate_anew_and_says_so(home, healthy, case):
    damage(case, home.home, healthy / "other")
    done = home.command("start")
    assert done.returncode == 0, done.stderr
    assert answering(home) == ["kept"]
    assert "server.pem was damaged and was made anew" in done.stderr
    assert "server.pem was damaged" in (home.home / "daemon.log").read_text()
    assert "server.pem was damaged" in home.command("status").stdout


@pytest.mark.finding("L3", "H5")
@pytest.mark.parametrize("case", cases("kubeconfig"))
def test_makes_a_damaged_kubeconfig_anew_and_keeps_the_gateways_port(home, healthy, case):
    gateway = gateway_of(home)
    damage(case, home.home, healthy / "other")
    done = home.command("start")
    if done.returncode:
        said_in_a_sentence(done, case["file"], "Move it away")
        path = home.home / case["file"]
        path.rename(path.with_suffix(".away"))
        home.start()
    elif case["file"] == "kubeconfig" and "delete" not in case:
        assert "kubeconfig was damaged and was made anew" in done.stderr
    assert answering(home) == ["kept"]
    assert gateway_of(home) == gateway


@pytest.mark.finding("L3")
def test_says_what_to_do_when_the_kubeconfig_is_damaged_while_it_runs(home):
    home.start()
    (home.home / "kubeconfig").write_text("{")
    for command in ("start", "status", "logs"):
        done = home.command(*([command, "kept"] if command == "logs" else [command]))
        said_in_a_sentence(done, "kubeconfig is damaged", "kubeai-local stop, then kubeai-local start")
    home.stop()
    home.start()
    assert answering(home) == ["kept"]


def unusable(folder):
    """Places that can be no home."""
    (folder / "a file").write_text("")
    return {"/proc": Path("/proc/kubeai"), "a file": folder / "a file", "below a file": folder / "a file" / "home"}


@pytest.mark.finding("L8")
@pytest.mark.parametrize("where", ["/proc", "a file", "below a file"])
def test_says_that_a_place_can_be_no_home(tmp_path, where):
    place = unusable(tmp_path)[where]
    running = Daemon(place)
    for command in ("start", "stop", "run"):
        said_in_a_sentence(running.command(command), str(place))
    for command in ("status", "logs", "token"):
        assert "Traceback" not in running.command(command).stderr


@pytest.mark.finding("L8")
def test_says_that_a_disk_is_read_only(tmp_path):
    with small_disk(tmp_path / "disk", size="12m", options="ro") as disk:
        for command in ("start", "stop"):
            said_in_a_sentence(Daemon(disk / "home").command(command), str(disk), "Read-only file system")


@pytest.mark.finding("L7")
def test_lets_the_user_delete_models_on_a_full_disk(tmp_path):
    with small_disk(tmp_path / "disk", size="12m") as disk:
        running = Daemon(disk / "home")
        running.start()
        try:
            for number in range(5):
                running.create(f"m{number}", minReplicas=0, args=["x" * 50_000])
            fill(disk / "noise")
            status, body = running.api("POST", MODELS, model_of("more", minReplicas=0, args=["x" * 500_000]))
            assert status == 507
            assert "the disk is full" in body["message"]
            assert str(running.home / "state.db") in body["message"]
            for number in range(5):
                assert running.api("DELETE", f"{MODELS}/m{number}")[0] == 200
                fill(disk / f"noise{number}")
            assert answering(running) == []
            (disk / "noise").unlink()
            assert running.api("POST", MODELS, model_of("more", minReplicas=0))[0] == 201
        finally:
            running.stop()


def fill(path):
    with suppress(OSError), path.open("wb", buffering=0) as noise:
        while True:
            noise.write(b"x" * 4096)
