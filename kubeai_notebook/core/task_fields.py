"""The arguments of `Model.embed` and `Model.transcribe`, one line each, checked as those of a chat are.

An engine leaves out what it does not know: ``embed(texts, dimension=256)`` gave whole vectors, and said nothing. They
are a TypedDict for the reason that `core.shown_fields` gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - `docs_of` evaluates the hints
from typing import Annotated, Any, TypedDict

from kubeai_notebook.errors import UsageError

from .chat_fields import checked_fields


class EmbedFields(TypedDict, total=False):
    """What may be said of vectors; what is left out is the default that its line names, or the engine's."""

    role: Annotated[str, '"passage": these are texts to be found (the default), or "query": they are questions']
    prefix: Annotated[str | None, "what stands before each text; by default what the Model's family wants there"]
    dimensions: Annotated[int, "make vectors of so many numbers, where the model can"]
    encoding_format: Annotated[str, 'how vectors are sent, "base64" (the default) or "float"; they are the same']
    user: Annotated[str, "who asks, for an engine that keeps account"]
    extra_body: Annotated[Mapping[str, Any], "further fields of the request, such as an engine's own"]


class TranscribeFields(TypedDict, total=False):
    """What may be said of a recording; what is left out is the engine's default."""

    language: Annotated[str | None, 'the language that is spoken, as "en"']
    prompt: Annotated[str | None, "names and words that will come"]
    temperature: Annotated[float | None, "0: the likeliest words each time"]
    response_format: Annotated[str, '"json" (the default), "text", "srt", "vtt" or "verbose_json"']
    timestamp_granularities: Annotated[
        Sequence[str], '"word" or "segment", or both: reply.raw has their times, with "verbose_json"'
    ]
    timeout_seconds: Annotated[float, "the longest time for the whole answer, once the Model is ready"]
    extra_body: Annotated[Mapping[str, Any], "further fields of the request, such as an engine's own"]


_OF_EMBED: Mapping[str, str] = {
    "input": "The texts are the first argument.",
    "model": "This handle is the Model.",
}
_OF_TRANSCRIBE: Mapping[str, str] = {
    "file": "The recording is the first argument.",
    "model": "This handle is the Model.",
    "stream": "It gives the whole text; model.client streams.",
    "timeout": "timeout_seconds= is that.",
}
_CODINGS, _TIMES = ("base64", "float"), ("word", "segment")


def checked_embed_fields(fields: EmbedFields) -> dict[str, Any]:
    """The fields that are said, those in ``extra_body`` beside the others.

    Raises:
        UsageError: there is no such field, or its value cannot be; the sentence names it.
    """
    given = checked_fields(fields, "embed", EmbedFields, otherwise=_OF_EMBED, ours=("input", "model"))
    if given.get("encoding_format", _CODINGS[0]) not in _CODINGS:
        raise UsageError(f"encoding_format= takes {' or '.join(_CODINGS)}.", "The vectors are the same either way.")
    if not isinstance(given.get("prefix", ""), str):
        raise UsageError(f"prefix= takes a text, not {type(given['prefix']).__name__}.", '"" is none.')
    return given | dict(given.pop("extra_body", {}))


def checked_transcribe_fields(fields: TranscribeFields) -> dict[str, Any]:
    """The fields that are said, as OpenAI's client takes them.

    Raises:
        UsageError: there is no such field, or its value cannot be; the sentence names it.
    """
    ours = ("file", "model", "stream")
    # An empty text means none here: a program may take it from a form.
    said: Mapping[str, Any] = {name: value for name, value in fields.items() if name != "prompt" or value != ""}
    given = checked_fields(said, "transcribe", TranscribeFields, otherwise=_OF_TRANSCRIBE, ours=ours)
    if "timestamp_granularities" in given:
        times = given["timestamp_granularities"]
        given["timestamp_granularities"] = times = [times] if isinstance(times, str) else times
        if not isinstance(times, list | tuple) or not set(map(str, times)) <= set(_TIMES):
            raise UsageError("timestamp_granularities= takes a list of word and segment.")
    if "timeout_seconds" in given:
        given["timeout"] = given.pop("timeout_seconds")
    return given
