"""Pictures of a prompt: what is one, which go with a request, and which Models read them."""

from __future__ import annotations

import base64

import pytest

from kubeai_notebook.core.pictures import MOST_BYTES, pictures_in, prompt_with, reads_pictures
from kubeai_notebook.errors import UsageError

PNG = b"\x89PNG\r\n\x1a\n"


def url(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def test_leaves_a_text_a_text() -> None:
    assert prompt_with("Hi", []) == "Hi"


@pytest.mark.parametrize(
    ("kind", "data"),
    [("png", PNG), ("jpeg", b"\xff\xd8\xff\xe0"), ("gif", b"GIF89a"), ("webp", b"RIFF\x00\x01\x02\x03WEBPVP8 ")],
)
def test_puts_pictures_behind_the_text(kind: str, data: bytes) -> None:
    turns = prompt_with("What is it?", [url(data, kind)])
    assert isinstance(turns, list)
    assert [part["type"] for part in turns[0]["content"]] == ["text", "image_url"]
    assert pictures_in(turns) == [url(data, kind)]


def test_sends_a_picture_without_a_text() -> None:
    turns = prompt_with(" ", [url(PNG)])
    assert isinstance(turns, list)
    assert [part["type"] for part in turns[0]["content"]] == ["image_url"]


@pytest.mark.parametrize(
    "picture",
    [
        "https://a.b/c.png",
        "file:///etc/passwd",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:text/html;base64,PHA+",
        url(b"<svg onload=alert(1)>"),
        url(PNG, "gif"),
        url(PNG) + "\n",
        f'{url(PNG)}" onerror="x',
        "data:image/png;base64,=",
        "",
    ],
)
def test_takes_nothing_else_for_a_picture(picture: str) -> None:
    with pytest.raises(UsageError, match="PNG, JPEG, WebP or GIF"):
        prompt_with("Hi", [picture])
    assert pictures_in([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture}}]}]) == []


def test_refuses_what_would_be_too_large_together() -> None:
    half = url(PNG + bytes(MOST_BYTES // 2))
    prompt_with("Hi", [half])
    with pytest.raises(UsageError, match="4 MB"):
        prompt_with("Hi", [half, half])


@pytest.mark.parametrize(
    ("source", "args", "reads"),
    [
        ("hf://Qwen/Qwen2.5-VL-3B-Instruct", [], True),
        ("ollama://qwen2.5vl:7b", [], True),
        ("ollama://llava:7b", [], True),
        ("ollama://gemma3:4b", [], True),
        ("hf://HuggingFaceTB/SmolVLM-256M-Instruct", [], True),
        ("hf://mistralai/Pixtral-12B-2409", [], True),
        ("hf://me/mine", ["--limit-mm-per-prompt", '{"image": 2}'], True),
        ("ollama://gemma3:1b", [], False),
        ("ollama://smollm2:135m", [], False),
        ("hf://Qwen/Qwen3-0.6B", [], False),
    ],
)
def test_knows_models_that_read_pictures(source: str, args: list[str], reads: bool) -> None:
    model = {"metadata": {"name": "mine"}, "spec": {"url": source, "args": args}}
    assert reads_pictures(model, "") is reads
    assert not reads_pictures(model, "llama.cpp")
