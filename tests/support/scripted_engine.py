"""An engine that plays a script instead of a model, where a test is about everything around it.

The Model's arguments, a JSON list on the first line of stdin, are the script: ``--answer-seconds=2`` (how long a
request takes), ``--exit=3`` (ends at once).
With a file ``<Model>.json`` in the folder FAULTS it plays a recorded fault for as long as its cause is there.
The daemon takes it only with ``--test-engine FILE`` and ``KUBEAI_LOCAL_TESTING=1`` in its environment.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubeai_notebook.local import leash

if TYPE_CHECKING:
    from collections.abc import Callable

Object = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--answer-seconds", type=float, default=0)
    parser.add_argument("--exit", type=int)
    given = json.loads(sys.stdin.readline()) if "--" not in sys.argv else sys.argv[sys.argv.index("--") + 1 :]
    options, _ = parser.parse_known_args([*(word for word in sys.argv[1:] if word != "--"), *given])
    leash.tie_to(options.parent)
    sys.stderr.write(f"scripted engine for {options.alias}\n")
    if options.exit is not None:
        return int(options.exit)
    answer: Object = {"choices": [{"text": " scripted"}], "model": options.alias}
    fault = Path(os.environ.get("FAULTS", "/dev/null")) / f"{options.alias}.json"
    if fault.exists():
        told = _played(fault, given)
        if isinstance(told, int):
            return told
        answer = told or answer
    _serve(answer, options.answer_seconds, lambda: _note(fault) if fault.exists() else None)
    return 0


def _played(file: Path, args: list[str]) -> int | Object | None:
    """Do what the fault does: an exit code, the answer to every request, or None when it serves."""
    from tests.support.container import Container

    fault, uid = json.loads(file.read_text()), Path.cwd().name
    seen = file.with_suffix(".seen")
    first = not seen.exists() or uid in seen.read_text().splitlines()[0]
    if not Container(args, os.environ, lambda: _own_pod(file.with_name("api"), uid), first=first).holds(fault["while"]):
        return None
    text = Path(fault["log"]).read_text(errors="replace") if "log" in fault else fault.get("text", "")
    for old, new in fault.get("instead", {}).items():
        text = text.replace(old, str(new))
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
    _note(file)
    held = b"\x01" * (fault.get("memory_mib", 0) << 20)
    if held or fault.get("hangs"):
        threading.Event().wait()
    if "answer" in fault:
        return dict(fault["answer"])
    return None if fault.get("serves") else int(fault.get("exit", 1))


def _note(file: Path) -> None:
    """Write down when the fault was seen, and by which Pod."""
    with file.with_suffix(".seen").open("a") as seen:
        seen.write(f"{time.time()} {Path.cwd().name}\n")


def _own_pod(access: Path, uid: str) -> Object:
    """The Pod that this process is the container of."""
    import http.client
    import ssl

    netloc, token, authority, path = json.loads(access.read_text())
    connection = http.client.HTTPSConnection(netloc, context=ssl.create_default_context(cadata=authority), timeout=10)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    pods = json.loads(connection.getresponse().read())["items"]
    return dict(next(pod for pod in pods if pod["metadata"]["uid"] == uid))


def _serve(answer: Object, seconds: float, note: Callable[[], None]) -> None:
    from tests.support.http_server import Answer, HttpServer, Received, json_answer

    status = answer.pop("status", 200)

    def reply(_request: Received) -> Answer:
        threading.Event().wait(seconds)
        note()
        return json_answer(answer, status)

    server = HttpServer(reply)
    sys.stdout.write(json.dumps({"address": server.address, "key": "scripted"}) + "\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
