"""What an API server asks of the plain kinds around a Model: ConfigMaps, Secrets, Namespaces."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.rules import metadata as rules
from kubeai_notebook.core.rules.admission import Verdict
from kubeai_notebook.core.rules.admission_errors import INVALID, Cause, cause, too_long

if TYPE_CHECKING:
    from collections.abc import Mapping

_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_DATA_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    f"or 'key-name', regex used for validation is '{_DATA_KEY.pattern}')"
)
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL.pattern}')"
)
MAX_DATA_BYTES = 1 << 20


def admit_plain(manifest: Any, kind: str, api_version: str, *, old: Mapping[str, Any] | None = None) -> Verdict:
    """Decide about an object of a kind of Kubernetes' own, as far as its shape matters here.

    Source: pkg/apis/core/validation of kube-apiserver 1.36.
    """
    if not isinstance(manifest, dict) or manifest.get("kind", kind) != kind:
        return Verdict(bad_request=f"the object provided is unrecognized (must be of type {kind})")
    fault = rules.unreadable(manifest.get("metadata"))
    fault = fault or (_unreadable_data(manifest, kind) if kind in ("ConfigMap", "Secret") else "")
    if fault:
        version = api_version.rpartition("/")[2]
        return Verdict(bad_request=f'{kind} in version "{version}" cannot be handled as a {kind}: {fault}')
    metadata = rules.read(manifest.get("metadata"))
    item = {**manifest, "apiVersion": api_version, "kind": kind, "metadata": metadata}
    causes, name = rules.check_metadata(metadata), metadata.get("name", "")
    if kind == "Namespace":
        if not causes and not _LABEL.fullmatch(name):
            causes.append(cause(INVALID, "metadata.name", name, detail=_LABEL_TEXT))
        metadata["labels"] = metadata.get("labels", {}) | {"kubernetes.io/metadata.name": name}
        item |= {"spec": {"finalizers": ["kubernetes"]}, "status": (old or {}).get("status", {"phase": "Active"})}
    if kind == "Secret":
        item = {"type": "Opaque", **_encoded(item)}
    if kind in ("ConfigMap", "Secret"):
        causes += _check_data(item.get("data") or {})
    return Verdict(item, tuple(causes))


def _unreadable_data(item: Mapping[str, Any], kind: str) -> str:
    for field in ("data", "stringData"):
        texts = item.get(field) or {}
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            return f"{kind}.{field} must hold texts"
    try:
        for text in (item.get("data") or {}).values() if kind == "Secret" else ():
            base64.b64decode(text, validate=True)
    except ValueError:  # (also of what is not ASCII)
        return "illegal base64 data"
    return ""


def _encoded(secret: dict[str, Any]) -> dict[str, Any]:
    """A Secret with ``stringData`` moved into ``data``, as base64."""
    plain, data = secret.pop("stringData", None) or {}, secret.get("data") or {}
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
    return secret | ({"data": data | encoded} if data or encoded else {})


def _check_data(data: Mapping[str, str]) -> list[Cause]:
    causes = [cause(INVALID, f"data[{key}]", key, detail=_DATA_TEXT) for key in data if not _DATA_KEY.fullmatch(key)]
    if sum(len(text.encode("utf-8", "surrogatepass")) for text in data.values()) > MAX_DATA_BYTES:
        causes.append(too_long("", MAX_DATA_BYTES))
    return causes
