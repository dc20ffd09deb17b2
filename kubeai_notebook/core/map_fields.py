"""The arguments of `Model.map`, one line each: a reader of its help sees them all, and a misspelt one is named.

They are a TypedDict for the reason that `core.shown_fields` gives, and the values that are made of them stand in
`calls.map_frame`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence  # `docs_of` evaluates the hints
from numbers import Integral
from typing import Annotated, Any, TypedDict, cast

from kubeai_notebook.errors import UsageError

from .chat_fields import LABELS, checked_fields
from .messages import did_you_mean
from .shown_fields import docs_of


class MapFields(TypedDict, total=False):
    """What may be said of a batch; what is left out is the default that its line names."""

    schema: Annotated[Any, "a pydantic class, or a list of labels: the answers become typed columns. By default a text"]
    into: Annotated[str, 'the name of the one new column; by default "answer", or "label" for labels']
    columns: Annotated[Sequence[str], "the only names in braces that are filled in; by default every one"]
    system: Annotated[str, "an instruction that stands before each prompt"]
    adapter: Annotated[str, "the name of the Model's adapter that answers"]
    errors: Annotated[
        str,
        'where the reason of a failed row goes: into its "column" (the default), into a "frame" beside the result, '
        'or "raise" at the first',
    ]
    concurrency: Annotated[
        int,
        "the most requests in flight; by default what KubeAI scales up for, and on this machine what leaves a place "
        "for others",
    ]
    limit: Annotated[int, "ask so many rows from the beginning only"]
    max_errors: Annotated[float, "end when more rows than this fail: a number, or a share below 1; by default 0.5"]
    max_tokens_total: Annotated[int, "end when prompts and answers have so many tokens together"]
    timeout_seconds: Annotated[float, "of one try; by default 600, since a Model may have to wake"]
    attempts: Annotated[int, "tries of a row that may fail, those at a busy server not counted; by default 5"]
    store: Annotated[Any, "keep answers for the next time (the default), in this file; False: do not"]
    fresh: Annotated[bool, "ask every row, also those whose answers are kept, and keep the new answers"]
    to: Annotated[Any, "the Parquet file that is written, where the table is the path of one"]
    max_tokens: Annotated[int, "the most tokens of one answer"]
    temperature: Annotated[float, "0: the likeliest answer each time, which labels are asked for by default"]
    top_p: Annotated[float, "sample from the likeliest tokens that have this share together"]
    seed: Annotated[int, "the same seed gives the same answer where the engine can"]
    stop: Annotated[str | Sequence[str], "texts that end an answer"]
    extra_body: Annotated[Mapping[str, Any], "further fields of the request, such as an engine's own"]


MOST_AT_ONCE = 1000
REQUEST = ("max_tokens", "temperature", "top_p", "seed", "stop")
"""Those that are fields of the OpenAI API."""
_AS_IN_CHAT = (*REQUEST, "system", "adapter", "timeout_seconds", "schema", "extra_body")
_KNOWN = docs_of(MapFields)


def checked_map_fields(fields: MapFields, function: str) -> MapFields:
    """The fields with numbers as Python's own.

    Raises:
        UsageError: there is no such field, or its value cannot be; the sentence names it.
    """
    for name in fields:
        if name not in _KNOWN:
            hint = LABELS.get(name, 'Fields of an engine\'s own go into extra_body={"…": …}.')
            raise UsageError(f"{function}() takes no {name}=.{did_you_mean(name, _KNOWN)}", hint)
    # An empty text means none here: a batch may take its instruction from a variable.
    given = {
        name: value for name, value in fields.items() if name in _AS_IN_CHAT and (not isinstance(value, str) or value)
    }
    checked = checked_fields(given, function)
    limit, columns = fields.get("limit"), fields.get("columns")
    if limit is not None and not (_is_whole(limit) and limit >= 1):
        raise UsageError(f"limit= takes a whole number from 1 up, not {limit!r}.")
    at_once = fields.get("concurrency")
    if at_once is not None and not (_is_whole(at_once) and 1 <= at_once <= MOST_AT_ONCE):
        raise UsageError(f"concurrency= takes a whole number from 1 to {MOST_AT_ONCE:,}, not {at_once!r}.")
    if columns is not None and (isinstance(columns, str) or not isinstance(columns, Iterable)):
        raise UsageError(f"columns= takes a list of names, not {type(columns).__name__}.")
    return cast("MapFields", {**fields, **checked})


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
