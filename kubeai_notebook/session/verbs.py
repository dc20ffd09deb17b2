"""What can be done to the Models of a Session: functions that take plain values and return an `Outcome`.

A cell, a form, a server with many browsers and a batch all call these; none of them needs a handle or a magic. What
serving would do is decided in `planning`, whether a verb may act in `guard`; here it is done, and said, also where
the new state may not be seen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from kubeai_notebook import deploy
from kubeai_notebook.core.field_aliases import to_snake
from kubeai_notebook.core.inference import LEAST
from kubeai_notebook.core.objects import at, count_at, map_at, text_at, uid_of
from kubeai_notebook.core.plan import GONE, Outcome, asked_of
from kubeai_notebook.core.served import served_by
from kubeai_notebook.deploy import scaling
from kubeai_notebook.errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    KubeAIError,
    NotFoundError,
    NotYoursError,
    SpecError,
    UsageError,
)
from kubeai_notebook.present.plan_report import PlanReport

from . import waiting
from .guard import check_owner, meant, takes_away
from .planning import near_name, plan_to_serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kubeai_notebook.core.notice import Notice
    from kubeai_notebook.core.plan import Action, Guarded
    from kubeai_notebook.core.remedy import Remedy
    from kubeai_notebook.core.spec import ModelSpec

    from .connection import Connection

    What = ModelSpec | Mapping[str, Any] | PlanReport
    """What to serve: a spec, its fields, or a plan that somebody has looked at."""

DELETE_SECONDS = 60.0


def serve(session: Connection, what: What, *, unique: bool = False, force: bool = False, yes: bool = False) -> Outcome:
    """Create or update a Model, and return at once.

    A `plan` is served as it was shown: if somebody else changed the Model since, nothing is written. ``unique``
    appends six random characters to the name; ``force`` sends it also where the preflight says that it cannot serve
    here. A name alone attaches to the Model that is there; other fields without a url change these alone. ``yes``:
    also where Pods that are ready are replaced, or go, of what somebody else served, and it is the user's from then on.

    Raises:
        SpecError: a field is wrong, or cannot work on this cluster; nothing was sent.
        NotYoursError: somebody else served it, and ``yes`` is not said.
        ConflictError: somebody else changed the Model since it was planned.
        ClusterError: the Kubernetes API refused it or does not answer.
    """
    report = what if isinstance(what, PlanReport) else plan_to_serve(session, what, unique=unique, force=force)
    planned = report.plan
    if report.refusal and not force and planned.action != "attach":
        raise report.refusal
    its_own = yes or planned.action == "create" or served_by(planned.current) == session.user
    if not its_own and takes_away(session, planned):
        check_owner(session, "serve", planned.current, diff=planned.diff)
    replaced = _replaced(session, report.spec.name, planned)
    done = deploy.apply(session.cluster, report.spec, planned, user=session.user if its_own else "")
    labels = map_at(planned.manifest, "metadata", "labels") if planned.changes else {}
    unseen = _wait_seen(session, done, serves=True, replaced=replaced, labels=labels)
    return replace(done, note=" ".join(filter(None, [*session.cluster.notes, _served(report, done), unseen])))


def scale(
    session: Connection,
    name: str,
    replicas: int,
    *,
    yes: bool = False,
    shown: Mapping[str, Any] | None = None,
    uid: str = "",
) -> Outcome:
    """Ask for a number of replicas, and keep it; 0 lets the Model sleep until a request comes.

    ``shown``: the Model on which somebody was shown the change; nothing is changed where it asks for something else
    since. ``uid``, here and in the verbs below: of the Model that is meant.

    Raises:
        SpecError: it is no whole number from 0 up, or more than this machine holds.
        NotYoursError: somebody else served it, and ``yes`` is not said.
        ConflictError: it was changed since it was ``shown``, or another Model has its name now.
    """
    scaling.check_replicas(replicas)
    note = f"{name} is scaled to {replicas}."
    if session.cluster.is_this_machine and replicas > 1:
        notices = deploy.room_for(session.facts, session.cluster.model(name), replicas)
        if errors := [notice for notice in notices if notice.severity == "error"]:
            raise SpecError(errors)
        note = " ".join([note, *_cautions(notices)])
    already = f"{name} is scaled to {replicas} already; nothing was changed."
    change = _Change("scale", "scaled", lambda model: scaling.scaled(model, replicas), note, already)
    return _changed(session, name, change, yes=yes, shown=shown, uid=uid)


def scale_diff(current: Mapping[str, Any], replicas: int) -> tuple[str, ...]:
    """What `scale` would change of this Model, one line a field.

    Raises:
        SpecError: it is no whole number from 0 up.
    """
    return tuple(deploy.plan_change(current, scaling.scaled(current, replicas)).diff.splitlines())


def pause(session: Connection, name: str, *, yes: bool = False, uid: str = "") -> Outcome:
    """Take all Pods away until `resume`; unlike sleep, no request wakes the Model meanwhile. Errors as `scale`."""
    already = f"{name} is paused already; nothing was changed. resume() brings it back."
    change = _Change("pause", "paused", scaling.paused, f"{name} is paused.", already)
    return _changed(session, name, change, yes=yes, uid=uid)


def resume(session: Connection, name: str, *, yes: bool = False, uid: str = "") -> Outcome:
    """Take `pause` back. Errors as `scale`."""
    already = f"{name} was not paused by pause(), so nothing was changed. scale(n) changes its replicas."
    change = _Change("resume", "resumed", scaling.resumed, f"{name} is resumed.", already)
    return _changed(session, name, change, yes=yes, uid=uid)


def rollback(session: Connection, name: str, *, yes: bool = False, uid: str = "") -> Outcome:
    """Go back to the spec that was applied before the present one.

    Raises:
        NotFoundError: nothing was changed so far.
        NotYoursError: somebody else served it, and ``yes`` is not said.
    """
    current = meant(session, name, uid)
    planned = deploy.plan_change(current, deploy.rolled_back(current))
    check_owner(session, "rollback", current, yes=yes, diff=planned.diff)
    replaced = _replaced(session, name, planned)
    done = deploy.change(session.cluster, "rolled back", current, patch=deploy.rolled_back, remember=False)
    note = f"{name} goes back: {'; '.join(done.diff)}.{_resumed(planned)}"
    return _noted(session, done, note, replaced=replaced)


def fix(
    session: Connection,
    name: str,
    remedy_id: str,
    *,
    dry_run: bool = False,
    yes: bool = False,
    resource_version: str = "",
    uid: str = "",
) -> Outcome:
    """Make the change of the Remedy that has this id among the Model's Findings.

    While its engine is tried again, what was shown last counts: between two crashes there is nothing to find.

    ``resource_version``: that of the Outcome of a dry run; nothing is changed where the Model has come to ask for
    something else since, so that what was shown is what is done.

    Raises:
        UsageError: what is wrong has changed, so that there is no such Remedy; or it is no change of the Model.
        NotYoursError: somebody else served it, and ``yes`` is not said.
        ConflictError: somebody else changed the Model at this moment, or since the dry run.
    """
    view = waiting.look_at(session.publisher, name)
    remedy = _remedy(name, session.remedies_of(view), remedy_id)
    current = meant(session, name, uid)
    if resource_version:
        shown, _ = session.dry_runs.get((uid_of(current), resource_version, remedy_id), (None, None))
        if shown is None or not deploy.asks_the_same(shown, current):
            message = f"{name} was changed since this change was shown, so nothing was changed now."
            raise ConflictError(message, "Look at what it would change now.")
    planned = deploy.plan_change(current, remedy.patch(current))
    if planned.action == "attach":
        note = f"Nothing was changed: {name} is so already. {remedy.title}"
        version = ""
        if dry_run:
            # That nothing would be changed was shown as well.
            version = text_at(current, "metadata", "resourceVersion")
            session.remember_dry_run(current, remedy)
        done = Outcome(action="nothing", name=name, note=note, uid=planned.uid, dry_run=dry_run)
        return replace(done, asked=asked_of(current), resource_version=version)
    if not dry_run:
        check_owner(session, "fix", current, yes=yes, diff=planned.diff)
    done = deploy.change(session.cluster, "fixed", current, patch=remedy.patch, dry_run=dry_run)
    pods = "Its Pods are replaced." if done.restarts else "Its Pods go on."
    pods = f" {pods}" if view.observation.engine_pods else ""
    if dry_run:
        sentences = [f"{name} would be changed. {remedy.title}{pods}", *_cautions(done.warnings)]
        version = text_at(current, "metadata", "resourceVersion")
        session.remember_dry_run(current, remedy)
        return replace(done, note=" ".join(sentences), resource_version=version)
    replaced = waiting.hashes_of(view) if done.restarts else frozenset[str]()
    return _noted(session, done, f"{name} is changed: {'; '.join(done.diff)}.{pods}", replaced=replaced)


def restart(
    session: Connection, name: str, *, timeout_seconds: float | None = None, yes: bool = False, uid: str = ""
) -> Outcome:
    """Replace the Model's Pods, one by one.

    Raises:
        NotYoursError: somebody else served it, and ``yes`` is not said.
        ForbiddenError: the right to delete Pods is missing.
        WaitTimeoutError: a new Pod is not ready in time; the others were left alone.
    """
    model = meant(session, name, uid)
    check_owner(session, "restart", model, yes=yes)
    if not count_at(model, "spec", "replicas"):
        # Pods of a moment ago may be going still: to wait for others in their place would be in vain.
        idle = "is paused" if scaling.is_paused(model) else "had no Pods to restart"
        note = f"{name} {idle}: {_starter(model)} starts it anew. Nothing was restarted."
        return Outcome(action="nothing", name=name, note=note, asked=asked_of(model))
    limit = session.settings.wait_timeout_seconds if timeout_seconds is None else timeout_seconds
    count = waiting.restart_pods(session, name, limit)
    if not count:
        return Outcome(action="nothing", name=name, note=f"{name} had no Pod yet, so nothing was restarted.")
    note = f"{count} {'Pod is' if count == 1 else 'Pods are'} replaced."
    return Outcome(action="restarted", name=name, note=note, restarts=True, asked=asked_of(model))


def delete(
    session: Connection, name: str, *, timeout_seconds: float = DELETE_SECONDS, yes: bool = False, uid: str = ""
) -> Outcome:
    """Delete the Model and its Pods, and wait until it is gone.

    Raises:
        NotFoundError: there is no such Model.
        NotYoursError: somebody else served it, and ``yes`` is not said.
        WaitTimeoutError: something still holds it after ``timeout_seconds``.
    """
    model = meant(session, name, uid)
    check_owner(session, "delete", model, yes=yes)
    uid = uid_of(model)
    try:
        session.publisher.names()
    except ForbiddenError:
        session.cluster.delete_model(name, uid)
        note = f"{name} is being deleted; you may not list Models here, so it is not known when it is gone."
        return Outcome(action="deleted", name=name, uid=uid, note=note)
    waiting.delete(session, name, timeout_seconds, uid=uid)
    return Outcome(action="deleted", name=name, uid=uid, note=f"{name} is deleted.", asked=GONE)


def delete_all(
    session: Connection,
    names: Sequence[str],
    *,
    missing_ok: bool = False,
    timeout_seconds: float = DELETE_SECONDS,
    yes: bool = False,
) -> list[Outcome]:
    """Delete these Models one after the other; one that cannot be deleted does not keep the others.

    Raises:
        KubeAIError: some were not deleted; it says why, and which were. ``missing_ok``: not for one that is not there.
    """
    done: list[Outcome] = []
    failures: list[KubeAIError] = []
    for name in dict.fromkeys(names):
        try:
            done.append(delete(session, name, timeout_seconds=timeout_seconds, yes=yes))
        except NotFoundError:
            missing = f'There is no Model "{name}".'
            if missing_ok:
                done.append(Outcome(action="nothing", name=name, note=missing))
            else:
                near = near_name(session, name).strip()
                step = f"{near or 'models() lists what is there.'} missing_ok=True passes over what is not there."
                failures.append(NotFoundError(missing, step))
        except KubeAIError as error:
            failures.append(error)
    if failures:
        raise _together(failures, [outcome.name for outcome in done if outcome.action == "deleted"])
    return done


def _together(failures: Sequence[KubeAIError], deleted: Sequence[str]) -> KubeAIError:
    """One error of several, of their kind where they have one."""
    kinds = {type(error) for error in failures}
    if len(failures) == 1 and not deleted:
        return failures[0]
    done = [f"Deleted: {', '.join(deleted)}."] if deleted else []
    message = " ".join([*(error.message for error in failures), *done])
    hint = " ".join(dict.fromkeys(error.hint for error in failures if error.hint))
    if kinds == {NotYoursError}:
        stake = getattr(failures[0], "stake", None) if len(failures) == 1 else None
        return NotYoursError(message, hint, stake=stake, done=deleted)
    return NotFoundError(message, hint) if kinds == {NotFoundError} else KubeAIError(message, hint)


class _Change(NamedTuple):
    """A change of the scaling, which another one takes back, so that `rollback` is not to know it."""

    verb: Guarded
    action: Action
    patch: Callable[[Mapping[str, Any]], dict[str, Any]]
    note: str
    already: str
    """The note where there is nothing to do."""


def _changed(
    session: Connection,
    name: str,
    change: _Change,
    *,
    yes: bool,
    shown: Mapping[str, Any] | None = None,
    uid: str = "",
) -> Outcome:
    current = shown or meant(session, name, uid)
    planned = deploy.plan_change(current, change.patch(current))
    if planned.action == "attach":
        return Outcome(action="nothing", name=name, note=change.already, uid=planned.uid, asked=asked_of(current))
    check_owner(session, change.verb, current, yes=yes, diff=planned.diff)
    done = deploy.change(session.cluster, change.action, current, patch=change.patch, remember=False)
    more = _resumed(planned) or _started_by(planned) if change.action == "scaled" else ""
    return _noted(session, done, change.note + more)


def _noted(session: Connection, done: Outcome, note: str, *, replaced: frozenset[str] = frozenset()) -> Outcome:
    sentences = [note, *_cautions(done.warnings), _wait_seen(session, done, replaced=replaced)]
    return replace(done, note=" ".join(filter(None, sentences)))


def _replaced(session: Connection, name: str, planned: deploy.Plan) -> frozenset[str]:
    """The hashes of the Pods that a change replaces, as far as they can be seen here."""
    try:
        return waiting.hashes_of(session.publisher.view(name)) if planned.restarts else frozenset()
    except ClusterError:
        return frozenset()


def _wait_seen(
    session: Connection,
    done: Outcome,
    *,
    serves: bool = False,
    replaced: frozenset[str] = frozenset(),
    labels: Mapping[str, str | None] | None = None,
) -> str:
    """Wait until the new state is seen here too; a sentence where it cannot be: what was written stays written."""
    try:
        publisher = session.publisher
    except ClusterError as error:
        return f"What it is doing cannot be seen here: {error.message}"
    waiting.wait_seen(publisher, done.name, done.generation, uid=done.uid, replaced=replaced, labels=labels)
    if serves:
        publisher.test(done.name, done.uid)
    return ""


def _served(report: PlanReport, done: Outcome) -> str:
    """What serving did, in sentences."""
    name = done.name
    reasons = [field.why for field in report.spec.inferred if field.field == LEAST]
    replicas = "".join(f" {reason[0].upper()}{reason[1:]}." for reason in reasons)
    # Missing rights are the same for every Model: the doctor tells them.
    warnings = [notice for notice in report.notices if notice.severity == "warning" and notice.code != "RightMissing"]
    if done.action == "attached":
        return f"{name} is served already; nothing was changed.{replicas}"
    if done.action == "updated":
        pods = "its Pods are replaced" if done.restarts else "its Pods go on"
        kept = "" if done.restarts or not report.plan.secrets else _OLD_VALUES
        updated = f"{name} is updated, {pods}: {'; '.join(done.diff)}.{kept}{_resumed(report.plan)}{replicas}"
        changed = {"", *(to_snake(name) for name in report.plan.changes)}
        if report.plan.secrets or changed & {"env", "env_from"}:
            changed.add("secrets")
        # Of the other fields the reader was told when they were set.
        top = [notice.field.removeprefix("scaling.").partition("[")[0].partition(".")[0] for notice in warnings]
        about = [notice for notice, field in zip(warnings, top, strict=True) if field in changed]
        return " ".join([updated, *_cautions((*about, *done.warnings))])
    sentences = [f"{name} is created."]
    if report.spec.inferred:
        inferred = "; ".join(f"{field.field} {field.value} ({field.why})" for field in report.spec.inferred)
        sentences.append(f"Inferred: {inferred}.")
    return " ".join([*sentences, *_cautions((*warnings, *done.warnings))])


def _resumed(planned: deploy.Plan) -> str:
    """A sentence where this ends a pause."""
    annotations = map_at(planned.manifest, "metadata", "annotations")
    return " It was paused, and is resumed." if annotations.get(scaling.ANNOTATION, "") is None else ""


def _started_by(planned: deploy.Plan) -> str:
    """A sentence where this takes the last replica: what starts the Model again."""
    if count_at(planned.manifest, "spec", "replicas"):
        return ""
    # The autoscaler gives a replica to a Model for as long as its average counts a request, whoever took the last one.
    averaged = " So does KubeAI at first, where requests came a few minutes ago; pause() keeps it off."
    starter = _starter(planned.current)
    return f" Now {starter} starts it again.{averaged if starter == _REQUEST else ''}"


_REQUEST = "a request, or scale(1),"


def _starter(model: Mapping[str, Any]) -> str:
    """What starts a Model without replicas: a request only where autoscaling is on."""
    if scaling.is_paused(model):
        return "resume()"
    return "scale(1)" if at(model, "spec", "autoscalingDisabled") is True else _REQUEST


def _cautions(warnings: Iterable[Notice]) -> list[str]:
    return [f"Take care: {warning}" for warning in dict.fromkeys(warnings)]


_OLD_VALUES = " Pods that run keep the old values until they are replaced: restart() does that."


def _remedy(name: str, remedies: tuple[Remedy, ...], remedy_id: str) -> Remedy:
    """The Remedy of this id, which is a change of the Model."""
    remedy = next((remedy for remedy in remedies if remedy.id == remedy_id), None)
    if remedy is None:
        message = f"What is wrong with {name} has changed, and this remedy no longer applies. Nothing was changed."
        raise UsageError(message, "why() says what is wrong now.")
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
