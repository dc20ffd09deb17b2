"""Magics that explain: why (and its fixes), doctor."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from kubeai_notebook.core.objects import map_at, uid_of
from kubeai_notebook.errors import NotFoundError, UsageError

from .guards import check_restart
from .parser import MagicParser, Text, parser_for
from .serve import waited

if TYPE_CHECKING:
    from kubeai_notebook.core.remedy import Remedy
    from kubeai_notebook.core.spec_diff import Changes
    from kubeai_notebook.present.doctor_report import Doctor
    from kubeai_notebook.present.explanation import Explanation, Explanations
    from kubeai_notebook.session.model import Model

    from .invocation import Call


@cache
def why_parser() -> MagicParser:
    """The options of ``%kubeai_why``."""
    parser = parser_for(
        "%kubeai_why",
        "Say why a Model is not ready: what was seen, who can act, and numbered fixes. --fix applies one of them.\n"
        "A fix that would replace Pods that are ready needs --yes, unless this kernel has served the Model.",
        "%kubeai_why smol",
        "%kubeai_why smol --fix 1 --dry-run",
        "%kubeai_why smol --fix 1 --wait",
        synopsis="[NAME] [--fix NUMBER] [options]",
    )
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help="name of the Model; without it, all of them")
    add("--fix", type=int, metavar="NUMBER", help="apply this one of the fixes")
    add("--dry-run", action="store_true", help="with --fix: show what would change; change nothing")
    add("-y", "--yes", action="store_true", help="also replace Pods that are ready")
    add("-w", "--wait", action="store_true", help="with --fix: wait until it is ready")
    add("--timeout", type=float, metavar="SECONDS", dest="timeout_seconds", help="how long --wait waits; default 900")
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


def why(call: Call) -> Explanation | Explanations | Model | Text:
    """The Findings of a Model or of all; with ``--fix`` the Model, changed."""
    if call.options.fix is not None:
        return _fixed(call, call.model, call.options.fix)
    names = call.session.observer.names()
    if call.options.name or len(names) < 2:
        return _noted(call.model)
    from kubeai_notebook.present.explanation import Explanations

    whys = []
    for name in names:
        with suppress(NotFoundError):  # it went meanwhile
            whys.append(_noted(call.session.attach(name)))
    return Explanations(sorted(whys, key=lambda why: not why.findings))


def _fixed(call: Call, model: Model, number: int) -> Model | Text:
    """The Model with one fix applied, or what that would change."""
    before = _shown().get(_uid(model), ())
    fixes = _noted(model).remedies
    if not 1 <= number <= len(fixes) or not fixes[number - 1].changes:
        return model.fix(number)  # which says why not
    fix, line = fixes[number - 1], f"%kubeai_why {model.name} --fix {number}"
    if before and before[number - 1 : number] != (fix.title,):
        message = f"What is wrong with {model.name} has changed since it was shown. Fix {number} is now: {fix.title}"
        raise UsageError(message, f"To apply it, run the line again; %kubeai_why {model.name} shows all.")
    changes = _changes(model, fix)
    if call.options.dry_run:
        return Text(_said(model, fix, changes, line=line))
    if not call.options.yes and _restarts(model, changes):
        check_restart(model, f"{line} --yes")
    note = _after(model, number, changes)
    model.fix(number).note = note
    return waited(call, model)


def _noted(model: Model) -> Explanation:
    """Why, with a note of what its reader saw."""
    found = model.why()
    _shown()[_uid(model)] = tuple(fix.title for fix in found.remedies)
    return found


def doctor(call: Call) -> Doctor:
    """The checks."""
    return call.session.doctor()


def _said(model: Model, fix: Remedy, changes: Changes, *, line: str) -> str:
    from kubeai_notebook.core.spec_diff import readable

    pods = _pods(model, changes)
    head = f"{model.name} would be changed. {fix.title}"
    return "\n".join([head, *(f"  {change}" for change in readable(changes)), f"  {pods}", f"To do it: {line}"])


def _after(model: Model, number: int, changes: Changes) -> str:
    from kubeai_notebook.core.spec_diff import readable

    if not changes:
        return f"Fix {number} changes nothing: it is so already."
    pods = _pods(model, changes) if model.view.observation.pods else ""
    back = f"kubeai_notebook.attach({model.name!r}).rollback() takes it back."
    return " ".join(said for said in (f"Fix {number} is applied: {'; '.join(readable(changes))}.", pods, back) if said)


@cache
def _shown() -> dict[str, tuple[str, ...]]:
    """The fixes' titles that were shown last, by the Model's uid: a number means what its reader saw."""
    return {}


def _uid(model: Model) -> str:
    return uid_of(model.view.model)


def _pods(model: Model, changes: Changes) -> str:
    return "Its Pods are replaced." if _restarts(model, changes) else "Its Pods go on."


def _restarts(model: Model, changes: Changes) -> bool:
    from kubeai_notebook.core.spec_diff import restarts_pods

    return restarts_pods(model.view.model, changes)


def _changes(model: Model, fix: Remedy) -> Changes:
    """What the fix would change in the spec."""
    from kubeai_notebook.core.merge_patch import merged

    now = map_at(model.view.model, "spec")
    wanted = merged(now, fix.patch(model.view.model).get("spec", {}))
    return {key: (now.get(key), wanted.get(key)) for key in {**now, **wanted} if now.get(key) != wanted.get(key)}
