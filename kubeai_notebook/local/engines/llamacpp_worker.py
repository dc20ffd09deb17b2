"""The process that is llama.cpp: loads one GGUF file, serves OpenAI's API on a loopback port that it reports.

The Model's arguments are the first line on stdin, a JSON list: they may hold a key, and ``ps`` shows a command line to
everybody. Adapters come later: ``{"name", "path"}``, a line each (``path`` null takes one away). llama.cpp knows
adapters only when it starts, so a second server over the same mapped weights takes the first one's place. Nobody is
cut off by that, as with vLLM: deleting a server breaks off its streams, so one that was replaced stays for as long as
somebody is connected. Its own count of requests would not do: it is 0 while the last words wait for a slow reader.
llama.cpp's servers share state of their process, so none is deleted while another one starts: one thread does both.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import psutil

from kubeai_notebook.core.kubeai.this_machine import PARALLEL, PARALLEL_OPTIONS, is_template
from kubeai_notebook.core.masking import masked_args
from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.leash import tie_to
from kubeai_notebook.local.machine import memory_here

from .fit import CONTEXT_TOKENS, Room, fitted
from .gguf_header import header_of, shape_of
from .ollama_model import model_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .gguf_header import Shape

EMBEDDING_CONTEXT_TOKENS = 512
REPLACED_SECONDS = 1.0
"""How often servers that were replaced are looked at."""


def main() -> NoReturn:
    """Report ``{"address", "key"}`` on stdout whenever it answers anew; everything else goes to the log, stderr."""
    ours = _ours(sys.argv[1:])
    tie_to(ours.parent)
    reports = os.dup(1)
    os.dup2(2, 1)
    # Deleting the server would wait up to 30 s for streams that run.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    options = _understood(json.loads(sys.stdin.readline()), ours)

    def report(**words: str) -> None:
        os.write(reports, json.dumps(words).encode() + b"\n")

    try:
        _prepare(ours, options)
        servers = [_loaded(ours, options, {})]
    except (LocalError, OSError) as error:
        _say(f"Error: {error}")
        os._exit(1)
    except RuntimeError as error:
        _say(f"Error: llama.cpp could not load {ours.weights}: {error}")
        os._exit(1)
    report(address=servers[0].listening_address, key=ours.key, listens="stdin", ignored=ours.ignored)
    _adapt(servers, ours, options, report=report)


def _adapt(
    servers: list[Any], ours: argparse.Namespace, options: argparse.Namespace, *, report: Callable[..., None]
) -> NoReturn:
    """Add a server for each line that asks for other adapters; the last one is for new requests."""
    lines: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    adapters: dict[str, Path] = {}
    while True:
        try:
            line = lines.get(timeout=REPLACED_SECONDS if len(servers) > 1 else None)
        except Empty:
            line = ""
        # Not right behind the report: a request may be on its way to the server before.
        servers[:-1] = _connected(servers[:-1])
        if not line:
            continue
        try:
            wanted = _adapted(ours, adapters, **json.loads(line))
            servers.append(_loaded(ours, options, wanted))
        except (LocalError, OSError, ValueError, RuntimeError) as error:
            report(error=str(error))
        except Exception as error:  # noqa: BLE001 - a stranger's files never end an engine that serves
            report(error=f"llama.cpp could not load it: {type(error).__name__}: {error}")
        else:
            adapters = wanted
            report(address=servers[-1].listening_address, key=ours.key)


def _ours(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--memory", type=int, help="bytes that the Pod may have; all that is free where it is left out")
    parser.add_argument("--embedding", action="store_true")
    ours = parser.parse_args(arguments)
    ours.key = secrets.token_urlsafe(24)
    return ours


def _understood(arguments: list[str], ours: argparse.Namespace) -> argparse.Namespace:
    """Read those of the Model's args that mean something here; name the others in the log."""
    options, unknown = parser_of(ours.threads).parse_known_args(arguments)
    ours.ignored = " ".join(masked_args(unknown))
    if unknown:
        _say(f"Ignored, because llama.cpp has no such argument here: {ours.ignored}")
    return options


def parser_of(threads: int) -> argparse.ArgumentParser:
    """The arguments that mean something here; `core.engine_arguments` lists their names."""
    parser = argparse.ArgumentParser(prog="llama.cpp", allow_abbrev=False, add_help=False)
    parser.add_argument("--max-model-len", dest="longest", type=int)
    parser.add_argument("--ctx-size", "-c", dest="context", type=int)
    parser.add_argument(*PARALLEL_OPTIONS, dest="parallel", type=int, default=PARALLEL)
    parser.add_argument("--threads", "-t", type=int, default=threads)
    parser.add_argument("--n-gpu-layers", "--gpu-layers", "-ngl", dest="gpu_layers", type=int)
    parser.add_argument("--chat-template", dest="template")
    return parser


def _prepare(ours: argparse.Namespace, options: argparse.Namespace) -> None:
    """Find the weights, and what fits; LocalError where the engine asked for would refuse."""
    if ours.weights.is_dir():
        if not ours.embedding:
            raise LocalError(f'"{ours.alias}" does not support generate: its weights are those of an embedding model.')
        from .gguf_files import converted

        ours.weights = converted(ours.weights, Path.cwd() / "model.gguf")
    ours.model = model_at(ours.weights)
    ours.weights, header = ours.model.weights, {}
    # Where the file is damaged, llama.cpp says so itself.
    with suppress(LocalError):
        header = header_of(ours.weights)
    ours.template = header.get("tokenizer.chat_template", "")
    shape = shape_of(ours.weights, header)
    if options.longest and shape.context and options.longest > shape.context:
        # vLLM's words, so that one diagnosis fits here and in a cluster.
        raise LocalError(
            f"User-specified max_model_len ({options.longest}) is greater than the derived max_model_len "
            f"(max_position_embeddings={shape.context} or model_max_length=None in model's config.json)."
        )
    _fit(ours, options, shape)


def _fit(ours: argparse.Namespace, options: argparse.Namespace, shape: Shape) -> None:
    """Complete the options with what the machine has room for, and say so; what a Model asks for stays, or is refused.

    The length that comes with weights was chosen on its author's machine: here it may be too much, and is shortened.
    """
    usual = ours.model.context or (EMBEDDING_CONTEXT_TOKENS if ours.embedding else CONTEXT_TOKENS)
    fit = fitted(
        shape,
        _room(ours.memory),
        context=options.context or options.longest,
        parallel=options.parallel,
        usual=usual,
        setting="--ctx-size" if options.context else "--max-model-len",
    )
    options.context, options.parallel = fit.context, fit.parallel
    if options.gpu_layers is None:
        options.gpu_layers = fit.gpu_layers
    _say(f"llama.cpp with {options.threads} thread{'s' * (options.threads > 1)}, {fit.sentence}")


def _room(limit: int | None) -> Room:
    """What is free now, as far as the Pod may have it."""
    import xllamacpp

    devices = [device for device in xllamacpp.get_device_info() if "GPU" in str(device["type"])]
    here = memory_here()
    free, whole = (min(known, limit or known) for known in (here.free_bytes, here.total_bytes))
    named = ", ".join(str(device["description"]) for device in devices)
    return Room(free, sum(int(device["memory_free"]) for device in devices), named, whole)


def _adapted(ours: argparse.Namespace, adapters: Mapping[str, Path], *, name: str, path: str | None) -> dict[str, Path]:
    """The adapters with one more, as llama.cpp loads it, or one less."""
    others = {other: file for other, file in adapters.items() if other != name}
    if path is None:
        return others
    from .gguf_files import adapter_file

    return {**others, name: adapter_file(Path(path), base=ours.weights, target=Path.cwd() / f"{name}.gguf")}


def _connected(servers: list[Any]) -> list[Any]:
    """Those that somebody is connected to."""
    if not servers:
        return []
    used = psutil.Process().net_connections("tcp")
    ports = {connection.laddr.port for connection in used if connection.status == psutil.CONN_ESTABLISHED}
    return [server for server in servers if urlsplit(server.listening_address).port in ports]


def _loaded(ours: argparse.Namespace, options: argparse.Namespace, adapters: Mapping[str, Path]) -> Any:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(ours.weights)
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
    # Scale 0: the base stays the base; a request for the adapter asks for scale 1.
    parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(file), 0.0) for file in adapters.values()]
    parameters.n_gpu_layers = options.gpu_layers
    template = ours.template
    if options.template:
        template = options.template if is_template(options.template) else Path(options.template).read_text()
    if options.template or ours.model.system:
        parameters.chat_template = ours.model.template(template)
    if ignored := ours.model.apply(parameters):
        _say(f"Ignored, because llama.cpp has no such setting: {', '.join(ignored)}")
    if ours.embedding:
        parameters.embedding = True
        # A text must fit into one batch; one longer than a slot's share would be read beyond the model's positions.
        parameters.n_batch = parameters.n_ubatch = options.context
    return xllamacpp.Server(parameters)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
