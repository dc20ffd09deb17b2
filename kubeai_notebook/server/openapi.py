"""The OpenAPI description of the routes, made of the table and of the types that cross the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from kubeai_notebook.present import server_wire
from kubeai_notebook.present.server_wire import Changes, Problem
from kubeai_notebook.session.software import version_of

from .table import NAME, ROOT, VERBS, Parameter

if TYPE_CHECKING:
    from pydantic import BaseModel

    from .table import Verb

_REF = "#/components/schemas/{model}"
_EVENTS = "`model`, `gone` and `link` events, the types ModelChange, Gone and LinkState; `reset` before all of them."
_REQUEST_ID = Parameter("request_id", {"type": "string"}, "That of the answer 202.", required=True)
_SINCE = Parameter("since", {"type": "string"}, "The id of the last answer; all Models without it.")


def description(base_url: str) -> dict[str, Any]:
    """OpenAPI 3.1, for a server with this base url."""
    results: list[type[BaseModel]] = [getattr(server_wire, verb.result) for verb in VERBS]
    more: list[type[BaseModel]] = [Changes, Problem, server_wire.ModelChange, server_wire.Gone, server_wire.LinkState]
    wanted = dict.fromkeys([*results, *more])
    _, schemas = models_json_schema([(model, "serialization") for model in wanted], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for verb, result in zip(VERBS, results, strict=True):
        paths.setdefault(f"/{verb.path}", {})[verb.method.lower()] = _operation(verb, result.__name__)
    stream = {"description": _EVENTS, "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    paths["/stream"] = {"get": _asked("stream", "All Models now, then every change.", {"200": stream})}
    changes = _asked("changes", "What is new since the last poll.", _answers("Changes"))
    paths["/changes"] = {"get": {**changes, "parameters": [_in_query(_SINCE)]}}
    late = _asked(
        "late", "How a request ended that was answered 202; again 202 before.", _answers("Done", "200", "202")
    )
    paths["/late"] = {"get": {**late, "parameters": [_in_query(_REQUEST_ID)]}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "KubeAI Models on Jupyter Server", "version": version_of("kubeai-notebook")},
        "servers": [{"url": f"{base_url.rstrip('/')}/{ROOT}"}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "Authorization"}},
        },
        "security": [{"token": []}],
    }


def _operation(verb: Verb, result: str) -> dict[str, Any]:
    made = _asked(verb.verb, verb.summary, _answers(result, "200", *(["202"] if verb.action == "write" else [])))
    if "{name}" in verb.path:
        pattern = {"type": "string", "pattern": f"^{NAME}$"}
        made["parameters"] = [{"name": "name", "in": "path", "required": True, "schema": pattern}]
    if verb.method != "POST":
        made["parameters"] = [*made.get("parameters", []), *map(_in_query, verb.parameters)]
    elif verb.parameters:
        properties = {
            parameter.name: {**parameter.schema, "description": parameter.summary} for parameter in verb.parameters
        }
        required = [parameter.name for parameter in verb.parameters if parameter.required]
        body = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        content = {"application/json": {"schema": body}}
        made["requestBody"] = {"required": bool(required), "content": content}
    return made


def _asked(operation_id: str, summary: str, answers: dict[str, Any]) -> dict[str, Any]:
    problem = {"description": "Why it failed.", **_json("Problem")}
    return {"operationId": operation_id, "summary": summary, "responses": {**answers, "default": problem}}


def _answers(result: str, *statuses: str) -> dict[str, Any]:
    return {status: {"description": result, **_json(result)} for status in statuses or ("200",)}


def _json(result: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": _REF.format(model=result)}}}}


def _in_query(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "schema": dict(parameter.schema),
        "description": parameter.summary,
    }
