"""The command line of ``kubeai-local``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kubeai_notebook.errors import KubeAIError, LocalError

from . import daemon
from .home import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = _parser(os.environ).parse_args(arguments)
    home = Home(options.home.expanduser().absolute())
    try:
        text = _COMMANDS[options.command](home, options)
    except KubeAIError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(text)
    return 0


def _start(home: Home, options: argparse.Namespace) -> str:
    arguments = ["--home", str(home.folder), "--cache", str(options.cache.expanduser().absolute())]
    arguments += [part for mapped in options.weights for part in ("--weights", mapped)]
    _config(options.config)
    for name in ("config", "test_engine"):
        if path := getattr(options, name):
            arguments += [f"--{name.replace('_', '-')}", str(path.expanduser().absolute())]
    fresh = daemon.start(home, arguments, dict(os.environ))
    sys.stderr.write(f"kubeai-local {'is running' if fresh else 'was running already'}.\n")
    return f"{home.kubeconfig}\n"


def _run(home: Home, options: argparse.Namespace) -> str:
    daemon.check_installed()
    from .app import Options, run

    mapped = dict(_mapping(text) for text in options.weights)
    if options.test_engine and os.environ.get("KUBEAI_LOCAL_TESTING") != "1":
        raise LocalError("--test-engine is for this project's own tests.", "Leave it out.")
    place = {"home": home, "cache": options.cache.expanduser().absolute(), "mapped": mapped}
    extra = {"test_engine": options.test_engine, "ready_fd": options.ready_fd}
    run(Options(**place, environment=dict(os.environ), config=_config(options.config), **extra))
    return ""


def _stop(home: Home, _options: argparse.Namespace) -> str:
    return "kubeai-local has stopped.\n" if daemon.stop(home) else "kubeai-local was not running.\n"


def _status(home: Home, options: argparse.Namespace) -> str:
    status = daemon.status(home)
    if options.json:
        return json.dumps(status) + "\n"
    if not status["running"]:
        return "kubeai-local is not running.\n"
    lines = [f"{key:10} {status[key]}" for key in ("pid", "kubeconfig", "api", "gateway")]
    lines += [f"model      {item['name']}: {item['ready']} of {item['replicas']} ready" for item in status["models"]]
    return "\n".join(lines) + "\n"


_COMMANDS: Mapping[str, Callable[[Home, argparse.Namespace], str]] = {
    "run": _run,
    "start": _start,
    "stop": _stop,
    "status": _status,
    "logs": lambda home, options: daemon.logs(home, options.name),
}


def _mapping(text: str) -> tuple[str, Path]:
    url, separator, path = text.partition("=")
    if not separator or "://" not in url:
        raise LocalError(
            f'--weights "{text}" is not URL=PATH.', "Write it like ollama://tiny:latest=/models/tiny.gguf."
        )
    found = Path(path).expanduser().absolute()
    if not found.exists():
        raise LocalError(f'The weights for "{url}" are not there: {found} does not exist.', "Check the path.")
    return url, found


def _config(path: Path | None) -> str:
    """The text of the operator's configuration, once it is known to be one."""
    if path is None:
        return ""
    from .operator.system import system_text

    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LocalError(f"--config {path} cannot be read: {error}.", "Check the path.") from error
    system_text(text)
    return text


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--home", type=Path, default=_folder(environment, "local"), help="the daemon's folder")
    weights = argparse.ArgumentParser(add_help=False)
    weights.add_argument("--cache", type=Path, default=_folder(environment, "weights"), help="where weights are kept")
    weights.add_argument(
        "--weights", metavar="URL=PATH", action="append", default=[], help="use this file or folder for a model url"
    )
    weights.add_argument("--config", metavar="FILE", type=Path, help="a system.yaml to merge over KubeAI's default one")
    weights.add_argument("--test-engine", type=Path, help=argparse.SUPPRESS)
    parser = argparse.ArgumentParser(prog="kubeai-local", description="A single-machine KubeAI.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", parents=[common, weights], help="run in the foreground")
    run.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    commands.add_parser(
        "start", parents=[common, weights], help="run in the background; prints the kubeconfig's path last"
    )
    commands.add_parser("stop", parents=[common], help="end the daemon and every engine")
    status = commands.add_parser("status", parents=[common], help="what runs, and where")
    status.add_argument("--json", action="store_true")
    logs = commands.add_parser("logs", parents=[common], help="the log of a Model's Pods, or the daemon's own")
    logs.add_argument("name", nargs="?", metavar="NAME")
    return parser


def _folder(environment: Mapping[str, str], kind: str) -> Path:
    """Where state (``local``) or ``weights`` are kept if no option says so."""
    own, shared, mac, other = {
        "local": ("KUBEAI_LOCAL_HOME", "XDG_DATA_HOME", "Library/Application Support", ".local/share"),
        "weights": ("KUBEAI_CACHE", "XDG_CACHE_HOME", "Library/Caches", ".cache"),
    }[kind]
    if named := environment.get(own):
        return Path(named)
    default = Path.home() / (mac if sys.platform == "darwin" else other)
    return Path(environment.get(shared) or default) / "kubeai-notebook" / kind


if __name__ == "__main__":
    sys.exit(main())
