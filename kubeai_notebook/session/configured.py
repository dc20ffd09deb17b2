"""What some settings lead to: which cluster, by which login, out of which file, and what each was chosen by.

Nothing is sent, no plugin is run and no daemon is started: it is asked by people who wonder where they are, and by
whoever changes a setting, before it counts. So what only a connection can tell (the namespace that holds KubeAI) is
known as soon as there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kubeai_notebook import settings
from kubeai_notebook.core.masking import masked_repr
from kubeai_notebook.core.whereabouts import THIS_MACHINE, Whereabouts
from kubeai_notebook.errors import ClusterError

if TYPE_CHECKING:
    from kubeai_notebook.cluster.kubeconfig import Kubeconfig
    from kubeai_notebook.settings import Settings

Chosen = Literal["setting", "account", "kubeconfig", "nothing"]


def chosen_by(now: Settings) -> Chosen:
    """By what the cluster is chosen; the order is that of `cluster.connect`."""
    if now.context:
        return "setting"
    if settings.in_cluster() and not now.kubeconfig:
        return "account"
    return "kubeconfig" if now.kubeconfig_path else "nothing"


def kubeconfig_of(now: Settings) -> Kubeconfig | None:
    """The kubeconfig that would be used, read; ``None`` for this machine and a Pod's own account.

    Raises:
        KubeconfigError: it cannot be used; of a context that is not there, with the names that there are.
    """
    from kubeai_notebook.cluster.kubeconfig import Kubeconfig
    from kubeai_notebook.cluster.kubeconfig_files import nowhere

    if now.context == settings.LOCAL or chosen_by(now) in ("account", "nothing"):
        return None
    if now.kubeconfig_path is None:
        raise nowhere(now.context)
    return Kubeconfig(now.kubeconfig_path, now.context)


def leads_to(where: Whereabouts, now: Settings, *, before: Settings) -> bool:
    """Whether these settings lead to the place of a connection that was made by those of ``before``.

    Where only another connection could tell, they do not.
    """
    try:
        kubeconfig = kubeconfig_of(now)
    except ClusterError:
        return False
    if kubeconfig:
        found = kubeconfig.name, kubeconfig.server, settings.absolute_paths(kubeconfig.path)
        same = found == (where.context, where.server, settings.absolute_paths(where.kubeconfig))
        own = kubeconfig.namespace
    elif now.context == settings.LOCAL or chosen_by(now) == "nothing":
        same, own = where.this_machine, "default"
    else:
        same, own = not (where.this_machine or where.context), ""
    return same and where.namespace == (now.namespace or own or ("" if before.namespace else where.namespace))


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that is in effect, and where it comes from."""

    name: str
    value: str
    source: str

    __repr__ = masked_repr


def effects_of(now: Settings, where: Whereabouts | None = None) -> tuple[Effect, ...]:
    """Context, cluster, server, login and namespace in effect; ``where``: of the connection, if there is one.

    What is wrong with a kubeconfig stands as the cluster.
    """
    try:
        kubeconfig, wrong = kubeconfig_of(now), ""
    except ClusterError as error:
        kubeconfig, wrong = None, error.message
    chosen = chosen_by(now)
    local = now.context == settings.LOCAL or chosen == "nothing"
    by = {
        "setting": "the setting context", "account": "the Pod's own service account",
        "kubeconfig": "current-context of the kubeconfig", "nothing": "there is no kubeconfig",
    }[chosen]  # fmt: skip
    context = settings.LOCAL if local else kubeconfig.name if kubeconfig else now.context
    server = kubeconfig.server if kubeconfig else where.server if where else ""
    place = where or Whereabouts(context=context, server=server, this_machine=local)
    login = "the daemon's own token" if local else kubeconfig.login if kubeconfig else ""
    own = kubeconfig.namespace if kubeconfig else ""
    how = "the context" if own else "where KubeAI is, or the default" if where else "found with the first call"
    return (
        Effect("context", context, by),
        Effect("cluster", THIS_MACHINE if local else wrong or place.cluster, by),
        Effect("server", server, "the daemon" if local else "the kubeconfig" if kubeconfig else by),
        Effect("login", login, "the daemon" if local else "the kubeconfig" if kubeconfig else by),
        Effect("namespace", now.namespace or own or place.namespace, "the setting" if now.namespace else how),
    )
