"""What an API server with KubeAI's definition answers when a Model is created or changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import cel_rules as expressions
from . import metadata
from . import schema_validation as structure
from .admission_errors import (
    INVALID,
    NOT_CHECKED,
    Cause,
    blocks,
    cause,
    go_type,
    kind_of,
    plain,
    quoted,
)
from .schema import GROUP, KIND, MODEL, VERSION

API_VERSION = f"{GROUP}/{VERSION}"
_META_FIELDS = ("apiVersion", "kind", "metadata")
_MAX_INT32 = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer: ``object`` as it would be stored, ``causes`` of a 422, ``bad_request`` the message of a 400."""

    object: dict[str, Any] = field(default_factory=dict)
    causes: tuple[Cause, ...] = ()
    unknown_fields: tuple[str, ...] = ()
    """Paths that were dropped; with ``strict`` they are the ``bad_request``, else the answer's warnings."""
    bad_request: str = ""

    @property
    def admitted(self) -> bool:
        """Whether the object may be stored."""
        return not self.causes and not self.bad_request


def admit(
    manifest: Any,
    old: Mapping[str, Any] | None = None,
    *,
    strict: bool = True,
    keep_status: bool = False,
) -> Verdict:
    """Decide as the API server does: decode, prune, default, check the shape, then KubeAI's rules.

    Args:
        manifest: any JSON value; it is not changed.
        old: the stored Model of an update. What metadata may not change is the API layer's matter.
        strict: ``fieldValidation=Strict``.
        keep_status: the write goes to ``/status``; else the stored status stays as it is.

    Source: customresource/{strategy,validator}.go and customresource_handler.go of apiextensions-apiserver 0.36.
    """
    try:
        fault = _undecodable(manifest)
        if fault:
            return Verdict(bad_request=fault)
        return _decided(manifest, old, strict=strict, keep_status=keep_status)
    except RecursionError:
        return Verdict(bad_request=_cannot_be_handled("exceeded max depth"))


def _decided(
    manifest: Mapping[str, Any],
    old: Mapping[str, Any] | None,
    *,
    strict: bool,
    keep_status: bool,
) -> Verdict:
    unknown = list(metadata.unknown_fields(manifest.get("metadata")))
    dropped: list[str] = []
    rest = {key: value for key, value in manifest.items() if key not in _META_FIELDS}
    item = {key: manifest[key] for key in _META_FIELDS if key in manifest}
    if "metadata" in item:
        item["metadata"] = metadata.read(item["metadata"])
    item |= structure.pruned(rest, MODEL, path="", unknown=dropped)
    unknown += sorted(dropped)
    if unknown and strict:
        fields = ", ".join(f'unknown field "{path}"' for path in unknown)
        return Verdict(
            unknown_fields=tuple(unknown), bad_request=_cannot_be_handled(f"strict decoding error: {fields}")
        )
    structure.fill_in(item, MODEL)
    if not keep_status:
        item.pop("status", None)
        if old and "status" in old:
            item["status"] = old["status"]
    causes = _causes(item, old, scales=not keep_status)
    return Verdict(item, tuple(causes), tuple(unknown))


def _undecodable(manifest: Any) -> str:
    """The message of a 400 for a body that cannot become a Model."""
    if not isinstance(manifest, Mapping):
        return f"json: cannot unmarshal {kind_of(manifest)} into Go value of type map[string]interface {{}}"
    for key in ("apiVersion", "kind"):
        if not isinstance(manifest.get(key, ""), str | None):
            target = f"struct field .{key} of type string"
            text = f"json: cannot unmarshal {kind_of(manifest[key])} into Go {target}"
            return f"couldn't get version/kind; json parse error: {text}"
    if not manifest.get("kind"):
        return "Object 'Kind' is missing"
    given = manifest.get("apiVersion") or ""
    if given != API_VERSION:
        return f"the API version in the data ({given}) does not match the expected API version ({API_VERSION})"
    fault = metadata.unreadable(manifest.get("metadata"))
    return _cannot_be_handled(fault) if fault else ""


def _cannot_be_handled(why: str) -> str:
    return f'{KIND} in version "{VERSION}" cannot be handled as a {KIND}: {why}'


def _causes(item: dict[str, Any], old: Mapping[str, Any] | None, *, scales: bool) -> list[Cause]:
    if item["kind"] != KIND:
        return [cause(INVALID, "kind", item["kind"], detail=f"must be {KIND}")]
    meta = item.get("metadata", {})
    causes = metadata.check_metadata(meta)
    causes += structure.check({key: item[key] for key in item.keys() & {"spec", "status"}}, MODEL, "")
    if scales:
        causes += _check_scale(item, ("spec", "replicas"))
    causes += _check_scale(item, ("status", "replicas", "all"))
    if blocks(causes):
        return [*causes, NOT_CHECKED]
    name = metadata.name_of(meta)
    return causes + expressions.broken_rules(item, old, name=name)


def _check_scale(item: Mapping[str, Any], path: tuple[str, ...]) -> list[Cause]:
    """The scale subresource reads its numbers by a path of its own, and finds other words for them."""
    value: Any = item
    for depth, key in enumerate(path, 1):
        if value is None:
            return []
        if not isinstance(value, Mapping):
            return [_not_accessible(path[:depth], value, expected="map[string]interface{}")]
        if key not in value:
            return []
        value = value[key]
    field_path = "." + ".".join(path)
    if kind_of(value) != "integer":
        return [_not_accessible(path, value, expected="int64")]
    if value < 0:
        return [cause(INVALID, field_path, value, detail="should be a non-negative integer")]
    if value > _MAX_INT32:
        return [cause(INVALID, field_path, value, detail=f"should be less than or equal to {_MAX_INT32}")]
    return []


def _not_accessible(path: tuple[str, ...], value: Any, *, expected: str) -> Cause:
    # The field is always the whole path of the number; the text names the part that stopped the reader.
    number = ".status.replicas.all" if path[0] == "status" else ".spec.replicas"
    given = f"{plain(value)} is of the type {go_type(value)}"
    return cause(INVALID, number, 0, detail=f".{'.'.join(path)} accessor error: {given}, expected {expected}")


def summary_message(kind: str, name: str, causes: Iterable[Cause]) -> str:
    """The Status body's ``message``: every different cause once, in brackets when there are several."""
    lines = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    text = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
    return f"{kind} {quoted(name)} is invalid{f': {text}' if lines else ''}"
