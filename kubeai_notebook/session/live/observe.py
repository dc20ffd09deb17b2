"""One Model as it is now, out of what is there already: asks nothing, waits for nothing, changes nothing."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis import diagnose
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.notice import addressed
from kubeai_notebook.core.objects import name_of, text_at, uid_of
from kubeai_notebook.core.observation import Observation, claim_of
from kubeai_notebook.core.phase import ModelStatus, status_of
from kubeai_notebook.core.retries import as_waiting
from kubeai_notebook.core.rollout import answering_spec
from kubeai_notebook.core.view import View, remark_of, stand_in_of

from .informers import ANY_CLAIM, Touch
from .log_sources import runs_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.core.notice import Finding
    from kubeai_notebook.core.objects import KubernetesObject
    from kubeai_notebook.core.whereabouts import Whereabouts

    from .change_tracker import ChangeTracker
    from .informers import Informers
    from .tasks import Tasks

_logger = logging.getLogger(__name__)


def view_of(
    model: KubernetesObject,
    *,
    watches: Informers,
    tasks: Tasks,
    moments: ChangeTracker,
    kubectl: tuple[str, ...],
    where: Whereabouts,
    now_seconds: float,
    conclude: Callable[..., tuple[Finding, ...]] = diagnose,
) -> View:
    """The Model's View; ``now_seconds`` is Unix time.

    A diagnosis that fails costs the Findings, with a line in the log: who waits for the phase still sees it.
    """
    link = watches.link
    if link.state in ("reconnecting", "forbidden"):
        # What was last seen is judged as of then: that nothing is seen to happen means nothing.
        now_seconds = min(now_seconds, link.since_seconds)
    now = datetime.fromtimestamp(now_seconds, UTC)
    # Before anything is read: what comes meanwhile is missing in this View, and the next one has it.
    pending = tasks.pending(model, watches.pods_of(model))
    observation = replace(
        observation_of(model, watches=watches, tasks=tasks, moments=moments, now=now), this_machine=where.this_machine
    )
    secrets = observation.secrets
    runs = runs_of(model, observation.pods, at_requests=False)
    findings: tuple[Finding, ...] = ()
    try:
        findings = conclude(observation, now=now)
    except Exception:  # (whatever a bug in one of hundreds of rules raises)
        _logger.exception("The diagnosis of %s failed.", name_of(model))
    return View(
        status=_masked(status_of(observation, now), secrets),
        findings=addressed(findings, kubectl),
        link=link,
        notes=(*watches.notes(), *tasks.notes(runs)),
        stand_in=stand_in_of(observation.pods),
        remark=masked(remark_of(observation.pods), secrets),
        answering=masked(text_at(answering_spec(model, observation.pods), "url"), secrets),
        where=where,
        observation=observation,
        pending=pending,
    )


def observation_of(
    model: KubernetesObject, *, watches: Informers, tasks: Tasks, moments: ChangeTracker, now: datetime
) -> Observation:
    """Everything that is known about the Model."""
    stored, jobs, claims = watches.pods_of(model), watches.jobs_of(model), watches.claims_of(model)
    pods = tuple(as_waiting(pod, now) for pod in stored)
    own_claims = tuple(claim for claim in claims if name_of(claim) == claim_of(model))
    return Observation(
        model=model,
        changed_at=moments.changed_at(model, stored, now, back_at_seconds=watches.back_at_seconds),
        pods=pods,
        pods_readable=watches.pods.link.state != "forbidden",
        events=watches.events_of(model, *pods, *jobs, *own_claims),
        jobs=jobs,
        claims=claims,
        logs=tuple(tasks.logs(model, pods)),
        operator=tasks.operator,
        refusal=tasks.refusal(model),
        free=tasks.free,
        answer=tasks.answer(model, pods),
    )


def touches_of(view: View) -> frozenset[Touch]:
    """Everything a change of which may change this View."""
    seen = view.observation
    objects = (seen.model, *seen.pods, *seen.jobs, *seen.claims)
    claim = claim_of(seen.model)
    claims = [Touch("claim", claim), ANY_CLAIM] if claim else []
    return frozenset([Touch("model", view.name), *claims, *(Touch("object", uid_of(item)) for item in objects)])


def _masked(status: ModelStatus, secrets: tuple[str, ...]) -> ModelStatus:
    """The status with its sentence as anybody may see it: it quotes the kubelet."""
    return replace(status, detail=masked(status.detail, secrets))
