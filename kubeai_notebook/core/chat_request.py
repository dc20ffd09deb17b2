"""What a chat sends: its turns and its fields become the body of a request, checked before anything leaves.

KubeAI's gateway (up to 0.23) reads a body into its own structs and drops or refuses what they do not hold, so the body
is written as those take it: ``stop`` a list, ``response_format`` and tools with the members that are known there. A
tool that must be called is the only one that is sent, and required: llama.cpp ignores a ``tool_choice`` that is an
object, and both it and vLLM enforce that one by grammar.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from kubeai_notebook.errors import UsageError

from .chat_fields import CompleteFields, checked_fields
from .json_schema import check_schema
from .messages import did_you_mean, with_article
from .objects import KubernetesObject, count_at, map_at, maps_at, text_at
from .reply_schema import ReplySchema, reply_schema

Turn = Mapping[str, Any]
"""One message of a conversation: ``{"role": …, "content": …}``."""
MOST_CHARACTERS = 8_000_000
"""Of a request's texts: about two million tokens. Few models read a tenth of that; the gateway would take it all in."""
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_TOOL_CHOICES = ("auto", "none", "required")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A request that can be sent."""

    body: Mapping[str, Any]
    """All fields of the request but the model's name."""
    adapter: str = ""
    schema: ReplySchema | None = None
    timeout_seconds: float | None = None

    @property
    def must_call(self) -> bool:
        """Whether the answer has to be a tool call."""
        return self.body.get("tool_choice") == "required"

    @property
    def max_tokens(self) -> int:
        """How long an answer was asked for; 0 where nobody said."""
        return count_at(self.body, "max_tokens")


def chat_request(prompt: Any, fields: Mapping[str, Any], *, function: str = "chat") -> ChatRequest:
    """The request of a chat, of a text or a list of turns.

    Raises:
        UsageError: there is nothing to send, or something that cannot be sent.
    """
    given = checked_fields(fields, function)
    turns = turns_of(prompt, function)
    system, schema = given.pop("system", None), given.pop("schema", None)
    if system:
        if turns[0]["role"] == "system":
            raise UsageError("There is a system turn already.", "Leave system= out, or that turn.")
        turns = [{"role": "system", "content": system}, *turns]
    checked = None if schema is None else reply_schema(schema)
    form = {"response_format": checked.response_format} if checked else {}
    tools = tool_fields(given.pop("tools", None), given.pop("tool_choice", None))
    return _request({"messages": turns, **form, **tools}, given, schema=checked)


def complete_request(prompt: Any, fields: Mapping[str, Any]) -> ChatRequest:
    """The request of a completion.

    Raises:
        UsageError: there is nothing to send, or something that cannot be sent.
    """
    given = checked_fields(fields, "complete", CompleteFields)
    if not isinstance(prompt, str):
        hint = "map() asks for each of many." if isinstance(prompt, list | tuple) else ""
        raise UsageError(f"complete() goes on with one text, not {_kind(prompt)}.", hint)
    if not prompt:
        raise UsageError("complete() has nothing to go on with: the text is empty.")
    return _request({"prompt": prompt}, given)


def adapter_url(model: KubernetesObject, adapter: str) -> str:
    """Where this adapter of the Model comes from; ``""`` for none.

    Raises:
        UsageError: the Model has no such adapter.
    """
    urls = {text_at(listed, "name"): text_at(listed, "url") for listed in maps_at(model, "spec", "adapters")}
    if adapter and adapter not in urls:
        name = text_at(model, "metadata", "name")
        others = f" It has: {', '.join(urls)}." if urls else " It has none."
        raise UsageError(f'{name} has no adapter "{adapter}".{did_you_mean(adapter, urls) or others}')
    return urls.get(adapter, "")


def turns_of(prompt: Any, function: str = "chat") -> list[dict[str, Any]]:
    """The turns that a text or a list of turns stands for.

    >>> turns_of("Hi")
    [{'role': 'user', 'content': 'Hi'}]

    Raises:
        UsageError: it is neither, or a turn has no text.
    """
    if isinstance(prompt, str):
        if not prompt.strip():
            raise UsageError(f"{function}() has nothing to send: the text is empty.")
        return [{"role": "user", "content": prompt}]
    if isinstance(prompt, Mapping):
        raise UsageError(f"{function}() takes a text or a list of turns, not one turn.", "Put it into a list: [turn].")
    if not isinstance(prompt, list | tuple):
        raise UsageError(f"{function}() takes a text or a list of turns, not {_kind(prompt)}.")
    if not prompt:
        raise UsageError(f"{function}() has nothing to send: the list of turns is empty.")
    return [_turn(turn, number) for number, turn in enumerate(prompt, 1)]


def _turn(turn: Any, number: int) -> dict[str, Any]:
    if not isinstance(turn, Mapping):
        how = 'A turn is {"role": "user", "content": "…"}.'
        raise UsageError(f"Turn {number} is {_kind(turn)}, not a turn.", how)
    role, content = turn.get("role"), turn.get("content")
    if role not in _ROLES:
        meant = did_you_mean(role, _ROLES) if isinstance(role, str) else ""
        raise UsageError(f"Turn {number} has no role that a model knows.{meant}", f"Roles are {', '.join(_ROLES)}.")
    if isinstance(content, list | tuple):
        if not content or not all(isinstance(part, Mapping) and isinstance(part.get("type"), str) for part in content):
            how = 'A part is {"type": "text", "text": "…"} or {"type": "image_url", "image_url": {"url": "…"}}.'
            raise UsageError(f"Turn {number} has a content whose parts are not all parts with a type.", how)
    elif content is not None and not isinstance(content, str):
        raise UsageError(f"Turn {number} has a content that is {_kind(content)}, not a text or a list of parts.")
    elif role in ("user", "system", "developer") and not (content or "").strip():
        raise UsageError(f"Turn {number} ({role}) has no text.")
    # A Reply is a str, and json writes its text alone.
    return {**turn}


def tool_fields(tools: Any, choice: Any) -> dict[str, Any]:
    """The fields that name tools, as the OpenAI API has them; ``{}`` where there are none.

    Raises:
        UsageError: ``tools`` are no list of functions and tools, or ``choice`` is none of them.
    """
    if tools is None:
        if choice is not None:
            raise UsageError("tool_choice= chooses among tools=, and there are none.")
        return {}
    if callable(tools) or isinstance(tools, Mapping | str) or not isinstance(tools, list | tuple):
        raise UsageError(f"tools= takes a list of functions or of tools, not {_kind(tools)}.", "Put it into a list.")
    if not tools:
        raise UsageError("tools= is empty.", "Leave it out.")
    by_name: dict[str, Mapping[str, Any]] = {}
    for tool in map(_tool_of, tools):
        name = text_at(tool, "function", "name")
        if name in by_name:
            raise UsageError(f'tools= has two with the name "{name}".')
        by_name[name] = tool
    chosen = text_at(choice, "function", "name") if isinstance(choice, Mapping) else choice
    if chosen is None or chosen in _TOOL_CHOICES:
        return {"tools": [*by_name.values()], **({"tool_choice": chosen} if chosen else {})}
    if not isinstance(chosen, str) or chosen not in by_name:
        names = (*_TOOL_CHOICES, *by_name)
        meant = did_you_mean(chosen, names) if isinstance(chosen, str) else ""
        raise UsageError(f"tool_choice= names none of the tools.{meant}", f"It takes {', '.join(names)}.")
    return {"tools": [by_name[chosen]], "tool_choice": "required"}


def _tool_of(tool: Any) -> Mapping[str, Any]:
    """A tool as the OpenAI API has it, of a function: its name, its docstring, and its typed parameters."""
    if isinstance(tool, Mapping):
        if tool.get("type") != "function" or not text_at(tool, "function", "name"):
            how = 'A tool is {"type": "function", "function": {"name": …, "description": …, "parameters": {…}}}.'
            raise UsageError("tools= holds a mapping that is no tool.", how)
        if "parameters" in tool["function"]:
            check_schema(tool["function"]["parameters"], f'The tool "{text_at(tool, "function", "name")}"')
        return tool
    name = getattr(tool, "__name__", "")
    if not callable(tool) or not name.isidentifier():
        raise UsageError(f"tools= takes named functions and tools, not {_kind(tool)}.")
    about = inspect.getdoc(tool) or ""
    function = {"name": name, "description": about, "parameters": _parameters_of(tool, name)}
    return {"type": "function", "function": {key: value for key, value in function.items() if value}}


def _parameters_of(function: Callable[..., Any], name: str) -> Mapping[str, Any]:
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        schema = TypeAdapter(cast("Any", function)).json_schema()
    except (PydanticUserError, NameError, TypeError, ValueError):
        schema = {}
    if schema.get("type") != "object":
        how = "Give it a type hint for each parameter, such as str, int or a Literal, or pass the tool as a dict."
        raise UsageError(f"The parameters of {name}() cannot be told to a model.", how)
    return schema


def _request(body: Mapping[str, Any], given: dict[str, Any], *, schema: ReplySchema | None = None) -> ChatRequest:
    """The fields in their places, where all of it can be sent."""
    adapter, seconds = given.pop("adapter", ""), given.pop("timeout_seconds", None)
    extra = given.pop("extra_body", {})
    whole = {**body, **given, **extra}
    try:
        json.dumps(whole, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        how = 'text.encode("utf-8", "replace").decode() puts a question mark there.'
        raise UsageError("The text holds half of a character, which cannot be sent.", how) from None
    except (TypeError, ValueError, RecursionError):
        raise UsageError(
            "A field of the request cannot be written as JSON.", "Use texts, numbers, lists, dicts."
        ) from None
    length = len(whole.get("prompt", "")) + sum(map(_length, whole.get("messages", ())))
    if length > MOST_CHARACTERS:
        message = f"The text has {length:,} characters, which is more than any open model reads at once."
        raise UsageError(message, "Send a part of it, or ask for each part with map().")
    return ChatRequest(body=whole, adapter=adapter, schema=schema, timeout_seconds=seconds)


def _length(turn: Mapping[str, Any]) -> int:
    """The characters of a turn's text, pictures left out."""
    content = turn.get("content")
    parts = content if isinstance(content, list | tuple) else [{"text": content}]
    return sum(len(text_at(map_at(part), "text")) for part in parts)


def _kind(value: Any) -> str:
    """What it is, without its own words; a missing value of pandas is NaN."""
    if value is None:
        return "None"
    name = type(value).__name__
    is_nan = isinstance(value, float) and math.isnan(value)
    return "NaN" if is_nan else with_article(name)
