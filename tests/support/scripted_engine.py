"""An engine that plays a script instead of a model, where a test is about everything around it.

Its user arguments are the script: ``--answer-seconds=2`` (how long a request takes), ``--exit=3`` (ends at once).
The daemon takes it only with ``--test-engine FILE`` and ``KUBEAI_LOCAL_TESTING=1`` in its environment.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kubeai_notebook.local import leash


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--answer-seconds", type=float, default=0)
    parser.add_argument("--exit", type=int)
    ours = [argument for argument in sys.argv[1:] if argument != "--"]
    options, _ = parser.parse_known_args(ours)
    leash.tie_to(options.parent)
    sys.stderr.write(f"scripted engine for {options.alias}\n")
    if options.exit is not None:
        return int(options.exit)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(options.alias, options.answer_seconds))
    report = {"address": f"http://127.0.0.1:{server.server_port}", "key": "scripted"}
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()
    server.serve_forever()
    return 0


def _handler(alias: str, seconds: float) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            threading.Event().wait(seconds)
            body = json.dumps({"model": alias, "choices": [{"text": " scripted"}]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


if __name__ == "__main__":
    sys.exit(main())
