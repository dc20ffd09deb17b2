"""A full or useless disk costs log lines and gives sentences; no engine falls silent and nobody sees a stack."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.attack import rounds
from tests.support.daemon import SCRIPTED, Daemon, is_ready, scripted_options
from tests.support.processes import fill, install, small_disk
from tests.support.waiting import until

ANSWERED = rounds(full=400, short=150)
BODY = {"model": "chatty", "prompt": "x"}


@pytest.mark.finding("H2")
def test_goes_on_serving_while_its_log_finds_no_room(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    install(programs, "ollama")
    with small_disk(tmp_path / "disk") as disk:
        running = Daemon(disk / "home", PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
        running.start()
        try:
            running.create("chatty", url="ollama://tiny:1b")
            pod = running.ready_pod("chatty")
            filler = fill(disk)
            for _ in range(ANSWERED):
                assert running.ask("/completions", BODY)[0] == 200
            filler.unlink()
            assert running.ask("/completions", BODY)[0] == 200
            lost = until(lambda: [line for line in running.log(pod).splitlines() if "of log were lost" in line])
            assert lost[0].endswith("No space left on device")
        finally:
            running.stop()


@pytest.mark.finding("H2")
@pytest.mark.finding("M2")
def test_starts_a_pod_again_once_there_is_room(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        running = Daemon(disk / "home", *scripted_options(tmp_path), KUBEAI_LOCAL_TESTING="1")
        running.start()
        try:
            running.create("late", url=SCRIPTED)
            first = running.ready_pod("late")
            filler = fill(disk)
            # Pods are in no file: the one that follows begins on a disk without room for its folder or its log.
            running.api("DELETE", f"/api/v1/namespaces/default/pods/{first['metadata']['name']}")
            followed = until(lambda: [pod for pod in running.pods("late") if pod != first and _new(pod, first)], 20)
            assert followed
            filler.unlink()
            until(lambda: any(is_ready(pod) and _new(pod, first) for pod in running.pods("late")), 30)
            assert running.ask("/completions", BODY | {"model": "late"})[0] == 200
        finally:
            running.stop()


def _new(pod, first):
    return pod["metadata"]["uid"] != first["metadata"]["uid"]


def sentence(done):
    """The one line that a command says when it fails."""
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


@pytest.mark.finding("L7")
def test_names_the_full_disk_that_it_cannot_start_on(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        running = Daemon(disk / "home")
        running.start()
        running.stop()
        fill(disk)
        said = sentence(running.command("start"))
        assert "is full" in said
        assert "Error" not in said
        assert 'File "' not in said


@pytest.mark.finding("L8")
@pytest.mark.parametrize("command", ["start", "stop", "logs", "status"])
@pytest.mark.parametrize("kind", ["file", "below a file", "proc", "read-only"])
def test_explains_a_folder_that_it_cannot_use(tmp_path, command, kind):
    if kind == "proc" and not Path("/proc/self").exists():
        pytest.skip("there is no /proc here")
    (tmp_path / "file").touch()
    homes = {"file": tmp_path / "file", "below a file": tmp_path / "file" / "home"}
    if kind == "read-only":
        with small_disk(tmp_path / "disk", options="ro") as disk:
            explained(Daemon(disk / "home").command(command))
    elif kind == "proc":
        explained(Daemon(Path("/proc/kubeai-local")).command(command))
    else:
        explained(Daemon(homes[kind]).command(command))


def explained(done):
    """One sentence, be it that nothing runs or that the folder cannot be used."""
    assert "Traceback" not in done.stderr
    assert len((done.stdout + done.stderr).strip().splitlines()) <= 1
    assert done.returncode in (0, 1)
