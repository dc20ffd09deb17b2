"""The times and counts of an answer, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubeai_notebook.core.dialogue import Answer


def figures_of(answer: Answer) -> str:
    """Those of an answer that has ended, such as ``41 tokens, 88.2 tokens/s, first after 0.12 s``."""
    first, pace = answer.time_to_first_token_seconds, answer.tokens_per_second
    parts = [
        f"{answer.completion_tokens} tokens" if answer.completion_tokens else "",
        f"{pace:.1f} tokens/s" if pace else "",
        f"first after {first:.2f} s" if first is not None else "",
    ]
    return ", ".join(filter(None, parts))


def figures_so_far(pieces: int, *, first_seconds: float, since_first_seconds: float) -> str:
    """Those of one that is coming, ``""`` before it comes: engines send mostly a token a piece, and count last."""
    if not pieces:
        return ""
    has_pace = pieces > 1 and since_first_seconds > 0
    pace = f", about {(pieces - 1) / since_first_seconds:.1f} tokens/s" if has_pace else ""
    return f"first after {first_seconds:.2f} s{pace}"
