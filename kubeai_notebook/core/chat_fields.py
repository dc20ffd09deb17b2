"""The arguments of `Model.chat` and `Model.complete`: one line each for help() and Tab, and one check each.

An engine says in its own words, or not at all, what is wrong with a field: KubeAI's gateway refuses a text where it
wants a list, llama.cpp takes a wrong type for a field that was left out, and ``n=2`` came back as two answers in one
text. So what can be known before anything is sent is told here, one sentence each, with the nearest name for a typo.
They are a TypedDict for the reason that `core.shown_fields` gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Annotated, Any, NamedTuple, TypedDict

from kubeai_notebook.errors import UsageError

from .messages import did_you_mean
from .objects import is_int64
from .shown_fields import docs_of


class CompleteFields(TypedDict, total=False):
    """What may be said of a completion; what is left out is the engine's default."""

    adapter: Annotated[str, "the name of the Model's adapter that answers"]
    max_tokens: Annotated[int, "the most tokens of the answer, reasoning included"]
    temperature: Annotated[float, "0: the likeliest answer each time; above 1: more surprising ones"]
    top_p: Annotated[float, "sample from the likeliest tokens that have this share together, up to 1"]
    seed: Annotated[int, "the same seed gives the same answer where the engine can"]
    stop: Annotated[str | Sequence[str], "a text, or several, that ends the answer and is left out of it"]
    presence_penalty: Annotated[float, "-2 to 2; above 0: rather other words than those that were used"]
    frequency_penalty: Annotated[float, "-2 to 2; the same, by how often they were used"]
    timeout_seconds: Annotated[float, "the longest time for the whole answer, once the Model is ready; by default none"]
    extra_body: Annotated[Mapping[str, Any], 'further fields of the request, such as an engine\'s own: {"top_k": 20}']


class ChatFields(CompleteFields, total=False):
    """What may be said of a chat."""

    system: Annotated[str, "an instruction that stands before the turns"]
    schema: Annotated[Any, "a pydantic class, a list of labels or a JSON schema: reply.parsed is one of these"]
    tools: Annotated[
        Sequence[Callable[..., Any] | Mapping[str, Any]],
        "functions, or tools as the OpenAI API has them, that the model may want called: reply.tool_calls",
    ]
    tool_choice: Annotated[
        str | Mapping[str, Any], '"auto" (the default), "none", "required", or the name of the tool that must be called'
    ]
    reasoning_effort: Annotated[str, "how long it reasons: low, medium or high, where the model knows that"]


class _Number(NamedTuple):
    """What a number has to be."""

    kind: type[Real]
    holds: Callable[[Any], bool]
    phrase: str


_WHOLE: Any = Integral
_REAL: Any = Real
_NUMBERS: Mapping[str, _Number] = {
    "max_tokens": _Number(_WHOLE, lambda number: 1 <= number < 2**31, "a whole number from 1 up"),
    "temperature": _Number(_REAL, lambda number: 0 <= number < math.inf, "a number from 0 up"),
    "top_p": _Number(_REAL, lambda number: 0 < number <= 1, "a number above 0, up to 1"),
    "seed": _Number(_WHOLE, is_int64, "a whole number of 64 bits"),
    "presence_penalty": _Number(_REAL, lambda number: -2 <= number <= 2, "a number from -2 to 2"),
    "frequency_penalty": _Number(_REAL, lambda number: -2 <= number <= 2, "a number from -2 to 2"),
    "dimensions": _Number(_WHOLE, lambda number: 1 <= number < 2**31, "a whole number from 1 up"),
    "timeout_seconds": _Number(_REAL, lambda number: 0 < number < math.inf, "a number of seconds above 0"),
}
_TEXTS = (
    *("system", "adapter", "reasoning_effort"),
    *("role", "encoding_format", "user", "language", "prompt", "response_format"),
)
LABELS: Mapping[str, str] = dict.fromkeys(
    ("labels", "choices", "classes", "options"), 'schema= takes labels: schema=["good", "bad"].'
)
"""What other programs call the labels that an answer is one of."""
_OTHERWISE: Mapping[str, str] = {
    "n": "A Reply is one answer; ask again for another one, with another seed=.",
    "best_of": "A Reply is one answer.",
    "stream": "stream() and astream() give the pieces.",
    "stream_options": "stream() and astream() give the pieces, and reply.usage the counts.",
    "messages": "The prompt is a text, or a chat's list of turns.",
    "prompt": "The text is the first argument.",
    "model": "This handle is the Model; adapter= names one of its adapters.",
    "response_format": "schema= makes it.",
    **LABELS,
    "functions": "tools= takes functions.",
    "function_call": "tool_choice= takes the name of a function.",
    "max_completion_tokens": "max_tokens= is that.",
    "timeout": "timeout_seconds= is that.",
    "logprobs": 'Ask for them by extra_body={"logprobs": True}; reply.raw has them.',
}
"""Fields of the OpenAI API that have no place here, and what has."""
_OURS = ("n", "best_of", "stream", "stream_options", "messages", "prompt", "model")
"""Those of them that are not taken in ``extra_body`` either; beside ``schema``, ``response_format`` is not."""


def checked_fields(
    fields: Mapping[str, Any],
    function: str,
    known: type = ChatFields,
    *,
    otherwise: Mapping[str, str] = _OTHERWISE,
    ours: Sequence[str] = _OURS,
) -> dict[str, Any]:
    """The fields that are said (None means: left out), numbers as Python's own, ``stop`` as the list that KubeAI takes.

    ``otherwise``: what has the place of a field of the API that ``known`` lacks; ``ours``: those of them that are not
    taken in ``extra_body`` either.

    Raises:
        UsageError: there is no such field, or its value cannot be; the sentence names it.
    """
    names = docs_of(known)
    for name in fields:
        if name not in names:
            meant = "" if name in otherwise else did_you_mean(name, names)
            hint = otherwise.get(name, 'Fields of an engine\'s own go into extra_body={"…": …}.')
            raise UsageError(f"{function}() takes no {name}=.{meant}", hint)
    given = {name: value for name, value in fields.items() if value is not None}
    for name, value in given.items():
        if name in _NUMBERS:
            given[name] = _number(name, value)
        elif name in _TEXTS and not (isinstance(value, str) and value.strip()):
            raise UsageError(f"{name}= takes a text{_but(value)}.")
    if "stop" in given:
        given["stop"] = _stops(given["stop"])
    if "extra_body" in given:
        taken = (*ours, *["response_format"] * ("schema" in given))
        _check_extra(given["extra_body"], function, {name: otherwise[name] for name in taken})
    return given


def _number(name: str, value: Any) -> float:
    allowed, number = _NUMBERS[name], value
    if isinstance(value, bool) or not isinstance(value, allowed.kind) or not allowed.holds(value):
        raise UsageError(f"{name}= takes {allowed.phrase}{_but(value)}.")
    return int(number) if allowed.kind is _WHOLE else float(number)


def _stops(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) and text for text in texts):
        raise UsageError("stop= takes a text, or a list of texts, none of them empty.")
    return list(texts)


def _check_extra(value: Any, function: str, taken: Mapping[str, str]) -> None:
    if not isinstance(value, Mapping):
        raise UsageError(f"extra_body= takes the fields of the request by their names{_but(value)}.")
    for name in value:
        if name in taken:
            raise UsageError(f"{function}() takes no {name} in extra_body=.", taken[name])


def _but(value: Any) -> str:
    """What was given in its place, as far as that is short and shows no text of the user's."""
    if isinstance(value, Real) or value is None:
        return f", not {value!r}"
    if isinstance(value, str):
        return ", not a text" if value.strip() else ", not an empty one"
    return f", not {type(value).__name__}"
