"""What the server half answers with, beside the cards and rows of `present.wire`: values in words, for a sidebar.

As in `present.wire`, other people's words become plain as they enter; what may hold a secret is masked here, before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from kubeai_notebook.core.manifest import cleaned, to_yaml
from kubeai_notebook.core.masking import masked, masked_spec
from kubeai_notebook.core.objects import map_at
from kubeai_notebook.core.observation import secrets_of
from kubeai_notebook.text import plain

from .card import link_state
from .models_table import row_of
from .notices import notice_line
from .stake import going
from .wire import Card, EventLine, ModelRow, ModelsTable, NoticeLine, Words
from .wording import in_magics, in_sidebar, line_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kubeai_notebook.core.catalog.offers import Offer
    from kubeai_notebook.core.notice import Notice
    from kubeai_notebook.core.plan import Outcome, Stake
    from kubeai_notebook.core.spec import Draft
    from kubeai_notebook.core.view import Link, View
    from kubeai_notebook.core.whereabouts import Whereabouts

    from .doctor_report import Doctor
    from .log import Log
    from .plan_report import PlanReport

LONGEST_LOG = 500_000
"""Characters; what is older is left out."""

__all__ = ["Card", "ModelsTable"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Where(_Answer):
    """Which cluster and namespace this server works in, and as whom."""

    label: Words
    """Such as ``in team on prod``."""
    mark: str
    """The same for one place only: ``where`` of each request that is meant for it."""
    cluster: Words
    namespace: Words
    server: Words
    """The Kubernetes API's address, and the entry of the kubeconfig it comes from."""
    user: Words
    """The login, as it is written on Models that are served from here."""
    this_machine: bool
    link: Literal["live", "reconnecting", "closed"]
    version: str
    """Of kubeai_notebook."""


class Contexts(_Answer):
    """The contexts that this server can work in."""

    names: tuple[Words, ...]
    """Those of the kubeconfig, and the one that means this machine; each is a ``context`` of ``POST where``."""
    current: Words
    """The one that is configured, whether it can be reached or not; ``""`` for a Pod's own account."""
    namespace: Words
    """The one that is configured; ``""``: the context's."""


class Problem(_Answer):
    """Why a request failed; every error of every route has this form."""

    notices: tuple[NoticeLine, ...]
    note: Words = ""
    """Of a Model that somebody else served: what would go with its Pods."""
    diff: tuple[Words, ...] = ()
    """Of the same: what would change."""


class Done(_Answer):
    """What a verb did, or in a dry run would do."""

    action: str
    name: Words
    note: Words = ""
    diff: tuple[Words, ...] = ()
    """One line a field."""
    restarts: bool = False
    """Whether Pods are replaced."""
    dry_run: bool = False
    resource_version: str = ""
    """Of the Model that a dry run was computed on."""
    uid: str = ""
    """Of the Model; a request that brings it reaches no other one of the same name."""
    under_way: bool = False
    """It takes longer than a request may, and goes on; ``late`` tells how it ended."""
    request_id: str = ""
    """By which ``late`` knows it."""
    notices: tuple[NoticeLine, ...] = ()
    """What the API server warned of."""


class Drafted(_Answer):
    """What can be said of some fields."""

    valid: bool
    name: Words = ""
    """That of the Model that it would be, inferred where it is not stated."""
    notices: tuple[NoticeLine, ...]


class Planned(_Answer):
    """What serving some fields would do."""

    action: Literal["create", "attach", "update"]
    name: Words
    title: Words
    """One sentence."""
    refused: bool
    """Whether serving it would be refused without ``force``."""
    restarts: bool
    diff: tuple[Words, ...]
    notices: tuple[NoticeLine, ...]
    """The preflight, what is well included."""
    yaml: Words
    """The Manifest that would be sent, secrets masked."""


class LogText(_Answer):
    """The end of one container's log."""

    pod: Words
    text: str


class Events(_Answer):
    """The Events of a Model's Pods, the newest first."""

    events: tuple[EventLine, ...]


class CodeText(_Answer):
    """Text to be copied."""

    language: Literal["python", "yaml"]
    text: Words


class OfferLine(_Answer):
    """One url that can be served."""

    url: Words
    features: tuple[Words, ...]
    engine: Words
    size_bytes: int | None
    memory_bytes: int | None
    here: bool
    fits: bool | None
    """None where that is not known."""
    why: Words
    source: str
    model: Words
    """The Model that serves it already."""
    title: Words


class Catalog(_Answer):
    """What can be served."""

    offers: tuple[OfferLine, ...]


class MissingRight(_Answer):
    """One right that the login lacks."""

    verb: str
    resource: str
    group: str
    purpose: str
    """What cannot be done without it."""


class RightsList(_Answer):
    """What the login lacks."""

    missing: tuple[MissingRight, ...]
    role: str
    """The smallest Role, as YAML, that grants it; ``""`` where nothing is missing."""


class StationLine(_Answer):
    """What was seen at one place on the way to KubeAI."""

    name: str
    code: str
    severity: Literal["error", "warning", "info"]
    message: Words
    steps: tuple[Words, ...]


class Examination(_Answer):
    """The doctor's stations, in the order of the way."""

    healthy: bool
    stations: tuple[StationLine, ...]
    role: str


class LinkState(_Answer):
    """How fresh all that a stream has told is."""

    link: Literal["live", "reconnecting", "closed"]
    since_seconds: float
    where: Words
    mark: str
    """The place of all Models that the stream tells of: ``where`` of each request about one of them."""
    notices: tuple[NoticeLine, ...] = ()
    """Why it is not live."""


class ModelChange(_Answer):
    """One Model as it is now: its row in a list, and its card."""

    row: ModelRow
    card: Card
    uid: str
    """``uid`` of each request that is meant for this Model, and for no later one of its name."""


class Gone(_Answer):
    """A Model that is there no more."""

    name: Words


class Changes(_Answer):
    """What is new since a poll; the same as a stream tells."""

    id: str
    """To be sent as ``since`` with the next poll."""
    reset: bool
    """All Models are in it, so whoever asked forgets those they know."""
    models: tuple[ModelChange, ...]
    gone: tuple[Gone, ...]
    link: LinkState


def where_of(where: Whereabouts, *, user: str, link: Link, version: str) -> Where:
    """The place in words."""
    return Where(
        label=str(where),
        mark=where.mark,
        cluster=where.cluster,
        namespace=where.namespace,
        server=where.address,
        user=user,
        this_machine=where.this_machine,
        link=link_state(link),
        version=version,
    )


def problem_of(notices: Iterable[Notice], *, stake: Stake | None = None) -> Problem:
    """An error's Notices, and what is at stake where a Model is somebody else's."""
    return Problem(
        notices=tuple(_line(notice, stake.name if stake else "") for notice in notices),
        note=going(stake) if stake else "",
        diff=stake.diff if stake else (),
    )


def _line(notice: Notice, name: str = "") -> NoticeLine:
    line = notice_line(notice, name)
    return line.model_copy(update={"remedy": in_sidebar(line.remedy)})


def done_of(outcome: Outcome) -> Done:
    """What a verb did."""
    return Done(
        action=outcome.action,
        name=outcome.name,
        note=in_magics(outcome.note, outcome.name),
        diff=outcome.diff,
        restarts=outcome.restarts,
        dry_run=outcome.dry_run,
        resource_version=outcome.resource_version,
        uid=outcome.uid,
        notices=tuple(notice_line(notice, outcome.name) for notice in outcome.warnings),
    )


def at_stake(stake: Stake) -> Done:
    """What a verb would take away."""
    return Done(action="nothing", name=stake.name, note=going(stake), diff=stake.diff, dry_run=True, uid=stake.uid)


def drafted_of(draft: Draft) -> Drafted:
    """All that is said of a draft."""
    name = draft.spec.name if draft.spec else ""
    return Drafted(
        valid=draft.spec is not None,
        name=name,
        notices=tuple(notice_line(notice, name) for notice in draft.notices),
    )


def planned_of(report: PlanReport) -> Planned:
    """What serving would do."""
    plan, name = report.plan, report.spec.name
    return Planned(
        action=plan.action,
        name=name,
        title=report.title,
        refused=report.refusal is not None,
        restarts=plan.restarts,
        diff=tuple(plan.diff.splitlines()),
        notices=tuple(notice_line(notice, name) for notice in report.notices),
        yaml=yaml_of(plan.manifest),
    )


def yaml_of(model: Mapping[str, Any]) -> str:
    """A Manifest without its secrets: somebody else's may hold some in its arguments."""
    clean = cleaned(model)
    text = to_yaml({**clean, "spec": masked_spec(map_at(clean, "spec"))})
    return masked(text, secrets_of(model))


def log_text(log: Log) -> LogText:
    """The end of a log."""
    return LogText(pod=log.pod, text=plain(log[-LONGEST_LOG:], LONGEST_LOG))


def table_of(views: Iterable[View], link: Link, where: Whereabouts, *, now_seconds: float) -> ModelsTable:
    """All Models, by name."""
    return ModelsTable(
        where=str(where),
        rows=tuple(map(row_of, views)),
        link=link_state(link),
        link_since_seconds=link.since_seconds,
        sent_at_seconds=now_seconds,
    )


def catalog_of(offers: Iterable[Offer]) -> Catalog:
    """What can be served."""
    return Catalog(
        offers=tuple(
            OfferLine(
                url=masked(offer.url),
                features=offer.features,
                engine=offer.engine,
                size_bytes=offer.size_bytes,
                memory_bytes=offer.memory_bytes,
                here=offer.here,
                fits=offer.fits,
                why=masked(offer.why),
                source=offer.source,
                model=offer.model,
                title=masked(offer.title),
            )
            for offer in offers
        )
    )


def examination_of(doctor: Doctor) -> Examination:
    """The doctor's report."""
    stations = tuple(
        StationLine(
            name=station.name,
            code=station.code,
            severity=station.severity,
            message=in_magics(station.message),
            steps=tuple(
                step
                for remedy in station.remedies
                for step in (in_magics(remedy.title), *([line_of(remedy.command)] if remedy.command else []))
            ),
        )
        for station in doctor.stations
    )
    return Examination(healthy=doctor.healthy, stations=stations, role=doctor.role)


def link_of(link: Link, where: Whereabouts, notices: Iterable[Notice]) -> LinkState:
    """How a link stands."""
    return LinkState(
        link=link_state(link),
        since_seconds=link.since_seconds,
        where=str(where),
        mark=where.mark,
        notices=tuple(map(_line, notices)),
    )
