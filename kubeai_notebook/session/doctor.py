"""Doctor: the way from this process to KubeAI, station by station."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final, Literal

from kubeai_notebook import settings
from kubeai_notebook.calls.models import offered
from kubeai_notebook.cluster.rights import Rights
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.deploy import Facts, Plan, facts_of, preflight
from kubeai_notebook.errors import ForbiddenError, KubeAIError
from kubeai_notebook.text import Shown

from .live.readiness_probe import access_to

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.cluster.rights import Right
    from kubeai_notebook.core.notice import Notice

    from .connection import Connection

State = Literal["ok", "warn", "fail"]
GATEWAY_SECONDS, LOCAL_SECONDS = 5.0, 20.0
_MARKS: Final[Mapping[State, tuple[str, str]]] = {
    "ok": ("✓", "#388e3c"),
    "warn": ("⚠", "#f57c00"),
    "fail": ("✗", "#d32f2f"),
}
# What a preflight says whichever Model it is about; an Ollama model is the one that known bugs concern.
_ANY_MODEL = {"name": "any", "url": "ollama://smollm2:135m"}
_STATIONS: Final[Mapping[str, str]] = {
    "KubeAIInstalled": "KubeAI",
    "ModelNotPulledThoughReady": "KubeAI",
    "NamespaceWatched": "namespace",
    "WrongNamespace": "namespace",
    "RightsGranted": "rights",
}
_PROFILES_SHOWN = 8
_NO_GATEWAY = 'Is KubeAI in this namespace? Else name its address: %config KubeAI.endpoint = "host:port"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One station. ``fail``: no Model can be served as it is."""

    name: str
    state: State
    message: str
    hint: str = ""


@dataclass(frozen=True, repr=False)
class Doctor(Shown):
    """The checks, in the order of the way; shows itself as text and HTML."""

    checks: tuple[Check, ...]
    role: str = ""
    """The smallest Role, as YAML, that grants the rights that are missing; ``""`` where none is."""

    @property
    def healthy(self) -> bool:
        """Whether nothing is in the way."""
        return all(check.state != "fail" for check in self.checks)

    def _text(self) -> str:
        lines = []
        for check in self.checks:
            lines.append(f"{_MARKS[check.state][0]} {check.name}: {check.message}")
            lines += [f"    {line}" for line in check.hint.splitlines()]
        return "\n".join([*lines, *(["", _ROLE_SAID, self.role] if self.role else [])])

    def _html(self) -> str:
        rows = "".join(_row(check) for check in self.checks)
        role = f'<div>{escape(_ROLE_SAID)}</div><pre style="margin:0">{escape(self.role)}</pre>' if self.role else ""
        return f'<div style="max-width:720px">{rows}{role}</div>'


_ROLE_SAID = "Somebody who runs the cluster can grant what is missing by this Role, bound to you:"


def _row(check: Check) -> str:
    sign, colour = _MARKS[check.state]
    hint = f'<div style="margin-left:20px;white-space:pre-wrap">{escape(check.hint)}</div>' if check.hint else ""
    head = f'<span style="color:{colour}">{sign}</span> <strong>{escape(check.name)}:</strong> {escape(check.message)}'
    return f"<div>{head}{hint}</div>"


def doctor_of(session: Connection, *, context: str = "") -> Doctor:
    """Look at every station; what cannot be reached is a line, not an error. ``context``: the Session's own."""
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="kubeai-doctor") as pool:
        try:
            cluster = session.cluster
            facts = facts_of(cluster)
            installed = _installed(session)
        except KubeAIError as error:
            return Doctor((_failed("API", error), _local()))
        why = " ".join(cluster.notes) or f"Chosen by {_chosen(session.settings, context)}."
        checks = [Check(name="API", state="ok", message=f"The Kubernetes API at {facts.host} answers. {why}")]
        local = pool.submit(_local)
        if installed is not None:
            return Doctor((*checks, installed, local.result()))
        gateway = pool.submit(_gateway, session)
        of_any = preflight(facts, spec_of(_ANY_MODEL), Plan(action="create", manifest={}))
        checks += [_of_all(notice) for notice in of_any if notice.code in _STATIONS]
        checks += [*_rights(facts), _profiles(facts), gateway.result(), local.result()]
        return Doctor(tuple(checks), _role(facts))


def _of_all(notice: Notice) -> Check:
    """The preflight's Notice about a Model, said of every Model."""
    states: dict[str, State] = {"info": "ok", "warning": "warn", "error": "fail"}
    message = notice.message.replace("The Model goes into", "Models go into")
    hint = " ".join(remedy.title for remedy in notice.remedies)
    return Check(name=_STATIONS[notice.code], state=states[notice.severity], message=message, hint=hint)


def _chosen(now: settings.Settings, context: str) -> str:
    """Why this cluster: the order is that of `cluster.connect`."""
    if context:
        return f'the context that this Session was given, "{context}"'
    if now.context:
        return f'the setting KubeAI.context, "{now.context}"'
    if settings.in_cluster():
        return "the Pod's own service account"
    if now.kubeconfig_path:
        return "the kubeconfig's current context"
    return "default: there is no kubeconfig, so it is this machine"


def _installed(session: Connection) -> Check | None:
    """Why there is no KubeAI; ``None`` where there is, or where it may not be seen."""
    try:
        session.cluster.models()
    except ForbiddenError:
        return None
    except KubeAIError as error:
        return _failed("KubeAI", error)
    return None


def _failed(name: str, error: KubeAIError) -> Check:
    return Check(name=name, state="fail", message=error.message, hint=error.hint)


def _rights(facts: Facts) -> list[Check]:
    """A line for each resource on which rights are missing; the Role below them says how all are granted."""
    by_resource: dict[str, list[Right]] = {}
    for right in facts.missing_rights:
        by_resource.setdefault(right.resource, []).append(right)
    return [_missing(resource, rights) for resource, rights in by_resource.items()]


def _missing(resource: str, rights: list[Right]) -> Check:
    *first, last = (right.verb for right in rights)
    verbs = f"{', '.join(first)} or {last}" if first else last
    purposes = "; ".join(dict.fromkeys(right.purpose for right in rights))
    state: State = "fail" if resource == "models" and "create" in verbs else "warn"
    return Check(name="rights", state=state, message=f"You may not {verbs} {resource} here: {purposes}.")


def _role(facts: Facts) -> str:
    rules = Rights(facts.missing_rights).role_rules
    head = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: kubeai-notebook\n"
    return f"{head}  namespace: {facts.namespace}\nrules:\n{rules}" if rules else ""


def _profiles(facts: Facts) -> Check:
    catalog = facts.catalog
    names = sorted(catalog.profiles)
    more = f" and {len(names) - _PROFILES_SHOWN} more" if len(names) > _PROFILES_SHOWN else ""
    listed = ", ".join(names[:_PROFILES_SHOWN]) + more
    if catalog.source != "kubeai-config":
        message = f"This cluster's resource profiles may not be read. KubeAI's chart has {listed}."
        return Check(name="profiles", state="warn", message=message, hint="Ask who runs KubeAI which ones there are.")
    if not names:
        hint = "Ask who runs KubeAI to add one; a Model without a profile is never started."
        return Check(name="profiles", state="fail", message="KubeAI has no resource profile.", hint=hint)
    return Check(name="profiles", state="ok", message=f"KubeAI has the resource profiles {listed}.")


def _gateway(session: Connection) -> Check:
    """One small request to the gateway."""
    try:
        access = access_to(session.cluster)
        models, seconds = offered(access, GATEWAY_SECONDS)
        count = len(models)
    except KubeAIError as error:
        missing = getattr(error, "status", None) == 404
        hint = _NO_GATEWAY if missing else error.hint or 'Name another address: %config KubeAI.endpoint = "host:port"'
        return Check(name="gateway", state="fail", message=error.message, hint=hint)
    way = " through the Kubernetes API" if access.proxied_by_api else ""
    offers = f"offers {count} {'model' if count == 1 else 'models'}"
    message = f"{masked(access.own_url or access.base_url)} answers{way} in {seconds:.2f} s and {offers}."
    return Check(name="gateway", state="ok", message=message)


def _local() -> Check:
    """The daemon that plays KubeAI on this machine, as its own command tells it."""
    command = [*settings.local_command()[:-1], "status", "--json"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LOCAL_SECONDS, check=True
        )
        status = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        hint = "Look at: kubeai-local status"
        return Check(
            name="this machine", state="warn", message="KubeAI on this machine does not tell its state.", hint=hint
        )
    if not status["running"]:
        message = 'KubeAI on this machine is not running; KubeAI.context = "local" starts it.'
        return Check(name="this machine", state="ok", message=message)
    count = len(status["models"])
    message = (
        f"KubeAI runs on this machine, with {count} {'Model' if count == 1 else 'Models'}; kubeai-local stop ends it."
    )
    return Check(name="this machine", state="ok", message=message)
