"""Magics that change a Model that is there: scale, restart, rollback, delete."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from kubeai_notebook.errors import UsageError
from kubeai_notebook.present.stake import going

from .guards import confirmed
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
        "%kubeai_scale smol 2 --yes",
        synopsis="NAME REPLICAS | --pause | --resume",
    )
    add = parser.add_argument
    add("name", metavar="NAME", help="name of the Model")
    add("replicas", nargs="?", type=int, metavar="REPLICAS", help="how many; 0 sleeps until a request comes")
    add("--pause", action="store_true", help="no replicas, and no request wakes it")
    add("--resume", action="store_true", help="take --pause back")
    parser.add_yes()
    parser.add_waiting()
    return parser


@cache
def restart_parser() -> MagicParser:
    """The options of ``%kubeai_restart``."""
    parser = parser_for(
        "%kubeai_restart",
        "Replace a Model's Pods, one by one, each when the one before is ready.\n"
        "A Model that somebody else served needs --yes.",
        "%kubeai_restart smol",
        "%kubeai_restart smol --wait",
        "%kubeai_restart smol --yes",
        synopsis="[NAME] [options]",
    )
    parser.add_name()
    parser.add_yes()
    parser.add_waiting()
    return parser


@cache
def rollback_parser() -> MagicParser:
    """The options of ``%kubeai_rollback``."""
    parser = parser_for(
        "%kubeai_rollback",
        "Go back to what was served before the last change, such as an update that fails; the card says what changes.\n"
        "A Model that somebody else served needs --yes.",
        "%kubeai_rollback smol",
        "%kubeai_rollback smol --wait",
        "%kubeai_rollback smol --yes",
        synopsis="[NAME] [options]",
    )
    parser.add_name()
    parser.add_yes()
    parser.add_waiting()
    return parser


@cache
def delete_parser() -> MagicParser:
    """The options of ``%kubeai_delete``."""
    parser = parser_for(
        "%kubeai_delete",
        "Delete Models and their Pods, and wait until they are gone.\n"
        "What you served goes at once. For what somebody else served the line says what would go, and needs --yes.",
        "%kubeai_delete smol",
        "%kubeai_delete smol bge --missing-ok",
        "%kubeai_delete smol --dry-run",
        "%kubeai_delete smol --yes",
        synopsis="NAME … [options]",
    )
    add = parser.add_argument
    add("names", nargs="+", metavar="NAME", help="names of the Models")
    parser.add_yes()
    add("--missing-ok", action="store_true", help="a Model that is not there is no error")
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


def scale(call: Invocation) -> Model:
    """Scale, pause or resume."""
    from kubeai_notebook.session import verbs

    options = call.options
    asked = [options.replicas is not None, options.pause, options.resume]
    if sum(asked) != 1:
        hint = f"Write it like %kubeai_scale {options.name or 'smol'} 2, or with --pause or --resume."
        raise UsageError("%kubeai_scale needs one thing to do: a number of replicas, --pause or --resume.", hint)
    name, session = call.model.name, call.session
    with confirmed(call):
        if options.pause:
            done = verbs.pause(session, name, yes=options.yes)
        elif options.resume:
            done = verbs.resume(session, name, yes=options.yes)
        else:
            done = verbs.scale(session, name, options.replicas, yes=options.yes)
    return waited(call, session.handle(done))


def restart(call: Invocation) -> Model:
    """Replace the Pods."""
    from kubeai_notebook.session import verbs

    name, options = call.model.name, call.options
    with confirmed(call):
        done = verbs.restart(call.session, name, timeout_seconds=options.timeout_seconds, yes=options.yes)
    return waited(call, call.session.handle(done))


def rollback(call: Invocation) -> Model:
    """Go back to the spec before."""
    from kubeai_notebook.session import verbs

    name, options = call.model.name, call.options
    with confirmed(call):
        done = verbs.rollback(call.session, name, yes=options.yes)
    return waited(call, call.session.handle(done))


def delete(call: Invocation) -> Model | Text:
    """Delete the Models, or say what that would mean; one alone gives its handle."""
    from kubeai_notebook.session import guard, verbs

    session, options, names = call.session, call.options, list(dict.fromkeys(call.options.names))
    if options.dry_run:
        stakes = [guard.stake_of(session, "delete", name) for name in names]
        return Text("\n".join(f"{stake.name} would be deleted. {going(stake)}" for stake in stakes))
    ways = {"missing_ok": options.missing_ok, "timeout_seconds": options.timeout_seconds, "yes": options.yes}
    with confirmed(call):
        done = verbs.delete_all(session, names, **ways)
    if len(done) == 1 and done[0].action == "deleted":
        return session.handle(done[0])
    return Text("\n".join(outcome.note for outcome in done))
