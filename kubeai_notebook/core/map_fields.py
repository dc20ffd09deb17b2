"""The arguments of `Model.map`, one line each: a reader of its help sees them all, and a misspelt one is named.

They are a TypedDict for the reason that `core.shown_fields` gives, and the values that are made of them stand in
`calls.map_frame`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - `docs_of` evaluates the hints
from typing import Annotated, Any, TypedDict

from kubeai_notebook.errors import UsageError

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
    limit: Annotated[int, "ask so many rows from the beginning only"]
    max_errors: Annotated[float, "end when more rows than this fail: a number, or a share below 1; by default 0.5"]
    max_tokens_total: Annotated[int, "end when prompts and answers have so many tokens together"]
    timeout_seconds: Annotated[float, "of one try; by default 600, since a Model may have to wake"]
    attempts: Annotated[int, "tries of a row that may fail, those at a busy server not counted; by default 5"]
    store: Annotated[Any, "keep answers for the next time (the default), in this file; False: do not"]
    to: Annotated[Any, "the Parquet file that is written, where the table is the path of one"]
    max_tokens: Annotated[int, "the most tokens of one answer"]
    temperature: Annotated[float, "0: the likeliest answer each time"]
    top_p: Annotated[float, "sample from the likeliest tokens that have this share together"]
    seed: Annotated[int, "the same seed gives the same answer where the engine can"]
    stop: Annotated[str | Sequence[str], "texts that end an answer"]
    extra_body: Annotated[Mapping[str, Any], "further fields of the request, such as an engine's own"]


REQUEST = ("max_tokens", "temperature", "top_p", "seed", "stop")
"""Those that are fields of the OpenAI API."""
_KNOWN = docs_of(MapFields)


def check_map_fields(fields: Mapping[str, Any], function: str) -> None:
    """Refuse a name that is none of these.

    Raises:
        UsageError: there is one; it names the nearest.
    """
    for name in fields:
        if name not in _KNOWN:
            hint = 'Fields of an engine\'s own go into extra_body={"…": …}.'
            raise UsageError(f"{function}() takes no {name}=.{did_you_mean(name, _KNOWN)}", hint)
