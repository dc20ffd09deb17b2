"""An engine that does what the prompt says, where a test is about the way to it.

``redirect CODE URL`` answers so; ``echo`` answers with the headers and the hash of what came; a streamed request goes
on until the client hangs up, which the log then says. Started as the scripted engine is.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kubeai_notebook.local import leash


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # An answer is one segment, or Nagle's algorithm would wait 40 ms for the second.

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_json = body.startswith(b"{")
        asked: dict[str, Any] = json.loads(body) if is_json else {}
        words = str(asked.get("prompt", "echo")).split()
        if asked.get("stream"):
            self._stream()
        elif words[0] == "redirect":
            self._answer(int(words[1]), {"moved": True}, Location=words[2])
        else:
            seen = {"headers": dict(self.headers), "sha256": hashlib.sha256(body).hexdigest(), "size": len(body)}
            self._answer(200, seen)

    def _answer(self, status: int, answer: dict[str, Any], **headers: str) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(b'data: {"choices": [{"text": "x"}]}\n\n')
                self.wfile.flush()
                threading.Event().wait(0.02)
        except OSError:
            sys.stderr.write("the client hung up\n")
            sys.stderr.flush()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    options, _ = parser.parse_known_args()
    leash.tie_to(options.parent)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(json.dumps({"address": f"http://127.0.0.1:{server.server_port}", "key": "engines-own"}) + "\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
