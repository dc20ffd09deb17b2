"""What serving would do: fields → spec → plan, with what the preflight and a dry run say to it; nothing is changed.

Three things are decided here, before anything is written: whether fields without a url mean a Model that is there,
what of that Model goes on, and whether a refusal rests on facts that may be out of date.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kubeai_notebook import deploy
from kubeai_notebook.core.catalog.offers import matching
from kubeai_notebook.core.field_aliases import spelled
from kubeai_notebook.core.kubeai.model_schema import KNOWN
from kubeai_notebook.core.manifest import cleaned, fields_of_manifest, spec_of_manifest
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.core.naming import SUFFIX_LENGTH, check_name, check_namespace, unique_name
from kubeai_notebook.core.notice import NOT_ASKED, wrong
from kubeai_notebook.core.objects import uid_of
from kubeai_notebook.core.rules.operator_checks import with_known_profile
from kubeai_notebook.core.source_spellings import UNSEEN, path_in
from kubeai_notebook.core.spec import ModelSpec, spec_of
from kubeai_notebook.errors import ClusterError, NotFoundError, SpecError
from kubeai_notebook.present.plan_report import PlanReport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kubeai_notebook.core.catalog.offers import Offer
    from kubeai_notebook.core.kubeai.model_schema import ModelSchema
    from kubeai_notebook.core.notice import Notice

    from .connection import Connection

_Read = TypeVar("_Read")

_CHOSEN = frozenset({"engine", "features", "url", "adapters"})
NEEDS_URL = "A new Model needs a url, such as ollama://smollm2:135m or hf://org/model."
_NO_FILE = "where no such file is. Check how it is spelt."
_GOES_ON = ("url", "engine", "features", "resource_profile")
"""The fields that a Model keeps where others are named without a url."""


def plan(
    session: Connection,
    what: ModelSpec | Mapping[str, Any],
    *,
    unique: bool = False,
    seen: Mapping[str, Any] | None = None,
) -> PlanReport:
    """What `serve` would do, and what speaks against it; nothing is changed.

    ``seen``: the Model that the fields were taken from to be edited; what it had and they leave out is to go.

    Raises:
        SpecError: a field is wrong, or the API server's dry run refused it.
    """
    report = _planned(session, what, unique=unique, seen=seen)
    # What is refused already needs no second refusal, which would hide the list of the first.
    return report if report.refusal else _tried(session, report)


def offers(
    session: Connection, text: str = "", *, feature: str = "", here: bool = False, fits: bool = False
) -> tuple[Offer, ...]:
    """What can be served, as the cluster says at this moment; arguments and errors as those of `Session.catalog`."""
    session.forget_facts()  # a download of a moment ago lies here now
    return matching(session.facts.offers, text, feature, here=here, fits=fits)


def plan_to_serve(session: Connection, what: ModelSpec | Mapping[str, Any], *, unique: bool, force: bool) -> PlanReport:
    """The plan that `serve` follows; the API server tries it only where that says what nobody else knows."""
    report = _planned(session, what, unique=unique)
    settled = force or report.refusal or not _only_the_daemon_knows(session, report)
    return report if settled else _tried(session, report)


def _tried(session: Connection, report: PlanReport) -> PlanReport:
    """The report with what the API server says to a dry run, which may answer what was left open."""
    answers = deploy.tried(session.cluster, report.plan)
    known = any(answer.severity == "error" for answer in answers)
    notices = (notice for notice in report.notices if not (known and notice.code == NOT_ASKED))
    return replace(report, notices=(*notices, *answers))


def _only_the_daemon_knows(session: Connection, report: PlanReport) -> bool:
    """Whether only the daemon knows that this cannot run: which weights can be had lies on its machine."""
    weights = {"url", "engine", "features", "adapters"} & report.plan.changes.keys()
    return session.facts.this_machine and (report.plan.action == "create" or bool(weights))


def _planned(
    session: Connection,
    what: ModelSpec | Mapping[str, Any],
    *,
    unique: bool,
    seen: Mapping[str, Any] | None = None,
) -> PlanReport:
    """The plan and what the preflight says to it; the API server has not been asked to try it."""
    if isinstance(what, ModelSpec):
        spec = what
    else:
        current = None if unique else _attached(session, what)
        if current is not None and len(what) == 1:
            attached = deploy.Plan(action="attach", manifest=cleaned(current), current=current, uid=uid_of(current))
            return PlanReport(spec_of_manifest(attached.manifest), (), attached)
        spec = _spec_of(session, what, current)
    if unique:
        suffix = secrets.token_hex(SUFFIX_LENGTH // 2)
        spec = spec.model_copy(update={"name": unique_name(spec.name, suffix)})
    here = session.cluster.namespace
    if notices := check_namespace(spec.namespace or here, here):
        raise SpecError(notices)
    known = session.known("facts")
    report = _checked(session, spec, seen)
    if report.refusal and session.facts is known:
        # What was missing may have been made since: only fresh facts refuse.
        session.forget_facts()
        return _checked(session, spec, seen)
    return report


def _attached(session: Connection, fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """The Model that the fields name, where they give no url."""
    named = spelled({key: value for key, value in fields.items() if isinstance(key, str)})[0]
    name = named.get("name")
    if named.get("url") or "kind" in named or not isinstance(name, str) or check_name(name):
        return None
    try:
        return session.cluster.model(name)
    except NotFoundError:
        message = f'There is no Model "{name}" to attach to.{near_name(session, name)}'
        raise SpecError([wrong("url", "Required", f"{message} {NEEDS_URL}")]) from None


def near_name(session: Connection, name: str) -> str:
    """A question for the name that may be meant; ``""`` where the names may not be seen.

    Raises:
        NotFoundError: the whole namespace is not there.
    """
    try:
        names = session.publisher.names()
    except ClusterError:
        return ""
    if not names:
        session.cluster.check_namespace()
    return did_you_mean(name, names)


def read_here(session: Connection, read: Callable[[ModelSchema], _Read]) -> _Read:
    """What ``read`` makes by the schema that is known here; where that refuses a choice, by the cluster's own.

    So a line with a mistake is answered without a cluster, and a cluster of another release has its own choices.
    """
    try:
        return read(KNOWN)
    except SpecError as error:
        if not any(notice.field.partition("[")[0] in _CHOSEN for notice in error.notices):
            raise
        with suppress(ClusterError):
            if (schema := session.facts.schema) != KNOWN:
                return read(schema)
        raise


def _checked(session: Connection, spec: ModelSpec, seen: Mapping[str, Any] | None) -> PlanReport:
    spec = with_known_profile(spec, session.facts.operator_config)
    compared = deploy.plan(session.cluster, spec, seen=seen)
    return PlanReport(spec, deploy.preflight(session.facts, spec, compared), compared)


def _spec_of(session: Connection, fields: Mapping[str, Any], current: Mapping[str, Any] | None) -> ModelSpec:
    # Only a wish for resources needs the cluster's profiles.
    config = session.facts.operator_config if fields.get("resources") is not None else None
    goes_on = None
    if current is not None:
        present = fields_of_manifest(current)
        goes_on = {key: present[key] for key in _GOES_ON if present.get(key)}
        if fields.get("resources") is not None:
            del goes_on["resource_profile"]
    profile = session.settings.default_profile
    try:
        return read_here(
            session,
            lambda schema: spec_of(
                fields, default_profile=profile, operator_config=config, there=goes_on, schema=schema
            ),
        )
    except SpecError as error:
        if (path := path_in(fields.get("url"))) and not _is_there(path):
            raise SpecError([_missing(one) for one in error.notices]) from None
        raise


def _missing(notice: Notice) -> Notice:
    """What is said of a path, where nothing is: what could be done with a file helps nobody."""
    told, is_path, _ = notice.message.partition(UNSEEN)
    return replace(notice, message=f"{told}{_NO_FILE}") if is_path else notice


def _is_there(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False
