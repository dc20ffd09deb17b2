"""The operator's configuration, as the ConfigMap ``kubeai-config`` holds it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import yaml

from kubeai_notebook.core.catalog.machine import CONFIG_MAP
from kubeai_notebook.core.kubeai.operator_config import OperatorConfig, operator_config_of
from kubeai_notebook.core.merge_patch import merged
from kubeai_notebook.local.emulation.kinds import CONFIG_MAPS, NAMESPACES, SERVICES, Object, Ref, ref_of

if TYPE_CHECKING:
    from kubeai_notebook.local.api.store import Store

NAMESPACE = "default"
"""The operator's own; like KubeAI it ignores Models of any other."""
KUBEAI_VERSION = "0.22.1"
CONFIG = Ref(CONFIG_MAPS, NAMESPACE, "kubeai-config")
_LABELS = {"app.kubernetes.io/name": "kubeai", "app.kubernetes.io/version": KUBEAI_VERSION}


@dataclass(frozen=True, slots=True)
class System:
    """The configuration as it was read."""

    text: str
    raw: Object
    config: OperatorConfig


def system_of(store: Store, last: System | None = None) -> System:
    """Read the configuration again if it is not that of ``last``. SpecError when it cannot be read."""
    config = store.find(CONFIG) or {}
    text = (config.get("data") or {}).get("system.yaml", "")
    if last and text == last.text:
        return last
    parsed = operator_config_of(text)
    return System(text, yaml.safe_load(text) or {}, parsed)


def system_text(given: str) -> str:
    """KubeAI's defaults with what is ``given`` merged over them. SpecError when that is no configuration."""
    text = files(__package__).joinpath("system.yaml").read_text()
    if given:
        operator_config_of(given)
        text = yaml.safe_dump(merged(yaml.safe_load(text), yaml.safe_load(given)), sort_keys=False)
        operator_config_of(text)
    return text


def preload(store: Store, config: str = "") -> None:
    """Create, or bring up to date, what a KubeAI installation has before the first Model."""
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    service = {"type": "ClusterIP", "ports": ports, "selector": {"app.kubernetes.io/name": "kubeai"}}
    common: Object = {"namespace": NAMESPACE, "labels": dict(_LABELS)}
    name_label = {"kubernetes.io/metadata.name": NAMESPACE}
    wanted = (
        (NAMESPACES, {"metadata": {"name": NAMESPACE, "labels": name_label}, "status": {"phase": "Active"}}),
        (SERVICES, {"metadata": common | {"name": "kubeai"}, "spec": service}),
        (CONFIG_MAPS, {"metadata": common | {"name": CONFIG.name}, "data": {"system.yaml": system_text(config)}}),
        # Its data are made when it is read.
        (CONFIG_MAPS, {"metadata": common | {"name": CONFIG_MAP}}),
    )
    for resource, item in wanted:
        if store.find(ref_of(resource, item)) is None:
            store.create(resource, item)
        else:
            store.patch(ref_of(resource, item), item)
