"""A Model's text reads nothing of its owner's shell, runs no code, opens no port, and stands in no process list."""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from kubeai_notebook.errors import KubeAIError
from tests.support.daemon import MODELS, Daemon, model_of, processes_of, waiting_reason
from tests.support.processes import command_lines, install, report
from tests.support.waiting import until

SECRETS = "/api/v1/namespaces/default/secrets"
OWNERS = ("OPENAI_API_KEY", "GITHUB_TOKEN", "JUPYTERHUB_API_TOKEN", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "MY_NOTE")
VALUE = "of-the-owners-shell"
REFERENCES = "|".join(f"$({name})" for name in (*OWNERS, "HOME", "LANG"))
LOADERS = ("PYTHONPATH", "PYTHONHOME", "LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "PATH", "HOME", "BASH_ENV",
           "GIT_SSH_COMMAND", "GCONV_PATH", "CUDA_INJECTION64_PATH", "GLIBC_TUNABLES", "OPENSSL_CONF",
           "AWS_CONFIG_FILE", "NCCL_NET_PLUGIN", "VLLM_LOGGING_CONFIG_PATH")  # fmt: skip
HARMLESS = {"PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "A": "$(B)", "B": "2"}


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    """A daemon that was started in a shell with keys, on a machine with all engines."""
    folder = tmp_path_factory.mktemp("bin")
    install(folder, "ollama", "infinity_emb", "vllm")
    shell = dict.fromkeys(OWNERS, VALUE) | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    running = Daemon(tmp_path_factory.mktemp("home"), **shell)
    running.start()
    yield running, folder
    running.stop()


@pytest.fixture
def daemon_of_tests(daemon):
    """The daemon of ``session``, asked by HTTP."""
    return Daemon(Path(os.environ["KUBEAI_LOCAL_HOME"]))


@pytest.fixture
def trace(tmp_path):
    """Where code that came with a Model tells that it ran."""
    return tmp_path / "trace"


@contextmanager
def served(running, name, **spec):
    """A Model that is there for as long as the test looks at it, however that ends."""
    running.create(name, **spec)
    try:
        yield
    finally:
        running.delete(name)


def program(trace):
    return f"open({str(trace)!r}, 'a').write('ran as uid ' + str(__import__('os').getuid()))"


@pytest.mark.finding("H6")
def test_puts_nothing_of_the_owners_shell_into_arguments(daemon_of_tests, tmp_path):
    running = Daemon(tmp_path / "home", **dict.fromkeys(OWNERS, VALUE))
    running.start()
    try:
        running.create("curious", args=[f"--note={REFERENCES}"], env={"NOTE": REFERENCES, "KNOWN": "declared"})
        pod = running.ready_pod("curious")
        engines = [pid for pid in processes_of(running.home) if pid != running.status()["pid"]]
        assert VALUE not in command_lines()
        assert VALUE not in running.log(pod)
        assert engines
        if sys.platform == "linux":
            environments = [Path(f"/proc/{pid}/environ").read_bytes().decode() for pid in engines]
            assert not [name for name in OWNERS if any(f"{name}=" in text for text in environments)]
            assert all("KNOWN=declared" in text and "PATH=" in text for text in environments)
    finally:
        running.stop()


@pytest.mark.finding("H6")
@pytest.mark.parametrize(
    ("engine", "name", "url"), [("OLlama", "ollama", "ollama://tiny:1b"), ("VLLM", "vllm", "hf://a/b")]
)
def test_gives_a_real_engine_nothing_of_the_owners_shell(owner, engine, name, url):
    running, folder = owner
    args = [f"--note={REFERENCES}", "--known=$(KNOWN)"]
    with served(running, "curious", engine=engine, url=url, args=args, env={"KNOWN": "declared"}):
        running.ready_pod("curious")
        said = report(folder, name)
    assert VALUE not in json.dumps(said)
    assert f"--note={REFERENCES}" in said["argv"]
    assert "--known=declared" in said["argv"]
    assert said["environ"]["KNOWN"] == "declared"


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "NOTE"])
def test_hides_the_owners_login_from_every_engine(owner, name):
    running, folder = owner
    with served(running, "curious", engine="VLLM", url="s3://a/b", env={name: "http://127.0.0.1:9"}):
        running.ready_pod("curious")
        environment = report(folder, "vllm")["environ"]
    assert environment[name] == "http://127.0.0.1:9"
    assert {environment.get(key) for key in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")} == {"/dev/null"}


def test_starts_nothing_whose_variables_double_each_other_and_says_which(daemon_of_tests):
    env = {"A00": "x" * 20} | {f"A{at:02}": f"$(A{at - 1:02})$(A{at - 1:02})" for at in range(1, 20)}
    with served(daemon_of_tests, "doubling", env=env):
        pod = until(lambda: next(filter(waiting_reason, daemon_of_tests.pods("doubling")), None), 20)
        assert waiting_reason(pod) == "CreateContainerConfigError"
        assert "A15" in pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"]


def test_starts_nothing_whose_arguments_repeat_a_variable_without_end(daemon_of_tests):
    args = ["--kept=1", *[f"--note={'$(A)' * 6}"] * 2]
    with served(daemon_of_tests, "repeating", args=args, env={"A": "x" * 100_000}):
        assert "args[2] comes, with all before it," in daemon_of_tests.log(daemon_of_tests.crashed_pod("repeating"))


@pytest.mark.finding("H7")
@pytest.mark.parametrize("name", LOADERS)
def test_refuses_a_variable_that_loads_code_whoever_writes_it(daemon_of_tests, name):
    status, answer = daemon_of_tests.api("POST", MODELS, model_of("program", minReplicas=0, env={name: "x"}))
    changed = (0, {})
    if status != 201:
        daemon_of_tests.create("program", minReplicas=0)
        changed = daemon_of_tests.api("PATCH", f"{MODELS}/program", {"spec": {"env": {name: "x"}}})
    daemon_of_tests.delete("program")
    assert (status, answer["reason"]) == (403, "Forbidden")
    assert name in answer["message"]
    assert "outside a container" in answer["message"]
    assert (changed[0], changed[1]["reason"]) == (403, "Forbidden")


@pytest.mark.finding("H7")
def test_takes_variables_that_load_nothing(daemon_of_tests):
    daemon_of_tests.create("plain", minReplicas=0, env=HARMLESS)
    daemon_of_tests.delete("plain")


@pytest.mark.finding("H7")
@pytest.mark.parametrize("field", ["env", "secrets"])
def test_refuses_a_variable_that_loads_code_before_anything_is_sent(session, daemon_of_tests, field):
    value = SecretStr("files/pkg") if field == "secrets" else "files/pkg"
    with pytest.raises(KubeAIError, match="PYTHONPATH.*outside a container"):
        session.serve(name="program", url="ollama://smollm2:135m", **{field: {"PYTHONPATH": value}})
    assert daemon_of_tests.api("GET", f"{MODELS}/program")[0] == 404
    assert daemon_of_tests.api("GET", f"{SECRETS}/kubeai-notebook-program")[0] == 404


@pytest.mark.finding("H7")
def test_says_in_a_dry_run_what_would_be_refused(session):
    planned = session.plan(name="program", url="ollama://smollm2:135m", env={"PYTHONPATH": "files/pkg"})
    assert "✗ The variable PYTHONPATH can make the engine run code" in repr(planned)


@pytest.mark.finding("H7")
def test_runs_no_code_that_comes_with_a_models_files(daemon_of_tests, session, trace):
    files = [{"path": "/pkg/sitecustomize.py", "content": program(trace)}]
    body = model_of("program", files=files, env={"PYTHONPATH": "files/pkg"})
    if daemon_of_tests.api("POST", MODELS, body)[0] == 201:
        daemon_of_tests.ready_pod("program")
        daemon_of_tests.delete("program")
    assert not trace.exists(), trace.read_text()


@pytest.mark.finding("H7")
def test_runs_no_code_whose_variable_comes_from_a_secret_and_says_why(daemon_of_tests, session, trace):
    data = {"PYTHONPATH": base64.b64encode(b"files/pkg").decode()}
    daemon_of_tests.api("POST", SECRETS, {"metadata": {"name": "loader"}, "data": data})
    files = [{"path": "/pkg/sitecustomize.py", "content": program(trace)}]

    def waits():
        found = daemon_of_tests.pods("program")
        return found and (waiting_reason(found[0]) or trace.exists())

    with served(daemon_of_tests, "program", files=files, envFrom=[{"secretRef": {"name": "loader"}}]):
        until(waits, 20)
        assert not trace.exists(), trace.read_text()
        (pod,) = daemon_of_tests.pods("program")
        assert waiting_reason(pod) == "CreateContainerConfigError"
        assert "PYTHONPATH" in pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
        found = until(lambda: session.attach("program").why().findings, 20)
        assert [(finding.code, finding.who) for finding in found] == [("CodeInEnvironment", "user")]
        # Without the variable it starts by itself.
        daemon_of_tests.api("PATCH", f"{SECRETS}/loader", {"data": {"PYTHONPATH": None}})
        daemon_of_tests.ready_pod("program")
    daemon_of_tests.api("DELETE", f"{SECRETS}/loader")


@pytest.mark.finding("H7")
def test_says_that_a_model_runs_as_its_user_here(session):
    said = repr(session.plan(name="plain", url="ollama://smollm2:135m"))
    assert said.count("runs as you on this machine") == 1


@pytest.mark.finding("H7")
def test_moves_whole_paths_of_files_only(owner):
    running, folder = owner
    files = [{"path": "/pk", "content": "x"}]
    args = ["--a=/pk", "--b=/pkg", "--c=/pk/x", "--d=/x/pk"]
    with served(running, "moved", url="ollama://tiny:1b", files=files, args=args, env={"NOTE": "/pkg"}):
        running.ready_pod("moved")
        said = report(folder, "ollama")
    assert said["argv"][1].endswith("/files/pk")
    assert said["argv"][2:] == args[1:]
    assert said["environ"]["NOTE"] == "/pkg"
    assert "files/pk" not in said["environ"]["PATH"]


OPENED = [
    ("VLLM", "vllm", ["--host=0.0.0.0"], {}),
    ("VLLM", "vllm", ["--host", "0.0.0.0", "--port", "1"], {"HOST": "0.0.0.0", "VLLM_HOST_IP": "0.0.0.0"}),
    ("VLLM", "vllm", ["--hos=0.0.0.0", "--uds=/tmp/x", "--ssl_keyfile=/k", "--middleware=a.b"], {}),
    ("OLlama", "ollama", [], {"OLLAMA_HOST": "0.0.0.0:11434"}),
    ("Infinity", "infinity_emb", ["--host", "0.0.0.0"], {"INFINITY_HOST": "0.0.0.0", "INFINITY_PORT": "1"}),
]  # fmt: skip


@pytest.mark.finding("M6")
@pytest.mark.parametrize(("engine", "name", "args", "env"), OPENED)
def test_lets_every_engine_listen_on_loopback_only(owner, engine, name, args, env):
    running, folder = owner
    url = "ollama://tiny:1b" if engine == "OLlama" else "hf://a/b"
    features = ["TextEmbedding"] if engine == "Infinity" else ["TextGeneration"]
    (folder / f"{name}.json").unlink(missing_ok=True)
    with served(running, "open", engine=engine, url=url, features=features, args=[*args, "--kept=1"], env=env):
        until((folder / f"{name}.json").exists, 20)
        said = until(lambda: json.loads((folder / f"{name}.json").read_text() or "null"))
        log = until(lambda: running.pods("open") and running.log(running.pods("open")[0]), 20)
    assert (said["host"], said["uds"], said["ssl"], said["middleware"]) == ("127.0.0.1", None, None, None)
    assert "--kept=1" in said["argv"]
    assert not [value for value in said["environ"].values() if value.startswith("0.0.0.0")]
    assert log.count("is left out") == len(args) - sum(not word.startswith("--") for word in args) + len(env)
    if engine != "OLlama":
        assert said["environ"]["PYTHONSAFEPATH"] == "1"


@pytest.mark.finding("M6")
def test_says_before_anything_is_sent_what_is_left_out(session):
    said = repr(session.plan(name="open", engine="VLLM", url="hf://a/b", args=["--uds=/tmp/x"], env={"PORT": "1"}))
    assert "--uds is left out" in said
    assert "PORT is left out" in said


STEERED = {
    "HF_ENDPOINT": "http://127.0.0.1:7", "HF_HOME": "/others", "https_proxy": "http://127.0.0.1:9",
    "XDG_CACHE_HOME": "/others", "HF_TOKEN_PATH": "/others/file", "AWS_WEB_IDENTITY_TOKEN_FILE": "/others/file",
    "GOOGLE_APPLICATION_CREDENTIALS": "/others/file", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9",
    "AWS_CSM_ENABLED": "true", "AWS_CSM_HOST": "others", "AWS_PROFILE": "others", "AWS_NEXT_YEARS": "others",
}  # fmt: skip
HIDDEN = [
    "--log-config-file=/others/l.json",
    "--structured-outputs-config.reasoning_parser_plugin=/others/p.py",
    '--kv-transfer-config={"kv_connector_module_path": "others"}',
    '--compilation-config={"backend": "others.run"}',
    '--speculative-config={"model": "a/others", "trust_remote_code": true}',
    '--kv-events-config={"endpoint": "tcp://*:5557", "topic": "others"}',
    "--allowed-local-media-path=/others",
    "--chat-template=/others/file",
]


@pytest.mark.finding("H7")
def test_lets_no_model_say_where_weights_come_from_nor_send_files_away(owner):
    running, folder = owner
    with served(running, "steered", engine="VLLM", url="hf://a/b", args=["--kept=1", *HIDDEN], env=STEERED):
        pod = running.ready_pod("steered")
        said, log = report(folder, "vllm"), running.log(pod)
    assert "--kept=1" in said["argv"]
    assert "others" not in " ".join(said["argv"])
    assert not [name for name, value in STEERED.items() if said["environ"].get(name) == value]
    assert log.count("is left out") == len(HIDDEN) + len(STEERED)


@pytest.mark.finding("H7")
def test_says_before_anything_is_sent_that_weights_come_from_elsewhere(session):
    said = repr(session.plan(name="steered", engine="VLLM", url="hf://a/b", env={"HF_ENDPOINT": "http://a"}))
    assert "HF_ENDPOINT is left out" in said


@pytest.mark.finding("H7")
def test_reads_no_file_of_the_user_as_a_template(daemon_of_tests, tmp_path):
    (tmp_path / "mine").write_text("{{ 'of-the-owner' }}")
    files = [{"path": "/t.jinja", "content": "{{ messages[0].content }}"}]
    for value, left_out in ((tmp_path / "mine", True), ("/t.jinja", False), ("{{ messages[0].content }}", False)):
        with served(daemon_of_tests, "templated", files=files, args=[f"--chat-template={value}"]):
            log = daemon_of_tests.log(daemon_of_tests.ready_pod("templated"))
        assert ("--chat-template is left out" in log) == left_out


@pytest.mark.finding("L6")
def test_shows_no_argument_of_a_model_in_the_list_of_processes(daemon_of_tests):
    with served(daemon_of_tests, "hidden", args=["--api-key=key-of-l6", "--api-key", "other-of-l6"]):
        daemon_of_tests.ready_pod("hidden")
        listed = command_lines()
    assert "llamacpp_worker" in listed
    assert "of-l6" not in listed


@pytest.mark.finding("L6")
@pytest.mark.parametrize(
    ("engine", "name", "variable"),
    [("VLLM", "vllm", "VLLM_API_KEY"), ("Infinity", "infinity_emb", "INFINITY_API_KEY")],
)
@pytest.mark.parametrize("args", [["--api-key", "key-of-l6"], ["--api_key=key-of-l6"]])
def test_gives_a_real_engine_its_key_by_the_environment(owner, engine, name, variable, args):
    running, folder = owner
    features = ["TextEmbedding"] if engine == "Infinity" else ["TextGeneration"]
    with served(running, "keyed", engine=engine, url="hf://a/b", features=features, args=args):
        running.ready_pod("keyed")
        said, listed = report(folder, name), command_lines()
    assert said["environ"][variable] == "key-of-l6"
    assert "of-l6" not in listed


@pytest.mark.finding("L6")
def test_shows_no_url_of_a_download_in_the_list_of_processes(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        running = Daemon(
            tmp_path / "home", KUBEAI_CACHE=str(tmp_path / "cache"), PIP_INDEX_URL=index, PIP_CONFIG_FILE=os.devnull
        )
        running.start()
        try:
            running.create("fetched")
            connection = silent.accept()[0]
            listed = command_lines()
            connection.close()
        finally:
            running.stop()
    fetching = [line for line in listed.splitlines() if "fetch_worker" in line]
    assert fetching
    assert not [line for line in fetching if "ollama://" in line]
