"""What a Pod gives its container: environment, files, arguments and limits."""

from __future__ import annotations

import base64
import math
import os
import posixpath
import re
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from kubeai_notebook.core.rules.quantity import quantity_of
from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.api.resources import CONFIG_MAPS, SECRETS, Object, Ref

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kubeai_notebook.local.api.store import Store

_KINDS = {"secret": SECRETS, "configMap": CONFIG_MAPS}
# A Pod gets its credentials from the API, not from whoever started the daemon.
_CREDENTIALS = re.compile(r"HF_TOKEN|HUGGING_FACE_HUB_TOKEN|(AWS|OSS)_\w+|GOOGLE_APPLICATION_CREDENTIALS")
# Without it boto3 would ask a cloud's own address for credentials.
_OWN = {"AWS_EC2_METADATA_DISABLED": "true"}
_REFERENCE = re.compile(r"\$\$|\$\((?P<name>[^()]+)\)")


class ConfigError(LocalError):
    """The kubelet's CreateContainerConfigError: something that the container refers to does not exist."""


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of the daemon's environment that stands for the container's image: paths, proxies, caches."""
    return {name: value for name, value in environment.items() if not _CREDENTIALS.fullmatch(name)} | _OWN


def environment_of(pod: Object, store: Store) -> dict[str, str]:
    """The container's variables in Kubernetes' precedence: ``envFrom`` is weakest, the last of equal names wins.

    Raises:
        ConfigError: a reference that is not optional leads nowhere; in the kubelet's words.
    """
    container, namespace = pod["spec"]["containers"][0], pod["metadata"]["namespace"]
    found: dict[str, str] = {}
    for item in container.get("envFrom") or ():
        for kind in _KINDS:
            if reference := item.get(f"{kind}Ref"):
                data = _data(store, kind, namespace, reference=reference)
                found |= {f"{item.get('prefix') or ''}{key}": value for key, value in (data or {}).items()}
    for item in container.get("env") or ():
        value = item.get("value", "")
        for kind in _KINDS:
            if reference := (item.get("valueFrom") or {}).get(f"{kind}KeyRef"):
                value = _value(store, kind, namespace, reference=reference)
        if value is not None:
            found[item["name"]] = expanded(value, found)
    return {name: value for name, value in found.items() if name and "=" not in name and "\0" not in name + value}


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """Put variables in for ``$(NAME)`` as Kubernetes does; no shell ever sees the text.

    >>> expanded("$(A) $(B) $$(A)", {"A": "1"})
    '1 $(B) $(A)'
    """
    return _REFERENCE.sub(lambda match: environment.get(match["name"], match[0]) if match["name"] else "$", text)


def files_of(pod: Object, store: Store, folder: Path) -> dict[str, Path]:
    """Write the Model's files below ``folder``; where each lies, by the path that the Model gives it.

    Raises:
        ConfigError: their ConfigMap does not exist.
        LocalError: a path that cannot be a file.
    """
    volumes = {volume["name"]: volume.get("configMap") for volume in pod["spec"].get("volumes") or ()}
    placed: dict[str, Path] = {}
    for mount in pod["spec"]["containers"][0].get("volumeMounts") or ():
        if not (reference := volumes.get(mount["name"])):
            continue
        data = _data(store, "configMap", pod["metadata"]["namespace"], reference=reference) or {}
        # A container's root has nothing above it: "/../x" is "/x" there.
        inside = posixpath.normpath("/" + mount["mountPath"]).lstrip("/")
        path = folder / inside
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(data[mount["subPath"]], encoding="utf-8")
        except (OSError, ValueError) as error:
            raise LocalError(
                f'The file "{mount["mountPath"]}" cannot be made: {error}.', "Use another path."
            ) from error
        placed[mount["mountPath"]] = path
    return placed


def threads_of(pod: Object) -> int:
    """As many as the profile requests of CPUs: one at least, no more than the machine has."""
    asked = _resources(pod, "requests").get("cpu", "1")
    return max(1, min(math.ceil(quantity_of(asked)), os.cpu_count() or 1))


def memory_limit_of(pod: Object) -> int | None:
    """Bytes that the container may have resident; None where its profile sets no limit."""
    limit = _resources(pod, "limits").get("memory")
    return None if limit is None else int(quantity_of(limit))


def kill_over(limit: int, pid: int) -> bool:
    """Kill a process and all below it if they have more than ``limit`` bytes resident."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=False)  # noqa: S607  (macOS has it elsewhere)
    rows = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    family = {pid}
    while more := {child for child, parent, _ in rows if parent in family} - family:
        family |= more
    if sum(kibibytes for child, _, kibibytes in rows if child in family) * 1024 <= limit:
        return False
    for member in family:
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)
    return True


def _resources(pod: Object, kind: str) -> Object:
    found: Object = pod["spec"]["containers"][0].get("resources", {}).get(kind) or {}
    return found


def _data(store: Store, kind: str, namespace: str, *, reference: Object) -> dict[str, str] | None:
    """The whole data of a Secret or ConfigMap, decoded; None when it is not there and need not be."""
    name = reference.get("name", "")
    item = store.find(Ref(_KINDS[kind], namespace, name))
    if item is None:
        if reference.get("optional"):
            return None
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    data = item.get("data") or {}
    if kind == "configMap":
        return dict(data)
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}


def _value(store: Store, kind: str, namespace: str, *, reference: Object) -> str | None:
    data = _data(store, kind, namespace, reference=reference)
    if data is None or (reference["key"] not in data and reference.get("optional")):
        return None
    if reference["key"] not in data:
        kind_name = _KINDS[kind].kind
        raise ConfigError(f"couldn't find key {reference['key']} in {kind_name} {namespace}/{reference['name']}")
    return data[reference["key"]]
