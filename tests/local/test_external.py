"""How engines that a machine has are started; the programs here play a script, so nothing about answers is shown."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.support.daemon import processes_of
from tests.support.waiting import until

SERVER = f"""#!{sys.executable}
import http.server, json, os, sys
class Engine(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({{}})
    def do_POST(self):
        size = int(self.headers["Content-Length"])
        kept = {{key: value for key, value in os.environ.items() if key.startswith(("INFINITY", "OLLAMA"))}}
        said = {{"body": json.loads(self.rfile.read(size)), "environ": kept, "args": sys.argv[1:]}}
        self.answer(said | {{"authorization": self.headers["Authorization"]}})
    def answer(self, said):
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
if sys.argv[1] in ("pull", "cp", "run"):
    print("did", *sys.argv[1:], flush=True)
    sys.exit("Error: pull model manifest: file does not exist" if "missing" in sys.argv[2] else 0)
port = os.environ.get("INFINITY_PORT") or os.environ["OLLAMA_HOST"].rpartition(":")[2]
http.server.HTTPServer(("127.0.0.1", int(port)), Engine).serve_forever()
"""


@pytest.fixture(scope="module")
def equipped(tmp_path_factory):
    """A daemon on a machine with ``ollama`` and ``infinity_emb``."""
    from tests.support.daemon import Daemon

    folder = tmp_path_factory.mktemp("bin")
    for name in ("ollama", "infinity_emb"):
        (folder / name).write_text(SERVER)
        (folder / name).chmod(0o755)
    daemon = Daemon(tmp_path_factory.mktemp("home"), PATH=f"{folder}{os.pathsep}{os.environ['PATH']}")
    daemon.start()
    yield daemon
    daemon.stop()


def test_starts_infinity_as_kubeai_does(equipped):
    url = "hf://BAAI/bge-small-en-v1.5"
    equipped.create("vectors", engine="Infinity", features=["TextEmbedding"], url=url, args=["--a b"])
    pod = equipped.ready_pod("vectors")
    assert pod["spec"]["containers"][0]["image"].endswith("/infinity_emb")
    assert "kubeai-notebook/stand-in-for" not in pod["metadata"]["annotations"]
    status, text = equipped.ask("/embeddings", {"model": "vectors", "input": "x"}, Authorization="Bearer mine")
    said = json.loads(text)
    assert (status, said["args"], said["authorization"]) == (200, ["v2", "--a b"], "Bearer mine")
    assert said["environ"]["INFINITY_MODEL_ID"] == "BAAI/bge-small-en-v1.5"
    assert said["environ"]["INFINITY_SERVED_MODEL_NAME"] == "vectors"
    equipped.delete("vectors")


def test_pulls_with_ollama_before_it_is_ready(equipped):
    equipped.create("llama", url="ollama://tiny:1b?insecure=true")
    log = equipped.log(equipped.ready_pod("llama"))
    said = [line for line in log.splitlines() if line.startswith("did")]
    assert said == ["did pull --insecure tiny:1b", "did cp tiny:1b llama", "did run llama hi"]
    equipped.delete("llama")


def test_fails_in_ollamas_words(equipped):
    equipped.create("gone", url="ollama://missing:1b")
    assert "Error: pull model manifest: file does not exist" in equipped.log(equipped.crashed_pod("gone"))
    equipped.delete("gone")
    until(lambda: len(processes_of(equipped.home)) == 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child whose parent was killed")
def test_leaves_no_engine_when_the_daemon_is_killed(equipped):
    equipped.create("orphan", url="ollama://tiny:1b")
    equipped.ready_pod("orphan")

    def serving():
        listed = subprocess.run(["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=True).stdout
        return [line for line in listed.splitlines() if "/ollama serve" in line]

    assert serving()
    os.kill(equipped.status()["pid"], signal.SIGKILL)
    until(lambda: not serving())
