"""What the attacks on processes share: programs that play engines and tell how they were started, and full disks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# As the real programs read it: arguments by argparse (with its abbreviations, the last counting), addresses by the
# environment. It answers everything, and writes four kilobytes of log for each request.
PROGRAM = """#!{python}
import argparse, http.server, json, os, sys, time
if sys.argv[1:2] in (["pull"], ["cp"], ["run"]):
    sys.exit(0)
parser = argparse.ArgumentParser(add_help=False)
for name in ("--host", "--port", "--uds", "--ssl-keyfile", "--middleware", "--api-key"):
    parser.add_argument(name)
told, _ = parser.parse_known_args([word.replace("_", "-") if word[:2] == "--" else word for word in sys.argv[1:]])
host, _, port = os.environ.get("OLLAMA_HOST", "").rpartition(":")
host = told.host or os.environ.get("INFINITY_HOST") or host
port = told.port or os.environ.get("INFINITY_PORT") or port
said = {{"argv": sys.argv[1:], "environ": dict(os.environ), "host": host, "uds": told.uds, "ssl": told.ssl_keyfile}}
with open({report!r}, "w") as file:
    json.dump(said | {{"middleware": told.middleware}}, file)
class Engine(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{{"choices": [{{"text": " played"}}], "data": []}}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()
    def log_message(self, *_):
        sys.stderr.write("x" * 3999 + chr(10))
        sys.stderr.flush()
http.server.HTTPServer(("127.0.0.1", int(port)), Engine).serve_forever()
"""


def install(folder: Path, *programs: str) -> None:
    """Put programs that play engines into a folder; ``vllm`` is the ``python`` beside it."""
    for name in programs:
        path = folder / ("python" if name == "vllm" else name)
        path.write_text(PROGRAM.format(python=sys.executable, report=str(folder / f"{name}.json")))
        path.chmod(0o755)
    if "vllm" in programs:
        (folder / "vllm").touch()
        (folder / "vllm").chmod(0o755)


def report(folder: Path, program: str) -> dict[str, Any]:
    """How the program was started last."""
    return dict(json.loads((folder / f"{program}.json").read_text()))


def command_lines() -> str:
    """What ``ps`` shows everybody."""
    return subprocess.run(["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=True).stdout


@contextmanager
def small_disk(folder: Path, *, size: str = "4m", options: str = "rw") -> Iterator[Path]:
    """A disk of its own at a folder; only root on Linux may make one."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("a small disk is made by mounting a tmpfs, which root on Linux may do")
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},{options}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no room on a disk; the file to delete."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return path
    return path
