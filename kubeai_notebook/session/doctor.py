"""What the doctor asks, on the way from this process to KubeAI; `present.doctor_report` shows the answers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from kubeai_notebook.calls.models import offered
from kubeai_notebook.cluster.rights import Rights
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.objects import text_at
from kubeai_notebook.core.remedy import Command, Remedy
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.deploy import Facts, Plan, facts_of, preflight
from kubeai_notebook.errors import ForbiddenError, KubeAIError, LocalError, NotFoundError, NotInstalledError
from kubeai_notebook.present.doctor_report import Doctor, Station
from kubeai_notebook.text import one_line

from .configured import chosen_by
from .local_program import run_local

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.cluster.rights import Right
    from kubeai_notebook.core.notice import Notice, Severity
    from kubeai_notebook.settings import Settings

    from .connection import Connection

_SHOWN_NAMES, _LONGEST_NAME = 5, 80
GATEWAY_SECONDS, LOCAL_SECONDS = 5.0, 20.0
# What a preflight says whichever Model it is about; an Ollama model is the one that known bugs concern.
_ANY_MODEL = {"name": "any", "url": "ollama://smollm2:135m"}
_STATIONS: Final[Mapping[str, str]] = {
    "KubeAIInstalled": "KubeAI",
    "ModelNotPulledThoughReady": "KubeAI",
    "NamespaceWatched": "namespace",
    "WrongNamespace": "namespace",
    "RightsGranted": "rights",
}
_NAME_IT = Command(verb="config", arguments=("endpoint=host:port",))
_NO_GATEWAY = Remedy(title="Is KubeAI in this namespace? Else name its address.", command=_NAME_IT)
_OTHER_GATEWAY = Remedy(title="Name another address.", command=_NAME_IT)


def doctor_of(session: Connection, *, context: str = "") -> Doctor:
    """Look at every station; what cannot be reached is a line, not an error. ``context``: the Session's own."""
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="kubeai-doctor") as pool:
        try:
            cluster = session.cluster
            installed = _installed(cluster)
            facts = facts_of(cluster)
        except KubeAIError as error:
            return Doctor((_failed("API", error), _local()))
        why = " ".join(cluster.notes) or f"Chosen by {_chosen(session.settings, context)}."
        stations = [_well("API", f"The Kubernetes API at {facts.host} answers. {why}")]
        local = pool.submit(_local)
        if installed is not None:
            return Doctor((*stations, installed, local.result()))
        gateway = pool.submit(_gateway, session)
        of_any = preflight(facts, spec_of(_ANY_MODEL), Plan(action="create", manifest={}))
        stations += _no_namespace(cluster)
        stations += [_of_all(notice) for notice in of_any if notice.code in _STATIONS]
        stations += [*_rights(facts), _profiles(facts), gateway.result(), local.result()]
        return Doctor(tuple(stations), role_of(facts))


def _no_namespace(cluster: Cluster) -> list[Station]:
    """That the namespace is not there; nothing where it is, or where that may not be asked."""
    try:
        cluster.check_namespace()
    except NotFoundError as error:
        return [_failed("namespace", error)]
    return []


def _of_all(notice: Notice) -> Station:
    """The preflight's Notice about a Model, said of every Model."""
    message = notice.message.replace("The Model goes into", "Models go into")
    name, code, severity = _STATIONS[notice.code], notice.code, notice.severity
    return Station(name=name, code=code, severity=severity, message=message, remedies=notice.remedies)


def _chosen(now: Settings, context: str) -> str:
    """Why this cluster."""
    if context:
        return f'the context that this Session was given, "{context}"'
    if now.context:
        return f'the setting KubeAI.context, "{now.context}"'
    return {
        "account": "the Pod's own service account",
        "kubeconfig": "the kubeconfig's current context",
        "nothing": "default: there is no kubeconfig, so it is this machine",
    }[chosen_by(now)]


def _installed(cluster: Cluster) -> Station | None:
    """Why there is no KubeAI; ``None`` where there is, or where it may not be seen.

    Raises:
        ClusterError: there is no API to ask.
    """
    try:
        cluster.models()
    except ForbiddenError:
        return None
    except NotInstalledError as error:
        return _failed("KubeAI", error)
    return None


def _well(name: str, message: str) -> Station:
    return Station(name=name, code=name, severity="info", message=message)


def _failed(name: str, error: KubeAIError) -> Station:
    return Station(name=name, code=type(error).__name__, message=error.message, remedies=_advice(error.hint))


def _advice(hint: str) -> tuple[Remedy, ...]:
    """The next step that a sentence names; none where it names none."""
    return (Remedy(title=hint),) if hint else ()


def _rights(facts: Facts) -> list[Station]:
    """A line for each resource on which rights are missing; the Role below them says how all are granted."""
    by_resource: dict[str, list[Right]] = {}
    for right in facts.missing_rights:
        by_resource.setdefault(right.resource, []).append(right)
    return [_missing(resource, rights) for resource, rights in by_resource.items()]


def _missing(resource: str, rights: list[Right]) -> Station:
    *first, last = (right.verb for right in rights)
    verbs = f"{', '.join(first)} or {last}" if first else last
    purposes = "; ".join(dict.fromkeys(right.purpose for right in rights))
    severity: Severity = "error" if resource == "models" and "create" in verbs else "warning"
    message = f"You may not {verbs} {resource} here: {purposes}."
    return Station(name="rights", code="RightMissing", severity=severity, message=message)


def role_of(facts: Facts) -> str:
    """The smallest Role, as YAML, that grants the rights that are missing; ``""`` where none is."""
    rules = Rights(facts.missing_rights).role_rules
    head = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: kubeai-notebook\n"
    return f"{head}  namespace: {facts.namespace}\nrules:\n{rules}" if rules else ""


def _profiles(facts: Facts) -> Station:
    config = facts.operator_config
    names = sorted(config.profiles)
    listed = ", ".join(names)
    if config.source != "kubeai-config":
        message = f"This cluster's resource profiles may not be read. KubeAI's chart has {listed}."
        ask = _advice("Ask who runs KubeAI which ones there are.")
        return Station(name="profiles", code="ProfilesUnknown", severity="warning", message=message, remedies=ask)
    if not names:
        ask = _advice("Ask who runs KubeAI to add one; a Model without a profile is never started.")
        return Station(name="profiles", code="NoProfile", message="KubeAI has no resource profile.", remedies=ask)
    return _well("profiles", f"KubeAI has the resource profiles {listed}.")


def _gateway(session: Connection) -> Station:
    """One small request to the gateway."""
    try:
        models, seconds = offered(session.endpoint, GATEWAY_SECONDS)
        access = session.endpoint.access
    except KubeAIError as error:
        missing = getattr(error, "status", None) == 404
        remedies = (_NO_GATEWAY,) if missing else _advice(error.hint) or (_OTHER_GATEWAY,)
        return Station(name="gateway", code=type(error).__name__, message=error.message, remedies=remedies)
    way = " through the Kubernetes API" if access.proxied_by_api else ""
    # Names and no number: how many can be served is the catalog's to say, and an adapter is asked for by a name, too.
    names = [one_line(text_at(model, "id"), _LONGEST_NAME) for model in models[:_SHOWN_NAMES]]
    more = f" and {len(models) - len(names)} more" if len(models) > len(names) else ""
    asked = f"It can be asked for {', '.join(names)}{more}." if names else "It has no Model to ask yet."
    return _well("gateway", f"{masked(access.own_url or access.base_url)} answers{way} in {seconds:.2f} s. {asked}")


def _local() -> Station:
    """The daemon that plays KubeAI on this machine, as its own command tells it."""
    try:
        status = json.loads(run_local("status", "--json", seconds=LOCAL_SECONDS))
    except (LocalError, ValueError):
        message = "kubeai-local did not report its status."
        look = Remedy(title="See what it says.", command=Command(arguments=("kubeai-local", "status")))
        return Station(name="this machine", code="LocalUnknown", severity="warning", message=message, remedies=(look,))
    if not status["running"]:
        return _well("this machine", "KubeAI on this machine is not running; kubeai-local start starts it.")
    count = len(status["models"])
    message = (
        f"KubeAI runs on this machine, with {count} {'Model' if count == 1 else 'Models'}; kubeai-local stop ends it."
    )
    return _well("this machine", message)
