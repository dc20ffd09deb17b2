"""What is asked of a cluster before something is sent there; each answer may be missing."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from kubeai_notebook.core.catalog.offers import offers_of
from kubeai_notebook.core.facts import ClusterFacts
from kubeai_notebook.core.kubeai.model_schema import KNOWN
from kubeai_notebook.core.kubeai.operator_config import OperatorConfig, operator_config_of
from kubeai_notebook.core.masking import masked_repr
from kubeai_notebook.core.objects import name_of, text_at
from kubeai_notebook.core.observation import Operator
from kubeai_notebook.errors import ForbiddenError, NotFoundError, NotInstalledError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.cluster.rights import Right
    from kubeai_notebook.core.catalog.machine import MachineCatalog
    from kubeai_notebook.core.catalog.offers import Offer

FRESH_SECONDS = 60.0
"""How long the facts are believed; KubeAI itself restarts when its configuration changes."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts(ClusterFacts):
    """What is known of one cluster at one moment, and what this user may do there."""

    host: str
    operator: Operator = field(default_factory=Operator)
    missing_rights: tuple[Right, ...] = ()
    quotas: tuple[dict[str, Any], ...] = ()
    elsewhere: tuple[tuple[str, str], ...] = ()
    """Namespace and name of each Model in other namespaces that KubeAI looks after too, as far as they may be seen."""
    this_machine: bool = False
    """Whether engines run as the user here, outside any container."""
    machine: MachineCatalog | None = None
    """What the daemon says of this machine; none elsewhere, and of a daemon that does not know it yet."""
    asked_at_seconds: float = 0.0
    """When it was begun to ask, of the monotonic clock."""

    __repr__ = masked_repr

    @property
    def fresh(self) -> bool:
        """Whether they may still be believed."""
        return time.monotonic() - self.asked_at_seconds < FRESH_SECONDS

    @property
    def offers(self) -> tuple[Offer, ...]:
        """What can be served, what lies here first."""
        return offers_of(self.models, self.machine)


def facts_of(cluster: Cluster) -> Facts:
    """Ask for everything, side by side.

    Raises:
        ClusterError: there was no answer at all; a missing right is none.
    """
    asked_at_seconds = time.monotonic()
    with ThreadPoolExecutor(max_workers=6, thread_name_prefix="kubeai-facts") as pool:
        operator = pool.submit(_or_none, cluster.operator)
        rights = pool.submit(cluster.rights)
        secrets = pool.submit(_or_none, cluster.secret_names)
        classes = pool.submit(_or_none, cluster.priority_classes)
        quotas = pool.submit(_or_none, cluster.resource_quotas)
        models = pool.submit(_or_none, cluster.models)
        schema = pool.submit(_or_none, cluster.model_schema)
        known = operator.result() or Operator()
        machine = _or_none(partial(cluster.machine_catalog, known.namespace or cluster.namespace))
        config = _operator_config(known)
        return Facts(
            host=cluster.where.address,
            namespace=cluster.namespace,
            operator=known,
            operator_config=config,
            elsewhere=tuple(_elsewhere(cluster, config.watched)),
            missing_rights=rights.result().missing,
            secret_names=secrets.result(),
            priority_classes=classes.result(),
            quotas=tuple(quotas.result() or ()),
            models=tuple(models.result() or ()),
            schema=schema.result() or KNOWN,
            this_machine=cluster.is_this_machine,
            machine=machine,
            asked_at_seconds=asked_at_seconds,
        )


def _elsewhere(cluster: Cluster, watched: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    spaces = [""] if "*" in watched else [space for space in watched if space != cluster.namespace]
    for space in spaces:
        for model in _or_none(partial(cluster.models_in, space)) or ():
            if (where := text_at(model, "metadata", "namespace")) != cluster.namespace:
                yield where, name_of(model)


def _or_none(ask: Callable[[], _Answer]) -> _Answer | None:
    try:
        return ask()
    except (ForbiddenError, NotFoundError, NotInstalledError):
        return None


def _operator_config(operator: Operator) -> OperatorConfig:
    """The cluster's own, or the chart's defaults where it may not be read or makes no sense."""
    try:
        return operator_config_of(operator.config)
    except SpecError:
        return operator_config_of(None)
