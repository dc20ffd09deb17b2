"""What each row of the table does: plain values in, a value of the wire out, on the server's one Session.

Nothing is decided here: what may be done and what follows from it is `session.verbs`' and `session.planning`'s. Errors
are theirs, too: each is a KubeAIError, which the handlers tell as Notices. Of all: NotFoundError, where there is no
such Model; ForbiddenError, where the login may not; UnreachableError, where the cluster does not answer. ``uid`` is of
the Model that a page shows: ConflictError, where another one has its name now. ``yes``: also where somebody else
served it, which is a NotYoursError without.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kubeai_notebook import settings
from kubeai_notebook.cluster.connect import contexts_of
from kubeai_notebook.core.spec import draft_of
from kubeai_notebook.errors import KubeAIError
from kubeai_notebook.present import server_wire as wire
from kubeai_notebook.present.card import card_of
from kubeai_notebook.present.details import event_lines
from kubeai_notebook.session import planning, verbs
from kubeai_notebook.session.configured import effects_of
from kubeai_notebook.session.doctor import doctor_of, role_of
from kubeai_notebook.session.guard import stake_of
from kubeai_notebook.session.logs import log_of
from kubeai_notebook.session.model import Model
from kubeai_notebook.session.software import version_of
from kubeai_notebook.session.waiting import look_at

if TYPE_CHECKING:
    from kubeai_notebook.session.session import Session

TAIL_LINES = 200


def where(session: Session) -> wire.Where:
    """The cluster, the namespace and the login in use; where the login cannot be asked for, it is not known."""
    publisher = session.publisher
    try:
        user = session.user
    except KubeAIError:
        user = ""
    return wire.where_of(session.where, user=user, link=publisher.link, version=version_of("kubeai-notebook"))


def use(session: Session, *, context: str | None = None, namespace: str | None = None) -> wire.Where:
    """Work elsewhere; where that cannot be, all stays as it was.

    The place is a setting of this process: as in a notebook, the Sessions of before end, the next is of the new one.
    """
    from kubeai_notebook.session.session import Session, default

    del session
    now = settings.current()
    wanted = replace(
        now,
        context=now.context if context is None else context,
        namespace=now.namespace if namespace is None else namespace,
    )
    # Tried first: to change the settings and back would end the Sessions of now, and tell every browser of a place
    # that was refused.
    with Session(settings=wanted) as there:
        there.cluster.check_namespace()
    traits = settings.configurable()
    traits.context, traits.namespace = wanted.context, wanted.namespace
    return where(default())


def contexts(session: Session) -> wire.Contexts:
    """Where this server could work; also where it can reach nothing now, since this is the way out."""
    now = session.settings
    current, *_ = effects_of(now)
    return wire.Contexts(names=contexts_of(now), current=current.value, namespace=now.namespace)


def list_models(session: Session) -> wire.ModelsTable:
    """All Models of the namespace, whoever made them, as the last change of the watch left them."""
    publisher = session.publisher
    return wire.table_of(publisher.views(), publisher.link, session.where, now_seconds=time.time())


def get(session: Session, name: str) -> wire.Card:
    """One Model, with what its log explains.

    It waits a moment for what is being asked about the Model, such as its log.
    """
    return card_of(look_at(session.publisher, name), namespace=session.cluster.namespace)


def draft(session: Session, fields: dict[str, Any]) -> wire.Drafted:
    """All that can be said of some fields, by what is known of the cluster already: for each change of a form.

    Nobody is asked, and what is wrong with a field is part of the answer.
    """
    profile = session.settings.default_profile
    return wire.drafted_of(draft_of(fields, session.known("facts"), default_profile=profile))


def plan(session: Session, fields: dict[str, Any]) -> wire.Planned:
    """What serving would do: the Manifest, its diff with what is there, and what the API server says of it.

    Raises:
        SpecError: a field is wrong.
    """
    return wire.planned_of(planning.plan(session, fields))


def serve(session: Session, fields: dict[str, Any], *, yes: bool = False, force: bool = False) -> wire.Done:
    """Create or update a Model; ``force``: also where the preflight says that it cannot serve.

    Raises:
        SpecError: a field is wrong, or cannot work on this cluster; nothing was sent.
    """
    return wire.done_of(verbs.serve(session, fields, yes=yes, force=force))


def scale(session: Session, name: str, *, replicas: int, yes: bool = False, uid: str = "") -> wire.Done:
    """Ask for a number of replicas.

    Raises:
        SpecError: it is no whole number from 0 up, or more than this machine holds.
    """
    return wire.done_of(verbs.scale(session, name, replicas, yes=yes, uid=uid))


def pause(session: Session, name: str, *, yes: bool = False, uid: str = "") -> wire.Done:
    """Take all Pods away, and let no request wake the Model until `resume`."""
    return wire.done_of(verbs.pause(session, name, yes=yes, uid=uid))


def resume(session: Session, name: str, *, yes: bool = False, uid: str = "") -> wire.Done:
    """Take a pause back: the Model is scaled as it was before."""
    return wire.done_of(verbs.resume(session, name, yes=yes, uid=uid))


def restart(session: Session, name: str, *, yes: bool = False, uid: str = "") -> wire.Done:
    """Replace its Pods one after the other, each once the new one is ready.

    Raises:
        WaitTimeoutError: a new Pod is not ready in time; the others were left alone.
    """
    return wire.done_of(verbs.restart(session, name, yes=yes, uid=uid))


def rollback(session: Session, name: str, *, yes: bool = False, uid: str = "") -> wire.Done:
    """Go back to the spec that it was served with before."""
    return wire.done_of(verbs.rollback(session, name, yes=yes, uid=uid))


def fix(
    session: Session,
    name: str,
    *,
    remedy_id: str,
    dry_run: bool = False,
    resource_version: str = "",
    yes: bool = False,
    uid: str = "",
) -> wire.Done:
    """Make the change of a Remedy; with ``dry_run`` only show its diff, and the resourceVersion that it stands on.

    Raises:
        UsageError: what is wrong has changed, so that there is no such Remedy; or it is no change of the Model.
        ConflictError: the Model is no longer the one of ``resource_version``.
    """
    done = verbs.fix(session, name, remedy_id, dry_run=dry_run, yes=yes, resource_version=resource_version, uid=uid)
    return wire.done_of(done)


def stake(session: Session, name: str, *, uid: str = "") -> wire.Done:
    """What would go with the Model: what a page shows before it deletes."""
    return wire.at_stake(stake_of(session, "delete", name, uid=uid))


def delete(session: Session, name: str, *, yes: bool = False, uid: str = "") -> wire.Done:
    """Delete it and its Pods, and wait until it has gone.

    Raises:
        WaitTimeoutError: something still holds it.
    """
    return wire.done_of(verbs.delete(session, name, yes=yes, uid=uid))


def logs(
    session: Session,
    name: str,
    *,
    tail_lines: int = TAIL_LINES,
    previous: bool = False,
    pod: str = "",
    container: str = "",
) -> wire.LogText:
    """The last ``tail_lines`` lines of a log: of the newest Pod and its engine, where none is named.

    ``previous``: of the container that ran before the last restart.
    """
    return wire.log_text(log_of(session, name, tail_lines=tail_lines, previous=previous, pod=pod, container=container))


def events(session: Session, name: str) -> wire.Events:
    """What happened to the Model and its Pods, the newest first."""
    return wire.Events(events=event_lines(look_at(session.publisher, name)))


def yaml(session: Session, name: str) -> wire.CodeText:
    """Its Manifest, secrets masked."""
    return wire.CodeText(language="yaml", text=wire.yaml_of(session.publisher.view(name).model))


def code(session: Session, name: str) -> wire.CodeText:
    """Python that calls it."""
    return wire.CodeText(language="python", text=str(Model(session, name).code()))


def catalog(
    session: Session, *, text: str = "", feature: str = "", here: bool = False, fits: bool = False
) -> wire.Catalog:
    """What can be served by a part of a name and a feature; ``here``: on this machine; ``fits``: by its size, too."""
    return wire.catalog_of(planning.offers(session, text, feature=feature, here=here, fits=fits))


def rights(session: Session) -> wire.RightsList:
    """What the login may not do, each with what it is needed for, and a Role that would allow all of it."""
    missing = session.facts.missing_rights
    rows = tuple(
        wire.MissingRight(verb=right.verb, resource=right.resource, group=right.group, purpose=right.purpose)
        for right in missing
    )
    return wire.RightsList(missing=rows, role=role_of(session.facts))


def doctor(session: Session) -> wire.Examination:
    """Every station on the way to KubeAI; what cannot be reached is one of them."""
    return wire.examination_of(doctor_of(session))
