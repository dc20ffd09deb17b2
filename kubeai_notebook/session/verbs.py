"""What can be done to the Models of a Session: functions that take plain values and return an `Outcome`.

A cell, a form, a server with many browsers and a batch all call these; none of them needs a handle or a magic. So
two things stand here once for all of them: the guard for Models that somebody else served (`NotYoursError`, which each
face words with its own way to say ``yes``), and what is said where the new state may not be seen. The guard is against
slips: who may write to a Model of Kubernetes may always do so.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from kubeai_notebook import deploy
from kubeai_notebook.core.field_aliases import spelled
from kubeai_notebook.core.inference import LEAST
from kubeai_notebook.core.manifest import cleaned, fields_of_manifest, spec_of_manifest
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.core.naming import SUFFIX_LENGTH, check_name, unique_name
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.core.objects import map_at, name_of, text_at, uid_of
from kubeai_notebook.core.plan import Outcome, Stake
from kubeai_notebook.core.rules.catalog_checks import with_known_profile
from kubeai_notebook.core.served import served_by
from kubeai_notebook.core.spec import ModelSpec, spec_of
from kubeai_notebook.deploy import scaling
from kubeai_notebook.errors import (
    ClusterError,
    ForbiddenError,
    KubeAIError,
    NotFoundError,
    NotYoursError,
    SpecError,
    UsageError,
)
from kubeai_notebook.present.plan_report import PlanReport
from kubeai_notebook.text import one_line

from . import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kubeai_notebook.core.notice import Finding, Notice
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
    # What is refused already needs no second refusal, which would hide the list of the first.
    return report if report.refusal else _tried(session, report)


def _tried(session: Connection, report: PlanReport) -> PlanReport:
    """The report with what the API server says to a dry run."""
    return replace(report, notices=(*report.notices, *deploy.tried(session.cluster, report.plan)))


def _is_told_by_trying(session: Connection, report: PlanReport) -> bool:
    """Whether only the daemon knows that this cannot run: which weights can be had lies on its machine."""
    weights = {"url", "engine", "features", "adapters"} & report.plan.changes.keys()
    return session.facts.this_machine and (report.plan.action == "create" or bool(weights))


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
    report = what if isinstance(what, PlanReport) else _plan(session, what, unique=unique)
    if _is_told_by_trying(session, report) and not (force or report.refusal or isinstance(what, PlanReport)):
        report = _tried(session, report)
    planned = report.plan
    if report.refusal and not force and planned.action != "attach":
        raise report.refusal
    its_own = yes or planned.action == "create" or served_by(planned.current) == session.user
    if not its_own and _takes_away(session, planned):
        _check_owner(session, "serve", planned.current, diff=planned.diff)
    replaced = _replaced(session, report.spec.name, planned)
    done = deploy.apply(session.cluster, report.spec, planned, user=session.user if its_own else "")
    labels = map_at(planned.manifest, "metadata", "labels") if planned.changes else {}
    unseen = _wait_seen(session, done, serves=True, replaced=replaced, labels=labels)
    return replace(done, note=" ".join(filter(None, [*session.cluster.notes, _served(report, done), unseen])))


def scale(session: Connection, name: str, replicas: int, *, yes: bool = False) -> Outcome:
    """Ask for a number of replicas, and keep it; 0 lets the Model sleep until a request comes.

    Raises:
        NotYoursError: somebody else served it, and ``yes`` is not said.
    """
    note = f"{name} is scaled to {replicas}." if replicas else f"{name} goes to sleep; a request wakes it."
    change = _Change("scale", "scaled", lambda model: scaling.scaled(model, replicas), note)
    return _changed(session, name, change, yes=yes)


def pause(session: Connection, name: str, *, yes: bool = False) -> Outcome:
    """Take all Pods away until `resume`; unlike sleep, no request wakes the Model meanwhile. Errors as `scale`."""
    return _changed(session, name, _Change("pause", "paused", scaling.paused, f"{name} is paused."), yes=yes)


def resume(session: Connection, name: str, *, yes: bool = False) -> Outcome:
    """Take `pause` back. Errors as `scale`."""
    return _changed(session, name, _Change("resume", "resumed", scaling.resumed, f"{name} is resumed."), yes=yes)


def rollback(session: Connection, name: str, *, yes: bool = False) -> Outcome:
    """Go back to the spec that was applied before the present one.

    Raises:
        NotFoundError: nothing was changed so far.
        NotYoursError: somebody else served it, and ``yes`` is not said.
    """
    current = session.cluster.model(name)
    planned = deploy.plan_change(current, deploy.rolled_back(current))
    _check_owner(session, "rollback", current, yes=yes, diff=planned.diff)
    replaced = _replaced(session, name, planned)
    done = deploy.change(session.cluster, "rolled back", current, patch=deploy.rolled_back, remember=False)
    return _noted(session, done, f"{name} goes back: {'; '.join(done.diff)}", replaced=replaced)


def fix(session: Connection, name: str, remedy_id: str, *, dry_run: bool = False, yes: bool = False) -> Outcome:
    """Make the change of the Remedy that has this id among the Model's Findings of now.

    Raises:
        UsageError: what is wrong has changed, so that there is no such Remedy; or it is no change of the Model.
        NotYoursError: somebody else served it, and ``yes`` is not said.
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
        _check_owner(session, "fix", current, yes=yes, diff=planned.diff)
    done = deploy.change(session.cluster, "fixed", current, patch=remedy.patch, dry_run=dry_run)
    pods = "Its Pods are replaced." if done.restarts else "Its Pods go on."
    pods = f" {pods}" if view.observation.engine_pods else ""
    if dry_run:
        sentences = [f"{name} would be changed. {remedy.title}{pods}", *_cautions(done.warnings)]
        return replace(done, note=" ".join(sentences))
    replaced = waiting.hashes_of(view) if done.restarts else frozenset[str]()
    return _noted(session, done, f"{name} is changed: {'; '.join(done.diff)}.{pods}", replaced=replaced)


def restart(session: Connection, name: str, *, timeout_seconds: float | None = None, yes: bool = False) -> Outcome:
    """Replace the Model's Pods, one by one.

    Raises:
        NotYoursError: somebody else served it, and ``yes`` is not said.
        ForbiddenError: the right to delete Pods is missing.
        WaitTimeoutError: a new Pod is not ready in time; the others were left alone.
    """
    _check_owner(session, "restart", session.cluster.model(name), yes=yes)
    limit = session.settings.wait_timeout_seconds if timeout_seconds is None else timeout_seconds
    count = waiting.restart_pods(session, name, limit)
    if not count:
        return Outcome(action="nothing", name=name, note="It has no Pod to restart.")
    note = f"{count} {'Pod is' if count == 1 else 'Pods are'} replaced."
    return Outcome(action="restarted", name=name, note=note, restarts=True)


def delete(session: Connection, name: str, *, timeout_seconds: float = DELETE_SECONDS, yes: bool = False) -> Outcome:
    """Delete the Model and its Pods, and wait until it is gone.

    Raises:
        NotFoundError: there is no such Model.
        NotYoursError: somebody else served it, and ``yes`` is not said.
        WaitTimeoutError: something still holds it after ``timeout_seconds``.
    """
    model = session.cluster.model(name)
    _check_owner(session, "delete", model, yes=yes)
    uid = uid_of(model)
    try:
        session.publisher.names()
    except ForbiddenError:
        session.cluster.delete_model(name, uid)
        note = f"{name} is being deleted; you may not list Models here, so it is not known when it is gone."
        return Outcome(action="deleted", name=name, uid=uid, note=note)
    waiting.delete(session, name, timeout_seconds, uid=uid)
    return Outcome(action="deleted", name=name, uid=uid, note=f"{name} is deleted.")


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
                near = _nearest(session, name).strip()
                failures.append(NotFoundError(missing, near or "models() lists what is there."))
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
    told = [f"Deleted: {', '.join(deleted)}."] if deleted else []
    message = " ".join([*(error.message for error in failures), *told])
    hint = " ".join(dict.fromkeys(error.hint for error in failures if error.hint))
    if kinds == {NotYoursError}:
        stake = getattr(failures[0], "stake", None) if len(failures) == 1 else None
        return NotYoursError(message, hint, stake=stake, done=deleted)
    return NotFoundError(message, hint) if kinds == {NotFoundError} else KubeAIError(message, hint)


def stake(session: Connection, name: str) -> Stake:
    """What goes with the Model when it is deleted."""
    return _stake(session, "delete", name)


def _plan(session: Connection, what: ModelSpec | Mapping[str, Any], *, unique: bool) -> PlanReport:
    if isinstance(what, ModelSpec):
        spec = what
    else:
        there = None if unique else _there(session, what)
        if there is not None and len(what) == 1:
            attached = deploy.Plan(action="attach", manifest=cleaned(there), current=there, uid=uid_of(there))
            return PlanReport(spec_of_manifest(attached.manifest), (), attached)
        spec = _spec_of(session, what, there)
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


def _there(session: Connection, fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """The Model that the fields name, where they give no url."""
    said = spelled({key: value for key, value in fields.items() if isinstance(key, str)})[0]
    name = said.get("name")
    if said.get("url") or "kind" in said or not isinstance(name, str) or check_name(name):
        return None
    try:
        return session.cluster.model(name)
    except NotFoundError:
        message = f'There is no Model "{name}" to attach to.{_nearest(session, name)}'
        raise SpecError([wrong("url", "Required", f"{message} {NEEDS_URL}")]) from None


def _nearest(session: Connection, name: str) -> str:
    """A question for the name that may be meant; ``""`` where the names may not be seen."""
    with suppress(ClusterError):
        return did_you_mean(name, session.publisher.names())
    return ""


NEEDS_URL = "A new Model needs a url, such as ollama://smollm2:135m or hf://org/model."


def _checked(session: Connection, spec: ModelSpec) -> PlanReport:
    spec = with_known_profile(spec, session.facts.catalog)
    planned = deploy.plan(session.cluster, spec)
    return PlanReport(spec, deploy.preflight(session.facts, spec, planned), planned)


def _spec_of(session: Connection, fields: Mapping[str, Any], there: Mapping[str, Any] | None) -> ModelSpec:
    # Only a wish for resources needs the cluster's profiles.
    catalog = session.facts.catalog if fields.get("resources") is not None else None
    goes_on = None
    if there is not None:
        present = fields_of_manifest(there)
        goes_on = {key: present[key] for key in _GOES_ON if present.get(key)}
        if fields.get("resources") is not None:
            del goes_on["resource_profile"]
    return spec_of(fields, default_profile=session.settings.default_profile, catalog=catalog, there=goes_on)


_GOES_ON = ("url", "engine", "features", "resource_profile")


class _Change(NamedTuple):
    """A change of the scaling, which another one takes back, so that `rollback` is not to know it."""

    verb: Guarded
    action: Action
    patch: Callable[[Mapping[str, Any]], dict[str, Any]]
    note: str


def _changed(session: Connection, name: str, change: _Change, *, yes: bool) -> Outcome:
    current = session.cluster.model(name)
    patch = change.patch(current)
    _check_owner(session, change.verb, current, yes=yes, diff=deploy.plan_change(current, patch).diff)
    done = deploy.change(session.cluster, change.action, current, patch=change.patch, remember=False)
    return _noted(session, done, change.note)


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
    waiting.wait_seen(publisher, done.name, done.generation, replaced=replaced, labels=labels)
    if serves:
        publisher.test(done.name, done.uid)
    return ""


def _served(report: PlanReport, done: Outcome) -> str:
    """What serving did, in sentences."""
    name = done.name
    replicas = "".join(f" {one.why[0].upper()}{one.why[1:]}." for one in report.spec.inferred if one.field == LEAST)
    if done.action == "attached":
        return f"{name} is served already; nothing was changed.{replicas}"
    if done.action == "updated":
        pods = "its Pods are replaced" if done.restarts else "its Pods go on"
        kept = "" if done.restarts or not report.plan.secrets else _OLD_VALUES
        resumed = " It was paused, and is resumed." if scaling.is_paused(report.plan.current) else ""
        updated = f"{name} is being updated, {pods}: {'; '.join(done.diff)}.{kept}{resumed}{replicas}"
        return " ".join([updated, *_cautions(done.warnings)])
    sentences = [f"{name} is created."]
    if report.spec.inferred:
        inferred = "; ".join(f"{field.field} {field.value} ({field.why})" for field in report.spec.inferred)
        sentences.append(f"Inferred: {inferred}.")
    # Missing rights are the same for every Model: the doctor tells them.
    warnings = [notice for notice in report.notices if notice.severity == "warning" and notice.code != "RightMissing"]
    return " ".join([*sentences, *_cautions((*warnings, *done.warnings))])


def _cautions(warnings: Iterable[Notice]) -> list[str]:
    return [f"Take care: {warning}" for warning in dict.fromkeys(warnings)]


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


def _takes_away(session: Connection, planned: deploy.Plan) -> bool:
    """Whether serving replaces Pods that are ready, takes some of them away, or ends a pause."""
    if planned.action != "update" or scaling.is_paused(planned.current):
        return planned.action == "update"
    if not (planned.restarts or scaling.is_less(planned.current, planned.manifest)):
        return False
    try:
        return session.publisher.view(name_of(planned.current)).status.ready > 0
    except (ForbiddenError, NotFoundError):
        return False  # whoever may not look may still create


def _check_owner(
    session: Connection, verb: Guarded, model: Mapping[str, Any], *, yes: bool = False, diff: str = ""
) -> None:
    """Refuse to change what somebody else served: the one guard of all verbs. A Model without a name is no one's."""
    owner, name = served_by(model), name_of(model)
    if yes or owner == session.user:
        return
    whose = f"{name} was served by {one_line(owner)}, and you are {session.user}" if owner else f"{name} {_NAMELESS}"
    message = f"{whose}: {'it was not deleted' if verb == 'delete' else 'nothing was changed'}."
    stake = Stake(verb=verb, name=name, uid=uid_of(model))
    with suppress(ForbiddenError, NotFoundError):
        stake = _stake(session, verb, name)
    stake = replace(stake, served_by=owner, diff=tuple(diff.splitlines()))
    raise NotYoursError(message, "yes=True does it all the same.", stake=stake)


_NAMELESS = "was not served with kubeai_notebook, so whose it is cannot be known"


def _stake(session: Connection, verb: Guarded, name: str) -> Stake:
    view = session.publisher.view(name)
    spec = map_at(view.model, "spec")
    return Stake(
        verb=verb,
        name=name,
        uid=uid_of(view.model),
        served_by=served_by(view.model),
        pods=len(view.observation.engine_pods),
        ready=view.status.ready,
        resource_profile=text_at(spec, "resourceProfile") or "cpu",
        cache_profile=text_at(spec, "cacheProfile"),
    )
