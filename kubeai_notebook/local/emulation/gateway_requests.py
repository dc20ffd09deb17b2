"""What KubeAI's gateway reads of a request, what it refuses and leaves of it, and which models it lists.

Source: KubeAI 0.22.1, its request structs, which every body passes through on its way to the engine, and of 0.23.0 the
route for responses. Releases after 0.23 pass a body on as it is where no adapter is asked for; the narrower reading
stays here, since what works with it works with both.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.kubeai.labels import FEATURE_LABEL
from kubeai_notebook.core.naming import name_and_adapter
from kubeai_notebook.local.emulation.selectors import selector_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MEDIA = re.compile(r"[^\s/;]+(/[^\s/;]+)?\s*(;.*)?", re.DOTALL)
_GO = {str: "string", int: "int", float: "float32", bool: "bool", list: "[]string", dict: "map[string]string"}
_NAMES = {str: "string", int: "number", float: "number", bool: "boolean", list: "array", dict: "object"}
# A type; [inner] an array; (inner,) a map with free keys; a dict the only fields that are kept; None anything.
_FUNCTION = {"name": str, "description": str, "strict": bool, "parameters": None}
_CALL = {"name": str, "arguments": str}
_PART = {"type": str, "text": str, "image_url": {"url": str, "detail": str}}
_MESSAGE = {"role": str, "content": [_PART], "refusal": str, "name": str, "function_call": _CALL, "audio": None}
_MESSAGE |= {"tool_calls": [{"index": int, "id": str, "type": str, "function": _CALL}], "tool_call_id": str}
_FORMAT = {"type": str, "json_schema": {"name": str, "description": str, "schema": None, "strict": bool}}
_COMMON: dict[str, Any] = {"model": str, "user": str, "stream": bool, "stop": [str], "max_tokens": int, "n": int}
_COMMON |= {"temperature": float, "top_p": float, "seed": int, "presence_penalty": float, "frequency_penalty": float}
_COMMON |= {"logit_bias": (int,), "metadata": (str,), "store": bool}
_SHAPES: Mapping[str, Mapping[str, Any]] = {
    "/v1/chat/completions": _COMMON
    | {"messages": [_MESSAGE], "tools": [{"type": str, "function": _FUNCTION}], "max_completion_tokens": int}
    | {"logprobs": bool, "top_logprobs": int, "stream_options": {"include_usage": bool}, "modalities": [str]}
    | {"parallel_tool_calls": bool, "reasoning_effort": str, "service_tier": str, "functions": [_FUNCTION]}
    | {"response_format": _FORMAT, "prediction": {"type": str, "content": None}}
    | {"audio": {"voice": str, "format": str}},
    "/v1/responses": {"model": str, "user": str, "stream": bool, "store": bool, "metadata": (str,)},
    "/v1/completions": _COMMON | {"best_of": int, "echo": bool, "logprobs": int, "suffix": str},
    "/v1/embeddings": {"model": str, "user": str, "encoding_format": str, "dimensions": int},
    "/v1/rerank": {"model": str, "query": str, "documents": [str], "top_n": int},
}
ROUTES = (*_SHAPES, "/v1/audio/transcriptions")
_WITHOUT_ZERO = frozenset((
    "user", "stream", "max_tokens", "max_completion_tokens", "store", "dimensions", "encoding_format", "echo", "suffix",
    "logprobs", "reasoning_effort", "service_tier", "top_n",
    "text", "detail", "refusal", "tool_call_id", "description", "strict", "include_usage",
))  # fmt: skip
"""Fields of which a zero goes no further. Of the others it means something, as does an empty list or map."""
_ALWAYS = frozenset(("model", "messages", "query", "role", "content", "parameters", "schema", "id", "type", "function"))
"""Fields that go on even where they are null; of the others a null goes no further."""


class UnreadableError(Exception):
    """A body that the gateway answers with 400; the message is its reason."""


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """A request as it goes on: the requested name, its two halves, and the body without what KubeAI drops.

    ``fields`` are those of a JSON body; a form's body goes on from where it lies.
    """

    requested: str
    fields: Mapping[str, Any] | None

    @property
    def model(self) -> str:
        """What stands before the first underscore."""
        return name_and_adapter(self.requested)[0]

    @property
    def adapter(self) -> str:
        """What stands behind it."""
        return name_and_adapter(self.requested)[1]

    def prefix(self, length: int) -> str:
        """The first characters of the first user message or prompt."""
        fields = self.fields or {}
        turns = fields.get("input") if isinstance(fields.get("input"), list) else fields.get("messages")
        messages = [item for item in turns or () if isinstance(item, dict) and item.get("role") == "user"]
        text = messages[0].get("content") if messages else fields.get("prompt") or fields.get("input")
        if isinstance(text, list):
            parts = [part.get("text") if isinstance(part, dict) else part for part in text]
            text = "".join(part for part in parts if isinstance(part, str)) if messages else next(iter(parts), "")
        return text[:length] if isinstance(text, str) else ""

    def body(self) -> dict[str, Any]:
        """What the engine is sent in JSON; of an adapter's request the name is the adapter's alone."""
        return {**(self.fields or {}), **({"model": self.adapter} if self.adapter else {})}


def is_form(content_type: str) -> bool:
    """Whether the body is a multipart form. UnreadableError for a type that is none."""
    if content_type and not _MEDIA.fullmatch(content_type):
        raise UnreadableError("parse media type: mime: expected slash after first token")
    return content_type.partition(";")[0].strip().lower() == "multipart/form-data"


def read(route: str, body: bytes) -> GatewayRequest:
    """Read a JSON body. UnreadableError when KubeAI would not."""
    try:
        if route not in _SHAPES:
            raise UnreadableError(f'unknown path: "{route}"')
        fields = json.loads(body.decode(), object_pairs_hook=_members, parse_constant=_no_number)
        kept = _kept(fields, _SHAPES[route], "", whole=True)
    except RecursionError as error:
        raise UnreadableError("reading model from body: decoding: jsontext: exceeded max depth") from error
    except ValueError as error:
        reason = "jsontext: invalid UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise UnreadableError(f"reading model from body: decoding: {reason}") from error
    except UnreadableError as error:
        raise UnreadableError(f"reading model from body: {error}") from error
    if not kept.get("model"):
        raise UnreadableError("reading model from body: missing 'model' field")
    return GatewayRequest(kept["model"], kept)


def listed(
    models: Iterable[Mapping[str, Any]], features: Sequence[str] | None, selector: str | None
) -> list[dict[str, Any]]:
    """The items of ``/models``: a Model, then its adapters. A label selector replaces the filter by feature.

    Raises:
        ValueError: that is no selector.
    """
    wanted = [f"{FEATURE_LABEL}{name}" for name in features or ("TextGeneration",)]
    selected = selector_of(selector) if selector is not None else None
    values = []
    for model in models:
        labels = model["metadata"].get("labels") or {}
        if selected(model) if selected else any(labels.get(label) == "true" for label in wanted):
            values += _entries(model)
    return values


def adapters_in(model: Mapping[str, Any]) -> list[str]:
    """The names of a Model's adapters."""
    return [item["name"] for item in (model.get("spec") or {}).get("adapters") or ()]


def _entries(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    metadata, spec = model["metadata"], model.get("spec") or {}
    names = [metadata["name"], *(f"{metadata['name']}_{adapter}" for adapter in adapters_in(model))]
    created = int(datetime.fromisoformat(metadata["creationTimestamp"]).timestamp())
    common = {"created": created, "object": "model", "owned_by": spec.get("owner", "")}
    common |= {"features": spec["features"]} if spec.get("features") else {}
    return [{"id": name, **common} for name in names]


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f'jsontext: duplicate object member name "{twice}"')
    return fields


def _no_number(constant: str) -> None:
    raise ValueError(f"jsontext: invalid character {constant[:1]!r} at start of value")


def _kept(value: Any, shape: Any, path: str, *, whole: bool = False) -> Any:
    """The value without unknown nested fields (``whole``: those of this level stay); ValueError on another type."""
    if shape is None or (value is None and path):
        return value
    kind: Any = shape if isinstance(shape, type) else list if isinstance(shape, list) else dict
    if path.endswith("/content") and isinstance(value, str):
        return value
    if type(value) not in (kind, int if kind is float else kind):
        within = f' within "{path}"' if path else ""
        given = _NAMES.get(type(value), "null")
        raise ValueError(f"json: cannot unmarshal JSON {given} into Go {_GO[kind]}{within}")
    if isinstance(shape, list):
        return [_kept(item, shape[0], f"{path}/{number}") for number, item in enumerate(value)]
    if isinstance(shape, tuple):
        return {key: _kept(item, shape[0], f"{path}/{key}") for key, item in value.items()}
    if isinstance(shape, dict):
        known = {key: _kept(item, shape[key], f"{path}/{key}") for key, item in value.items() if key in shape}
        return {
            key: known.get(key, item)
            for key, item in value.items()
            if (whole and key not in shape) or (key in shape and _goes_on(key, item, shape[key]))
        }
    return value


def _goes_on(key: str, value: Any, shape: Any) -> bool:
    """Whether a known field is sent to the engine, as Go's ``omitzero`` decides."""
    if value is None:
        return key in _ALWAYS
    if isinstance(value, list) and not value:
        return key != "documents"
    # A completion's logprobs is a number, of which 0 means something; a chat's is a switch.
    return (
        bool(value) or isinstance(value, list | dict) or key not in _WITHOUT_ZERO or (key, shape) == ("logprobs", int)
    )
