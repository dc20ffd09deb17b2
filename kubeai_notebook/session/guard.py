"""Whether a verb may act on a Model: the one guard, for every face, of what somebody else served.

Kubernetes decides who *may* write to a Model; this is against slips. So it asks one question, whose name stands in
the Model's annotation (`core.served`), and answers with what would go: a face words that, and its own way to say
``yes``. That nothing is written over somebody else's change is kept by the ``resourceVersion`` of the plan
(`deploy.apply`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.objects import map_at, name_of, text_at, uid_of
from kubeai_notebook.core.plan import Stake
from kubeai_notebook.core.served import served_by
from kubeai_notebook.deploy import scaling
from kubeai_notebook.errors import ConflictError, ForbiddenError, NotFoundError, NotYoursError
from kubeai_notebook.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.plan import Guarded, Plan

    from .connection import Connection

_NAMELESS = "was not served with kubeai_notebook, so whose it is cannot be known"


def takes_away(session: Connection, planned: Plan) -> bool:
    """Whether serving replaces Pods that are ready, takes some of them away, or ends a pause."""
    if planned.action != "update" or scaling.is_paused(planned.current):
        return planned.action == "update"
    if not (planned.restarts or scaling.is_less(planned.current, planned.manifest)):
        return False
    try:
        return session.publisher.view(name_of(planned.current)).status.ready > 0
    except (ForbiddenError, NotFoundError):
        return False  # whoever may not look may still create


def meant(session: Connection, name: str, uid: str) -> dict[str, Any]:
    """The Model of this name as it is now; with a ``uid``, only where it is the one that somebody was shown.

    Raises:
        NotFoundError: there is none.
        ConflictError: another one was made under its name since.
    """
    model = session.cluster.model(name)
    _check_same(name, uid_of(model), uid)
    return model


def _check_same(name: str, there: str, uid: str) -> None:
    """Refuse to act on a Model that was made anew under the name of the one that was shown; ``""``: none was."""
    if uid and uid != there:
        message = f"{name} was deleted since it was shown, and another Model has its name now. Nothing was changed."
        raise ConflictError(message, "Look at what it is now.")


def check_owner(
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
        stake = stake_of(session, verb, name)
    stake = replace(stake, served_by=owner, diff=tuple(diff.splitlines()))
    raise NotYoursError(message, "yes=True does it all the same.", stake=stake)


def stake_of(session: Connection, verb: Guarded, name: str, *, uid: str = "") -> Stake:
    """What the verb takes away with the Pods that the Model has now; ``uid`` and errors as `meant`."""
    view = session.publisher.view(name)
    _check_same(name, view.uid, uid)
    spec = map_at(view.model, "spec")
    return Stake(
        verb=verb,
        name=name,
        uid=view.uid,
        served_by=served_by(view.model),
        pods=len(view.observation.engine_pods),
        ready=view.status.ready,
        resource_profile=text_at(spec, "resourceProfile") or "cpu",
        cache_profile=text_at(spec, "cacheProfile"),
    )
