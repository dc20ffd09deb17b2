"""The command line of ``kubeai-local``."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from platformdirs import user_cache_path, user_data_path

from kubeai_notebook.errors import KubeAIError, LocalError
from kubeai_notebook.text import one_line, plain

from . import daemon
from .home import Home
from .mappings import add

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NAME = "kubeai-notebook"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options, unknown = _parser(os.environ).parse_known_args(given)
        if unknown:
            program = f"kubeai-local {options.command}"
            raise LocalError(f"{program} does not take {' '.join(unknown)}.", f"{program} --help lists what it takes.")
        text = _done(options.command, Home(options.home), options, given=given)
    except KubeAIError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{_explained(error, options.home)}\n")
        return 1
    sys.stdout.write(text)
    return 0


def _explained(error: OSError, home: Path) -> LocalError:
    """Of a folder that cannot be used: which one, and why."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LocalError(f"The disk of {home} is full.", "Make room there.")
    why = error.strerror or str(error)
    where = f"{error.filename}: {why}" if error.filename else why
    return LocalError(f"kubeai-local cannot use its folder {home}: {where}.", "Name another one with --home.")


def _done(command: str, home: Home, options: argparse.Namespace, *, given: list[str]) -> str:
    """Do it; what it has to say."""
    if command == "start":
        # The daemon reads the same words, from the same folder.
        given.remove("start")
        fresh = daemon.start(home, ["run", *given, "--home", str(home.folder)], dict(os.environ))
        sys.stderr.write("".join(f"{note}\n" for note in home.notes() if fresh))
        sys.stderr.write(f"kubeai-local {'is running' if fresh else _was_running(given)}.\n")
        return f"{home.kubeconfig}\n"
    if command == "run":
        return _run(home, options)
    if command == "stop":
        return f"kubeai-local {'has stopped' if daemon.stop(home) else 'was not running'}.\n"
    if command == "logs":
        return plain(daemon.logs(home, options.name))
    if command == "add":
        add(home, dict(options.mappings))
        return "".join(f"{url} is {path} from now on.\n" for url, path in options.mappings)
    if command == "token":
        return f"{daemon.token(home)}\n"
    status = daemon.status(home)
    if options.json:
        return json.dumps(status) + "\n"
    if not status["running"]:
        return "kubeai-local is not running.\n"
    lines = [f"{key:10} {status[key]}" for key in ("pid", "kubeconfig", "api", "gateway")]
    lines += [f"note       {note}" for note in status["notes"]]
    lines += [f"model      {item['name']}: {item['ready']} of {item['replicas']} ready" for item in status["models"]]
    return plain("\n".join(lines)) + "\n"


def _was_running(given: list[str]) -> str:
    """That it goes on as it was started, whatever this line asks for."""
    words = dict.fromkeys(word.partition("=")[0] for word in given if word.startswith("--"))
    asked = " and ".join(word for word in words if word != "--home")
    return f"was running already{f', so {asked} changed nothing: kubeai-local stop comes first' * bool(asked)}"


def _run(home: Home, options: argparse.Namespace) -> str:
    """Run until the end; whoever started this learns from the pipe why there was no beginning."""
    try:
        daemon.check_installed()
        from .app import run

        if options.test_engine and os.environ.get("KUBEAI_LOCAL_TESTING") != "1":
            raise LocalError("--test-engine is for this project's own tests.", "Leave it out.")
        run(home, options, dict(os.environ))
    except Exception as error:  # (the daemon's outermost frame: whoever starts it is told why)
        why = _explained(error, home.folder) if isinstance(error, OSError) else error
        message = one_line(str(why) if isinstance(why, KubeAIError) else f"{type(why).__name__}: {why}")
        if options.ready_fd is not None:
            with suppress(OSError):
                os.write(options.ready_fd, message.encode("utf-8", "replace"))
        raise
    finally:
        if options.ready_fd is not None:
            os.close(options.ready_fd)
    return ""


def _mapping(text: str) -> tuple[str, Path]:
    url, separator, path = text.partition("=")
    if not separator or "://" not in url:
        raise LocalError(f'"{text}" is not URL=PATH.', "Write it like ollama://tiny:latest=/models/tiny.gguf.")
    if not (place := _path(path)).exists():
        raise LocalError(f'The weights for "{url}" are not there: {place} does not exist.', "Check the path.")
    return url, place


def _config(path: str) -> str:
    """The text of the operator's configuration, once it is known to be one."""
    from .operator.system import system_text

    try:
        text = _path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LocalError(f"--config {path} cannot be read: {error}.", "Check the path.") from error
    system_text(text)
    return text


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


class _Parser(argparse.ArgumentParser):
    """One whose refusals name the next step."""

    def error(self, message: str) -> NoReturn:
        raise LocalError(f"{self.prog}: {message}.", f"{self.prog} --help lists what it takes.")


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    # On macOS these are ~/Library/Application Support and ~/Library/Caches; elsewhere those of XDG.
    home = environment.get("KUBEAI_LOCAL_HOME") or str(user_data_path(_NAME) / "local")
    cache = environment.get("KUBEAI_CACHE") or str(user_cache_path(_NAME) / "weights")
    common = _Parser(add_help=False)
    common.add_argument("--home", type=_path, default=_path(home), help="the daemon's folder")
    run = _Parser(add_help=False, parents=[common])
    run.add_argument("--cache", type=_path, default=_path(cache), help="where weights are kept")
    weights = "use this file or folder for a model url"
    run.add_argument("--weights", metavar="URL=PATH", type=_mapping, action="append", default=[], help=weights)
    system = "a system.yaml to merge over KubeAI's default one"
    run.add_argument("--config", metavar="FILE", type=_config, help=system)
    run.add_argument("--test-engine", type=_path, help=argparse.SUPPRESS)
    run.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    parser = _Parser(prog="kubeai-local", description="A single-machine KubeAI.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", parents=[run], help="run in the foreground")
    commands.add_parser("start", parents=[run], help="run in the background; prints the kubeconfig's path last")
    commands.add_parser("stop", parents=[common], help="end the daemon and every engine")
    file = commands.add_parser("add", parents=[common], help="use a file for a model url; Models go on meanwhile")
    file.add_argument(
        "mappings", metavar="URL=PATH", type=_mapping, nargs="+", help="a model url, and its file or folder"
    )
    status = commands.add_parser("status", parents=[common], help="what runs, and where")
    status.add_argument("--json", action="store_true")
    commands.add_parser("token", parents=[common], help="the api_key that programs of other users need")
    logs = commands.add_parser("logs", parents=[common], help="the log of a Model's Pods, or the daemon's own")
    logs.add_argument("name", nargs="?", metavar="NAME")
    return parser


if __name__ == "__main__":
    sys.exit(main())
