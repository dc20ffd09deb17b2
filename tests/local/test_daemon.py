from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local import app
from kubeai_notebook.local.__main__ import main
from kubeai_notebook.local.daemon import READY, start, status
from kubeai_notebook.local.home import Home
from tests.support.daemon import MODELS, SCRIPTED, is_alive, processes_of, scripted_options
from tests.support.waiting import until


def test_gives_one_daemon_for_two_starts_at_once(make_daemon):
    running = make_daemon()
    pid = running.status()["pid"]
    with ThreadPoolExecutor(3) as pool:
        paths = set(pool.map(lambda _: running.start(), range(3)))
    assert paths == {running.home / "kubeconfig"}
    assert running.status()["pid"] == pid
    assert processes_of(running.home) == [pid]


@dataclass(frozen=True)
class Ending(Home):
    """The home of a daemon that is gone when it is looked for again."""

    pids: list[int | None] = field(default_factory=lambda: [1])

    def pid(self) -> int | None:
        return self.pids.pop() if self.pids else None


def test_says_that_it_has_stopped_where_it_ends_while_it_is_asked(make_daemon):
    assert not status(Ending(make_daemon().home))["running"]


def test_says_that_it_has_stopped_where_it_hangs_up_before_it_is_gone(make_daemon):
    ended = make_daemon()
    ended.stop()
    assert not status(Ending(ended.home, pids=[1, 1, 1]))["running"]


def test_starts_anew_where_the_one_before_is_just_ending(make_daemon):
    ended = make_daemon()
    ended.stop()
    home = Ending(ended.home, pids=[1, 1, 1])
    assert start(home, ["run", "--home", str(home.folder)], dict(os.environ))
    assert ended.status()["running"]


def test_stop_leaves_no_process(make_daemon):
    running = make_daemon()
    running.create("smol")
    running.ready_pod("smol")
    assert len(processes_of(running.home)) == 2
    running.stop()
    assert processes_of(running.home) == []
    assert running.status() == {
        "running": False,
        "pid": None,
        "kubeconfig": None,
        "api": None,
        "gateway": None,
        "models": [],
    }
    running.stop()


def test_engines_die_with_a_daemon_that_is_killed(make_daemon):
    running = make_daemon()
    running.create("smol")
    running.ready_pod("smol")
    engine = next(pid for pid in processes_of(running.home) if pid != running.status()["pid"])
    os.kill(running.status()["pid"], signal.SIGKILL)
    until(lambda: not is_alive(engine))
    assert running.status()["running"] is False


def test_serves_the_same_models_after_it_was_killed(make_daemon, tmp_path):
    running = make_daemon(*scripted_options(tmp_path), KUBEAI_LOCAL_TESTING="1")
    running.create("kept", url=SCRIPTED)
    secret = {"metadata": {"name": "token"}, "stringData": {"a": "b"}}
    running.api("POST", "/api/v1/namespaces/default/secrets", secret)
    running.api("POST", "/api/v1/namespaces", {"metadata": {"name": "other"}})
    old = running.ready_pod("kept")["metadata"]["name"]
    before = running.api("GET", MODELS)[1]
    running.create("last", url=SCRIPTED)
    os.kill(running.status()["pid"], signal.SIGKILL)
    running.start()
    after = {model["metadata"]["name"]: model for model in running.api("GET", MODELS)[1]["items"]}
    assert after.keys() == {"kept", "last"}
    assert after["kept"]["metadata"]["uid"] == before["items"][0]["metadata"]["uid"]
    assert running.ready_pod("kept")["metadata"]["name"] != old
    running.ready_pod("last")
    assert running.api("GET", "/api/v1/namespaces/default/secrets/token")[1]["data"] == {"a": "Yg=="}
    assert running.api("GET", "/api/v1/namespaces/other")[0] == 200
    # Versions go on rising, and a watch from the old life is told to list again.
    version = before["metadata"]["resourceVersion"]
    assert int(running.api("GET", MODELS)[1]["metadata"]["resourceVersion"]) > int(version)
    with running.request("GET", f"{MODELS}?watch=1&resourceVersion={version}") as response:
        assert json.loads(response.readline())["object"]["code"] == 410


def test_explains_a_state_that_cannot_be_read(make_daemon):
    running = make_daemon()
    running.stop()
    (running.home / "state.db").write_text("no database " * 100)
    done = running.command("start")
    assert done.returncode == 1
    assert "The state in" in done.stderr.splitlines()[-1]


def test_refuses_the_test_engine_without_its_flag(make_daemon, tmp_path):
    running = make_daemon()
    running.stop()
    done = running.command("start", *scripted_options(tmp_path))
    assert done.returncode == 1
    assert "--test-engine is for this project's own tests." in done.stderr


@pytest.mark.parametrize("text", ["- a list", "resourceProfiles: 5", "a: [", "a: !!python/name:os.system"])
def test_explains_a_wrong_configuration(kubeai, tmp_path, text):
    (tmp_path / "system.yaml").write_text(text)
    done = kubeai.command("start", "--config", str(tmp_path / "system.yaml"), "--home", str(tmp_path / "other"))
    assert done.returncode == 1
    assert "KubeAI's configuration" in done.stderr.splitlines()[-1]


def test_keeps_the_kubeconfig_valid_over_a_restart(make_daemon):
    running = make_daemon()
    before = running.kubeconfig
    running.stop()
    running.start()
    assert running.kubeconfig == before
    assert running.api("GET", MODELS)[0] == 200


def test_takes_new_ports_when_the_old_ones_are_taken(make_daemon):
    first, second = make_daemon(), make_daemon()
    second.stop()
    for name in ("kubeconfig", "server.pem"):
        (second.home / name).write_text((first.home / name).read_text())
    second.start()
    assert second.status()["api"] != first.status()["api"]
    assert second.api("GET", MODELS)[0] == 200


def test_says_where_it_is(kubeai):
    status = kubeai.status()
    assert status["running"] is True
    assert status["kubeconfig"] == str(kubeai.home / "kubeconfig")
    cluster = kubeai.kubeconfig["clusters"][0]["cluster"]
    assert cluster["server"] == status["api"]
    gateway = {"url": status["gateway"], "tls": f"{status['api']}/openai/v1"}
    assert cluster["extensions"] == [{"name": "kubeai-notebook/gateway", "extension": gateway}]


def test_hides_its_secrets_from_other_users(kubeai):
    for name in ("kubeconfig", "server.pem", "state.db", "state.db-wal"):
        assert stat.S_IMODE((kubeai.home / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(kubeai.home.stat().st_mode) == 0o700


def test_says_that_a_daemon_that_runs_takes_no_other_options(kubeai, tmp_path, capsys):
    where = ["--home", str(kubeai.home)]
    assert main(["start", *where]) == 0
    assert capsys.readouterr().err == "kubeai-local was running already.\n"
    assert main(["start", *where, "--cache", str(tmp_path), f"--cache={tmp_path}"]) == 0
    said = "so --cache changed nothing: kubeai-local stop comes first."
    assert capsys.readouterr().err == f"kubeai-local was running already, {said}\n"


def test_refuses_a_second_daemon_in_the_foreground(kubeai):
    done = kubeai.command("run")
    assert done.returncode == 1
    assert "A daemon runs in" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("mapping", ["nonsense", "ollama://a=/does/not/exist"])
def test_explains_wrong_weights(kubeai, mapping):
    done = kubeai.command("start", "--weights", mapping, "--home", str(kubeai.home / "other"))
    assert done.returncode == 1
    assert not done.stdout
    assert mapping.partition("=")[0] in done.stderr.splitlines()[-1]


def test_names_the_extra_to_install(tmp_path):
    code = (
        "import sys; from importlib import abc\n"
        "class Hidden(abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'xllamacpp': raise ModuleNotFoundError(name)\n"
        "import importlib.util as util; found = util.find_spec\n"
        "util.find_spec = lambda name, package=None: None if name == 'xllamacpp' else found(name, package)\n"
        "from kubeai_notebook.local.__main__ import main\n"
        f"sys.exit(main(['start', '--home', {str(tmp_path)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith('Install it with: pip install "kubeai-notebook[local]"')


def test_shows_the_log_of_a_model(kubeai, smol):
    done = kubeai.command("logs", smol)
    assert "standing in for OLlama" in done.stdout
    assert "ready: https://127.0.0.1:" in kubeai.command("logs").stdout


def test_status_counts_the_models(kubeai, smol):
    assert {"name": smol, "replicas": 1, "ready": 1} in json.loads(kubeai.command("status", "--json").stdout)["models"]


def ran(monkeypatch, home, result):
    """What the starter of a daemon reads that behaves so, until the pipe is closed."""
    readable, writable = os.pipe()
    os.set_blocking(readable, False)

    def run(_home, options, _environment):
        if isinstance(result, Exception):
            raise result
        os.write(options.ready_fd, READY)

    monkeypatch.setattr(app, "run", run)
    try:
        main(["run", "--home", str(home), "--ready-fd", str(writable)])
        said = os.read(readable, 1 << 16)
        assert os.read(readable, 1) == b""
        return said
    finally:
        os.close(readable)


def test_tells_its_starter_how_it_went_and_closes_the_pipe(monkeypatch, tmp_path):
    assert ran(monkeypatch, tmp_path, None) == READY
    said = ran(monkeypatch, tmp_path, LocalError("1 file is damaged."))
    assert said == b"1 file is damaged."
    assert not said.startswith(READY)
    assert not ran(monkeypatch, tmp_path, LocalError("\x06 is no text.")).startswith(READY)
