"""What an API server checks of a request before it writes: addresses, versions, options, preconditions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.rules.admission_errors import INVALID, NOT_SUPPORTED, Cause, cause
from kubeai_notebook.local.emulation.kinds import MODELS, NAMESPACES, Ref, Resource

from .refusals import StatusError, bad_request, conflict, details_of, invalid
from .scale import rescaled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.local.emulation.kinds import Object

_NUMBER = re.compile(r"([+-]?)0*([0-9]*)(?<=[0-9])", re.ASCII)
_PRECONDITIONS = (
    ("uid", "UID", "deleted and then recreated"),
    ("resourceVersion", "ResourceVersion", "modified"),
)
_OPTIONS = Resource("deleteoptions", "DeleteOptions", "meta.k8s.io")
_POLICIES = ("Foreground", "Background", "Orphan")
_POLICY_TEXT = '"Foreground", "Background", "Orphan", "nil"'


def number_of(query: Mapping[str, str], name: str, *, kind: str = "ParseInt", most: int = 2**63 - 1) -> int | None:
    """A whole number of the query as Go reads it; None where there is none. StatusError 400.

    ``kind`` is Go's name of the reader, ``most`` the greatest number that it takes.
    """
    text = query.get(name, "")
    if not text:
        return None
    number = _NUMBER.fullmatch(text)
    if not number or (number[1] and kind == "ParseUint"):
        raise bad_request(f'strconv.{kind}: parsing "{text}": invalid syntax')
    # Python refuses to read thousands of digits, and whoever sends them needs no answer that holds them all.
    if len(number[2]) > len(str(most)) or int(number[2] or 0) > most:
        raise bad_request(f'strconv.{kind}: parsing "{text[:40]}": value out of range')
    return int(f"{number[1]}{number[2] or 0}")


def placed(item: Object, target: Ref) -> Object:
    """An object that is to be created in the namespace that the request names. StatusError 400."""
    metadata = item.get("metadata") or {}
    if not isinstance(metadata, dict):
        return item
    if target.namespace and metadata.get("namespace", target.namespace) != target.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    return {**item, "metadata": {**metadata, "namespace": target.namespace}}


def updated(current: Object, changed: Any, target: Ref, *, replacing: bool) -> Any:
    """The object that an update asks for; ``replacing`` tells PUT from PATCH. StatusError 400, 409 or 422."""
    if not isinstance(changed, dict) or not isinstance(changed.get("metadata", {}), dict):
        raise bad_request("the object provided is unrecognized (must be of type object)")
    metadata = {"name": target.name, "namespace": target.namespace, **changed.get("metadata", {})}
    for key, there, where in (("name", target.name, "URL"), ("namespace", target.namespace, "request")):
        if metadata[key] != there:
            message = f"the {key} of the object ({metadata[key]}) does not match the {key} on the {where} ({there})"
            raise bad_request(message)
    if replacing and target.subresource != "scale":
        _check_replacement(target, metadata, current)
    if target.subresource == "scale":
        changed = rescaled(current, changed, status=400 if replacing else 422)
    elif target.subresource == "status":
        changed = {**current, "status": changed.get("status", {})}
    else:
        changed = {**changed, "metadata": metadata}
    if version := metadata.get("resourceVersion"):
        changed = {**changed, "metadata": {**changed["metadata"], "resourceVersion": version}}
    return changed


def _check_replacement(ref: Ref, metadata: Object, current: Object) -> None:
    """What PUT asks for beyond PATCH. StatusError 409 or 422."""
    if ref.resource is MODELS and not metadata.get("resourceVersion"):
        missing = cause(INVALID, "metadata.resourceVersion", 0, detail="must be specified for an update")
        raise invalid(ref.resource, ref.name, [missing], kind=ref.resource.plural)
    uid = current["metadata"]["uid"]
    if metadata.get("uid", uid) != uid:
        why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {uid}"
        raise conflict(ref, why)


def deletion_policy(item: Object, target: Ref, options: Object, *, query: Mapping[str, str]) -> str:
    """The propagation policy of this DELETE, after its preconditions are checked.

    StatusError 403, 409 or 422 when it may not be deleted.
    """
    wanted = options.get("preconditions") or {}
    for key, word, what in _PRECONDITIONS:
        present = item["metadata"][key]
        if wanted.get(key, present) != present:
            why = f"the {word} in the precondition ({wanted[key]}) does not match the {word} in record ({present})"
            raise conflict(target, f"{why}. The object might have been {what}", kind=target.resource.kind)
    if target == Ref(NAMESPACES, "", "default"):
        message = 'namespaces "default" is forbidden: this namespace may not be deleted'
        raise StatusError(403, "Forbidden", message, details=details_of(target))
    policy = options.get("propagationPolicy") or query.get("propagationPolicy") or "Background"
    if policy not in _POLICIES:
        refused = cause(NOT_SUPPORTED, "propagationPolicy", policy, detail=f"supported values: {_POLICY_TEXT}")
        raise invalid(_OPTIONS, "", [refused])
    return str(policy)


def is_dry(query: Mapping[str, str], options: Object | None = None) -> bool:
    """Whether nothing is to be stored; StatusError 422 for a word that is not known, so that nothing is by mistake."""
    kind, given = "DeleteOptions" if options else "CreateOptions", (options or {}).get("dryRun") or []
    if text := query.get("dryRun"):
        given = [text]
    if given not in ([], ["All"]):
        texts = " ".join(f'"{text}"' for text in given)
        text = f'Unsupported value: []string{{{texts}}}: supported values: "All"'
        raise invalid(_OPTIONS, "", [Cause("dryRun", "FieldValueNotSupported", text)], kind=kind)
    return bool(given)


def warnings_of(query: Mapping[str, str], unknown: tuple[str, ...]) -> list[tuple[str, str]]:
    """The headers that name fields which were dropped."""
    if query.get("fieldValidation") == "Ignore":
        return []
    return [warning_header(f'unknown field "{path}"') for path in unknown if path.isprintable()]


def warning_header(text: str, agent: str = "-") -> tuple[str, str]:
    """A ``Warning`` header as Kubernetes writes it; whatever would end the line or the quotation is taken out of it."""
    words = "".join(letter if letter.isprintable() else " " for letter in text)
    quoted = words.replace("\\", "\\\\").replace('"', '\\"')
    return "Warning", f'299 {agent} "{quoted}"'
