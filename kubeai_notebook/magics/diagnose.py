"""Magics that explain: why (and its fixes), doctor."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from kubeai_notebook.errors import NotFoundError

from .guards import confirmed
from .parser import MagicParser, Text, parser_for
from .serve import waited

if TYPE_CHECKING:
    from kubeai_notebook.present.doctor_report import Doctor
    from kubeai_notebook.present.explanation import Explanation, Explanations
    from kubeai_notebook.session.model import Model

    from .invocation import Invocation


@cache
def why_parser() -> MagicParser:
    """The options of ``%kubeai_why``."""
    parser = parser_for(
        "%kubeai_why",
        "Say why a Model is not ready: what was seen, who can act, and numbered fixes. --fix applies one of them.\n"
        "A fix of a Model that somebody else served needs --yes.",
        "%kubeai_why smol",
        "%kubeai_why smol --fix 1 --dry-run",
        "%kubeai_why smol --fix 1 --wait",
        synopsis="[NAME] [--fix NUMBER] [options]",
    )
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help="name of the Model; without it, all of them")
    add("--fix", type=int, metavar="NUMBER", help="apply this one of the fixes")
    add("--dry-run", action="store_true", help="with --fix: show what would change; change nothing")
    parser.add_yes("with --fix: also if somebody else served it")
    parser.add_waiting("with --fix: wait until it is ready")
    return parser


@cache
def doctor_parser() -> MagicParser:
    """The options of ``%kubeai_doctor``."""
    return parser_for(
        "%kubeai_doctor",
        "Check the way from this notebook to KubeAI, a line for each station, with the next step where one is needed:\n"
        "the Kubernetes API, KubeAI, namespace, rights, profiles, gateway, KubeAI on this machine.",
        "%kubeai_doctor",
        "%kubeai_doctor -n team",
        "checks = %kubeai_doctor",
    )


def why(call: Invocation) -> Explanation | Explanations | Model | Text:
    """The Findings of a Model or of all; with ``--fix`` the Model, changed."""
    if call.options.fix is not None:
        return _fixed(call, call.options.fix)
    names = call.session.publisher.names()
    if call.options.name or len(names) < 2:
        return replace(call.model.why(), namespace=call.options.namespace or "")
    from kubeai_notebook.present.explanation import Explanations

    whys = []
    for name in names:
        with suppress(NotFoundError):  # it went meanwhile
            why = call.session.attach(name).why()
            whys.append(replace(why, namespace=call.options.namespace or ""))
    return Explanations(sorted(whys, key=lambda why: not why.findings))


def _fixed(call: Invocation, number: int) -> Model | Text:
    """The Model with one fix applied, or what that would change."""
    from kubeai_notebook.present.wording import in_magics
    from kubeai_notebook.session import verbs

    model, session = call.model, call.session
    remedy = model.shown_remedy(number)
    if call.options.dry_run:
        plan = verbs.fix(session, model.name, remedy.id, dry_run=True)
        return Text(
            "\n".join(
                [plan.note, *(f"  {change}" for change in plan.diff), f"To do it: {call.again(without=['--dry-run'])}"]
            )
        )
    with confirmed(call):
        done = verbs.fix(session, model.name, remedy.id, yes=call.options.yes)
    if done.action != "nothing":
        back = in_magics(f'attach("{model.name}").rollback() takes it back.', namespace=call.options.namespace or "")
        done = replace(done, note=f"Fix {number} is applied: {done.note} {back}")
    return waited(call, session.handle(done))


def doctor(call: Invocation) -> Doctor:
    """The checks."""
    return call.session.doctor()
