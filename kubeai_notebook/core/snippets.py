"""Code that calls a Model, in the words of other programs, and the same as settings: plain texts and plain values.

No snippet holds a token. Where the gateway is asked without one, its address stands in the code; where it wants a
login, Python opens a `forward`, which has it, and so what is copied into a file or a shell's history is no secret.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import UsageError

from .masking import masked_repr
from .messages import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

QUESTION, TEXT, SPEECH = "What is the capital of France?", "Your text goes here.", "speech.wav"
NO_KEY = "unused"
"""What a client that insists on a key is given where none is wanted."""
_INDENT = "    "


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a snippet calls."""

    model: str
    feature: str
    base_url: str = ""
    """Where it is asked without a login; ``""`` where Python has to open a port first."""
    opening: str = ""
    """The ``with`` line that opens one, as ``port``."""

    __repr__ = masked_repr

    @property
    def url(self) -> str:
        """The expression of the base url."""
        return json.dumps(self.base_url) if self.base_url else "port.base_url"

    @property
    def key(self) -> str:
        """The expression of the key."""
        return json.dumps(NO_KEY) if self.base_url else "port.api_key"


@dataclass(frozen=True, slots=True)
class _Route:
    """One kind of request: OpenAI's method for it, where it goes, what is in it, what is read of the answer."""

    method: str
    path: str
    body: Mapping[str, Any]
    read: str
    """Of the method's result."""
    keys: str
    """Of the answer's JSON."""


_ROUTES = {
    "TextGeneration": _Route(
        "chat.completions.create",
        "/chat/completions",
        {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 50},
        ".choices[0].message.content",
        '["choices"][0]["message"]["content"]',
    ),
    "TextEmbedding": _Route(
        "embeddings.create", "/embeddings", {"input": [TEXT]}, ".data[0].embedding", '["data"][0]["embedding"]'
    ),
    "Reranking": _Route(
        "post", "/rerank", {"query": QUESTION, "documents": ["Paris.", "Bananas."]}, '["results"]', '["results"]'
    ),
    "SpeechToText": _Route("audio.transcriptions.create", "/audio/transcriptions", {}, ".text", '["text"]'),
}


def snippet(kind: str, target: Target) -> str:
    """The code of a kind.

    Raises:
        UsageError: there is no such kind, or not for what the Model does.
    """
    write = KINDS.get(kind)
    if write is None:
        raise UsageError(f'There is no code "{kind}".{did_you_mean(kind, KINDS)}', f"There are: {', '.join(KINDS)}.")
    if target.feature not in _FEATURES.get(kind, _ROUTES):
        others = ", ".join(name for name in KINDS if target.feature in _FEATURES.get(name, _ROUTES))
        raise UsageError(f'{kind} has no way to ask "{target.model}" for what it does.', f"Take one of: {others}.")
    return write(target, _ROUTES[target.feature])


def settings_for(program: str, *, model: str, base_url: str, api_key: str) -> dict[str, str]:
    """What a program is set up with, by its own names.

    ``langchain``: arguments of ``ChatOpenAI`` and ``OpenAIEmbeddings``. ``litellm``: of ``completion`` and
    ``embedding``. ``llm``: an entry of its ``extra-openai-models.yaml``. ``openai``: of ``OpenAI`` and ``AsyncOpenAI``.
    ``env``: variables that most programs read.

    Raises:
        UsageError: no such program is known.
    """
    known = {
        "openai": {"base_url": base_url, "api_key": api_key},
        "langchain": {"model": model, "base_url": base_url, "api_key": api_key},
        "litellm": {"model": f"openai/{model}", "api_base": base_url, "api_key": api_key},
        "llm": {"model_id": model, "model_name": model, "api_base": base_url},
        "env": {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": api_key, "OPENAI_MODEL": model},
    }
    if program not in known:
        near = did_you_mean(program, known)
        raise UsageError(f'There are no settings for "{program}".{near}', f"There are: {', '.join(known)}.")
    return known[program]


def _program(target: Target, imports: Sequence[str], lines: Sequence[str]) -> str:
    """Python code: where a port has to be opened, the lines stand below that."""
    if target.base_url:
        return "\n".join([*imports, "", *lines])
    body = [f"{_INDENT}{line}" if line else "" for line in lines]
    return "\n".join(["from kubeai_notebook import Session", *imports, "", target.opening, *body])


def _arguments(fields: Mapping[str, Any]) -> list[str]:
    return [f"{_INDENT}{name}={json.dumps(value, ensure_ascii=False)}," for name, value in fields.items()]


def _called(target: Target, route: _Route, client: str = "client") -> list[str]:
    """The lines of one call of an OpenAI client."""
    fields = {"model": target.model, **route.body}
    if route.method == "post":
        return [f'answer = {client}.post("{route.path}", cast_to=object, body={json.dumps(fields)})']
    speech = [f'{_INDENT}file=open("{SPEECH}", "rb"),'] if target.feature == "SpeechToText" else []
    return [f"answer = {client}.{route.method}(", *_arguments(fields), *speech, ")"]


def _python(target: Target, route: _Route) -> str:
    made = f"client = OpenAI(base_url={target.url}, api_key={target.key})"
    return _program(
        target, ["from openai import OpenAI"], [made, *_called(target, route), f"print(answer{route.read})"]
    )


def _async(target: Target, route: _Route) -> str:
    first, *others = _called(target, route)
    inner = [first.replace("answer = ", "answer = await ", 1), *others, f"print(answer{route.read})"]
    lines = [
        "async def main():",
        f"{_INDENT}async with AsyncOpenAI(base_url={target.url}, api_key={target.key}) as client:",
        *(f"{_INDENT * 2}{line}" for line in inner),
        "",
        "asyncio.run(main())  # in a notebook: await main()",
    ]
    return _program(target, ["import asyncio", "from openai import AsyncOpenAI"], lines)


def _requests(target: Target, route: _Route) -> str:
    url = json.dumps(target.base_url + route.path) if target.base_url else f'f"{{port.base_url}}{route.path}"'
    login = [] if target.base_url else [f'{_INDENT}headers={{"Authorization": f"Bearer {{port.api_key}}"}},']
    fields = json.dumps({"model": target.model, **route.body}, ensure_ascii=False)
    sent = [f"{_INDENT}json={fields},"]
    if target.feature == "SpeechToText":
        sent = [f"{_INDENT}data={fields},", f'{_INDENT}files={{"file": open("{SPEECH}", "rb")}},']
    lines = ["answer = requests.post(", f"{_INDENT}{url},", *login, *sent, f"{_INDENT}timeout=600,", ")"]
    return _program(
        target, ["import requests"], [*lines, "answer.raise_for_status()", f"print(answer.json(){route.keys})"]
    )


def _curl(target: Target, route: _Route) -> str:
    fields = {"model": target.model, **route.body}
    sent = ["-H 'Content-Type: application/json'", f"-d {shlex.quote(json.dumps(fields, ensure_ascii=False))}"]
    if target.feature == "SpeechToText":
        sent = [f"-F model={shlex.quote(target.model)}", f"-F file=@{SPEECH}"]
    return " \\\n  ".join([f"curl {shlex.quote(target.base_url + route.path)}", *sent])


_LANGCHAIN = "  # pip install langchain-openai"


def _langchain(target: Target, _route: _Route) -> str:
    options = f"model={json.dumps(target.model)}, base_url={target.url}, api_key={target.key}"
    if target.feature == "TextEmbedding":
        # By default it sends numbers of OpenAI's own vocabulary in the place of texts.
        made = f"embeddings = OpenAIEmbeddings({options}, check_embedding_ctx_length=False)"
        asked = f"print(embeddings.embed_query({json.dumps(TEXT)}))"
        return _program(target, [f"from langchain_openai import OpenAIEmbeddings{_LANGCHAIN}"], [made, asked])
    made, asked = f"model = ChatOpenAI({options})", f"print(model.invoke({json.dumps(QUESTION)}).content)"
    return _program(target, [f"from langchain_openai import ChatOpenAI{_LANGCHAIN}"], [made, asked])


def _litellm(target: Target, route: _Route) -> str:
    name, read = {
        "TextGeneration": ("completion", route.read),
        "TextEmbedding": ("embedding", route.keys.replace('["data"]', ".data")),
    }[target.feature]
    fields = _arguments({"model": f"openai/{target.model}", **route.body})
    where = [f"{_INDENT}api_base={target.url},", f"{_INDENT}api_key={target.key},"]
    return _program(
        target,
        ["import litellm  # pip install litellm"],
        [f"answer = litellm.{name}(", *fields, *where, ")", f"print(answer{read})"],
    )


_OTHER_ENTRIES = """awk '/^- /{ours = ($0 == ENVIRON["entry"])} !ours'"""


def _llm(target: Target, _route: _Route) -> str:
    entry = settings_for("llm", model=target.model, base_url=target.base_url, api_key=NO_KEY)
    first, *others = (f"{name}: {json.dumps(value)}" for name, value in entry.items())
    return "\n".join(
        [
            "# pip install llm",
            'models="$(llm logs path)" && models="$(dirname "$models")/extra-openai-models.yaml" && touch "$models" &&',
            # The entry of an earlier run goes, since the address may be another by now; the user's own stay.
            f'  others="$(entry={shlex.quote(f"- {first}")} {_OTHER_ENTRIES} "$models")" &&',
            """  { printf '%s\\n' "$others"; cat; } > "$models" <<'EOF' &&""",
            f"- {first}",
            *(f"  {line}" for line in others),
            "EOF",
            f"  llm -m {shlex.quote(target.model)} {shlex.quote(QUESTION)}",
        ]
    )


def _env(target: Target, _route: _Route) -> str:
    values = settings_for("env", model=target.model, base_url=target.base_url, api_key=NO_KEY)
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


KINDS: Mapping[str, Callable[[Target, _Route], str]] = {
    "python": _python,
    "requests": _requests,
    "curl": _curl,
    "async": _async,
    "langchain": _langchain,
    "litellm": _litellm,
    "llm": _llm,
    "env": _env,
}
SHELL = frozenset({"curl", "llm", "env"})
"""Kinds that are typed in a terminal, where no Python can open a port."""
_FEATURES: Mapping[str, Sequence[str]] = {
    "langchain": ("TextGeneration", "TextEmbedding"),
    "litellm": ("TextGeneration", "TextEmbedding"),
    "llm": ("TextGeneration",),
}
FEATURES = tuple(_ROUTES)
