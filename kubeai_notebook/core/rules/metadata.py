"""What the API server asks of any object's metadata: that it can be read, and that names and labels are well formed.

Sources, 0.36: apiextensions' objectmeta/coerce.go; apimachinery's api/validation/objectmeta.go, api/validate/content.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from .admission_errors import INVALID, Cause, cause, kind_of, required, too_long

MAX_GENERATED_BASE = 58
"""The server cuts ``generateName`` here and appends five characters."""

_SUBDOMAIN_FORM = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_SUBDOMAIN = re.compile(_SUBDOMAIN_FORM)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    f"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN_FORM}')"
)
_KEY_FORM = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_KEY = re.compile(_KEY_FORM)
_KEY_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_KEY_FORM}')"
)
_VALUE = re.compile(f"({_KEY_FORM})?")
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation "
    f"is '({_KEY_FORM})?')"
)
_MAX_ANNOTATION_BYTES = 262_144

# Fields of ObjectMeta by their Go type.
_TEXTS = ("creationTimestamp", "deletionTimestamp", "generateName", "name", "namespace", "resourceVersion", "selfLink")
_TYPES = {
    **dict.fromkeys(_TEXTS, ("string", "string")),
    "uid": ("string", "types.UID"),
    "deletionGracePeriodSeconds": ("integer", "int64"),
    "generation": ("integer", "int64"),
    "annotations": ("object", "map[string]string"),
    "labels": ("object", "map[string]string"),
    "finalizers": ("array", "[]string"),
    "managedFields": ("array", "[]v1.ManagedFieldsEntry"),
    "ownerReferences": ("array", "[]v1.OwnerReference"),
}
_PARTS = {
    "ownerReferences": {"apiVersion", "blockOwnerDeletion", "controller", "kind", "name", "uid"},
    "managedFields": {"apiVersion", "fieldsType", "fieldsV1", "manager", "operation", "subresource", "time"},
}
_GO_NAMES = {"boolean": "bool", "integer": "number"}


def unreadable(metadata: Any) -> str:
    """What Go's decoder says of metadata with a wrong type in it; ``""`` when it can read it."""
    if metadata is None:
        return ""
    if not isinstance(metadata, Mapping):
        return _cannot(metadata, "value of type v1.ObjectMeta")
    for field in sorted(metadata.keys() & _TYPES.keys()):
        value = metadata[field]
        kind, go_name = _TYPES[field]
        if value is None:
            continue
        if kind_of(value) != kind and not (kind == "integer" and isinstance(value, float) and value.is_integer()):
            return _cannot(value, f"struct field ObjectMeta.{field} of type {go_name}")
        inner: Any = value.values() if field in ("annotations", "labels") else value if field == "finalizers" else ()
        for item in inner:
            if not isinstance(item, str | None):
                return _cannot(item, f"struct field ObjectMeta.{field} of type string")
        for part in value if field in _PARTS else ():
            if not isinstance(part, Mapping | None):
                return _cannot(part, f"struct field ObjectMeta.{field} of type {go_name.removeprefix('[]')}")
    return ""


def _cannot(value: Any, target: str) -> str:
    kind = kind_of(value)
    return f"json: cannot unmarshal {_GO_NAMES.get(kind, kind)} into Go {target}"


def unknown_fields(metadata: Any) -> Iterator[str]:
    """Paths of fields that ObjectMeta does not have."""
    if not isinstance(metadata, Mapping):
        return
    for field in sorted(metadata):
        if field not in _TYPES:
            yield f"metadata.{field}"
        for number, part in enumerate(metadata[field] or () if field in _PARTS else ()):
            if isinstance(part, Mapping):
                names = sorted(part.keys() - _PARTS[field])
                yield from (f"metadata.{field}[{number}].{name}" for name in names)


def read(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Readable metadata as the server keeps it: known fields that are not empty, null labels as empty ones."""
    kept = {field: value for field, value in (metadata or {}).items() if field in _TYPES and value}
    for field in kept.keys() & {"annotations", "labels"}:
        kept[field] = {key: value or "" for key, value in kept[field].items()}
    for field in kept.keys() & _PARTS.keys():
        kept[field] = [{key: part[key] for key in part or () if key in _PARTS[field]} for part in kept[field]]
    return kept


def name_of(metadata: Mapping[str, Any]) -> str:
    """The object's name; for ``generateName``, one of the length that the server would make."""
    base = str(metadata.get("generateName") or "")
    return str(metadata.get("name") or "") or (base and base[:MAX_GENERATED_BASE] + "00000")


def check_metadata(metadata: Mapping[str, Any]) -> list[Cause]:
    """Every violation in metadata as `read` gives it, in the server's order."""
    base, name = metadata.get("generateName") or "", name_of(metadata)
    # The server asks whether a made name would do: a trailing dash is no fault.
    masked = base[:-2] + "a" if len(base) > 1 and base.endswith("-") else base
    causes = [cause(INVALID, "metadata.generateName", base, detail=text) for text in _subdomain(masked) if base]
    if not name:
        causes.append(required("metadata.name", "name or generateName is required"))
    else:
        causes += [cause(INVALID, "metadata.name", name, detail=text) for text in _subdomain(name)]
    causes += _check_labels(metadata.get("labels", {}))
    causes += _check_annotations(metadata.get("annotations", {}))
    for owner in metadata.get("ownerReferences", ()):
        causes += _check_owner(owner)
    for finalizer in metadata.get("finalizers", ()):
        texts = _label_key(finalizer or "")
        causes += [cause(INVALID, "metadata.finalizers", finalizer or "", detail=text) for text in texts]
    return causes


def check_kept(metadata: Mapping[str, Any], old: Mapping[str, Any]) -> list[Cause]:
    """What an update must leave alone: the uid, and the finalizers of what is being deleted."""
    causes = []
    if metadata.get("uid", old.get("uid")) != old.get("uid") and old:
        causes.append(cause(INVALID, "metadata.uid", metadata["uid"], detail="field is immutable"))
    added = sorted(set(metadata.get("finalizers", ())) - set(old.get("finalizers", ())))
    if added and "deletionTimestamp" in old:
        listed = ", ".join(f'"{name}"' for name in added)
        text = "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
        causes.append(Cause("metadata.finalizers", "FieldValueForbidden", f"{text}[]string{{{listed}}}"))
    return causes


def _check_labels(labels: Mapping[str, str]) -> Iterator[Cause]:
    for key, value in labels.items():
        for text in _label_key(key):
            yield cause(INVALID, "metadata.labels", key, detail=text)
        for text in _label_value(value):
            yield cause(INVALID, "metadata.labels", value, detail=text)


def _check_annotations(annotations: Mapping[str, str]) -> Iterator[Cause]:
    size = 0
    for key, value in annotations.items():
        size += _bytes(key) + _bytes(value)
        for text in _label_key(key.lower()):
            yield cause(INVALID, "metadata.annotations", key, detail=text)
    if size > _MAX_ANNOTATION_BYTES:
        yield too_long("metadata.annotations", _MAX_ANNOTATION_BYTES)


def _check_owner(owner: Mapping[str, Any]) -> Iterator[Cause]:
    # The server leaves the index out of the field.
    version = str(owner.get("apiVersion") or "")
    if not version.rpartition("/")[2]:
        yield cause(INVALID, "metadata.ownerReferences.apiVersion", version, detail="version must not be empty")
    for field in ("kind", "name", "uid"):
        if not owner.get(field):
            yield cause(INVALID, f"metadata.ownerReferences.{field}", "", detail=f"{field} must not be empty")


def _subdomain(name: str) -> Iterator[str]:
    if _bytes(name) > 253:
        yield "must be no more than 253 bytes"
    if not _SUBDOMAIN.fullmatch(name):
        yield _SUBDOMAIN_TEXT


def _label_key(key: str) -> Iterator[str]:
    *prefixes, name = islice(key.split("/"), 3)
    if len(prefixes) > 1:
        yield f"a valid label key {_KEY_TEXT} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return
    for prefix in prefixes:
        yield from (f"prefix part {text}" for text in (_subdomain(prefix) if prefix else ("must be non-empty",)))
    if not name:
        yield "name part must be non-empty"
    elif _bytes(name) > 63:
        yield "name part must be no more than 63 bytes"
    if not _KEY.fullmatch(name):
        yield f"name part {_KEY_TEXT}"


def _label_value(value: str) -> Iterator[str]:
    if _bytes(value) > 63:
        yield "must be no more than 63 bytes"
    if not _VALUE.fullmatch(value):
        yield _VALUE_TEXT


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
