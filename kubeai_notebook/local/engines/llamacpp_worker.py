"""The process that is llama.cpp: loads one GGUF file, serves OpenAI's API on a loopback port that it reports."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
from typing import Any, NoReturn

from kubeai_notebook.local.leash import tie_to

CONTEXT_TOKENS = 4096
"""For one request; Ollama's default too."""
PARALLEL = 2
MAX_THREADS = 8


def main() -> NoReturn:
    """Report ``{"address", "key"}`` on stdout once it answers; everything else goes to the log, stderr."""
    ours, given = _split(sys.argv[1:])
    tie_to(ours.parent)
    report = os.dup(1)
    os.dup2(2, 1)
    # Deleting the server would wait up to 30 s for streams that run.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    options = _understood(given)
    try:
        import xllamacpp

        server = xllamacpp.Server(_parameters(xllamacpp, ours, options))
    except RuntimeError as error:
        _say(f"Error: llama.cpp could not load {ours.weights}: {error}")
        os._exit(1)
    told = {"address": server.listening_address, "key": ours.key}
    os.write(report, json.dumps(told).encode() + b"\n")
    os.close(report)
    while True:
        signal.pause()


def _split(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Our own arguments, and those of the Model behind ``--``."""
    middle = arguments.index("--")
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--alias", required=True)
    ours = parser.parse_args(arguments[:middle])
    ours.key = secrets.token_urlsafe(24)
    return ours, arguments[middle + 1 :]


def _understood(arguments: list[str]) -> argparse.Namespace:
    """Read those of the Model's args that mean something here; name the others in the log."""
    parser = argparse.ArgumentParser(prog="llama.cpp", allow_abbrev=False, add_help=False)
    parser.add_argument("--max-model-len", "--ctx-size", "-c", dest="context", type=int, default=CONTEXT_TOKENS)
    parser.add_argument("--max-num-seqs", "--parallel", "-np", dest="parallel", type=int, default=PARALLEL)
    parser.add_argument("--threads", "-t", type=int, default=min(os.cpu_count() or 1, MAX_THREADS))
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        _say(f"Ignored, because llama.cpp has no such argument here: {' '.join(unknown)}")
    return options


def _parameters(library: Any, ours: argparse.Namespace, options: argparse.Namespace) -> Any:
    parameters = library.CommonParams()
    parameters.model.path = ours.weights
    parameters.model_alias = {ours.alias}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [ours.key]
    parameters.n_parallel = options.parallel
    parameters.n_ctx = options.context * options.parallel
    parameters.cpuparams.n_threads = options.threads
    parameters.cpuparams_batch.n_threads = options.threads
    parameters.cache_ram_mib = 0
    parameters.ui = False
    parameters.endpoint_metrics = True
    parameters.fit_params = False
    return parameters


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
