"""Magics that change a Model that is there: scale, restart, delete."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from kubeai_notebook.errors import UsageError

from .guards import confirmed_by, going
from .parser import MagicParser, Text, parser_for, seconds
from .serve import waited

if TYPE_CHECKING:
    from kubeai_notebook.session.model import Model

    from .invocation import Invocation


@cache
def scale_parser() -> MagicParser:
    """The options of ``%kubeai_scale``."""
    parser = parser_for(
        "%kubeai_scale",
        "Change how many replicas a Model has. With autoscaling on, its lower bound moves along, so that they stay.",
        "%kubeai_scale smol 2 --wait",
        "%kubeai_scale smol 0",
        "%kubeai_scale smol --pause",
        synopsis="NAME REPLICAS | --pause | --resume",
    )
    add = parser.add_argument
    add("name", metavar="NAME", help="name of the Model")
    add("replicas", nargs="?", type=int, metavar="REPLICAS", help="how many; 0 sleeps until a request comes")
    add("--pause", action="store_true", help="no replicas, and no request wakes it")
    add("--resume", action="store_true", help="take --pause back")
    _add_waiting(parser)
    return parser


@cache
def restart_parser() -> MagicParser:
    """The options of ``%kubeai_restart``."""
    parser = parser_for(
        "%kubeai_restart",
        "Replace a Model's Pods, one by one, each when the one before is ready.\n"
        "A Model that this kernel has not served needs --yes while Pods of it are ready.",
        "%kubeai_restart smol",
        "%kubeai_restart smol --wait",
        "%kubeai_restart smol --yes",
        synopsis="[NAME] [options]",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="name of the Model; without it, the only one there is")
    parser.add_argument("-y", "--yes", action="store_true", help="also if this kernel has not served it")
    _add_waiting(parser)
    return parser


@cache
def delete_parser() -> MagicParser:
    """The options of ``%kubeai_delete``."""
    parser = parser_for(
        "%kubeai_delete",
        "Delete a Model and its Pods, and wait until it is gone.\n"
        "A Model that this kernel created goes at once. For any other the line says what would go, and needs --yes.",
        "%kubeai_delete smol",
        "%kubeai_delete smol --dry-run",
        "%kubeai_delete smol --yes",
        synopsis="NAME [options]",
    )
    add = parser.add_argument
    add("name", metavar="NAME", help="name of the Model")
    add("-y", "--yes", action="store_true", help="also if this kernel has not created it")
    add("--dry-run", action="store_true", help="say what would go; delete nothing")
    add(
        "--timeout",
        type=seconds,
        default=60.0,
        metavar="TIME",
        dest="timeout_seconds",
        help="such as 90, 5m or 1h; default 60 s",
    )
    return parser


def _add_waiting(parser: MagicParser) -> None:
    add = parser.add_argument
    add("-w", "--wait", action="store_true", help="wait until it is ready; an interrupt leaves it starting")
    add("--timeout", type=seconds, metavar="TIME", dest="timeout_seconds", help="how long to wait; default 900 s")


def scale(call: Invocation) -> Model:
    """Scale, pause or resume."""
    options = call.options
    asked = [options.replicas is not None, options.pause, options.resume]
    if sum(asked) != 1:
        hint = "Write it like %kubeai_scale smol 2, or with --pause or --resume."
        raise UsageError("%kubeai_scale needs one thing to do: a number of replicas, --pause or --resume.", hint)
    if options.pause:
        return waited(call, call.model.pause())
    if options.resume:
        return waited(call, call.model.resume())
    return waited(call, call.model.scale(options.replicas))


def restart(call: Invocation) -> Model:
    """Replace the Pods."""
    from kubeai_notebook.session import verbs

    name, options = call.model.name, call.options
    with confirmed_by(f"%kubeai_restart {name} --yes"):
        done = verbs.restart(call.session, name, timeout_seconds=options.timeout_seconds, confirmed=options.yes)
    return waited(call, call.session.handle(done))


def delete(call: Invocation) -> Model | Text:
    """Delete the Model, or say what that would mean."""
    from kubeai_notebook.session import verbs

    name, options = call.model.name, call.options
    if options.dry_run:
        return Text(f"{name} would be deleted. {going(verbs.stake(call.session, name))}")
    with confirmed_by(f"%kubeai_delete {name} --yes"):
        done = verbs.delete(call.session, name, timeout_seconds=options.timeout_seconds, confirmed=options.yes)
    return call.session.handle(done)
