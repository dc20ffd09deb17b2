"""What a request's body asks for: JSON, and the two kinds of patches."""

from __future__ import annotations

import json
from typing import Any

import jsonpatch
import jsonpointer

from kubeai_notebook.core.merge_patch import merged
from kubeai_notebook.local.emulation.refusals import StatusError, bad_request, unsupported_media

_JSON_PATCH, _MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
_STRATEGIC = "application/strategic-merge-patch+json"
# Without "copy", with which a few hundred bytes could ask for more memory than there is; no client sends it.
_OPERATIONS = ("add", "remove", "replace", "move", "test")
MAX_OPERATIONS = 10_000


def parsed(text: bytes) -> Any:
    """JSON as Go reads it: no NaN, no endless depth. StatusError 400."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the object provided is unrecognized: {error}") from error


def patched(target: Any, text: bytes, content_type: str, *, custom: bool) -> Any:
    """Apply a patch of the type that the client names; ``custom`` kinds have no strategic merge. StatusError."""
    if content_type not in (_JSON_PATCH, _MERGE_PATCH) and (custom or content_type != _STRATEGIC):
        raise unsupported_media(_JSON_PATCH, _MERGE_PATCH)
    patch = parsed(text)
    if content_type == _JSON_PATCH:
        return _operated(target, patch)
    if not isinstance(patch, dict):
        raise bad_request("Invalid JSON Patch")
    # The kinds that are not custom hold no lists here that a strategic merge would treat in another way.
    return merged(target, patch)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _operated(target: Any, operations: Any) -> Any:
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    if len(operations) > MAX_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise StatusError(413, "RequestEntityTooLarge", message)
    try:
        if any(operation.get("op") not in _OPERATIONS for operation in operations):
            raise jsonpatch.InvalidJsonPatch("unknown operation")
        return jsonpatch.apply_patch(target, operations)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, RecursionError) as error:
        message = "the server rejected our request due to an error in our request"
        raise StatusError(422, "Invalid", message, details={}) from error
