"""Write a Model: create it, or change the one that is there.

Every change names the ``resourceVersion`` that it was computed from. KubeAI writes to the same object (replicas,
status), so a refusal for an old version is no reason to bother anybody as long as what users ask for is the same: the
change is then computed from the newer version. Otherwise somebody else was faster, and nothing is written.

A Model with secret values needs its own Secret first. So the API server is asked by a dry run before the Secret is
touched, and where the Model is refused all the same, the Secret is put back; what cannot be put back is said.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from kubeai_notebook.cluster.warnings import hearing
from kubeai_notebook.core.catalog.machine import AGENT
from kubeai_notebook.core.masking import secret_values
from kubeai_notebook.core.merge_patch import merged
from kubeai_notebook.core.notice import Notice, wrong
from kubeai_notebook.core.objects import count_at, is_going, map_at, name_of, text_at, uid_of
from kubeai_notebook.core.plan import Outcome, Plan, asked_of
from kubeai_notebook.core.served import SERVED_BY
from kubeai_notebook.core.spec_diff import changed_fields, changes_by, patch_of
from kubeai_notebook.errors import ClusterError, ConflictError, ForbiddenError, KubeAIError, SpecError

from . import history, secrets
from .plan import plan
from .scaling import ANNOTATION as PAUSED
from .scaling import is_paused, without_pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.cluster.warnings import ApiWarning
    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.plan import Action

    Patch = Callable[[Mapping[str, Any]], dict[str, Any]]
    """Makes the merge patch for a Model as it is."""

TRIES = 5
"""How often a change is computed anew because KubeAI wrote to the Model meanwhile."""


def apply(cluster: Cluster, spec: ModelSpec, planned: Plan | None = None, *, user: str = "") -> Outcome:
    """Do what `plan` says; where it fails, the Model and its own Secret are as before, or the error says what is not.

    An equal spec whose secret values are the same changes nothing. ``user``: whose the Model is from now on; ``""``
    leaves that as it is.

    Raises:
        SpecError: the API server refused the Model.
        ConflictError: somebody else changed the Model since it was planned.
        ClusterError: it could not be asked, or a right is missing.
    """
    planned = planned or plan(cluster, spec)
    if user:
        signed = {"metadata": {"annotations": {SERVED_BY: user}}}
        planned = replace(planned, manifest=merged(planned.manifest, signed))
    if planned.action == "attach":
        return _outcome("attached", planned, _recorded(cluster, planned) if user else planned.current)
    manifest = secrets.own_secret(cluster, spec)
    with hearing((*_secrets_of(planned), *spec.given_values)) as warnings:
        if manifest is None:
            stored = _sent(cluster, planned)
        else:
            secrets.sweep(cluster)
            _sent(cluster, planned, dry_run=True)
            stored = _sent_with_secret(cluster, planned, secrets.OwnSecret(cluster, manifest))
    done = _outcome("created" if planned.action == "create" else "updated", planned, stored)
    return replace(done, warnings=_notices(cluster, warnings))


def tried(cluster: Cluster, planned: Plan) -> tuple[Notice, ...]:
    """Have the API server try what is planned: a Notice for each of its warnings; nothing is changed.

    On this machine the daemon also says what surely cannot run there, which is an error.

    Raises:
        SpecError: it would refuse the Model.
        ClusterError: it could not be asked, or the right to create Models is missing.
    """
    if planned.action == "attach":
        return ()
    try:
        with hearing(_secrets_of(planned)) as warnings:
            _sent(cluster, planned, dry_run=True)
    except ForbiddenError:
        if planned.action == "create":
            raise
        return ()  # whoever may not change the Model sees what would change; the preflight names the right
    return _notices(cluster, warnings)


def _secrets_of(planned: Plan) -> tuple[str, ...]:
    return tuple(
        value for model in (planned.manifest, planned.current) for value in secret_values(map_at(model, "spec"))
    )


def _notices(cluster: Cluster, warnings: Iterable[ApiWarning]) -> tuple[Notice, ...]:
    def notice_of(warning: ApiWarning) -> Notice:
        if cluster.is_this_machine and warning.agent == AGENT:
            return wrong("", "CannotRunHere", warning.text)
        return Notice(code="ApiWarning", severity="warning", message=warning.text)

    return tuple(map(notice_of, warnings))


def plan_change(current: Mapping[str, Any], patch: Mapping[str, Any]) -> Plan:
    """What a merge patch, such as a Remedy's, would do to the Model that is there."""
    changes = changes_by(current, patch)
    return Plan(
        action="update" if patch else "attach",
        manifest=dict(patch),
        current=dict(current),
        changes=changes,
        uid=uid_of(current),
    )


def change(
    cluster: Cluster,
    action: Action,
    current: Mapping[str, Any],
    *,
    patch: Patch,
    remember: bool = True,
    dry_run: bool = False,
) -> Outcome:
    """Change the Model as ``patch`` says, which is computed from ``current``.

    ``remember``: `rolled_back` can take it back. ``dry_run``: the API server says whether it would, and nothing is
    changed.

    Raises:
        ConflictError: somebody else changed the Model since ``current`` was read.
        ClusterError: the API server refused it or does not answer.
    """
    planned = plan_change(current, patch(current))
    with hearing(_secrets_of(planned)) as warnings:
        stored = _patched(cluster, current, partial(_remembering, patch) if remember else patch, dry_run=dry_run)
    done = _outcome(action, planned, stored, dry_run=dry_run)
    return replace(done, warnings=_notices(cluster, warnings))


def rolled_back(current: Mapping[str, Any]) -> dict[str, Any]:
    """The patch back to the spec that was applied before the present one, which was not paused.

    Raises:
        NotFoundError: there is none.
    """
    spec, annotations = history.previous(current)
    if is_paused(current):
        annotations[PAUSED] = None
        # As `resumed` does: until KubeAI sets the number, it would look asleep.
        spec.setdefault("replicas", map_at(without_pause(current), "spec")["replicas"])
    return {"metadata": {"annotations": annotations}, **patch_of(changed_fields(current, {"spec": spec}))}


def _remembering(patch: Patch, current: Mapping[str, Any]) -> dict[str, Any]:
    """The patch, and the present spec among those that `rolled_back` finds."""
    wanted = patch(current)
    stated = map_at(wanted, "metadata", "annotations")
    return {**wanted, "metadata": {"annotations": {**stated, **history.remembered(current)}}}


def _outcome(action: Action, planned: Plan, stored: Mapping[str, Any], *, dry_run: bool = False) -> Outcome:
    return Outcome(
        action=action,
        name=name_of(stored),
        uid=uid_of(stored),
        generation=count_at(stored, "metadata", "generation"),
        diff=tuple(planned.diff.splitlines()),
        restarts=planned.restarts,
        dry_run=dry_run,
        asked=asked_of(stored),
    )


def _sent(cluster: Cluster, planned: Plan, *, dry_run: bool = False) -> dict[str, Any]:
    """Create the Model, or change its spec if that differs; returns it as it is stored."""
    if planned.action == "create":
        return cluster.create_model(planned.manifest, dry_run=dry_run)
    if not planned.changes:
        return planned.current if dry_run else _recorded(cluster, planned)
    return _patched(cluster, planned.current, partial(_update, planned), dry_run=dry_run)


def _update(planned: Plan, current: Mapping[str, Any]) -> dict[str, Any]:
    patch = patch_of(changed_fields(current, planned.manifest))
    kept = history.remembered(current) if patch["spec"] else {}
    annotations = {**map_at(planned.manifest, "metadata", "annotations"), **kept}
    return {**patch, "metadata": {**map_at(patch, "metadata"), "annotations": annotations}}


def _recorded(cluster: Cluster, planned: Plan) -> dict[str, Any]:
    """Write down who served the Model and with which fields, where something else stands there: no more than a note.

    So a right that is missing, or somebody who is faster, is no reason to fail: whose note stands there by then, stays.
    """
    annotations = map_at(planned.manifest, "metadata", "annotations")
    present = map_at(planned.current, "metadata", "annotations")

    def noted(current: Mapping[str, Any]) -> dict[str, Any]:
        now = map_at(current, "metadata", "annotations")
        as_planned = all(now.get(key) == present.get(key) for key in annotations)
        return {"metadata": {"annotations": annotations}} if as_planned else {}

    if any(present.get(key) != value for key, value in annotations.items()):
        with suppress(ForbiddenError, ConflictError):
            return _patched(cluster, planned.current, noted)
    return planned.current


def _patched(cluster: Cluster, current: Mapping[str, Any], patch: Patch, *, dry_run: bool = False) -> dict[str, Any]:
    """Send the patch for exactly this version of the Model, and for a newer one where only KubeAI wrote meanwhile."""
    name = name_of(current)
    for _ in range(TRIES):
        wanted = patch(current)
        version = {"resourceVersion": text_at(current, "metadata", "resourceVersion")}
        versioned = {**wanted, "metadata": {**map_at(wanted, "metadata"), **version}}
        try:
            return cluster.patch_model(name, versioned, dry_run=dry_run)
        except ConflictError:
            newer = cluster.model(name)
        if not asks_the_same(current, newer):
            break
        current = newer
    message = f"{name} was changed by somebody else meanwhile, so nothing was changed now."
    raise ConflictError(message, "Look at what it is now, then run this again.")


def asks_the_same(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether they are one Model of which users ask the same: what KubeAI writes to it is no matter."""
    return not is_going(after) and asked_of(before) == asked_of(after)


def _sent_with_secret(cluster: Cluster, planned: Plan, own: secrets.OwnSecret) -> dict[str, Any]:
    """Write the Secret, then the Model; where either is refused, or this is interrupted, take back what was done."""
    created: Mapping[str, Any] = {}
    try:
        own.write(planned.current)
        stored = _sent(cluster, planned)
        if planned.action == "create":
            created = stored
            own.tie(stored)
    except BaseException as error:  # an interrupt, too, leaves nothing half made
        left = " ".join(filter(None, [_deleted(cluster, created), own.take_back()]))
        if left and isinstance(error, SpecError):
            raise SpecError([*error.notices, wrong("", "LeftBehind", left)]) from error
        if left and isinstance(error, KubeAIError):
            error.hint = f"{left} {error.hint}".rstrip()
        raise
    return stored


def _deleted(cluster: Cluster, created: Mapping[str, Any]) -> str:
    """Delete the Model that was just created, if one was; returns a sentence where that could not be done."""
    if not created:
        return ""
    try:
        cluster.delete_model(name_of(created), uid_of(created))
    except ClusterError as error:
        return f'The Model "{name_of(created)}" was created and is still there: {error.message}'
    return ""
