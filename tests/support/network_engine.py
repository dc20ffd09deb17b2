"""An engine that does what the prompt says, where a test is about the way to it.

``redirect CODE URL`` answers so; ``echo`` answers with the headers and the hash of what came; a streamed request goes
on until the client hangs up, which the log then says. ``broken FILE`` and ``gone FILE``: the first engine that is asked
so writes itself down there, and answers from then on with a 500, or hangs up. Started as the scripted engine is.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubeai_notebook.local import leash
from tests.support.http_server import Answer, HttpServer, Received, json_answer

if TYPE_CHECKING:
    from collections.abc import Iterator


def answer(request: Received) -> Answer | None:
    if request.method != "POST":
        return Answer(status=501)
    asked: dict[str, Any] = request.json if request.body.startswith(b"{") else {}
    words = str(asked.get("prompt", "echo")).split()
    if asked.get("stream"):
        return Answer(_endless(), headers={"Content-Type": "text/event-stream"})
    if words[0] == "redirect":
        return json_answer({"moved": True}, int(words[1]), Location=words[2])
    if words[0] in ("broken", "gone") and _is_first(Path(words[1])):
        return json_answer({"error": "broken"}, 500) if words[0] == "broken" else None
    digest = hashlib.sha256(request.body).hexdigest()
    return json_answer({"headers": dict(request.headers), "sha256": digest, "size": len(request.body)})


def _is_first(file: Path) -> bool:
    try:
        with file.open("x") as made:
            made.write(str(os.getpid()))
    except FileExistsError:
        return file.read_text() == str(os.getpid())
    return True


def _endless() -> Iterator[bytes]:
    try:
        while True:
            yield b'data: {"choices": [{"text": "x"}]}\n\n'
            threading.Event().wait(0.02)
    finally:
        sys.stderr.write("the client hung up\n")
        sys.stderr.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    options, _ = parser.parse_known_args()
    leash.tie_to(options.parent)
    server = HttpServer(answer)
    sys.stdout.write(json.dumps({"address": server.address, "key": "engines-own"}) + "\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
