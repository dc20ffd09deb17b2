"""What can be done to the Models of a Session: functions that take plain values and return an `Outcome`.

A cell, a form, a server with many browsers and a batch all call these; none of them needs a handle or a magic. So
two things stand here once for all of them: the guard for Models that this Session did not make (`NotYoursError`,
which each face words with its own way to confirm), and what is said where the new state may not be seen.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kubeai_notebook import deploy
from kubeai_notebook.core.naming import SUFFIX_LENGTH, unique_name
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.core.objects import map_at, text_at, uid_of
from kubeai_notebook.core.plan import Outcome, Stake
from kubeai_notebook.core.rules.catalog_checks import with_known_profile
from kubeai_notebook.core.spec import ModelSpec, spec_of
from kubeai_notebook.deploy import scaling
from kubeai_notebook.errors import (
    ClusterError,
    ForbiddenError,
    NotFoundError,
    NotYoursError,
    SpecError,
    UsageError,
)
from kubeai_notebook.present.plan_report import PlanReport

from . import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kubeai_notebook.core.notice import Finding
    from kubeai_notebook.core.plan import Action, Guarded
    from kubeai_notebook.core.remedy import Remedy

    from .connection import Connection

    What = ModelSpec | Mapping[str, Any] | PlanReport
    """What to serve: a spec, its fields, or a plan that somebody has looked at."""

DELETE_SECONDS = 60.0


def plan(session: Connection, what: ModelSpec | Mapping[str, Any], *, unique: bool = False) -> PlanReport:
    """What `serve` would do, and what speaks against it; nothing is changed.

    Raises:
        SpecError: a field is wrong, or the API server's dry run refused it.
    """
    report = _plan(session, what, unique=unique)
    if report.plan.action == "create" and not report.refusal:
        # What is refused already needs no second refusal, which would hide the list of the first.
        session.cluster.create_model(report.plan.manifest, dry_run=True)
    return report


def serve(
    session: Connection, what: What, *, unique: bool = False, force: bool = False, confirmed: bool = False
) -> Outcome:
    """Create or update a Model, and return at once.

    A `plan` is served as it was shown: if somebody else changed the Model since, nothing is written. ``unique``
    appends six random characters to the name; ``force`` sends it also where the preflight says that it cannot serve
    here; ``confirmed``: also where ready Pods of a Model that is not this Session's are replaced.

    Raises:
        SpecError: a field is wrong, or cannot work on this cluster; nothing was sent.
        NotYoursError: it has to be ``confirmed``.
        ConflictError: somebody else changed the Model since it was planned.
        ClusterError: the Kubernetes API refused it or does not answer.
    """
    report = what if isinstance(what, PlanReport) else _plan(session, what, unique=unique)
    if report.refusal and not force:
        raise report.refusal
    if report.plan.action == "update":
        _check_restart(session, "serve", report.plan, confirmed=confirmed)
    replaced = _replaced(session, report.spec.name, report.plan)
    done = deploy.apply(session.cluster, report.spec, report.plan)
    session.own.setdefault(done.uid, "created" if done.created else "served")
    unseen = _wait_seen(session, done, serves=True, replaced=replaced)
    return replace(done, note=" ".join(filter(None, [*session.cluster.notes, _served(report, done), unseen])))


def scale(session: Connection, name: str, replicas: int) -> Outcome:
    """Ask for a number of replicas, and keep it; 0 lets the Model sleep until a request comes."""
    note = f"{name} is scaled to {replicas}." if replicas else f"{name} goes to sleep; a request wakes it."
    return _change(session, name, "scaled", patch=lambda model: scaling.scaled(model, replicas), note=note)


def pause(session: Connection, name: str) -> Outcome:
    """Take all Pods away until `resume`; unlike sleep, no request wakes the Model meanwhile."""
    return _change(session, name, "paused", patch=scaling.paused, note=f"{name} is paused.")


def resume(session: Connection, name: str) -> Outcome:
    """Take `pause` back."""
    return _change(session, name, "resumed", patch=scaling.resumed, note=f"{name} is resumed.")


def rollback(session: Connection, name: str, *, confirmed: bool = False) -> Outcome:
    """Go back to the spec that was applied before the present one.

    Raises:
        NotFoundError: nothing was changed so far.
        NotYoursError: it has to be ``confirmed``.
    """
    current = session.cluster.model(name)
    planned = deploy.plan_change(current, deploy.rolled_back(current))
    _check_restart(session, "rollback", planned, confirmed=confirmed)
    replaced = _replaced(session, name, planned)
    done = deploy.change(session.cluster, "rolled back", current, patch=deploy.rolled_back, remember=False)
    return _noted(session, done, f"{name} goes back: {'; '.join(done.diff)}", replaced=replaced)


def fix(session: Connection, name: str, remedy_id: str, *, dry_run: bool = False, confirmed: bool = False) -> Outcome:
    """Make the change of the Remedy that has this id among the Model's Findings of now.

    Raises:
        UsageError: what is wrong has changed, so that there is no such Remedy; or it is no change of the Model.
        NotYoursError: it has to be ``confirmed``.
        ConflictError: somebody else changed the Model at this moment.
    """
    view = waiting.look_at(session.publisher, name)
    remedy = _remedy(name, view.findings, remedy_id)
    current = session.cluster.model(name)
    planned = deploy.plan_change(current, remedy.patch(current))
    if planned.action == "attach":
        note = f"Nothing was changed: {name} is so already. {remedy.title}"
        return Outcome(action="nothing", name=name, note=note, uid=planned.uid, dry_run=dry_run)
    if not dry_run:
        _check_restart(session, "fix", planned, confirmed=confirmed)
    done = deploy.change(session.cluster, "fixed", current, patch=remedy.patch, dry_run=dry_run)
    pods = "Its Pods are replaced." if done.restarts else "Its Pods go on."
    pods = f" {pods}" if view.observation.pods else ""
    if dry_run:
        return replace(done, note=f"{name} would be changed. {remedy.title}{pods}")
    replaced = waiting.hashes_of(view) if done.restarts else frozenset[str]()
    return _noted(session, done, f"{name} is changed: {'; '.join(done.diff)}.{pods}", replaced=replaced)


def restart(
    session: Connection, name: str, *, timeout_seconds: float | None = None, confirmed: bool = False
) -> Outcome:
    """Replace the Model's Pods, one by one.

    Raises:
        NotYoursError: it has to be ``confirmed``.
        ForbiddenError: the right to delete Pods is missing.
        WaitTimeoutError: a new Pod is not ready in time; the others were left alone.
    """
    if not confirmed:
        _check_ready(session, _stake(session, "restart", name))
    limit = session.settings.wait_timeout_seconds if timeout_seconds is None else timeout_seconds
    count = waiting.restart_pods(session, name, limit)
    if not count:
        return Outcome(action="nothing", name=name, note="It has no Pod to restart.")
    note = f"{count} {'Pod is' if count == 1 else 'Pods are'} replaced."
    return Outcome(action="restarted", name=name, note=note, restarts=True)


def delete(
    session: Connection, name: str, *, timeout_seconds: float = DELETE_SECONDS, confirmed: bool = False
) -> Outcome:
    """Delete the Model and its Pods, and wait until it is gone.

    Raises:
        NotFoundError: there is no such Model.
        NotYoursError: this Session did not create it, so it has to be ``confirmed``.
        WaitTimeoutError: something still holds it after ``timeout_seconds``.
    """
    uid = uid_of(session.cluster.model(name))
    if not confirmed and session.own.get(uid) != "created":
        message = f"{name} was not created by this Session, so nothing was deleted."
        raise NotYoursError(message, stake=_stake(session, "delete", name))
    try:
        session.publisher.names()
    except ForbiddenError:
        session.cluster.delete_model(name)
        note = f"{name} is being deleted; you may not list Models here, so it is not known when it is gone."
        return Outcome(action="deleted", name=name, uid=uid, note=note)
    waiting.delete(session, name, timeout_seconds)
    session.own.pop(uid, None)
    return Outcome(action="deleted", name=name, uid=uid, note=f"{name} is deleted.")


def stake(session: Connection, name: str) -> Stake:
    """What goes with the Model when it is deleted."""
    return _stake(session, "delete", name)


def _plan(session: Connection, what: ModelSpec | Mapping[str, Any], *, unique: bool) -> PlanReport:
    spec = what if isinstance(what, ModelSpec) else _spec_of(session, what)
    if unique:
        suffix = secrets.token_hex(SUFFIX_LENGTH // 2)
        spec = spec.model_copy(update={"name": unique_name(spec.name, suffix)})
    here = session.cluster.namespace
    if spec.namespace not in (None, here):
        message = f'This Session works in namespace "{here}". Use Session(namespace="{spec.namespace}").'
        raise SpecError([wrong("namespace", "WrongNamespace", message)])
    known = session.known("facts")
    report = _checked(session, spec)
    if report.refusal and session.facts is known:
        # What was missing may have been made since: only fresh facts refuse.
        session.forget_facts()
        return _checked(session, spec)
    return report


def _checked(session: Connection, spec: ModelSpec) -> PlanReport:
    spec = with_known_profile(spec, session.facts.catalog)
    planned = deploy.plan(session.cluster, spec)
    return PlanReport(spec, deploy.preflight(session.facts, spec, planned), planned)


def _spec_of(session: Connection, fields: Mapping[str, Any]) -> ModelSpec:
    # Only a wish for resources needs the cluster's profiles.
    catalog = session.catalog if fields.get("resources") is not None else None
    return spec_of(fields, default_profile=session.settings.default_profile, catalog=catalog)


def _change(
    session: Connection, name: str, action: Action, *, patch: Callable[[Mapping[str, Any]], dict[str, Any]], note: str
) -> Outcome:
    """A change of the scaling, which another one takes back, so that `rollback` is not to know it."""
    current = session.cluster.model(name)
    return _noted(session, deploy.change(session.cluster, action, current, patch=patch, remember=False), note)


def _noted(session: Connection, done: Outcome, note: str, *, replaced: frozenset[str] = frozenset()) -> Outcome:
    return replace(done, note=" ".join(filter(None, [note, _wait_seen(session, done, replaced=replaced)])))


def _replaced(session: Connection, name: str, planned: deploy.Plan) -> frozenset[str]:
    """The hashes of the Pods that a change replaces, as far as they can be seen here."""
    try:
        return waiting.hashes_of(session.publisher.view(name)) if planned.restarts else frozenset()
    except ClusterError:
        return frozenset()


def _wait_seen(
    session: Connection, done: Outcome, *, serves: bool = False, replaced: frozenset[str] = frozenset()
) -> str:
    """Wait until the new state is seen here too; a sentence where it cannot be: what was written stays written."""
    try:
        publisher = session.publisher
    except ClusterError as error:
        return f"What it is doing cannot be seen here: {error.message}"
    waiting.wait_seen(publisher, done.name, done.generation, replaced=replaced)
    if serves:
        publisher.test(done.name, done.uid)
    return ""


def _served(report: PlanReport, done: Outcome) -> str:
    """What serving did, in sentences."""
    name = done.name
    if done.action == "attached":
        return f"{name} is served already; nothing was changed."
    if done.action == "updated":
        pods = "its Pods are replaced" if done.restarts else "its Pods go on"
        kept = "" if done.restarts or not report.plan.secrets else _OLD_VALUES
        return f"{name} is being updated, {pods}: {'; '.join(done.diff)}.{kept}"
    sentences = [f"{name} is created."]
    if report.spec.inferred:
        inferred = "; ".join(f"{field.field} {field.value} ({field.why})" for field in report.spec.inferred)
        sentences.append(f"Inferred: {inferred}.")
    # Missing rights are the same for every Model: the doctor tells them.
    warnings = [notice for notice in report.notices if notice.severity == "warning" and notice.code != "RightMissing"]
    sentences += [f"Take care: {warning}" for warning in warnings]
    return " ".join(sentences)


_OLD_VALUES = " Pods that run keep the old values until they are replaced: restart() does that."


def _remedy(name: str, findings: tuple[Finding, ...], remedy_id: str) -> Remedy:
    """The Remedy of this id, which is a change of the Model."""
    remedies = [remedy for finding in findings for remedy in finding.remedies if remedy.id == remedy_id]
    if not remedies:
        message = f"What is wrong with {name} has changed, and this remedy no longer applies. Nothing was changed."
        raise UsageError(message, "why() says what is wrong now.")
    remedy, *_ = remedies
    if remedy.kind != "change":
        raise UsageError(f"This remedy is not a change of {name}, so it cannot be applied from here.", _line_of(remedy))
    return remedy


def _line_of(remedy: Remedy) -> str:
    """What to do instead of applying it."""
    command = remedy.command
    if command is None:
        return remedy.title
    if command.verb:
        return f"Call {command.verb}({', '.join(command.arguments)})."
    return f"Run in a terminal: {command.line}"


def _check_restart(session: Connection, verb: Guarded, planned: deploy.Plan, *, confirmed: bool) -> None:
    """Refuse to replace ready Pods of a Model that this Session has neither created nor served."""
    if confirmed or not planned.restarts or planned.uid in session.own:
        return
    try:
        stake = _stake(session, verb, text_at(planned.current, "metadata", "name"))
    except (ForbiddenError, NotFoundError):
        return  # whoever may not look may still create
    _check_ready(session, replace(stake, diff=tuple(planned.diff.splitlines())))


def _check_ready(session: Connection, stake: Stake) -> None:
    if stake.ready and stake.uid not in session.own:
        message = f"This Session has not served {stake.name}, so nothing was done: ready Pods would be replaced."
        raise NotYoursError(message, stake=stake)


def _stake(session: Connection, verb: Guarded, name: str) -> Stake:
    view = session.publisher.view(name)
    spec = map_at(view.model, "spec")
    return Stake(
        verb=verb,
        name=name,
        uid=uid_of(view.model),
        pods=len(view.observation.pods),
        ready=view.status.ready,
        resource_profile=text_at(spec, "resourceProfile") or "cpu",
        cache_profile=text_at(spec, "cacheProfile"),
    )
