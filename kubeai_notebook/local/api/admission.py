"""Admission: what the API server does to an object before it is stored."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from kubeai_notebook.core.rules import metadata as rules
from kubeai_notebook.core.rules.admission import admit
from kubeai_notebook.core.rules.cause import INVALID, Cause, cause

from .errors import bad_request, invalid
from .resources import CONFIG_MAPS, MODELS, NAMESPACES, SECRETS, Object, Resource

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


def admitted(
    resource: Resource, item: Any, *, old: Object | None = None, strict: bool = False, status: bool = False
) -> tuple[Object, tuple[str, ...]]:
    """Check, prune, default; the object and the unknown fields it had. StatusError 400 or 422.

    ``old`` is the stored object of an update; ``status`` tells that the write goes to that subresource.
    """
    if resource is MODELS:
        verdict = admit(item, old, strict=strict, keep_status=status)
        if verdict.bad_request:
            raise bad_request(verdict.bad_request)
        item, causes = verdict.object, list(verdict.causes)
        unknown = verdict.unknown_fields
    else:
        item, causes = _plain(resource, item, old)
        unknown = ()
        if "status" in resource.subresources and not status and old:
            item = {**item, "status": old.get("status", {})}
    causes += _immutable(item["metadata"], old["metadata"] if old else {})
    if causes:
        raise invalid(resource, item["metadata"].get("name", ""), causes, kind=item["kind"])
    return item, unknown


def _plain(resource: Resource, item: Any, old: Object | None) -> tuple[Object, list[Cause]]:
    """An object of a kind of Kubernetes' own, as far as its shape matters here."""
    unfit = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
    if not isinstance(item, dict) or item.get("kind", resource.kind) != resource.kind:
        raise bad_request(f"the object provided is unrecognized (must be of type {resource.kind})")
    if fault := rules.unreadable(item.get("metadata")):
        raise bad_request(unfit + fault)
    metadata = rules.read(item.get("metadata"))
    item = {**item, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    causes, name = rules.check_metadata(metadata), metadata.get("name", "")
    if resource is NAMESPACES:
        if not causes and not _LABEL.fullmatch(name):
            causes.append(cause(INVALID, "metadata.name", name, detail=_LABEL_TEXT))
        metadata["labels"] = metadata.get("labels", {}) | {"kubernetes.io/metadata.name": name}
        item |= {"spec": {"finalizers": ["kubernetes"]}, "status": (old or {}).get("status", {"phase": "Active"})}
    elif resource in (CONFIG_MAPS, SECRETS):
        if resource is SECRETS:
            item = {"type": "Opaque", **_encoded(item, unfit)}
        causes += _check_data(item, unfit)
    return item, causes


def _encoded(secret: Object, unfit: str) -> Object:
    """A Secret with ``stringData`` moved into ``data``, as base64."""
    plain, data = secret.get("stringData") or {}, secret.get("data") or {}
    for texts in (plain, data):
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            raise bad_request(unfit + "its data must be texts")
    try:
        for text in data.values():
            base64.b64decode(text, validate=True)
    except binascii.Error:
        raise bad_request(unfit + "illegal base64 data") from None
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
    kept = {key: value for key, value in secret.items() if key != "stringData"}
    return kept | ({"data": data | encoded} if data or encoded else {})


def _check_data(item: Object, unfit: str) -> list[Cause]:
    data = item.get("data") or {}
    if not isinstance(data, dict) or not all(isinstance(text, str) for text in data.values()):
        raise bad_request(unfit + f"{item['kind']}.data must hold texts")
    causes = [cause(INVALID, f"data[{key}]", key, detail=_DATA_TEXT) for key in data if not _DATA_KEY.fullmatch(key)]
    if sum(len(text.encode("utf-8", "surrogatepass")) for text in data.values()) > MAX_DATA_BYTES:
        causes.append(Cause("", "FieldValueTooLong", f"Too long: may not be more than {MAX_DATA_BYTES} bytes"))
    return causes


def _immutable(metadata: Object, old: Object) -> list[Cause]:
    """What an update must leave alone."""
    causes = []
    if metadata.get("uid", old.get("uid")) != old.get("uid") and old:
        causes.append(cause(INVALID, "metadata.uid", metadata["uid"], detail="field is immutable"))
    added = sorted(set(metadata.get("finalizers", ())) - set(old.get("finalizers", ())))
    if added and "deletionTimestamp" in old:
        listed = ", ".join(f'"{name}"' for name in added)
        text = "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
        causes.append(Cause("metadata.finalizers", "FieldValueForbidden", f"{text}[]string{{{listed}}}"))
    return causes
