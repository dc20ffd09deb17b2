"""What a request asks for and this Model, or its engine, cannot do: the texts of the engines' own refusals.

The rows stand for calls first. Of the test request, which asks for one token or one vector, few of them can be true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import value_of
from kubeai_notebook.core.diagnosis.engine.remedies import READ_LOG, Template, advise, drop_argument, drop_env
from kubeai_notebook.core.diagnosis.engine.rule import Rule
from kubeai_notebook.core.objects import maps_at, text_at, texts_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kubeai_notebook.core.diagnosis.engine.case import Case

_SHORTER = advise("Send a shorter text, or split it; a smaller max_tokens leaves more room for the prompt.")
_FOR_THE_ANSWER = 512
"""Tokens that are left for it at least, where a context is proposed."""
_CONTEXT_VARIABLE = "OLLAMA_CONTEXT_LENGTH"


def _context(args: Iterable[str], env: Mapping[str, str]) -> dict[str, int]:
    """How many tokens the settings of a context ask for, by the setting's name."""
    args = tuple(args)
    texts = {name: value_of(args, name) for name in ("--max-model-len", "--ctx-size")}
    texts[_CONTEXT_VARIABLE] = env.get(_CONTEXT_VARIABLE)
    return {name: int(text) for name, text in texts.items() if text and text.isdecimal() and len(text) < 10}


def _raised(case: Case) -> dict[str, str]:
    """What the Model asks for already, where a Pod that answers was made before: the advice is being followed.

    Else how long a context would hold the request, where the engine says how long that was.
    """
    wanted = _context(case.scene.args, case.scene.env)
    for pod in (pod for pod in case.scene.pods if pod.ready and maps_at(pod.raw, "spec", "containers")):
        container = maps_at(pod.raw, "spec", "containers")[0]
        env = {name: text_at(entry, "value") for name, entry in pod.env.items()}
        had = _context(texts_at(container, "args"), env)
        for name, tokens in wanted.items():
            if tokens > had.get(name, 0):
                return {"raised": f"{name}={tokens}"}
    asked = case.values.get("asked", "")
    return {"longer": str(1 << (int(asked) + _FOR_THE_ANSWER).bit_length())} if asked else {}


def _longer(setting: str, limits: str) -> tuple[Template, ...]:
    """To send less, or to have the engine read more, unless an update to that is on its way."""
    titles = [f"Or serve it with a larger {setting}, as far as {limits}."]
    if setting.startswith("--"):
        titles.insert(0, f'Or serve it again with args=["{setting}={{longer}}"] added, as far as {limits}.')
    return (
        advise("An update to {raised} is on its way: ask again once it is ready."),
        _SHORTER,
        advise(*titles, unless="raised"),
    )


_TOO_LONG = ('The text is longer than what "{name}" reads at once.',)
_OF_LLAMACPP = ("exceeds the available context size", "exceed_context_size_error")
_OF_OLLAMA = ("exceeds the context length", "exceeds maximum context", "exceeded max context", "prompt too long")
_OF_VLLM = (
    "maximum context length",
    "longer than the maximum model length",
    "is too large … context length",
    "max_model_len",
)
_OF_EMBEDDING = ("increase the physical batch size", "larger than the max context size", "for embedding generation")
"""What engines say of a text to embed, and of no prompt."""


def _only_reads(case: Case) -> bool:
    """Whether the request was to be read only: no token of an answer takes room, and a context is a model's own."""
    features = texts_at(case.scene.spec, "features")
    line = case.passage.lowered[case.index]
    return (bool(features) and "TextGeneration" not in features) or any(words in line for words in _OF_EMBEDDING)


ASKED: tuple[Rule, ...] = (
    Rule(
        code="ContextExceeded",
        seen=(*_OF_EMBEDDING, *_OF_LLAMACPP, *_OF_VLLM, *_OF_OLLAMA),
        take=(
            r"current batch size: (?P<most>\d+)",
            r"context size \((?P<most>\d+) tokens",
            r"maximum (?:context|model) length (?:is|of) (?P<most>\d+)",
        ),
        message=('The text is longer than the {most} tokens that "{name}" reads at most.', *_TOO_LONG),
        who="user",
        only=_only_reads,
        remedies=(advise("Split the text, or take a model that reads more."),),
    ),
    Rule(
        code="ContextExceeded",
        seen=_OF_VLLM,
        take=(r"you requested (?P<asked>\d{1,9}) tokens",),
        message=_TOO_LONG,
        who="user",
        derive=_raised,
        remedies=_longer("--max-model-len", "the model itself and the memory allow"),
    ),
    Rule(
        code="ContextExceeded",
        seen=_OF_LLAMACPP,
        take=(r"request \((?P<asked>\d{1,9}) tokens\)",),
        message=_TOO_LONG,
        who="user",
        derive=_raised,
        remedies=_longer("--ctx-size", "the model itself and the memory allow"),
    ),
    Rule(
        code="ContextExceeded",
        seen=_OF_OLLAMA,
        message=_TOO_LONG,
        who="user",
        derive=_raised,
        remedies=_longer("OLLAMA_CONTEXT_LENGTH in env", "the model itself allows"),
    ),
    Rule(
        code="ContextExceeded",
        seen=("must have less than … tokens", "context_length_exceeded"),
        message=_TOO_LONG,
        who="user",
        remedies=(_SHORTER,),
    ),
    Rule(
        code="ToolsUnsupported",
        seen=("does not support tools", "tools param requires --jinja"),
        message=('"{name}" has no template for tools.',),
        who="user",
        remedies=(advise("Leave tools out, or serve a model that was made for them."),),
    ),
    Rule(
        code="InputKindUnsupported",
        seen=(
            "image input is not supported",
            "is not a multimodal model",
            "at most 0 image(s)",
            "missing data required for image input",
            "does not support vision",
            "audio input is not supported",
        ),
        message=('"{name}" reads text only, no images or audio.',),
        who="user",
        remedies=(advise("Send text only, or serve a model that was made for images or audio."),),
    ),
    Rule(
        code="DimensionsUnsupported",
        seen=("matryoshka representation", "output dimensions", "dimensions is currently not supported"),
        message=('"{name}" makes vectors of one size only, or not of the size that was asked for.',),
        who="user",
        remedies=(
            advise("Leave dimensions out."),
            advise('Where the model is made for it: add --hf-overrides={{"is_matryoshka": true}} to args.'),
        ),
    ),
    Rule(
        code="EngineKeyWanted",
        seen=(
            "401 … unauthorized",
            "401 … not authenticated",
            "403 … not authenticated",
            "invalid api key",
            "invalid api-key",
            "incorrect api key",
        ),
        reasons=("engine",),
        message=('The engine of "{name}" wants a key (--api-key) that requests from here do not carry.',),
        who="user",
        remedies=(
            drop_argument("--api-key", title="Take the key out of the Model: remove {argument}."),
            drop_env("VLLM_API_KEY", "INFINITY_API_KEY", "LLAMA_API_KEY", "API_KEY"),
            advise("Take the key out of the Model, or ask it by an OpenAI client of your own that carries the key."),
        ),
    ),
    Rule(
        code="SchemaUnsupported",
        seen=(
            "failed to compile grammar",
            "grammar error:",
            "invalid grammar specification",
            "json schema contains features",
            "json schema conversion failed",
            "failed to parse grammar",
            "invalid json schema",
            "json schema error at",
        ),
        message=('The engine of "{name}" cannot follow this JSON schema or grammar.',),
        who="user",
        remedies=(advise("Make the schema in response_format simpler, or ask for a JSON object without a schema."),),
    ),
    Rule(
        code="AudioUnreadable",
        seen=(
            "invalid or unsupported audio file",
            "failed to decode audio",
            "error opening … format not recognised",
            "invalid data found when processing input",
            "failed to load audio",
        ),
        message=('The engine of "{name}" cannot read the audio file.',),
        who="user",
        remedies=(advise("Send a WAV, MP3 or FLAC file that plays elsewhere."),),
    ),
    Rule(
        code="PythonPackageMissing",
        seen=("please install vllm[audio]", "librosa … not installed", "install `librosa`"),
        message=("The image lacks the packages that speech needs (vllm[audio]: librosa and soundfile).",),
        who="user",
        remedies=(
            advise("Set image to one that has vllm[audio]; installing into a running Pod does not last."),
            advise("Or serve the model by engine FasterWhisper."),
        ),
    ),
    Rule(
        code="EngineBusy",
        seen=(
            "server busy, please try again",
            "maximum pending requests exceeded",
            "model is overloaded",
            "503 … loading model",
            "queue is full",
            "queue full",
        ),
        message=('The engine of "{name}" is loading or has more requests than it takes.',),
        who="user",
        remedies=(
            advise("Ask again a little later, with fewer requests at once; or serve it with more replicas."),
            READ_LOG,
        ),
    ),
    Rule(
        code="ModelUnknownToEngine",
        seen=("404 … the model … does not exist", "404 … is not installed locally", "404 … no model matches"),
        reasons=("engine",),
        message=('The engine of "{name}" does not know the model or the adapter that was asked for.',),
        who="user",
        remedies=(advise("Look whether the adapter is loaded: it is asked for as <model>_<adapter>."),),
    ),
    Rule(
        code="BadRequestAtEngine",
        seen=('422 {"detail"', "validation error", "'type': 'missing'", "[json.exception.", "unprocessable entity"),
        reasons=("engine",),
        message=('The engine of "{name}" cannot read the request.',),
        who="user",
        remedies=(advise("Correct the field that it names; texts must be strings."),),
    ),
)
