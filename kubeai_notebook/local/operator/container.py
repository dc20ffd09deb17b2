"""What a Pod gives its container: environment, files, arguments and limits."""

from __future__ import annotations

import base64
import posixpath
import re
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.environment import ConfigError
from kubeai_notebook.local.emulation.kinds import CONFIG_MAPS, SECRETS, Object, Ref

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kubeai_notebook.local.api.store import Store

_KINDS = {"secret": SECRETS, "configMap": CONFIG_MAPS}


class MountError(LocalError):
    """The kubelet's FailedMount: the container waits in ContainerCreating."""


def placed_in(text: str, files: Mapping[str, Path]) -> str:
    """The text with each file's path in the container replaced by its place here: whole paths, never parts of one.

    >>> from pathlib import Path
    >>> placed_in("--template=/t.jinja /t.jinja2", {"/t.jinja": Path("/pod/t.jinja")})
    '--template=/pod/t.jinja /t.jinja2'
    """
    if not files:
        return text
    listed = "|".join(re.escape(path) for path in sorted(files, key=len, reverse=True))
    return re.sub(rf"(?<![\w./~-])(?:{listed})(?![\w./-])", lambda match: str(files[match[0]]), text)


def files_of(pod: Object, store: Store, folder: Path) -> dict[str, Path]:
    """Write the Model's files below ``folder``; where each lies, by the path that the Model gives it.

    Raises:
        MountError: their ConfigMap, or a file in it, does not exist; or a path cannot be a file.
    """
    volumes = {volume["name"]: volume.get("configMap") for volume in pod["spec"].get("volumes") or ()}
    placed: dict[str, Path] = {}
    for mount in pod["spec"]["containers"][0].get("volumeMounts") or ():
        if not (reference := volumes.get(mount["name"])):
            continue
        unset = f'MountVolume.SetUp failed for volume "{mount["name"]}" : '
        try:
            data = data_of(store, "configMap", reference, namespace=pod["metadata"]["namespace"]) or {}
        except ConfigError as error:
            raise MountError(unset + error.message) from error
        # A container's root has nothing above it: "/../x" is "/x" there.
        path = folder / posixpath.normpath("/" + mount["mountPath"]).lstrip("/")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(data[mount["subPath"]], encoding="utf-8")
        except KeyError as error:
            raise MountError(f"{unset}references non-existent config key: {mount['subPath']}") from error
        except (OSError, ValueError) as error:
            raise MountError(
                f'The file "{mount["mountPath"]}" cannot be made: {error}.', "Use another path."
            ) from error
        placed[mount["mountPath"]] = path
    return placed


def kill_over(limit: int, pid: int) -> bool:
    """Kill a process and all below it if they have more than ``limit`` bytes resident."""
    try:
        engine = psutil.Process(pid)
        family = [engine, *engine.children(recursive=True)]
    except psutil.NoSuchProcess:
        return False
    if sum(map(_resident_bytes, family)) <= limit:
        return False
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    return True


def _resident_bytes(process: psutil.Process) -> int:
    """What a process holds; 0 once it has ended, and where that is not ours to know (macOS, another user's)."""
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def data_of(store: Store, kind: str, reference: Object, *, namespace: str) -> dict[str, str] | None:
    """The whole data of a Secret or ConfigMap, decoded; None when it is not there and need not be.

    Raises:
        ConfigError: it is not there; in the kubelet's words.
    """
    name = reference.get("name", "")
    item = store.find(Ref(_KINDS[kind], namespace, name))
    if item is None and not reference.get("optional"):
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    data = (item.get("data") or {}) if item else None
    if data is None or kind == "configMap":
        return data
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
