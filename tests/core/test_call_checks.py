"""Slips in a call, each told in one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kubeai_notebook.core.call_checks import checked_call, checks_calls
from kubeai_notebook.core.chat_fields import CompleteFields
from kubeai_notebook.core.shown_fields import shows
from kubeai_notebook.errors import UsageError


@checks_calls
class Handle:
    def wait(self, timeout_seconds: float | None = None, *, yes: bool = False) -> str:
        """Wait."""
        return f"{timeout_seconds} {yes}"

    def scale(self, replicas: int, *, yes: bool = False) -> int:
        return replicas

    def delete(self, name: str, *names: str, missing_ok: bool = False) -> list[str]:
        return [name, *names]

    def search(self, query: str, texts: Any, *, k: int = 5, vectors: Any = None) -> Any:
        return vectors

    def fix(self, remedy: str | int = 1) -> Any:
        return remedy

    def open(self, prompt: str, **options: Any) -> Any:
        return options

    @shows(CompleteFields)
    def ask(self, prompt: str, other: Any, **fields: Any) -> Any:
        return prompt, other, fields

    def __call__(self, prompt: str) -> str:
        return prompt


CALLS = [
    (lambda handle: handle.wait(timeout=5), "wait() takes no argument timeout. Did you mean timeout_seconds?"),
    (
        lambda handle: handle.wait(tiemout_seconds=5),
        "wait() takes no argument tiemout_seconds. Did you mean timeout_seconds?",
    ),
    (lambda handle: handle.wait(colour=5), "wait() takes no argument colour. It takes timeout_seconds and yes."),
    (lambda handle: handle.wait("5"), 'wait() takes timeout_seconds as a number, not the text "5".'),
    (lambda handle: handle.wait([5]), "wait() takes timeout_seconds as a number, not a list."),
    (lambda handle: handle.wait(5, yes="no"), 'wait() takes yes as True or False, not the text "no".'),
    (lambda handle: handle.wait(True), "wait() takes timeout_seconds as a number, not True."),
    (
        lambda handle: handle.wait(1, 2),
        "wait() was given more than it takes. "
        "It is called as wait(timeout_seconds: float | None = None, *, yes: bool = False).",
    ),
    (lambda handle: handle.scale("two"), 'scale() takes replicas as a whole number, not the text "two".'),
    (lambda handle: handle.scale(1.5), "scale() takes replicas as a whole number, not 1.5."),
    (lambda handle: handle.scale(None), "scale() takes replicas as a whole number, not None."),
    (lambda handle: handle.scale(), "scale() needs replicas."),
    (lambda handle: handle.delete(["a", "b"]), "delete() takes name as a text, not a list."),
    (lambda handle: handle.delete("a", 5), "delete() takes names as a text, not 5."),
    (lambda handle: handle.search("a", None), "search() needs texts, and was given None."),
    (lambda handle: handle.search("a", [], top_k=3), "search() takes no argument top_k."),
    (lambda handle: handle.fix(1.5), "fix() takes remedy as a whole number or a text, not 1.5."),
    (lambda handle: handle.search("a"), "search() needs texts."),
    (lambda handle: handle.scale(1, 2), "scale() was given more than it takes."),
    (lambda handle: handle.open(), "open() needs prompt."),
    (lambda handle: handle.open("a", "b"), "open() was given more than it takes."),
    (lambda handle: handle.open(5), "open() takes prompt as a text, not 5."),
    (lambda handle: handle.ask("a"), "ask() needs other. It is called as ask(prompt: str, other, **fields)."),
    (lambda handle: handle.ask("a", 1, 2), "ask() was given more than it takes."),
    (lambda handle: handle(), "__call__() needs prompt."),
]


@pytest.mark.parametrize(("call", "sentence"), CALLS)
def test_says_what_is_wrong_with_a_call(call, sentence):
    with pytest.raises(UsageError) as raised:
        call(Handle())
    assert str(raised.value).startswith(sentence)


def test_lets_right_calls_through():
    handle = Handle()
    assert handle.wait(np.float32(1), yes=np.True_) == "1.0 True"
    assert (handle.wait(), handle.wait(None), handle.wait(3)) == ("None False", "None False", "3 False")
    assert handle.scale(np.int64(2)) == 2
    assert handle.delete("a", "b") == ["a", "b"]
    assert handle.search("a", ["b"], vectors=None) is None
    assert (handle.fix("id"), handle.fix(2)) == ("id", 2)
    assert handle.open("a", any=None) == {"any": None}
    assert handle.ask("a", other=1, seed="x", any=2) == ("a", 1, {"seed": "x", "any": 2})
    assert handle("a") == "a"
    assert Handle.wait.__doc__ == "Wait."


def test_names_what_a_number_too_many_may_be() -> None:
    @checked_call
    def search(query: str, texts: object, *, k: int = 5) -> None: ...

    with pytest.raises(UsageError) as raised:
        search("a", ["b"], 2)  # type: ignore[misc]
    assert "search() was given more than it takes. Write k=2." in str(raised.value)
