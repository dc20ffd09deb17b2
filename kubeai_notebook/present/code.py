"""Code to be copied: its text, and in a notebook with colours."""

from __future__ import annotations

import re
from typing import Any

from kubeai_notebook.text import LONGEST, ShownAsText, plain


class Code(ShownAsText, str):
    """A snippet; ``language`` is ``python`` or ``sh``."""

    __slots__ = ("language",)
    language: str

    def __new__(cls, text: str, language: str) -> Code:
        """Make it of its text."""
        code = super().__new__(cls, text)
        code.language = language
        return code

    def _text(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        del include, exclude
        text = plain(self, LONGEST)
        # Longer than any in the text, so that nothing in it ends the block.
        fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 0)
        return {"text/plain": text, "text/markdown": f"{fence}{self.language}\n{text}\n{fence}"}


_TRIALS = {
    "SpeechToText": ("writes down recordings", 'model.transcribe("recording.wav")', "your recording's path"),
    "Reranking": (
        "ranks texts by how well they answer a question",
        'model.rerank("What is the capital of France?", ["Paris.", "Bananas."])',
        "your question and texts",
    ),
}


def trial_code(name: str, feature: str) -> str:
    """Code that tries a Model for its feature, ``Reranking`` or ``SpeechToText``."""
    does, call, own = _TRIALS[feature]
    lines = (
        f"# {name} {does}. To try it from a cell, put {own} into this and run it.",
        "import kubeai_notebook",
        f"model = kubeai_notebook.attach({name!r})",
        call,
    )
    return "\n".join(lines)
