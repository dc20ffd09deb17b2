"""Pictures that a user gives to a model with a prompt: bytes of four kinds, written into the prompt as data URLs.

A page shows them again, so a picture is what its first bytes say and nothing else: an SVG may hold a script, and an
address would be fetched by whoever shows it.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import UsageError

from .arguments import value_of
from .objects import map_at, maps_at, name_of, text_at, texts_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .objects import KubernetesObject

MOST_BYTES = 4_000_000
"""Of all pictures of a prompt: Jupyter's server takes messages of 10 MiB, and base64 adds a third."""
_URL = re.compile(r"data:image/(png|jpeg|gif|webp);base64,([A-Za-z0-9+/]+={0,2})")
_BEGINS = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}
_READERS = re.compile(
    r"vision|multimodal|llava|pixtral|moondream|idefics|molmo|minicpm-?v|vlm|(?<![a-z])vl(?![a-z])|internvl"
    r"|llama-?4|mistral-small-?3\.[12]|gemma-?3[:-](?!1b|270m)"
)
"""In the names of models that read pictures."""


def reads_pictures(model: KubernetesObject, stand_in: str) -> bool:
    """Whether a Model is known to read pictures, by its name, its url or its arguments.

    ``stand_in`` is the engine that really runs; llama.cpp on this machine is started without what pictures need.
    """
    spec = map_at(model, "spec")
    is_said = value_of(texts_at(spec, "args"), "--limit-mm-per-prompt") is not None
    return not stand_in and (is_said or bool(_READERS.search(f"{name_of(model)} {text_at(spec, 'url')}".lower())))


def prompt_with(text: str, pictures: Sequence[str]) -> str | list[dict[str, Any]]:
    """A prompt of a text and pictures, as the OpenAI API has it; a text stays one.

    Raises:
        UsageError: one is no picture, or they are too large together.
    """
    if not pictures:
        return text
    if not all(map(_is_picture, pictures)):
        raise UsageError("A picture is a PNG, JPEG, WebP or GIF file, and this is none.", "Save it as one of them.")
    if sum(map(len, pictures)) * 3 // 4 > MOST_BYTES:
        raise UsageError(f"Pictures of one prompt may have {MOST_BYTES // 1_000_000} MB.", "Make them smaller.")
    words = [{"type": "text", "text": text}] if text.strip() else []
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in pictures]
    return [{"role": "user", "content": [*words, *shown]}]


def pictures_in(turns: Iterable[dict[str, Any]]) -> list[str]:
    """The pictures of turns that a page may show: those that stand there whole, and no address."""
    urls = (text_at(part, "image_url", "url") for turn in turns for part in maps_at(turn, "content"))
    return [url for url in urls if _is_picture(url)]


def _is_picture(url: str) -> bool:
    found = _URL.fullmatch(url)
    return found is not None and bool(_BEGINS[found[1]].match(base64.b64decode(found[2][:24] + "===")))
