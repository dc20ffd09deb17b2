"""Words that several rooms need: the nearest name, an API server's sentence without its values, times and sizes."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# The API server quotes the value before the rule's sentence; 1.35 and later leave "object" out.
_QUOTED_VALUE = re.compile(r'^Invalid value: (("(\\.|[^"])*"|[\w.+-]+): )?')


def sentence_of(message: str) -> str:
    """An API server's cause without the value that it quotes: the value may be long, or a secret."""
    return _QUOTED_VALUE.sub("", message)


def nearest(word: str, known: Iterable[str], *, share: float = 0.6) -> str:
    """The known word that is nearest in spelling, whatever its letter case; ``""`` where none is near.

    ``share`` is how much they must have in common, as difflib counts it: names of few characters need less.

    >>> nearest("vlm", ["OLlama", "VLLM"])
    'VLLM'
    """
    by_lower = {name.lower(): name for name in sorted(known)}
    near = difflib.get_close_matches(word[:80].lower(), by_lower, n=1, cutoff=share)
    return by_lower[near[0]] if near else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``' Did you mean "x"?'`` for the nearest known word, or ``""``."""
    near = nearest(word, known)
    return f' Did you mean "{near}"?' if near else ""


def size(size_bytes: float) -> str:
    """An amount of bytes as publishers and disks count them, in powers of ten.

    >>> size(271e6), size(1.32e9)
    ('271 MB', '1.3 GB')
    """
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"


_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def duration(seconds: float, *, exact: bool = False) -> str:
    """A length of time as people say it: about how long it is or, ``exact``, its two largest units.

    >>> duration(200), duration(200, exact=True), duration(90), duration(7500, exact=True)
    ('3 min', '3 min 20 s', '90 s', '2 h 5 min')
    """
    whole = max(int(seconds), 0)
    if not exact:
        # Below two of a unit, the smaller one says more: 90 min, not 2 h.
        unit, length = next((one for one in _UNITS if whole >= 2 * one[1]), _UNITS[-1])
        return f"{whole / length:.0f} {unit}"
    first = next((index for index, (_, length) in enumerate(_UNITS) if whole >= length), len(_UNITS) - 1)
    words = []
    for unit, length in _UNITS[first : first + 2]:
        amount, whole = divmod(whole, length)
        words.append(f"{amount} {unit}")
    return " ".join(words)


_DOES = {
    "TextGeneration": "generates text",
    "TextEmbedding": "makes embeddings",
    "Reranking": "ranks texts",
    "SpeechToText": "writes down speech",
}


def what_it_does(features: Iterable[str]) -> str:
    """What a Model with these features is for; ``""`` where none of them is known.

    >>> what_it_does(["TextEmbedding", "Reranking"])
    'makes embeddings and ranks texts'
    """
    return " and ".join(_DOES[feature] for feature in features if feature in _DOES)
